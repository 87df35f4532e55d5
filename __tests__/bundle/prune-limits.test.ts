import { describe, expect, it } from 'vitest';
import { openPruneScene, type PruneScene } from '../support/prune-scene.ts';

const HOUR_MS = 3_600_000;
const UNBROKEN = { brokenTags: [], lostSignatures: [], orphanChildren: [], orphanReferrers: [] };
const POLICY = '*: keep 2\nlimits: max-delete 100%, reserve 1';

describe("GitHub's allowance", () => {
  it('case 47: used up ends the run cleanly; the next one finishes, and both do what one run does', async () => {
    let aheadMs = 0;
    const now = (): number => Date.now() + aheadMs;
    const scene = await openPruneScene({ versions: 24, rateLimit: true, primary: 24, now });
    const before = scene.images();
    const first = await scene.prune(POLICY, '--apply', '--json');
    expect(first).toMatchObject({ status: 0 });
    const done = JSON.parse(first.stdout);
    expect(done.prune).toMatchObject({ complete: 'false', failed: '0', skipped: '0' });
    const left = scene.images();
    expect(left.length).toBeGreaterThan(2);
    expect(left).toEqual(before.slice(-left.length));
    expect(scene.ghcr.integrity()).toMatchObject(UNBROKEN);
    aheadMs = HOUR_MS + 1000;
    scene.ghcr.settings.primary = 1000;
    const second = await scene.prune(POLICY, '--apply', '--json');
    expect(second).toMatchObject({ status: 0 });
    expect(JSON.parse(second.stdout).prune).toMatchObject({ complete: 'true' });
    expect(scene.ghcr.limits).toMatchObject({ primary: 0, points: 0 });
    expect(scene.content()).toEqual((await prunedAtOnce()).content());
  });

  it('case 48: of a job, too small for all, goes to the oldest images, whole ones only', async () => {
    const scene = await openPruneScene({ versions: 50, platforms: 3, rateLimit: true, primary: 30 });
    const before = scene.images();
    const result = await scene.step({ retention: POLICY });
    expect(result).toMatchObject({ status: 'success', outputs: { complete: 'false', failed: '0' } });
    expect(result.log).toMatch(/stopped: .*this hour's allowance.*; the next run goes on/);
    const left = scene.images();
    expect(before.length - left.length).toBeGreaterThan(0);
    expect(left).toEqual(before.slice(-left.length));
    expect(scene.ghcr.integrity()).toMatchObject({ ...UNBROKEN, versions: left.length * 4 });
    expect(scene.ghcr.limits.primary).toBe(0);
  });

  it('case 46: of a minute is waited for, and all is done', async () => {
    const scene = await openPruneScene({ versions: 24, rateLimit: true, points: 40, windowMs: 2000, retryAfterS: 1 });
    const result = await scene.prune(POLICY, '--apply');
    expect(result).toMatchObject({ status: 0, stderr: expect.stringMatching(/waiting \d+ s: /) });
    expect(scene.images()).toHaveLength(2);
    expect(scene.ghcr.integrity()).toMatchObject(UNBROKEN);
  });
});

describe('the time that max-time allows', () => {
  it('ends the run between two images, which is no failure', async () => {
    const scene = await openPruneScene({ versions: 24 });
    const result = await scene.prune(`${POLICY}, max-time 1s`, '--apply', '--json');
    expect(result).toMatchObject({ status: 0 });
    const { prune } = JSON.parse(result.stdout);
    expect(prune).toMatchObject({ complete: 'false', failed: '0' });
    expect(prune.repositories[0].applied.stopped).toBe('the time that max-time allows is over');
    expect(scene.images().length).toBeGreaterThan(2);
    expect(scene.ghcr.integrity()).toMatchObject(UNBROKEN);
  });
});

describe('what cannot be deleted', () => {
  it('case 42: images that were downloaded too often are left alone, the rest is done, and the run succeeds', async () => {
    const scene = await openPruneScene({ versions: 16, visibility: 'public', popular: 3 });
    const before = scene.images();
    const result = await scene.step({ retention: '*: keep 2' });
    expect(result).toMatchObject({ status: 'success', outputs: { deleted: '3', skipped: '3', failed: '0' } });
    expect(result.log).toMatch(new RegExp(`skipped ${before[0]}: .*5,?000`));
    expect(scene.images()).toEqual([...before.slice(0, 3), ...before.slice(-2)]);
    expect(scene.ghcr.integrity()).toMatchObject(UNBROKEN);
  });

  it('case 2: the last image with a tag is foreseen to stay, and not tried', async () => {
    const scene = await openPruneScene({ versions: 8, stepMinutes: 180 });
    const result = await scene.prune('*: keep 0', '--apply');
    expect(result).toMatchObject({ status: 0, stdout: expect.stringContaining('keep    1 image by last tagged') });
    expect(scene.images()).toHaveLength(1);
    expect(scene.ghcr.count(/^DELETE/, 400)).toBe(0);
  });

  it('case 43: another that became the last one meanwhile is left alone', async () => {
    const scene = await openPruneScene({ versions: 6 });
    const [oldest = ''] = scene.images();
    scene.ghcr.settings.onRequest = (route, count) => {
      if (!route.startsWith('DELETE') || count > 1) return;
      const store = scene.ghcr.store();
      for (const version of store.list())
        if (version.kind === 'index' && !version.tags.includes(oldest)) store.remove(version);
    };
    const result = await scene.prune('*: keep 1', '--apply');
    expect(result.stdout).toMatch(new RegExp(`skipped ${oldest}: .*last`));
    expect(result.stdout).not.toContain('failed');
    expect(scene.images()).toEqual([oldest]);
  });

  it('case 41: what the list shows and is gone already is as good as deleted', async () => {
    const scene = await openPruneScene({ versions: 12 });
    const [oldest = '', ...rest] = scene.images();
    scene.ghcr.settings.onRequest = (route, count) => {
      const store = scene.ghcr.store();
      const gone = store.list().find(({ tags }) => tags.includes(oldest));
      if (route.startsWith('DELETE') && count === 1 && gone !== undefined) store.remove(gone);
    };
    const result = await scene.prune('*: keep 2', '--apply');
    expect(result).toMatchObject({ status: 0, stdout: expect.stringContaining('deleted 4 images (8 manifests)') });
    expect(scene.ghcr.count(/^DELETE/, 404)).toBe(1);
    expect(scene.images()).toEqual(rest.slice(-2));
    expect(scene.ghcr.integrity()).toMatchObject(UNBROKEN);
  });
});

async function prunedAtOnce(): Promise<PruneScene> {
  const scene = await openPruneScene({ versions: 24 });
  expect(await scene.prune(POLICY, '--apply')).toMatchObject({ status: 0 });
  return scene;
}
