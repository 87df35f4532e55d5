import type { Run } from './stage.ts';
import { loadGitHub } from './tools/load.ts';

/** How long what GitHub said of a branch holds for other images of the run: its requests are counted, and images are many. */
const BRANCH_HOLDS_MS = 5000;

/** Why a branch's tag is not for this run to move, or `undefined`. Who cannot be asked does not hinder. */
export function whyBranchStays(run: Run): Promise<string | undefined> {
  const { shared, event, host } = run;
  if (shared === undefined) return askForHead(run);
  const time = Math.floor(host.now().getTime() / BRANCH_HOLDS_MS);
  return shared.branches(`${time} ${event.git.branch}`, () => askForHead(run));
}

async function askForHead({ event, host, options }: Run): Promise<string | undefined> {
  const { branch, sha } = event.git;
  const { githubToken } = options;
  const apiUrl = host.env['GITHUB_API_URL'];
  if (branch === undefined || sha === undefined || event.repository === undefined) return undefined;
  if (githubToken === undefined || apiUrl === undefined || apiUrl === '') {
    host.log.info(`whether ${sha} is still the head of ${branch} is not known: there is no github-token to ask with`);
    return undefined;
  }
  try {
    const { branchHead } = await loadGitHub();
    const head = await branchHead({ apiUrl, token: githubToken, repository: event.repository.fullName, branch });
    if (head === undefined || head === sha) return undefined;
    return `the branch has moved on to ${head}`;
  } catch (error) {
    host.log.notice(
      `whether ${sha} is still the head of ${branch} is not known: ${error instanceof Error ? error.message : String(error)}`,
    );
    return undefined;
  }
}
