import { afterEach, describe, expect, it } from 'vitest';
import { toLegalTag } from '../../../src/core/legal-tag.ts';
import type { RetentionRule, WhileState } from '../../../src/core/retention/policy.ts';
import { BuildOnceError } from '../../../src/errors.ts';
import type { GitHubApi } from '../../../src/retention/github-api.ts';
import { readGitState } from '../../../src/retention/protections/git-state.ts';
import { SPENT } from '../../../src/retention/store.ts';
import { type GitHubServer, type Routes, startGitHub } from './surroundings.ts';

let server: GitHubServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** `PREFIX*: while STATE`. */
function rule(prefix: string, state: WhileState): RetentionRule {
  const match = (tag: string) => (tag.startsWith(prefix) ? { variable: tag.slice(prefix.length) } : undefined);
  const subject = { kind: 'tags', selector: { text: `${prefix}*`, match } } as const;
  return { text: `${prefix}*: while ${state}`, subject, action: 'vote', clauses: [{ kind: 'while', state }] };
}

async function read(rules: readonly RetentionRule[], tags: readonly string[], routes: Routes) {
  server = await startGitHub(routes);
  return await readGitState({ rules, tags, github: server.api, githubRepository: 'acme/app', tagPrefix: 'v' });
}

const PULLS = '/repos/acme/app/pulls';
const open = (number: number) => ({ number, state: 'open', closed_at: null });
const closed = (number: number, at: string) => ({ number, state: 'closed', closed_at: at });

describe('pull requests', () => {
  it('case 12: are open, or were closed at a time', async () => {
    const { git, warnings } = await read([rule('pr-', 'open')], ['pr-3', 'pr-2-web', 'pr-1', 'pr-x', 'v9'], {
      [PULLS]: [open(4), open(3), closed(2, '2026-01-02T03:04:05Z'), closed(1, 'yesterday')],
    });
    expect(git.pullRequests).toEqual(
      new Map<number, unknown>([
        [3, 'open'],
        [2, Date.UTC(2026, 0, 2, 3, 4, 5)],
      ]),
    );
    expect(git.branches).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  it.each([
    [403, 'permissions: { pull-requests: read }'],
    [404, 'permissions: { pull-requests: read }'],
    [500, 'GitHub answered 500'],
  ])('case 12: are unknown when GitHub answers %i, which is said', async (status, said) => {
    const { git, warnings } = await read([rule('pr-', 'open')], ['pr-3'], { [PULLS]: status });
    expect(git.pullRequests).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining(said)]);
    expect(warnings[0]).toMatch(
      /^The pull requests cannot be read, so every tag of a rule with "while open" is kept: /,
    );
  });

  it('are asked for by their numbers where that takes fewer requests', async () => {
    // 4950 is an issue.
    const newest = Array.from({ length: 150 }, (_, index) => open(5000 - index)).filter(
      ({ number }) => number !== 4950,
    );
    const routes = { [PULLS]: newest, [`${PULLS}/7`]: closed(7, '2026-01-01T00:00:00Z'), [`${PULLS}/9`]: 404 };
    const { git } = await read([rule('pr-', 'open')], ['pr-5000', 'pr-4950', 'pr-7', 'pr-9', 'pr-9-b'], routes);
    expect(git.pullRequests).toEqual(
      new Map<number, unknown>([
        [5000, 'open'],
        [7, Date.UTC(2026, 0, 1)],
      ]),
    );
    expect(server?.asked.map((path) => path.replace(/\?.*&page=/, ' '))).toEqual([
      `${PULLS} 1`,
      `${PULLS}/7`,
      `${PULLS}/9`,
    ]);
  });

  it('are asked for by the page where there are many, up to the oldest that a tag names', async () => {
    const all = Array.from({ length: 1000 }, (_, index) => open(1000 - index));
    const tags = Array.from({ length: 300 }, (_, index) => `pr-${1000 - index}`);
    const { git } = await read([rule('pr-', 'open')], tags, { [PULLS]: all });
    expect(git.pullRequests?.size).toBe(300);
    expect(server?.asked).toHaveLength(3);
  });

  it('that no tag names are not asked for', async () => {
    const { git } = await read([rule('pr-', 'open')], ['main', 'pr-x'], {});
    expect(git.pullRequests).toEqual(new Map());
    expect(server?.asked).toEqual([]);
  });

  it('are unknown when one of them cannot be read', async () => {
    const { git, warnings } = await read([rule('pr-', 'open')], ['pr-7'], {
      [PULLS]: Array.from({ length: 100 }, (_, index) => open(5000 - index)),
      [`${PULLS}/7`]: 500,
    });
    expect(git.pullRequests).toBeUndefined();
    expect(warnings).toHaveLength(1);
  });
});

describe('branches and git tags', () => {
  it('case 13: are those that are there, as they stand in tags', async () => {
    const long = `feature/${'x'.repeat(200)}`;
    const names = ['main', 'feature/a', 'feature-a', '.hidden', 'release+1', long];
    const { git } = await read([rule('br-', 'branch'), rule('', 'tag')], ['br-main'], {
      '/repos/acme/app/branches': names.map((name) => ({ name })),
      '/repos/acme/app/tags': [{ name: 'v1.0' }, {}, null],
    });
    expect([...(git.branches ?? [])]).toEqual(
      expect.arrayContaining(['main', 'feature-a', '_hidden', '.hidden', 'release_1', 'release-1', toLegalTag(long)]),
    );
    expect(git.branches).not.toContain('gone');
    expect([...(git.gitTags ?? [])]).toEqual(['v1.0', '1.0']);
    expect(git.pullRequests).toBeUndefined();
  });

  it('are behind tags that were cut, whose hash is that of the whole tag', async () => {
    const name = `feature/${'x'.repeat(200)}`;
    const [alive = '', gone = ''] = [name, `bug/${'x'.repeat(200)}`].map((one) => toLegalTag(`br-${one}`));
    const { git } = await read([rule('br-', 'branch')], [alive, gone], { '/repos/acme/app/branches': [{ name }] });
    expect(git.branches).toContain(alive.slice('br-'.length));
    expect(git.branches).not.toContain(gone.slice('br-'.length));
  });

  it('case 13: are read from all pages, and unknown when one fails', async () => {
    const branches = '/repos/acme/app/branches';
    const { git } = await read([rule('br-', 'branch')], [], {
      [branches]: Array.from({ length: 201 }, (_, index) => ({ name: `b${index}` })),
    });
    expect(git.branches).toContain('b200');
    const github: Pick<GitHubApi, 'send'> = {
      send: (request) =>
        request.path.includes('page=3')
          ? Promise.reject(new BuildOnceError('GITHUB_UNAVAILABLE', 'no answer', 1))
          : (server?.api.send(request) ?? Promise.reject(new Error('no server'))),
    };
    const failed = await readGitState({
      rules: [rule('br-', 'branch')],
      tags: [],
      github,
      githubRepository: 'acme/app',
      tagPrefix: 'v',
    });
    expect(failed.git.branches).toBeUndefined();
    expect(failed.warnings).toEqual([expect.stringContaining('"while branch" is kept: no answer.')]);
  });
});

it('asks for nothing that no clause asks for, and says what it cannot ask for', async () => {
  const nothing = await readGitState({
    rules: [],
    tags: ['pr-1'],
    github: undefined,
    githubRepository: undefined,
    tagPrefix: 'v',
  });
  expect(nothing).toEqual({
    git: { pullRequests: undefined, branches: undefined, gitTags: undefined },
    warnings: [],
  });
  const rules = [rule('pr-', 'open'), rule('v', 'tag')];
  const { warnings } = await readGitState({
    rules,
    tags: ['pr-1'],
    github: undefined,
    githubRepository: 'acme/app',
    tagPrefix: 'v',
  });
  expect(warnings).toHaveLength(2);
});

it('throws when the allowance is spent', async () => {
  const github: Pick<GitHubApi, 'send'> = { send: () => Promise.reject(new BuildOnceError(SPENT, 'spent', 1)) };
  const request = { rules: [rule('br-', 'branch')], tags: [], github, githubRepository: 'acme/app', tagPrefix: 'v' };
  await expect(readGitState(request)).rejects.toMatchObject({ code: SPENT });
});
