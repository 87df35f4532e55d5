import type { ChildProcess } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { IMAGE, openPruneScene, type PruneScene } from '../support/prune-scene.ts';

const UNBROKEN = { brokenTags: [], lostSignatures: [] };
const journalIn = (text: string): string => /what was deleted is in (\S+\.jsonl)/.exec(text)?.[1] ?? 'no journal';

describe('case 58: undo', () => {
  it('brings back 40 deleted manifests, tags and all; once more does nothing', async () => {
    const scene = await openPruneScene({ versions: 63, platforms: 2, attest: true, referrers: 'gh' });
    const before = scene.content();
    const done = await scene.prune('*: keep 3\nlimits: max-delete 100%', '--apply');
    expect(done).toMatchObject({ status: 0 });
    expect(before.digests.length - scene.content().digests.length).toBe(42);
    expect(scene.ghcr.integrity()).toMatchObject({ ...UNBROKEN, orphanChildren: [], orphanReferrers: [] });
    const undone = await scene.cli(['undo', journalIn(done.stdout)]);
    expect(undone).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^\d\d brought back, 0 there already, 0 lost/),
    });
    expect(scene.content()).toEqual(before);
    scene.ghcr.forgetRequests();
    const again = await scene.cli(['undo', journalIn(done.stdout)]);
    expect(again).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^0 brought back, \d\d there already, 0 lost/),
    });
    expect(scene.writes()).toEqual([]);
    expect(scene.content()).toEqual(before);
  });

  it('leaves a tag where somebody has pushed it since, and says so', async () => {
    const scene = await openPruneScene({ versions: 8 });
    const [oldest = ''] = scene.images();
    const done = await scene.prune('*: keep 3', '--apply');
    const { index } = scene.ghcr.push({ tags: [oldest] });
    const undone = await scene.cli(['undo', journalIn(done.stdout)]);
    expect(undone).toMatchObject({ status: 0, stdout: expect.stringContaining(`on another image by now: ${oldest}`) });
    expect(scene.ghcr.store().tags.get(oldest)).toBe(index.digest);
    expect(scene.ghcr.integrity()).toMatchObject({ ...UNBROKEN, orphanChildren: [] });
  });

  it('is bad input when the journal is none, before any request', async () => {
    const scene = await openPruneScene({ versions: 2 });
    scene.write('notes.txt', 'bought milk\n');
    const result = await scene.cli(['undo', 'notes.txt']);
    expect(result).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('"notes.txt" is no journal of build-once'),
    });
    expect(scene.ghcr.requests).toEqual([]);
  });
});

describe('case 49: a run that is ended', () => {
  const SHAPE = { versions: 30, platforms: 2, referrers: 'gh' } as const;
  const POLICY = '*: keep 2\nlimits: max-delete 100%';

  /** Ends the run when this request of this route comes. */
  async function prunedUntil(scene: PruneScene, signal: NodeJS.Signals, at: { route: RegExp; count: number }) {
    let child: ChildProcess | undefined;
    let seen = 0;
    scene.ghcr.settings.onRequest = (route) => {
      if (at.route.test(route) && (seen += 1) === at.count) child?.kill(signal);
    };
    const args = ['prune', `--images=${IMAGE}`, `--retention=${POLICY}`, '--apply'];
    const result = await scene.cli(args, { onStart: (started) => (child = started) });
    scene.ghcr.settings.onRequest = undefined;
    return result;
  }

  it.each([1, 2, 4, 9])('by SIGTERM at deletion %i has broken nothing, and undo brings all back', async (count) => {
    const scene = await openPruneScene(SHAPE);
    const before = scene.content();
    const result = await prunedUntil(scene, 'SIGTERM', { route: /^DELETE/, count });
    expect(result.status).toBe(143);
    expect(result.stderr).toMatch(/ABORTED|interrupted/i);
    expect(scene.ghcr.integrity()).toMatchObject(UNBROKEN);
    const deleted = before.digests.length - scene.content().digests.length;
    expect([count - 1, count]).toContain(deleted);
    const undone = await scene.cli(['undo', journalIn(result.stdout)]);
    expect(undone).toMatchObject({ status: 0 });
    expect(scene.content()).toEqual(before);
  });

  it.each([
    ['the list', /^GET .*\/versions$/],
    ['the manifests', /^GET \/v2\/:repo\/manifests/],
  ])('by SIGTERM while it reads %s has done nothing', async (_, route) => {
    const scene = await openPruneScene(SHAPE);
    const before = scene.content();
    const result = await prunedUntil(scene, 'SIGTERM', { route, count: 1 });
    expect(result.status).toBe(143);
    expect(scene.content()).toEqual(before);
    expect(scene.writes()).toEqual([]);
  });

  it('by SIGKILL leaves a journal that undo can read, and the next run goes on', async () => {
    const scene = await openPruneScene(SHAPE);
    const before = scene.content();
    const result = await prunedUntil(scene, 'SIGKILL', { route: /^DELETE/, count: 3 });
    expect(result.status).toBeUndefined();
    expect(scene.ghcr.integrity()).toMatchObject(UNBROKEN);
    const folder = join(scene.home, '.local/state/build-once-prune');
    const [journal = ''] = readdirSync(folder);
    expect(await scene.cli(['undo', join(folder, journal)])).toMatchObject({ status: 0 });
    expect(scene.content()).toEqual(before);
    const rest = await scene.prune(POLICY, '--apply');
    expect(rest).toMatchObject({ status: 0 });
    expect(scene.images()).toHaveLength(2);
    expect(scene.ghcr.integrity()).toMatchObject({ ...UNBROKEN, orphanChildren: [], orphanReferrers: [] });
  });
});
