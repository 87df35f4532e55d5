import type { GitState, Inventory, Protection } from '../core/retention/inventory.ts';
import { saidOnce } from '../said-once.ts';
import type { Run } from '../stage.ts';
import { findProtections } from './protections/find-protections.ts';
import { readGitState } from './protections/git-state.ts';
import type { Stores } from './stores.ts';
import type { Target } from './targets.ts';

/** Who needs images, and what became of the branches and pull requests that they were made from. */
export interface Sources {
  of(target: Target): {
    findProtections(): Promise<readonly Protection[]>;
    readGitState(inventory: Inventory): Promise<GitState>;
  };
}

export function openSources(run: Run, stores: Stores, own: Pick<Protection, 'tags' | 'digests'>): Sources {
  const { host, options } = run;
  const log = saidOnce(host.log);
  const githubRepository = host.env['GITHUB_REPOSITORY'] || undefined;
  return {
    of: ({ name, policy, store }) => ({
      async findProtections() {
        const { protections, notices } = await findProtections({
          host,
          own,
          repository: name,
          protect: policy.protect,
          github: await stores.github(),
          githubRepository,
          workspace: host.cwd,
          tagPrefix: options.tagPrefix,
        });
        for (const notice of notices) log.info(notice);
        return [...protections, ...(await stores.inUse(store))];
      },
      async readGitState({ entries }) {
        const tags = entries.flatMap((entry) => entry.tags);
        const { rules } = policy;
        const github = await stores.github();
        const { tagPrefix } = options;
        const { git, warnings } = await readGitState({ rules, tags, github, githubRepository, tagPrefix });
        for (const warning of warnings) log.warning(`${store.name}: ${warning}`);
        return git;
      },
    }),
  };
}
