import { describe, expect, onTestFinished, test } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import type { InventoryEntry } from '../../src/core/retention/inventory.ts';
import type { PlannedManifest } from '../../src/core/retention/plan.ts';
import { isBuildOnceError } from '../../src/errors.ts';
import { gitHubApiUrl, listPackages } from '../../src/retention/ghcr-packages.ts';
import type { ImageStore } from '../../src/retention/store.ts';
import { fakeClock } from '../registry/scripted-server.ts';
import { hasOpenssl, makeAuthority } from '../support/certificates.ts';
import type { Ghcr, GhcrOptions, Version } from '../support/ghcr/ghcr.ts';
import { startNamedGhcr } from '../support/ghcr/named-ghcr.ts';
import { type ClientOptions, openClient, startGhcr } from './open-ghcr.ts';

const LIST = 'GET /orgs/:o/packages/container/:p/versions';
const ONE = '/orgs/:o/packages/container/:p/versions/:id';
const DAY_MS = 86_400_000;

async function start(options: GhcrOptions = {}, client: ClientOptions = {}) {
  const { ghcr, clock } = await startGhcr(options);
  return { ghcr, clock, ...openClient(ghcr, clock, client) };
}

async function failureOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isBuildOnceError(error)) throw new TypeError(`no BuildOnceError: ${String(error)}`);
  return `${error.code}: ${error.message} ${error.hint}`;
}

const planned = ({ id, digest, tags }: Pick<Version, 'id' | 'digest' | 'tags'>): PlannedManifest => ({
  id: String(id),
  digest,
  tags,
});

/** The oldest images with a tag, to be deleted. */
function tagged(ghcr: Ghcr, count = 1): readonly PlannedManifest[] {
  const versions = ghcr
    .store()
    .list()
    .filter(({ tags }) => tags.length > 0);
  return versions.toReversed().slice(0, count).map(planned);
}

const idsOf = (entries: readonly Pick<InventoryEntry, 'id'>[]): string[] => entries.map(({ id }) => id).sort();
const present = (ghcr: Ghcr, name?: string): string[] => idsOf(ghcr.store(name).list().map(planned));

describe('the list of a package', () => {
  test('is every version with its tags and times, in one request and one a page (case 69)', async () => {
    const { ghcr, store } = await start({ versions: 1000 });
    const inventory = await store.list();
    expect(inventory).toMatchObject({
      repository: `${ghcr.host}/acme/app`,
      isComplete: true,
      listedAtMs: ghcr.settings.now(),
    });
    expect(idsOf(inventory.entries)).toEqual(present(ghcr));
    const newest = ghcr.store().list()[0];
    expect(inventory.entries[0]).toEqual({
      id: String(newest?.id),
      digest: newest?.digest,
      tags: newest?.tags,
      pushedAtMs: newest?.createdAtMs,
      updatedAtMs: newest?.updatedAtMs,
    });
    expect(ghcr.requests).toHaveLength(1 + 10);
    expect(ghcr.count(/manifests/)).toBe(0);
  });

  test.each(Array.from({ length: 20 }, (_, seed) => seed))(
    'and what came since miss nothing when an image is pushed meanwhile (case 36, seed %i)',
    async (seed) => {
      const race = { versions: 700, platforms: 3, pushAfterLists: 5, jitterMs: 8, seed };
      const { ghcr, store } = await start(race);
      const inventory = await store.list();
      const changes = await store.changes(inventory);
      // Either is a reason to delete nothing untagged.
      if (!inventory.isComplete || changes === undefined) return;
      const seen = new Set([...inventory.entries, ...changes].map(({ id }) => id));
      expect(present(ghcr).filter((id) => !seen.has(id))).toEqual([]);
      expect(ghcr.count(LIST)).toBeGreaterThan(7);
    },
  );

  test('has the index whose children were there before (case 37)', async () => {
    const { ghcr, store } = await start({ halfPush: true, pushAfterLists: 1 });
    const inventory = await store.list();
    expect(inventory.isComplete).toBe(true);
    expect(inventory.entries.filter(({ tags }) => tags.includes('raced'))).toHaveLength(1);
    expect(idsOf(inventory.entries)).toEqual(present(ghcr));
  });

  test('is followed by an index whose children it had, when that came later (case 37)', async () => {
    const { ghcr, store } = await start({ versions: 150, halfPush: true, pushAfterLists: 2 });
    const inventory = await store.list();
    const changes = await store.changes(inventory);
    expect(changes).toMatchObject([{ tags: ['raced'], digest: ghcr.store().tags.get('raced') }]);
    const raced = ghcr.store().byDigest.get(changes?.[0]?.digest ?? '');
    expect(inventory.entries.filter(({ digest }) => raced?.children.includes(digest))).toHaveLength(4);
  });

  test('is made anew when others delete while it is paged (case 39)', async () => {
    const { ghcr, store } = await start({ versions: 500 });
    ghcr.settings.onRequest = (route, count) => {
      const gone = route === LIST && count === 2 ? ghcr.store().list()[150] : undefined;
      if (gone !== undefined) ghcr.store().remove(gone);
    };
    const inventory = await store.list();
    expect(inventory.isComplete).toBe(true);
    expect(idsOf(inventory.entries)).toEqual(present(ghcr));
    expect(ghcr.count(LIST)).toBe(10);
  });

  test('is not whole when that goes on', async () => {
    const { ghcr, store } = await start({ versions: 500 });
    ghcr.settings.onRequest = (route, count) => {
      const gone = route === LIST && count % 5 === 2 ? ghcr.store().list()[150] : undefined;
      if (gone !== undefined) ghcr.store().remove(gone);
    };
    expect((await store.list()).isComplete).toBe(false);
    expect(ghcr.count(LIST)).toBe(15);
  });

  test('names no digest twice when one is deleted and pushed again meanwhile', async () => {
    const { ghcr, store } = await start({ versions: 300 });
    ghcr.settings.onRequest = (route, count) => {
      const version = route === LIST && count % 3 === 2 ? ghcr.store().list()[290] : undefined;
      if (version === undefined) return;
      ghcr.store().remove(version);
      ghcr.store().add({ ...version, id: version.id + 100_000, createdAtMs: ghcr.settings.now() });
    };
    const { entries } = await store.list();
    expect(new Set(entries.map(({ digest }) => digest)).size).toBe(entries.length);
  });

  test('does not stop at a page that fails twice (case 40)', async () => {
    const isSeventh = (path: string): boolean => path.endsWith('page=7');
    const faults = [{ on: 'list', answer: 500, times: 2, matches: isSeventh }] as const;
    const { ghcr, store } = await start({ versions: 1000, faults });
    expect((await store.list()).isComplete).toBe(true);
    expect(ghcr.count(LIST, 500)).toBe(2);
  });

  test.each([500, 'cut', 'html'] as const)('is an error when a page is always %s (case 40)', async (answer) => {
    const isSeventh = (path: string): boolean => path.endsWith('page=7');
    const { store } = await start({ versions: 1000, faults: [{ on: 'list', answer, matches: isSeventh }] });
    expect(await failureOf(store.list())).toMatch(/^(?:GITHUB_UNAVAILABLE|UNEXPECTED_ANSWER): /);
  });

  test('tells ages by the clock of GitHub (case 59)', async () => {
    const { ghcr, clock } = await startGhcr();
    const ahead = fakeClock(clock.now() + 2 * DAY_MS);
    const { listedAtMs, entries } = await openClient(ghcr, clock, { clock: ahead }).store.list();
    expect(listedAtMs).toBe(clock.now());
    expect(listedAtMs - (entries[0]?.pushedAtMs ?? 0)).toBe(3_600_000);
  });

  test.each<[string, GhcrOptions]>([
    ['of an organisation', {}],
    ['of a user', { ownerType: 'User' }],
    ['that is private', { visibility: 'private' }],
    ['that is public', { visibility: 'public' }],
  ])('is had of a package %s (case 56)', async (_, options) => {
    const { ghcr, store } = await start({ versions: 20, ...options });
    expect((await store.list()).entries).toHaveLength(20);
    expect(await store.remove(tagged(ghcr)[0] ?? planned(NOBODY))).toEqual({ outcome: 'deleted' });
  });

  test("is had of a user's own package where GitHub shows it to nobody else (case 56)", async () => {
    const ofOthers = (path: string): boolean => path.startsWith('/users/acme/packages');
    const faults = [{ on: 'list', answer: 404, matches: ofOthers }] as const;
    const { store, ghcr } = await start({ versions: 20, ownerType: 'User', faults });
    expect((await store.list()).entries).toHaveLength(20);
    expect(await store.remove(tagged(ghcr)[0] ?? planned(NOBODY))).toEqual({ outcome: 'deleted' });
    expect(ghcr.count(/^DELETE \/user\//)).toBe(1);
  });

  test.skipIf(!hasOpenssl).each([
    ['ghcr.io', undefined],
    ['containers.ghes.example', 'ghes.example'],
  ])('is had under the name %s, over TLS and a proxy (case 56)', async (registry, server) => {
    const clock = fakeClock();
    const named = await startNamedGhcr({
      versions: 20,
      now: () => clock.now(),
      authority: makeAuthority(),
      ...(server === undefined ? {} : { server }),
    });
    onTestFinished(() => named.close());
    const { GITHUB_API_URL, HTTPS_PROXY } = named.env;
    expect(gitHubApiUrl(registry, GITHUB_API_URL)).toBe(GITHUB_API_URL);
    const { authorities } = named;
    const client = { apiUrl: GITHUB_API_URL, registry, env: { HTTPS_PROXY }, authorities };
    const { store } = openClient(named.ghcr, clock, client);
    const { repository, entries } = await store.list();
    expect([repository, entries.length]).toEqual([`${registry}/acme/app`, 20]);
    expect(await store.read(entries[0]?.digest ?? digestOf(''))).toMatchObject({ kind: 'index' });
  });

  test('is had of packages with slashes in their name, and of owners in other letters (case 57)', async () => {
    const { ghcr, store } = await start({ owner: 'ACME', packages: { 'a/b': { versions: 10 } } }, { package: 'a/b' });
    expect(idsOf((await store.list()).entries)).toEqual(present(ghcr, 'a/b'));
    expect(ghcr.requests[0]?.path).toContain('/packages/container/a%2Fb/versions');
    expect(store.name).toBe(`${ghcr.host}/acme/a/b`);
  });

  test.each<[string, GhcrOptions, ClientOptions, RegExp]>([
    ['there is none', {}, { package: 'other' }, /^REPOSITORY_UNKNOWN: .*knows no such package.*Check the spelling/],
    [
      'the token may not see it',
      { access: 'none' },
      {},
      /^GITHUB_REFUSED: .*403.*"packages: read".*Manage Actions access/,
    ],
    ['it is hidden altogether', { access: 'hidden' }, {}, /^REPOSITORY_UNKNOWN: .*this token may not see it/],
    [
      'the token is wrong',
      { token: 'ghp_right' },
      { token: 'ghp_wrong' },
      /^GITHUB_REFUSED: .*401.*wrong or has expired/,
    ],
  ])('is an error of its own when %s (case 55)', async (_, options, client, expected) => {
    const { store } = await start(options, client);
    expect(await failureOf(store.list())).toMatch(expected);
  });

  test('says that it is the API that hides what the registry has (case 55)', async () => {
    const { ghcr, store } = await start({ packages: { app: {} } });
    ghcr.settings.faults = [{ on: 'list', answer: 404 }];
    expect(await failureOf(store.list())).toMatch(/^GITHUB_REFUSED: .*the registry has it.*Manage Actions access/);
  });

  test.each([
    ['no digest', { name: 'latest' }],
    ['no number', { id: 'x/../../y' }],
    ['no tags', { metadata: {} }],
    ['a tag that is none', { metadata: { container: { tags: [{ a: 1 }] } } }],
  ])('is refused when a version has %s', async (_, parts) => {
    const { api, ghcr, clock } = await start();
    const version = { id: 1, name: digestOf('x'), metadata: { container: { tags: [] } }, ...parts };
    const { openGhcrStore } = await import('../../src/retention/ghcr-store.ts');
    const send: typeof api.send = async (request) => {
      const answer = await api.send(request);
      return request.path.includes('/versions?') ? { ...answer, json: [version] } : answer;
    };
    const repository = { fetch: never, resolve: never, tag: never, tags: never };
    const name = { registry: ghcr.host, path: 'acme/app' };
    expect(clock.now()).toBeGreaterThan(0);
    expect(await failureOf(openGhcrStore({ name, api: { ...api, send }, repository }).list())).toMatch(
      /^UNEXPECTED_ANSWER: .*is no version/,
    );
  });
});

const NOBODY = { id: 1, digest: digestOf('nobody'), tags: [] };
const never = (): never => {
  throw new TypeError('nobody should ask');
};

describe('what came since the list', () => {
  test('is nothing, in two requests and one for each older page', async () => {
    const { ghcr, store } = await start({ versions: 300 });
    const inventory = await store.list();
    ghcr.forgetRequests();
    expect(await store.changes(inventory)).toEqual([]);
    expect(ghcr.requests).toHaveLength(4);
  });

  test('is what was pushed, and which tags have moved', async () => {
    const { ghcr, store } = await start();
    const inventory = await store.list();
    ghcr.push({ tags: ['latest'] });
    const changes = await store.changes(inventory);
    expect(changes?.filter(({ tags }) => tags.includes('latest'))).toHaveLength(1);
    expect(changes).toHaveLength(5 + 1);
  });

  test('cannot be told when others have deleted (case 38)', async () => {
    const { ghcr, store } = await start({ versions: 300 });
    const inventory = await store.list();
    const [first] = tagged(ghcr);
    const gone = ghcr.store().byId.get(Number(first?.id));
    if (gone !== undefined) ghcr.store().remove(gone);
    expect(await store.changes(inventory)).toBeUndefined();
  });

  test('cannot be told when one was pushed and one deleted', async () => {
    const { ghcr, store } = await start();
    const inventory = await store.list();
    const newest = ghcr.store().list()[0];
    if (newest !== undefined) ghcr.store().remove(newest);
    ghcr.store().put({ schemaVersion: 2, manifests: [] }, 'application/vnd.oci.image.index.v1+json');
    expect(await store.changes(inventory)).toBeUndefined();
  });

  test('does not count what this run has deleted itself', async () => {
    const { ghcr, store } = await start();
    const inventory = await store.list();
    for (const manifest of tagged(ghcr, 2)) await store.remove(manifest);
    expect(await store.changes(inventory)).toEqual([]);
  });

  test('is too much to tell after hundreds of pushes', async () => {
    const { ghcr, store } = await start();
    const inventory = await store.list();
    for (let count = 0; count < 110; count += 1) ghcr.push({});
    expect(await store.changes(inventory)).toBeUndefined();
    expect(ghcr.count(LIST)).toBeLessThan(8);
  });
});

describe('deleting a version', () => {
  test('deletes it', async () => {
    const { ghcr, store } = await start();
    const [manifest = planned(NOBODY)] = tagged(ghcr);
    expect(await store.remove(manifest)).toEqual({ outcome: 'deleted' });
    expect(await store.look(manifest)).toBeUndefined();
    expect(await store.remove(manifest)).toEqual({ outcome: 'gone' });
  });

  test('finds that it is gone, where the list was stale (case 41)', async () => {
    const { ghcr, store } = await start({ stale404: 10 });
    for (const version of ghcr.store().list().slice(-10)) {
      expect(await store.remove(planned(version))).toEqual({ outcome: 'gone' });
    }
  });

  test('is refused for good where it was downloaded too often, and others still go (case 42)', async () => {
    const { ghcr, store } = await start({ visibility: 'public', popular: 1 });
    const [popular = planned(NOBODY), other = planned(NOBODY)] = tagged(ghcr, 2);
    expect(await store.remove(popular)).toEqual({
      outcome: 'refused',
      reason: expect.stringContaining('more than 5000 downloads'),
      isFinal: true,
    });
    expect(await store.remove(other)).toEqual({ outcome: 'deleted' });
  });

  test('is refused for good where it is the last one with a tag (case 43)', async () => {
    const { ghcr, store } = await start({ versions: 10 });
    const [first = planned(NOBODY), last = planned(NOBODY)] = tagged(ghcr, 2);
    expect(await store.remove(first)).toEqual({ outcome: 'deleted' });
    const reason = expect.stringContaining('last tagged version');
    expect(await store.remove(last)).toEqual({ outcome: 'refused', reason, isFinal: true });
  });

  test('is refused with what to do where the token is no admin (case 55)', async () => {
    const { ghcr, store } = await start({ access: 'write' });
    const [manifest = planned(NOBODY)] = tagged(ghcr);
    const reason = expect.stringMatching(
      /404, but the version is there.*role "Admin" under "Manage Actions access": https/,
    );
    expect(await store.remove(manifest)).toEqual({ outcome: 'refused', reason, isFinal: false });
  });

  test('is refused where the scope is missing, which is told before the first', async () => {
    const { ghcr, store } = await start({ scopes: 'read:packages, repo' });
    expect(await failureOf(store.checkDeletion())).toMatch(
      /^GITHUB_REFUSED: .*read:packages, repo.*scope delete:packages/,
    );
    const [manifest = planned(NOBODY)] = tagged(ghcr);
    const reason = expect.stringContaining('403');
    expect(await store.remove(manifest)).toEqual({ outcome: 'refused', reason, isFinal: false });
  });

  test.each([['delete:packages'], [undefined]])('may be tried with the scopes %s', async (scopes) => {
    const { store, ghcr } = await start({ scopes });
    await store.checkDeletion();
    expect(ghcr.count(/DELETE/)).toBe(0);
  });

  test('tells what became of it when the answer was lost', async () => {
    const { ghcr, store } = await start();
    const [manifest = planned(NOBODY)] = tagged(ghcr);
    const version = ghcr.store().byId.get(Number(manifest.id));
    ghcr.settings.onRequest = (route, count) => {
      if (route === `DELETE ${ONE}` && count === 1 && version !== undefined) ghcr.store().remove(version);
    };
    ghcr.settings.faults = [{ on: 'delete', answer: 'cut', times: 1 }];
    expect(await store.remove(manifest)).toEqual({ outcome: 'gone' });
  });

  test.each([500, 409, 412] as const)('concerns one version only when GitHub answers %i', async (answer) => {
    const { ghcr, store } = await start({ faults: [{ on: 'delete', answer, times: 5 }] });
    const [first = planned(NOBODY), second = planned(NOBODY)] = tagged(ghcr, 2);
    const reason = expect.stringContaining(String(answer));
    expect(await store.remove(first)).toEqual({ outcome: 'refused', reason, isFinal: false });
    ghcr.settings.faults = [];
    expect(await store.remove(second)).toEqual({ outcome: 'deleted' });
  });

  test.each(['..', '../..', '', '1/restore', '1?x', '%2e%2e', '9'.repeat(1_000_000)])(
    'is of a number: %.10s reaches nothing',
    async (id) => {
      const { ghcr, store } = await start();
      await store.list();
      ghcr.forgetRequests();
      const manifest = { ...planned(NOBODY), id };
      const reason = expect.stringContaining('is not the number of a version');
      expect(await store.remove(manifest)).toEqual({ outcome: 'refused', reason, isFinal: false });
      expect(await failureOf(store.look(manifest))).toContain('is not the number of a version');
      expect(ghcr.requests).toEqual([]);
    },
  );

  test('of a tag alone is never done', async () => {
    const { store } = await start();
    expect(store.abilities).toMatchObject({ deletesTags: false, listsUntagged: true, keepsLastTagged: true });
    expect(await store.removeTag(planned(NOBODY), 'latest')).toMatchObject({ outcome: 'refused', isFinal: true });
  });
});

describe('the limits of GitHub', () => {
  async function removeAll(
    store: ImageStore,
    manifests: readonly PlannedManifest[],
    atOnce = 5,
  ): Promise<readonly string[]> {
    const left = [...manifests];
    const outcomes: string[] = [];
    const worker = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift())
        outcomes.push((await store.remove(next)).outcome);
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    return outcomes;
  }

  const untagged = (ghcr: Ghcr, count: number): readonly PlannedManifest[] =>
    ghcr
      .store()
      .list()
      .filter(({ kind }) => kind === 'platform')
      .slice(0, count)
      .map(planned);

  test('are never met with GitHub’s own numbers', async () => {
    const { ghcr, store, pauses, clock } = await start({ versions: 1000, rateLimit: true });
    const startMs = clock.now();
    await store.list();
    expect(await removeAll(store, untagged(ghcr, 390))).toHaveLength(390);
    expect([pauses, ghcr.limits.points, ghcr.limits.concurrent]).toEqual([[], 0, 0]);
    expect(ghcr.limits.peakPoints).toBeGreaterThan(850);
    expect(clock.now() - startMs).toBeLessThan(180_000);
  });

  test.each([
    [1, 0],
    // What is under way when one is refused cannot be called back.
    [5, 5],
  ])(
    'are learned where they are lower: one refusal a pause, and all is done (case 46, %i at once)',
    async (atOnce, more) => {
      const limits = { versions: 500, rateLimit: true, points: 100, retryAfterS: 3 };
      const { ghcr, store, pauses } = await start(limits);
      await store.list();
      const outcomes = await removeAll(store, untagged(ghcr, 100), atOnce);
      expect(outcomes).toEqual(Array.from({ length: 100 }, () => 'deleted'));
      expect(pauses.length).toBeGreaterThan(0);
      expect(ghcr.limits.points).toBeLessThanOrEqual(pauses.length + more);
    },
  );

  test('of an hour end the run with what is left to others, and the next run goes on (cases 47 and 48)', async () => {
    const limits = { versions: 500, rateLimit: true, primary: 150 };
    const { ghcr, store, clock } = await start(limits, { token: 'ghs_token', reserve: 50 });
    const manifests = untagged(ghcr, 120);
    await store.list();
    expect(await failureOf(removeAll(store, manifests))).toMatch(
      /^RETENTION_SPENT: .*kept for others.*The next run goes on/,
    );
    const done = manifests.filter(({ id }) => !ghcr.store().byId.has(Number(id)));
    expect(done.length).toBeGreaterThan(80);
    expect(ghcr.count(/./)).toBeLessThanOrEqual(100);
    expect(ghcr.limits.primary).toBe(0);
    clock.advance(3_600_001);
    const later = openClient(ghcr, clock, { token: 'ghs_token', reserve: 50 });
    const left = manifests.filter((manifest) => !done.includes(manifest));
    expect(await removeAll(later.store, left)).toHaveLength(left.length);
  });

  test('of the registry are waited for (case 45)', async () => {
    const { ghcr, store, clock } = await start({ versions: 200, registryPerSecond: 20 });
    const { entries } = await store.list();
    const startMs = clock.now();
    for (const { digest } of entries) expect(await store.read(digest)).not.toMatchObject({ kind: 'unreadable' });
    expect(ghcr.limits.registry).toBeGreaterThan(3);
    expect(clock.now() - startMs).toBeGreaterThan(8000);
  });
});

describe('reading a manifest', () => {
  test('tells what it names', async () => {
    const { ghcr, store } = await start({ referrers: 'oci11' });
    const index = ghcr
      .store()
      .list()
      .find(({ kind }) => kind === 'index');
    const bundle = ghcr
      .store()
      .list()
      .find(({ kind }) => kind === 'bundle');
    const facts = await store.read(index?.digest ?? NOBODY.digest);
    expect(facts).toMatchObject({
      kind: 'index',
      children: index?.children.map((digest) => ({ digest, type: 'manifest' })),
    });
    expect(await store.read(bundle?.digest ?? NOBODY.digest)).toMatchObject({
      kind: 'manifest',
      subject: bundle?.subject,
    });
  });

  test('goes on with another token when the first one has expired (case 44)', async () => {
    const { ghcr, store, clock } = await start({ registryTokenTtlS: 5 });
    for (const { digest } of ghcr.store().list().slice(0, 5)) {
      expect(await store.read(digest)).not.toMatchObject({ kind: 'unreadable' });
      clock.advance(6000);
    }
    expect(ghcr.count('GET /token')).toBe(5);
  });

  test('is tried again where that may help (case 34)', async () => {
    const { ghcr, store } = await start({ faults: [{ on: 'manifest', answer: 503, probability: 0.3 }] });
    for (const { digest } of ghcr.store().list()) {
      expect(await store.read(digest)).not.toMatchObject({ kind: 'unreadable' });
    }
  });

  test.each([
    ['html', 'page for people|not JSON'],
    ['truncated', 'should be sha256'],
    ['damaged', 'should be sha256'],
    [404, 'does not have it'],
    [403, '403'],
    [503, '503'],
    ['cut', 'cut'],
  ] as const)('answers that it cannot be read, for %s (cases 33 and 35)', async (answer, reason) => {
    const { ghcr, store } = await start({ faults: [{ on: 'manifest', answer }] });
    const facts = await store.read(ghcr.store().list()[0]?.digest ?? NOBODY.digest);
    expect(facts).toEqual({ kind: 'unreadable', reason: expect.stringMatching(reason) });
  });
});

describe('bringing a version back', () => {
  async function removed(options: GhcrOptions = {}) {
    const context = await start(options);
    const [manifest = planned(NOBODY)] = tagged(context.ghcr);
    await context.store.remove(manifest);
    return { ...context, manifest, tags: () => context.ghcr.store().byId.get(Number(manifest.id))?.tags };
  }

  test('has its tags, and does nothing the second time (case 58)', async () => {
    const { ghcr, store, manifest, tags } = await removed();
    expect(await store.restore(manifest, undefined)).toEqual({ outcome: 'restored', tags: manifest.tags });
    expect(tags()).toEqual(manifest.tags);
    ghcr.forgetRequests();
    expect(await store.restore(manifest, undefined)).toEqual({ outcome: 'present', tags: manifest.tags });
    expect(ghcr.count(/^(?:POST|PUT|DELETE)/)).toBe(0);
  });

  test('leaves a tag where it is by now (case 58)', async () => {
    const { ghcr, store, manifest, tags } = await removed();
    const [taken = '', ...free] = manifest.tags;
    const { index } = ghcr.push({ tags: [taken] });
    expect(await store.restore(manifest, undefined)).toEqual({ outcome: 'restored', tags: free });
    expect([tags(), ghcr.store().tags.get(taken)]).toEqual([free, index.digest]);
  });

  test('sets again the tags that GitHub did not bring back', async () => {
    const { ghcr, store, manifest, tags } = await removed();
    ghcr.settings.onRequest = (route) => {
      const lost = ghcr.store().deleted[0];
      if (route === `POST ${ONE}/restore` && lost !== undefined) lost.tags = [];
    };
    expect(await store.restore(manifest, undefined)).toEqual({ outcome: 'restored', tags: manifest.tags });
    expect(tags()).toEqual(manifest.tags);
  });

  test('finds the package in a run that has not listed it', async () => {
    const { ghcr, clock, manifest } = await removed({ ownerType: 'User' });
    const { store } = openClient(ghcr, clock);
    expect(await store.restore(manifest, undefined)).toEqual({ outcome: 'restored', tags: manifest.tags });
  });

  test('says that it is lost', async () => {
    const { ghcr, store, manifest } = await removed();
    ghcr.store().deleted.splice(0);
    const reason = expect.stringMatching(/404.*30 days/);
    expect(await store.restore(manifest, undefined)).toEqual({ outcome: 'lost', reason });
  });

  test('says that something else has its number', async () => {
    const { store, ghcr } = await start();
    const other: PlannedManifest = { ...planned(ghcr.store().list()[0] ?? NOBODY), digest: digestOf('other') };
    const reason = expect.stringContaining('by now');
    expect(await store.restore(other, undefined)).toEqual({ outcome: 'lost', reason });
  });
});

describe('the packages of an owner', () => {
  test.each(['Organization', 'User'] as const)('are listed by name, of an %s (case 54)', async (ownerType) => {
    const packages = Object.fromEntries(Array.from({ length: 120 }, (_, number) => [`p${number}`, { versions: 0 }]));
    const { api } = await start({ ownerType, packages: { ...packages, 'a/b': {} } });
    const names = await listPackages(api, 'Acme');
    expect(names).toHaveLength(121);
    expect(names[0]).toBe('a/b');
  });

  test.each<[string, GhcrOptions]>([
    ['GITHUB_TOKEN', { scopes: undefined }],
    ['nobody', { packages: {} }],
  ])('are to be named one by one for %s', async (_, options) => {
    const { api } = await start(options);
    expect(await failureOf(listPackages(api, 'acme'))).toMatch(/^GITHUB_REFUSED: .*Name the images one by one/);
  });

  test.each([
    ['ghcr.io', 'https://api.github.com', 'https://api.github.com'],
    ['ghcr.io', undefined, 'https://api.github.com'],
    ['ghcr.io', 'https://ghes.example/api/v3', 'https://api.github.com'],
    ['containers.ghes.example', 'https://ghes.example/api/v3', 'https://ghes.example/api/v3'],
    ['containers.acme.ghe.com', 'https://api.acme.ghe.com', 'https://api.acme.ghe.com'],
    ['containers.other.example', 'https://ghes.example/api/v3', undefined],
    ['docker.io', 'https://api.github.com', undefined],
    ['evilghcr.io', 'no url', undefined],
  ])('of %s are looked after by the API for %s', (registry, own, expected) => {
    expect(gitHubApiUrl(registry, own)).toBe(expected);
  });
});
