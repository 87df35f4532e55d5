import { textAt } from '../../core/json.ts';
import { toLine } from '../../core/printable.ts';
import { releaseTags } from '../../core/retention/git-names.ts';
import { isBuildOnceError } from '../../errors.ts';
import { type GitHubList, gitHubRepository, isDenied, listAll } from './github-lists.ts';
import type { SourceAnswer, Surroundings } from './source.ts';

const NO_API: SourceAnswer = {
  kind: 'absent',
  reason: 'GitHub cannot be asked here: there is no token, or no repository on GitHub is known',
  hint: 'Give the input github-token, and run where GITHUB_REPOSITORY is set, as in a workflow.',
};

/** `@releases`: the git tags of GitHub's releases, drafts as well where the token may see them. */
export async function findReleases(surroundings: Surroundings): Promise<SourceAnswer> {
  const { github, githubRepository, tagPrefix } = surroundings;
  const repository = gitHubRepository(github, githubRepository);
  if (repository === undefined) return NO_API;
  const list = await listAll(repository, '/releases');
  if (!list.ok) return failed('the releases', list, 'contents: read');
  return namesRead(
    '@releases',
    list.entries.flatMap((release) => textAt(release, 'tag_name') ?? []),
    tagPrefix,
  );
}

/** `@git-tags`: of GitHub's repository or, where GitHub cannot be asked, of the one in the workspace. */
export async function findGitTags(surroundings: Surroundings): Promise<SourceAnswer> {
  const { github, githubRepository, tagPrefix } = surroundings;
  const repository = gitHubRepository(github, githubRepository);
  if (repository === undefined) return await findLocalGitTags(surroundings);
  const list = await listAll(repository, '/tags');
  if (!list.ok) return failed('the git tags', list, 'contents: read');
  return namesRead(
    '@git-tags',
    list.entries.flatMap((tag) => textAt(tag, 'name') ?? []),
    tagPrefix,
  );
}

const LOCAL_HINT =
  'Check the repository out with its tags (actions/checkout: fetch-tags: true, fetch-depth: 0), or give the input github-token.';

async function findLocalGitTags({ host, workspace, tagPrefix }: Surroundings): Promise<SourceAnswer> {
  try {
    const argv = ['git', 'for-each-ref', '--format=%(refname:strip=2)', 'refs/tags'] as const;
    const env = { LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0', GIT_OPTIONAL_LOCKS: '0' };
    const result = await host.exec({ argv, env, cwd: workspace });
    host.signal.throwIfAborted();
    if (result.status !== 0) {
      const reason = `git could not list them: ${toLine(result.stderr || 'it gave no reason', 300)}`;
      return { kind: 'unreadable', reason, hint: LOCAL_HINT };
    }
    const names = result.stdout.split('\n').filter((name) => name !== '');
    // A shallow checkout has none, which says nothing about the repository.
    if (names.length === 0) return { kind: 'absent', reason: 'the checkout has no git tags', hint: LOCAL_HINT };
    return namesRead('@git-tags', names, tagPrefix);
  } catch (cause) {
    if (!isBuildOnceError(cause)) throw cause;
    return { kind: 'absent', reason: toLine(cause.message, 300), hint: LOCAL_HINT };
  }
}

function namesRead(by: string, names: readonly string[], tagPrefix: string): SourceAnswer {
  const tags = [...new Set(names.flatMap((name) => releaseTags(name, tagPrefix)))];
  return { kind: 'read', protections: [{ by, tags, digests: [] }], notices: [] };
}

/** `what` could not be read of GitHub; `permission` is what a workflow gives its token. */
export function failed(
  what: string,
  { status, reason, cause }: Exclude<GitHubList, { ok: true }>,
  permission: string,
): SourceAnswer {
  const problem = `${what} cannot be read: ${reason}`;
  const hint = isDenied(status)
    ? `Let the job's token read them: permissions: { ${permission} }.`
    : 'Try again later; until GitHub answers nobody knows what they need.';
  return {
    kind: isDenied(status) ? 'absent' : 'unreadable',
    reason: problem,
    hint,
    ...(cause === undefined ? {} : { cause }),
  };
}
