import { describe, expect, onTestFinished, test } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { openTransport } from '../registry/open-transport.ts';
import { hasOpenssl } from '../support/certificates.ts';
import { createGhcr, type Ghcr, type GhcrOptions } from '../support/ghcr/ghcr.ts';
import { startNamedGhcr } from '../support/ghcr/named-ghcr.ts';

const VERSIONS = '/orgs/acme/packages/container/app/versions';
const NOW = Date.UTC(2026, 10, 21);

async function start(options: GhcrOptions = {}): Promise<Ghcr> {
  const ghcr = createGhcr({ now: () => NOW, ...options });
  await ghcr.listen();
  onTestFinished(() => ghcr.close());
  return ghcr;
}

async function ask(ghcr: Ghcr, path: string, method = 'GET', token = 'ghp_x') {
  const answer = await fetch(`${ghcr.url}${path}`, { method, headers: { authorization: `token ${token}` } });
  const text = await answer.text();
  const json: unknown = text === '' ? undefined : JSON.parse(text);
  return { status: answer.status, json, header: (name: string) => answer.headers.get(name) ?? undefined };
}

const firstId = (ghcr: Ghcr, name?: string): number => ghcr.store(name).list()[0]?.id ?? 0;

describe('the API of the GHCR stand-in', () => {
  test('lists versions in pages, the newest first, by its own clock', async () => {
    const ghcr = await start({ versions: 120 });
    const first = await ask(ghcr, `${VERSIONS}?per_page=100`);
    expect(first.json).toHaveLength(100);
    expect(first.json).toMatchObject({ 0: { metadata: { container: { tags: [expect.any(String), 'latest'] } } } });
    expect(first.header('link')).toContain('page=2>; rel="last"');
    expect(Date.parse(first.header('date') ?? '')).toBe(NOW);
    expect((await ask(ghcr, `${VERSIONS}?per_page=100&page=2`)).json).toHaveLength(20);
    expect((await ask(ghcr, '/orgs/acme/packages/container/app')).json).toMatchObject({ version_count: 120 });
    expect(ghcr.count('GET /orgs/:o/packages/container/:p/versions', 200)).toBe(2);
  });

  test('deletes a version, lists it as deleted and restores those of its tags that are free', async () => {
    const ghcr = await start();
    const version = ghcr.store().list()[0];
    const [tag = ''] = version?.tags ?? [];
    expect((await ask(ghcr, `${VERSIONS}/${version?.id}`, 'DELETE')).status).toBe(204);
    expect(ghcr.integrity()).toMatchObject({ deletedVersions: 1, brokenTags: [] });
    expect((await ask(ghcr, `${VERSIONS}/${version?.id}`)).status).toBe(404);
    expect((await ask(ghcr, `${VERSIONS}?state=deleted`)).json).toMatchObject([{ id: version?.id }]);
    ghcr.push({ tags: ['latest'] });
    expect((await ask(ghcr, `${VERSIONS}/${version?.id}/restore`, 'POST')).status).toBe(204);
    expect(ghcr.store().byId.get(version?.id ?? 0)?.tags).toEqual([tag]);
    expect((await ask(ghcr, `${VERSIONS}/${version?.id}/restore`, 'POST')).status).toBe(404);
  });

  test('keeps packages apart, also those with a slash in their name, and lists them', async () => {
    const ghcr = await start({ packages: { app: {}, 'a/b': { versions: 5 }, secret: { access: 'none' } } });
    expect((await ask(ghcr, '/orgs/ACME/packages/container/a%2Fb')).json).toMatchObject({ version_count: 5 });
    const listed = await ask(ghcr, '/orgs/acme/packages?package_type=container');
    expect(listed.json).toMatchObject([{ name: 'app' }, { name: 'a/b' }]);
    expect((await ask(ghcr, '/orgs/acme/packages?package_type=container', 'GET', 'ghs_x')).status).toBe(403);
    expect((await ask(ghcr, '/orgs/acme/packages/container/secret')).status).toBe(403);
    expect((await ask(ghcr, '/orgs/acme/packages/container/nothing')).status).toBe(404);
  });

  test('knows what is owned by a user and by an organisation, and the path of an enterprise server', async () => {
    const ghcr = await start({ ownerType: 'User' });
    expect((await ask(ghcr, '/orgs/acme/packages/container/app')).status).toBe(404);
    expect((await ask(ghcr, '/users/acme/packages/container/app')).status).toBe(200);
    expect((await ask(ghcr, '/api/v3/user/packages/container/app/versions')).status).toBe(200);
    expect((await ask(ghcr, '/users/acme')).json).toMatchObject({ type: 'User' });
  });

  test.each<[string, GhcrOptions, number]>([
    ['the last version with a tag', { versions: 5 }, 400],
    ['a version with many downloads', { visibility: 'public', popular: 100 }, 400],
    ['without the right to', { access: 'write' }, 404],
    ['without the scope for it', { scopes: 'read:packages' }, 403],
  ])('refuses to delete %s', async (_, options, status) => {
    const ghcr = await start(options);
    const id = ghcr
      .store()
      .list()
      .find(({ tags }) => tags.length > 0)?.id;
    expect((await ask(ghcr, `${VERSIONS}/${id}`, 'DELETE')).status).toBe(status);
    expect(ghcr.integrity().deletedVersions).toBe(0);
  });

  test('keeps the limits that GitHub documents', async () => {
    const ghcr = await start({ rateLimit: true, points: 7, retryAfterS: 9, primary: 3 });
    expect((await ask(ghcr, `${VERSIONS}/${firstId(ghcr)}`, 'DELETE')).status).toBe(204);
    expect((await ask(ghcr, VERSIONS)).header('x-ratelimit-remaining')).toBe('1');
    const refused = await ask(ghcr, `${VERSIONS}/${firstId(ghcr)}`, 'DELETE');
    expect([refused.status, refused.header('retry-after')]).toEqual([403, '9']);
    await ask(ghcr, VERSIONS);
    const spent = await ask(ghcr, VERSIONS);
    expect([spent.status, spent.header('retry-after'), spent.header('x-ratelimit-remaining')]).toEqual([
      403,
      undefined,
      '0',
    ]);
    expect(ghcr.limits).toMatchObject({ points: 1, primary: 1, peakPoints: 7 });
  });

  test('fails where it is told to, and as often', async () => {
    const isSecond = (path: string): boolean => path.includes('page=2');
    const ghcr = await start({ faults: [{ on: 'list', answer: 502, times: 1, matches: isSecond }] });
    expect((await ask(ghcr, VERSIONS)).status).toBe(200);
    expect((await ask(ghcr, `${VERSIONS}?page=2`)).status).toBe(502);
    expect((await ask(ghcr, `${VERSIONS}?page=2`)).status).toBe(200);
  });

  test('lets an image come while it lists, whose children were there before', async () => {
    const ghcr = await start({ halfPush: true, pushAfterLists: 1 });
    const before = await ask(ghcr, VERSIONS);
    expect(JSON.stringify(before.json)).not.toContain('raced');
    expect((await ask(ghcr, VERSIONS)).json).toMatchObject({ 0: { metadata: { container: { tags: ['raced'] } } } });
  });

  test('shows tags as they were before, where its lists lag', async () => {
    const ghcr = await start({ listLagMs: 8000 });
    const [newest, other] = ghcr
      .store()
      .list()
      .filter(({ kind }) => kind === 'index');
    ghcr.tag('latest', other?.digest ?? digestOf(''));
    expect((await ask(ghcr, `${VERSIONS}/${newest?.id}`)).json).toMatchObject({
      metadata: { container: { tags: expect.arrayContaining(['latest']) } },
    });
    expect(ghcr.store().tags.get('latest')).toBe(other?.digest);
  });

  test('tells of the git repository what it was given', async () => {
    const ghcr = await start({
      repos: { 'acme/app': { releases: [{ tag_name: 'v1' }], tags: [{ name: 'v1' }] } },
    });
    expect((await ask(ghcr, '/repos/acme/app/releases')).json).toEqual([{ tag_name: 'v1' }]);
    expect((await ask(ghcr, '/repos/acme/app/tags')).json).toEqual([{ name: 'v1' }]);
    expect((await ask(ghcr, '/repos/acme/app/pulls?state=all')).status).toBe(404);
  });
});

describe('the integrity of the GHCR stand-in', () => {
  test.each<[string, GhcrOptions]>([
    ['plain images', {}],
    ['signed ones', { referrers: 'gh', signPlatforms: true }],
    ['images that were broken before', { ghost: 2, partial: 2 }],
    ['nested indexes', { nested: 2, shareChildEvery: 2 }],
  ])('is whole with %s', async (_, options) => {
    const nothing = { brokenTags: [], lostSignatures: [], orphanReferrers: [], orphanChildren: [] };
    expect((await start(options)).integrity()).toMatchObject(nothing);
  });

  test('sees a tag whose inner child is gone, and a signature that is', async () => {
    const ghcr = await start({ nested: 1, referrers: 'gh' });
    const remove = (kind: string): void => {
      const version = ghcr
        .store()
        .list()
        .find((one) => one.kind === kind);
      if (version !== undefined) ghcr.store().remove(version);
    };
    remove('platform');
    remove('bundle');
    const { brokenTags, lostSignatures } = ghcr.integrity();
    expect(brokenTags).toMatchObject([{ tag: expect.stringMatching(/^sha256-/) }, { tag: 'nested-0' }]);
    expect(lostSignatures).toHaveLength(1);
  });
});

describe.skipIf(!hasOpenssl)('under the names of the services', () => {
  test.each([undefined, 'ghes.example'])('answers through a proxy, over TLS (%s)', async (server) => {
    const named = await startNamedGhcr(server === undefined ? {} : { server });
    onTestFinished(() => named.close());
    const { send } = openTransport({ env: named.env, authorities: named.authorities });
    const url = new URL(`${named.env.GITHUB_API_URL}${VERSIONS}`);
    expect((await send({ method: 'GET', url, authorization: 'token ghp_x' })).status).toBe(200);
    const host = server === undefined ? 'ghcr.io' : `containers.${server}`;
    const challenge = await send({ method: 'GET', url: new URL(`https://${host}/v2/acme/app/tags/list`) });
    expect(challenge.header('www-authenticate')).toContain(`realm="https://${host}/token"`);
  });
});
