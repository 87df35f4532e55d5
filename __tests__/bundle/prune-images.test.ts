import { describe, expect, it } from 'vitest';
import type { GhcrOptions } from '../support/ghcr/ghcr.ts';
import { openPruneScene } from '../support/prune-scene.ts';

const UNBROKEN = { brokenTags: [], lostSignatures: [] };
const TIDY = { ...UNBROKEN, orphanChildren: [], orphanReferrers: [] };
const DAY_MS = 86_400_000;
const POLICY = '*: keep 3\nlimits: max-delete 100%';

/** A package that was filled ten days ago: nothing in it is too young to go. */
function openOldScene(options: GhcrOptions) {
  let agoMs = 10 * DAY_MS;
  const opened = openPruneScene({ ...options, now: () => Date.now() - agoMs });
  agoMs = 0;
  return opened;
}

describe('images go whole, with all that is theirs alone', () => {
  const signed = { platforms: 2, attest: true };
  it.each<[string, GhcrOptions]>([
    ['case 21: of five platforms with attestations', { versions: 66, platforms: 5, attest: true }],
    ['case 22: that share a platform with a neighbour', { versions: 12, shareChildEvery: 2 }],
    ['case 23: of which the newest are indexes in indexes', { versions: 8, nested: 2 }],
    ['case 26: signed as GitHub does', { versions: 35, ...signed, referrers: 'gh' }],
    ['case 26: signed as cosign 2 does', { versions: 30, ...signed, referrers: 'cosign' }],
    ['case 26: signed by referrers', { versions: 30, ...signed, referrers: 'oci11' }],
    [
      'case 27: with signatures of their platforms as well',
      { versions: 40, ...signed, attest: false, referrers: 'gh', signPlatforms: true },
    ],
  ])('%s', async (_, options) => {
    const scene = await openOldScene(options);
    const roots = scene.ghcr
      .store()
      .list()
      .filter(({ tags }) => tags.some((tag) => !tag.startsWith('sha256-')));
    expect(roots.length).toBeGreaterThan(3);
    const result = await scene.prune(POLICY, '--apply');
    expect(result, result.stderr).toMatchObject({ status: 0 });
    const left = scene.ghcr
      .store()
      .list()
      .filter(({ tags }) => tags.some((tag) => !tag.startsWith('sha256-')));
    expect(left.map(({ digest }) => digest)).toEqual(roots.slice(0, 3).map(({ digest }) => digest));
    expect(scene.ghcr.integrity()).toMatchObject(TIDY);
  });

  it('case 23: of indexes in indexes, the inner ones too', async () => {
    const scene = await openOldScene({ versions: 8, nested: 2 });
    await scene.prune('nested-*: delete\nlimits: max-delete 100%', '--apply');
    expect(scene.images()).toHaveLength(4);
    expect(scene.ghcr.integrity()).toMatchObject({ ...TIDY, versions: 8 });
  });

  it('case 32: those with missing parts are told, and go by a rule for them only', async () => {
    const scene = await openOldScene({ versions: 24, platforms: 2, ghost: 1, partial: 1 });
    const [ghost = '', partial = ''] = scene.images();
    const kept = await scene.prune(POLICY, '--apply');
    expect(kept.stdout).toMatch(new RegExp(`warning: .*${partial} .*names manifests that are not there`));
    expect(scene.images()).toEqual(expect.arrayContaining([ghost, partial]));
    await scene.prune(`${POLICY}\nbroken: for 7d`, '--apply');
    expect(scene.images()).toHaveLength(3);
    expect(scene.ghcr.integrity()).toMatchObject(TIDY);
  });
});

describe('what cannot be read', () => {
  const options = { versions: 12 };

  it.each(['html', 'truncated', 'damaged', 404, 403] as const)(
    'cases 33 and 35: a manifest that is answered with %s keeps everything, and is named',
    async (answer) => {
      const scene = await openOldScene(options);
      const [, second] = scene.ghcr
        .store()
        .list()
        .filter(({ kind }) => kind === 'index');
      const digest = second?.digest ?? '';
      scene.ghcr.settings.faults = [{ on: 'manifest', answer, matches: (path) => path.endsWith(digest) }];
      const result = await scene.prune(POLICY, '--apply');
      expect(result, result.stdout).toMatchObject({ status: 0, stdout: expect.stringContaining(digest) });
      expect(result.stdout).toContain('no image to delete, ');
      // The reason is told to its end.
      expect(result.stdout).toMatch(/could not be read \([^…]+\): while that is so/);
      expect(scene.writes()).toEqual([]);
    },
  );

  it('case 34: at one time in three makes no other plan', async () => {
    const scene = await openOldScene({ versions: 30 });
    const calm = await scene.prune(POLICY, '--json');
    const other = await openOldScene({ versions: 30, faults: [{ on: 'manifest', answer: 503, probability: 0.3 }] });
    const rough = await other.prune(POLICY, '--json');
    const tagsIn = (text: string): unknown =>
      JSON.parse(text).prune.repositories[0].plan.deletions.map((one: { root: { tags: string[] } }) => one.root.tags);
    expect(tagsIn(rough.stdout)).toEqual(tagsIn(calm.stdout));
    expect(other.ghcr.count(/manifests/, 503)).toBeGreaterThan(0);
  });

  it('case 40: a page of the list that fails twice is asked again; one that always does stops it', async () => {
    const scene = await openOldScene({ versions: 12, faults: [{ on: 'list', answer: 500, times: 2 }] });
    expect(await scene.prune(POLICY, '--apply')).toMatchObject({ status: 0 });
    expect(scene.images()).toHaveLength(3);
    const broken = await openOldScene({ versions: 12, faults: [{ on: 'list', answer: 500 }] });
    const result = await broken.prune(POLICY, '--apply');
    expect(result.status).toBe(1);
    expect(broken.writes()).toEqual([]);
  });

  it('case 45: fast enough for the registry is waited for', async () => {
    const scene = await openOldScene({ versions: 80, registryPerSecond: 20 });
    const result = await scene.prune('*: keep 39');
    expect(result).toMatchObject({ status: 0, stdout: expect.stringContaining('1 image to delete, 39 to keep') });
    expect(scene.ghcr.limits.registry).toBeGreaterThan(0);
  });
});

describe('others at work meanwhile', () => {
  it('case 15: a list that lags by eight seconds deletes no image that has got a tag since', async () => {
    const scene = await openPruneScene({ versions: 12, listLagMs: 8000 });
    const [oldest = '', ...rest] = scene.images();
    const digest = scene.ghcr.store().tags.get(oldest);
    if (digest !== undefined) scene.ghcr.tag('promoted', digest);
    const result = await scene.prune('sha-*: keep 2', '--apply');
    expect(result).toMatchObject({ status: 0 });
    expect(scene.ghcr.store().tags.get('promoted')).toBe(digest);
    expect(scene.images()).toEqual([oldest, ...rest.slice(-2)]);
    expect(scene.ghcr.integrity()).toMatchObject(TIDY);
  });

  it.each<[string, GhcrOptions, string]>([
    ['case 36: an image', { versions: 12, platforms: 3, pushAfterLists: 1, jitterMs: 40 }, ', grace 1s'],
    [
      'case 37: an index whose platforms came before',
      { versions: 12, platforms: 3, halfPush: true, pushAfterLists: 1 },
      ', grace 1s',
    ],
    // Nothing but the grace period helps where it comes after the last look.
    ['case 37: the same once the list is made', { versions: 24, platforms: 3, halfPush: true, pushAfterLists: 2 }, ''],
  ])('%s that is pushed while it is listed stays whole', async (_, options, grace) => {
    const scene = await openPruneScene(options);
    await scene.prune(`${POLICY}${grace}\nuntagged: for 1s`, '--apply');
    expect(scene.ghcr.store().tags.has('raced')).toBe(true);
    expect(scene.ghcr.integrity()).toMatchObject(UNBROKEN);
  });

  it('case 38: a second run at the same time breaks nothing, and what should stay does', async () => {
    const scene = await openPruneScene({ versions: 16, referrers: 'oci11' });
    const before = scene.images();
    await Promise.all([scene.prune(POLICY, '--apply'), scene.prune(POLICY, '--apply')]);
    expect(scene.ghcr.integrity()).toMatchObject(UNBROKEN);
    expect(scene.images()).toEqual(expect.arrayContaining(before.slice(-3)));
    await scene.prune(POLICY, '--apply');
    expect(scene.images()).toEqual(before.slice(-3));
  });

  it('case 39: versions that others delete while it is listed are no harm', async () => {
    const scene = await openOldScene({ versions: 240 });
    const oldest = scene.images()[0] ?? '';
    scene.ghcr.settings.onRequest = (route, count) => {
      const store = scene.ghcr.store();
      const gone = store.list().find(({ tags }) => tags.includes(oldest));
      if (/^GET .*\/versions$/.test(route) && count === 2 && gone !== undefined) store.remove(gone);
    };
    const result = await scene.prune('*: keep 117', '--apply');
    expect(result).toMatchObject({ status: 0 });
    expect(scene.images()).toHaveLength(117);
    expect(scene.ghcr.integrity()).toMatchObject(UNBROKEN);
  });
});
