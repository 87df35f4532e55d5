import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BuildOnceError } from '../../../src/errors.ts';
import type { GitHubApi } from '../../../src/retention/github-api.ts';
import { findProtections, type ProtectionRequest } from '../../../src/retention/protections/find-protections.ts';
import { SPENT } from '../../../src/retention/store.ts';
import {
  DIGEST,
  type GitHubServer,
  OTHER_DIGEST,
  openSite,
  type Routes,
  type Site,
  sourceItem,
  startGitHub,
} from './surroundings.ts';

let site: Site;
let server: GitHubServer | undefined;
beforeEach(() => {
  site = openSite();
  site.write({ 'README.md': '' });
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  await site.close();
});

/** The request of a policy that protects these sources. */
async function requestOf(
  items: readonly string[],
  { routes, ...changes }: Partial<ProtectionRequest> & { readonly routes?: Routes } = {},
): Promise<ProtectionRequest> {
  if (routes !== undefined) server = await startGitHub(routes);
  return site.request({ protect: items.map(sourceItem), github: server?.api, ...changes });
}

/** Who protects what; the notices. */
async function find(...args: Parameters<typeof requestOf>) {
  const { protections, notices } = await findProtections(await requestOf(...args));
  return { by: Object.fromEntries(protections.map(({ by, tags, digests }) => [by, [...tags, ...digests]])), notices };
}

const RELEASES = '/repos/acme/app/releases';

describe('without a word of the policy', () => {
  it("this run's own images, releases and files of the repository are protected", async () => {
    site.write({ 'compose.yml': 'image: ghcr.io/acme/app:1' });
    const { protections, notices } = await findProtections(
      await requestOf([], { routes: { [RELEASES]: [{ tag_name: 'v1.0.0' }] }, own: { tags: ['2'], digests: [] } }),
    );
    expect(protections).toEqual([
      { by: 'this run', tags: ['2'], digests: [] },
      { by: '@releases', tags: ['v1.0.0', '1.0.0'], digests: [] },
      { by: 'compose.yml:1', tags: ['1'], digests: [] },
    ]);
    expect(notices).toEqual([]);
  });

  it('what is not there is skipped, and said', async () => {
    const { by, notices } = await find([], { workspace: '/nowhere' });
    expect(by).toEqual({});
    expect(notices).toEqual([
      expect.stringMatching(/^no releases protect images: GitHub cannot be asked here/),
      'no files of the repository protect images: there are no files of the repository in /nowhere',
    ]);
  });

  it.each([403, 404, 500])('releases that GitHub answers with %i are skipped, and said', async (status) => {
    const { notices } = await find([], { routes: { [RELEASES]: status } });
    expect(notices).toEqual([expect.stringContaining(`GitHub answered ${status} (Resource not accessible)`)]);
  });

  it('case 65: neither clusters nor containers nor deployments are asked', async () => {
    site.program('kubectl', 'return 1');
    site.program('docker', 'return 1');
    await find([], { routes: { [RELEASES]: [] } });
    expect(site.calls()).toEqual([]);
    expect(server?.asked).toEqual([expect.stringContaining('/releases')]);
  });
});

describe('@releases', () => {
  it('protects every form that a tag takes, of all pages', async () => {
    const many = Array.from({ length: 250 }, (_, number) => ({ tag_name: `v0.0.${number}` }));
    const named = [{ tag_name: 'app/v1.2.3+b5', draft: true }, { tag_name: null }, {}, 'no release'];
    const { by } = await find(['@releases'], { routes: { [RELEASES]: [...many, ...named] }, tagPrefix: 'app/v' });
    expect(by['@releases']).toEqual(
      expect.arrayContaining(['0.0.0', 'v0.0.249', 'app-v1.2.3_b5', '1.2.3_b5', '1.2.3-b5']),
    );
    expect(server?.asked).toHaveLength(3);
  });

  it.each<readonly [string, Routes | undefined, RegExp]>([
    ['GitHub cannot be asked', undefined, /there is no token/],
    ['this run may not read them', { [RELEASES]: 403 }, /the releases cannot be read: GitHub answered 403/],
    ['GitHub is not well', { [RELEASES]: 502 }, /answered 502/],
    ['the answer is no list', { [RELEASES]: {} }, /answered no list/],
  ])('refuses when %s', async (_, routes, message) => {
    const finding = find(['@releases'], routes === undefined ? {} : { routes });
    await expect(finding).rejects.toMatchObject({ code: 'PROTECTION_UNREADABLE', exitCode: 3, message });
  });

  it('case 16: protects nothing under its name when there is none, which the plan refuses', async () => {
    expect((await find(['@releases'], { routes: { [RELEASES]: [] } })).by).toEqual({});
  });

  it('is asked for once, when named twice', async () => {
    await find(['@releases', '@releases'], { routes: { [RELEASES]: [] } });
    expect(server?.asked).toHaveLength(1);
  });

  it('says when the allowance is spent, instead of protecting nothing', async () => {
    const github: Pick<GitHubApi, 'send'> = { send: () => Promise.reject(new BuildOnceError(SPENT, 'spent', 1)) };
    await expect(find([], { github })).rejects.toMatchObject({ code: SPENT });
    const down: Pick<GitHubApi, 'send'> = {
      send: () => Promise.reject(new BuildOnceError('GITHUB_UNAVAILABLE', 'no answer', 1)),
    };
    await expect(find([], { github: down })).resolves.toMatchObject({
      notices: [expect.stringContaining('no answer')],
    });
    await expect(find(['@releases'], { github: down })).rejects.toMatchObject({ code: 'PROTECTION_UNREADABLE' });
  });
});

describe('@git-tags', () => {
  it("protects the tags of GitHub's repository", async () => {
    const { by } = await find(['@git-tags'], { routes: { '/repos/acme/app/tags': [{ name: 'v1' }], [RELEASES]: [] } });
    expect(by['@git-tags']).toEqual(['v1', '1']);
  });

  it('protects those of the checkout where GitHub cannot be asked', async () => {
    const git = (...args: string[]) => spawnSync('/usr/bin/env', ['git', '-C', site.workspace, ...args]);
    git('init', '--quiet');
    git('-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '--quiet', '--allow-empty', '-m', 'a');
    site.program(
      'git',
      `const { spawnSync } = require('node:child_process');
      const path = '/usr/local/bin:/usr/bin:/bin';
      return spawnSync('git', args, { stdio: 'inherit', env: { ...process.env, PATH: path } }).status;`,
    );
    await expect(find(['@git-tags'])).rejects.toMatchObject({
      code: 'PROTECTION_UNREADABLE',
      hint: expect.stringContaining('fetch-tags'),
    });
    git('tag', 'v2.0.0');
    expect((await find(['@git-tags'])).by['@git-tags']).toEqual(['v2.0.0', '2.0.0']);
  });

  it('refuses where there is no git either', async () => {
    await expect(find(['@git-tags'])).rejects.toMatchObject({ code: 'PROTECTION_UNREADABLE' });
  });
});

/** A pod whose nodes run a digest. */
const CLUSTER = {
  items: [
    {
      kind: 'Pod',
      metadata: { namespace: 'shop', name: 'web' },
      spec: {
        containers: [{ image: 'ghcr.io/acme/app:1' }, { image: `ghcr.io/acme/app:2@${DIGEST}` }],
        initContainers: [{ image: 'ghcr.io/acme/app:init' }],
        ephemeralContainers: [{ image: 'ghcr.io/acme/app' }],
      },
      status: {
        containerStatuses: [{ image: 'sha256:1', imageID: `docker-pullable://ghcr.io/acme/app@${OTHER_DIGEST}` }],
      },
    },
    { kind: 'CronJob', metadata: { name: 'x\u001b[31m' }, spec: { image: `ghcr.io/acme/app@${DIGEST}` } },
    {
      kind: 'Job',
      metadata: { name: 'renamed' },
      status: { containerStatuses: [{ image: 'mirror.example/app:1', imageID: `ghcr.io/acme/app@${DIGEST}` }] },
    },
    { kind: 'Pod', metadata: { name: 'other' }, spec: { containers: [{ image: 'ghcr.io/acme/web:1' }] } },
    null,
    7,
  ],
};

describe('@in-use(kubectl)', () => {
  const clusters = (body: string) =>
    site.program('kubectl', `if (args[0] === 'config') { out('prod\\nstage'); return; }\n${body}`);

  it('case 65: protects what every context runs, by digest, by tag, by both, of init containers too', async () => {
    clusters(`out(args[0] === '--context=prod' ? ${JSON.stringify(JSON.stringify(CLUSTER))} : '{"items":[]}')`);
    const { by } = await find(['@in-use(kubectl)']);
    expect(Object.keys(by)).toEqual([
      '@in-use(kubectl): prod: pod shop/web',
      '@in-use(kubectl): prod: cronjob x',
      '@in-use(kubectl): prod: job renamed',
    ]);
    expect(new Set(by['@in-use(kubectl): prod: pod shop/web'])).toEqual(
      new Set(['1', '2', 'init', 'latest', DIGEST, OTHER_DIGEST]),
    );
    expect(by['@in-use(kubectl): prod: cronjob x']).toEqual([DIGEST]);
    expect(site.calls()).toEqual([
      'kubectl config get-contexts -o name',
      'kubectl --context=prod get po,deploy,rs,sts,ds,job,cj,rc --all-namespaces --output=json',
      'kubectl --context=stage get po,deploy,rs,sts,ds,job,cj,rc --all-namespaces --output=json',
    ]);
  });

  it('case 65: refuses where there is no kubectl', async () => {
    await expect(find(['@in-use(kubectl)'])).rejects.toMatchObject({
      code: 'PROTECTION_UNREADABLE',
      exitCode: 3,
      message:
        'retention protects @in-use(kubectl), which cannot be read, so nothing is deleted: there is no kubectl here',
      hint: expect.stringContaining('contexts'),
    });
  });

  it.each([
    [
      'a context does not answer',
      `err('Unable to connect to \\u001b[31mhost'); return 1;`,
      /"prod" does not answer: Unable to connect to host$/,
    ],
    ['a context answers half of it', `out('{"items":[{"kind":'); return 0;`, /"prod" answers no list/],
    ['a context answers something else', `out('[]')`, /"prod" answers no list/],
  ])('refuses when %s', async (_, body, message) => {
    clusters(body);
    await expect(find(['@in-use(kubectl)'])).rejects.toMatchObject({ code: 'PROTECTION_UNREADABLE', message });
  });

  it('refuses where kubectl has no context', async () => {
    site.program('kubectl', '');
    await expect(find(['@in-use(kubectl)'])).rejects.toThrow(/kubectl has no context/);
  });
});

describe('@in-use(docker)', () => {
  it('protects the images of containers, stopped ones too, by tag and digest', async () => {
    const container = { Name: '/web', Image: OTHER_DIGEST, Config: { Image: 'ghcr.io/acme/app:1' } };
    const moved = { Name: '/old', Image: DIGEST, Config: { Image: DIGEST } };
    const image = { Id: OTHER_DIGEST, RepoDigests: [`ghcr.io/acme/app@${DIGEST}`, '<none>@<none>'] };
    site.program(
      'docker',
      `if (args[0] === 'ps') out('1\\n2');
       else if (args[0] === 'container') [${JSON.stringify(container)}, ${JSON.stringify(moved)}].forEach((one) => out(JSON.stringify(one)));
       else { out(${JSON.stringify(JSON.stringify(image))}); err('Error: No such image: x'); return 1; }`,
    );
    const { by } = await find(['@in-use(docker)']);
    expect(by).toEqual({
      '@in-use(docker): container web': ['1', DIGEST, OTHER_DIGEST],
      '@in-use(docker): container old': [DIGEST],
    });
  });

  it.each([
    ['there is no docker', undefined],
    ['no engine answers', `err('Cannot connect to the Docker daemon'); return 1;`],
    ['the engine goes away', `if (args[0] === 'ps') { out('1'); return; } err('Cannot connect'); return 1;`],
  ])('refuses when %s', async (_, body) => {
    if (body !== undefined) site.program('docker', body);
    await expect(find(['@in-use(docker)'])).rejects.toMatchObject({ code: 'PROTECTION_UNREADABLE' });
  });
});

describe('@in-use(deployments)', () => {
  const sha = 'c'.repeat(40);
  const deployment = (id: number, environment: string, more: object) => ({
    id,
    environment,
    sha: `${id}`.repeat(40),
    ...more,
  });
  const root = '/repos/acme/app/deployments';

  it('protects what was last deployed with success to each environment, and what was tried since', async () => {
    const routes = {
      [RELEASES]: [],
      [root]: [
        deployment(5, 'prod', { ref: 'main', payload: { image: `ghcr.io/acme/app:1@${DIGEST}`, n: [7, null] } }),
        deployment(4, 'stage', { ref: 'v2.0.0', payload: '{"tag":"canary","other":"ghcr.io/acme/web:3"}' }),
        deployment(3, 'prod', { ref: 'v1.0.0', sha, payload: 'not json {' }),
        deployment(2, 'prod', { ref: 'v0.9.0' }),
        deployment(1, 'preview', { ref: 'pr-1' }),
      ],
      [`${root}/5/statuses`]: [{ state: 'failure' }],
      [`${root}/4/statuses`]: [],
      [`${root}/3/statuses`]: [{ state: 'success' }, { state: 'in_progress' }],
      [`${root}/1/statuses`]: [{ state: 'inactive' }],
    };
    const { by } = await find(['@in-use(deployments)'], { routes });
    const prod = by['@in-use(deployments): deployment to prod'];
    expect(prod).toEqual(expect.arrayContaining(['main', '1', DIGEST, 'v1.0.0', '1.0.0', 'sha-ccccccc', `sha-${sha}`]));
    expect(prod).not.toContain('0.9.0');
    expect(by['@in-use(deployments): deployment to stage']).toEqual(expect.arrayContaining(['2.0.0', 'canary']));
    expect(by['@in-use(deployments): deployment to stage']).not.toContain('3');
    expect(by['@in-use(deployments): deployment to preview']).toBeUndefined();
  });

  it('refuses when they cannot be read, and says which permission is missing', async () => {
    await expect(find(['@in-use(deployments)'], { routes: { [root]: 403 } })).rejects.toMatchObject({
      code: 'PROTECTION_UNREADABLE',
      hint: expect.stringContaining('deployments: read'),
    });
  });
});

describe('@in-use', () => {
  it('is all that is there, and says what is not', async () => {
    site.write({ 'compose.yml': 'image: ghcr.io/acme/app:1' });
    site.program('kubectl', `out(args[0] === 'config' ? 'prod' : ${JSON.stringify(JSON.stringify(CLUSTER))})`);
    const { by, notices } = await find(['@in-use']);
    expect(Object.keys(by)).toEqual([
      '@in-use: compose.yml:1',
      '@in-use: prod: pod shop/web',
      '@in-use: prod: cronjob x',
      '@in-use: prod: job renamed',
    ]);
    expect(notices).toEqual([
      expect.stringMatching(/^@in-use does not ask deployments: /),
      expect.stringMatching(/^@in-use does not ask docker: there is no docker program here/),
      expect.stringMatching(/^no releases protect images: /),
    ]);
  });

  it('refuses when something is there and cannot be read', async () => {
    site.program('kubectl', `if (args[0] === 'config') { out('prod'); return; } return 1;`);
    await expect(find(['@in-use'])).rejects.toThrow(/kubectl: the context "prod" does not answer: it gave no reason/);
  });

  it('refuses when there is nothing to ask, and for a source that it does not know', async () => {
    await expect(find(['@in-use'], { workspace: '/nowhere' })).rejects.toThrow(/there is nothing to ask here/);
    await expect(find(['@in-use(nomad)'])).rejects.toThrow(/there is no such source/);
  });
});

describe('@file(PATH)', () => {
  it('protects what a list names: references, tags, digests, both', async () => {
    site.write({
      'keep.txt': `# kept\n1.2.3 # why\r\n${DIGEST}\n1.0@${OTHER_DIGEST}\nghcr.io/acme/app:2\nghcr.io/acme/app\nghcr.io/acme/web:9\n\n`,
    });
    const { by } = await find(['@file(keep.txt)']);
    expect(by).toEqual({
      '@file(keep.txt): keep.txt:2': ['1.2.3'],
      '@file(keep.txt): keep.txt:3': [DIGEST],
      '@file(keep.txt): keep.txt:4': ['1.0', OTHER_DIGEST],
      '@file(keep.txt): keep.txt:5': ['2'],
      '@file(keep.txt): keep.txt:6': ['latest'],
    });
  });

  it.each([
    ['is not there', '@file(none.txt)', /there is no such file$/],
    ['is a directory', '@file(.)', /the file is a directory, not a file$/],
    ['has a line that is no image', '@file(bad.txt)', /line 2: "a b c" is no image/],
    ['has half a digest', '@file(half.txt)', /line 1: "1.0@sha256:abc" is no image/],
  ])('refuses when it %s', async (_, item, message) => {
    site.write({ 'bad.txt': 'ok\na b\u001b[31m c\n', 'half.txt': '1.0@sha256:abc' });
    await expect(find([item])).rejects.toMatchObject({ code: 'PROTECTION_UNREADABLE', message });
  });
});
