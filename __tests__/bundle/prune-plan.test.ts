import { describe, expect, it } from 'vitest';
import { IMAGE, openPruneScene, type PruneScene } from '../support/prune-scene.ts';

/** What a rule that keeps two of six lets go, on a package that nothing stops. */
const RULE = '*: keep 2';

async function openPlanned(rule = RULE): Promise<PruneScene> {
  const scene = await openPruneScene({ versions: 12 });
  const planned = await scene.prune(rule, '--plan-out=plan.json');
  expect(planned).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^plan [0-9a-f]{64} is in \/.*plan\.json$/m),
  });
  expect(scene.writes()).toEqual([]);
  return scene;
}

/** Nothing but the plan is needed: it knows the repositories and the rules. */
const carryOut = (scene: PruneScene, ...args: readonly string[]) =>
  scene.cli(['prune', '--apply', '--plan=plan.json', ...args]);

describe('a plan in a file', () => {
  it('is carried out as it was written, without the inputs that it was made from', async () => {
    const scene = await openPlanned();
    const before = scene.images();
    const result = await carryOut(scene);
    expect(result).toMatchObject({ status: 0, stdout: expect.stringContaining('deleted 4 images (8 manifests)') });
    expect(scene.images()).toEqual(before.slice(-2));
    const again = await carryOut(scene);
    expect(again).toMatchObject({ status: 0, stdout: expect.stringContaining('4 images of the plan changed since') });
    expect(scene.images()).toEqual(before.slice(-2));
  });

  it('does not grow: what has come since is left to the next plan', async () => {
    const scene = await openPlanned();
    const before = scene.images();
    scene.ghcr.push({ tags: ['since'], minutesAgo: 180 });
    await carryOut(scene);
    expect(scene.images()).toEqual(expect.arrayContaining(['since', ...before.slice(-2)]));
    expect(scene.images()).toHaveLength(3);
  });

  it('case 51: an image whose tag has moved since stays, and the others go', async () => {
    const scene = await openPlanned();
    const [oldest = '', , ...rest] = scene.images();
    const digest = scene.ghcr.store().tags.get(oldest);
    if (digest === undefined) throw new Error('it has no tag');
    scene.ghcr.tag('moved', digest);
    const result = await carryOut(scene);
    expect(result).toMatchObject({ status: 0, stdout: expect.stringContaining('1 image of the plan changed since') });
    expect(scene.images()).toEqual([oldest, ...rest.slice(-2)]);
    expect(scene.ghcr.store().tags.has('moved')).toBe(true);
    expect(scene.ghcr.integrity()).toMatchObject({ brokenTags: [], orphanChildren: [] });
  });

  it('case 51: an image whose tag moves while others go stays too', async () => {
    const scene = await openPruneScene({ versions: 12 });
    const [, second = '', ...rest] = scene.images();
    const digest = scene.ghcr.store().tags.get(second);
    scene.ghcr.settings.onRequest = (route, count) => {
      if (route.startsWith('DELETE') && count === 1 && digest !== undefined) scene.ghcr.tag('moved', digest);
    };
    const result = await scene.prune(RULE, '--apply');
    expect(result).toMatchObject({ status: 0, stdout: expect.stringMatching(/skipped .*its tags have changed since/) });
    expect(scene.images()).toEqual([second, ...rest.slice(-2)]);
    expect(scene.ghcr.store().tags.has('moved')).toBe(true);
    expect(scene.ghcr.integrity()).toMatchObject({ brokenTags: [], orphanChildren: [] });
  });

  it('keeps what somebody protects by now', async () => {
    const scene = await openPlanned('protect keep-*?\n*: keep 2');
    const [oldest = ''] = scene.images();
    scene.write('compose.yml', `services: { app: { image: "${IMAGE}:${oldest}" } }\n`);
    const result = await carryOut(scene);
    expect(result).toMatchObject({ status: 0 });
    expect(scene.images()).toContain(oldest);
    expect(scene.images()).toHaveLength(3);
  });

  it.each([
    ['another digest', (text: string) => text.replace(/"digest":"sha256:./, '"digest":"sha256:0')],
    ['another hash', (text: string) => text.replace(/"hash":"./, '"hash":"x')],
    ['a deletion less', (text: string) => text.replace(/"members":\[\{.*?\}\]/, '"members":[]')],
    ['no JSON', (text: string) => text.slice(0, -20)],
  ])('case 52: is refused with %s, before any request', async (_, change) => {
    const scene = await openPlanned();
    const text = scene.read('plan.json');
    scene.write('plan.json', change(text));
    expect(scene.read('plan.json')).not.toBe(text);
    scene.ghcr.forgetRequests();
    const result = await carryOut(scene);
    expect(result).toMatchObject({ status: 2, stdout: '' });
    expect(result.stderr).toMatch(/--plan: "plan\.json" is no plan that can be carried out/);
    expect(scene.ghcr.requests).toEqual([]);
  });

  it('is an error when it is not there, or is not to be carried out', async () => {
    const scene = await openPruneScene({ versions: 2 });
    const missing = await scene.cli(['prune', '--apply', '--plan=missing.json']);
    expect(missing).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--plan: "missing.json" is not there'),
    });
    const idle = await scene.cli(['prune', '--plan=missing.json']);
    expect(idle).toMatchObject({ status: 2, stderr: expect.stringContaining('--plan: goes with --apply') });
  });
});

describe('the breaker', () => {
  const DRASTIC = '*: keep 2\nlimits: max-delete 30%';
  const hashIn = (text: string): string => /its hash is ([0-9a-f]{64})/.exec(text)?.[1] ?? '';

  it('case 53: stops a plan over the limit with its hash and no write; its hash lets it run, another one does not', async () => {
    const scene = await openPruneScene({ versions: 12 });
    const before = scene.images();
    const planned = await scene.prune(DRASTIC);
    expect(planned).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('  would be stopped, unless confirmed: 4 of 6 tagged images would go'),
    });
    const stopped = await scene.prune(DRASTIC, '--apply');
    expect(stopped).toMatchObject({ status: 3, stderr: expect.stringContaining('RETENTION_STOPPED') });
    expect(stopped.stderr).toContain('4 of 6 tagged images would go, and max-delete is 30%');
    expect(stopped.stderr).toContain('change max-delete or min-keep in limits');
    const hash = hashIn(stopped.stderr);
    const other = await scene.prune(
      DRASTIC,
      '--apply',
      `--confirm=${hash.replace(/^./, (d) => (d === '0' ? '1' : '0'))}`,
    );
    expect(other).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('the plan that was confirmed is another'),
    });
    expect(scene.writes()).toEqual([]);
    expect(scene.images()).toEqual(before);
    const confirmed = await scene.prune(DRASTIC, '--apply', `--confirm=${hash}`);
    expect(confirmed).toMatchObject({ status: 0, stdout: expect.stringContaining('deleted 4 images') });
    expect(scene.images()).toEqual(before.slice(-2));
  });

  it('case 53: lets 30 % of the images go', async () => {
    const scene = await openPruneScene({ versions: 20 });
    const done = await scene.prune('*: keep 7\nlimits: max-delete 30%', '--apply');
    expect(done).toMatchObject({ status: 0, stdout: expect.stringContaining('deleted 3 images') });
    const stopped = await scene.prune('*: keep 4\nlimits: max-delete 30%', '--apply');
    expect(stopped.status).toBe(3);
    expect(scene.images()).toHaveLength(7);
  });

  it('is passed by a plan in a file, which somebody has looked at', async () => {
    const scene = await openPlanned(DRASTIC);
    expect(await carryOut(scene)).toMatchObject({ status: 0 });
    expect(scene.images()).toHaveLength(2);
  });

  it.each(['max-delete 3', 'min-keep 3'])('stops at %s', async (limit) => {
    const scene = await openPruneScene({ versions: 12 });
    const stopped = await scene.prune(`*: keep 2\nlimits: ${limit}`, '--apply');
    expect(stopped).toMatchObject({ status: 3, stderr: expect.stringContaining(limit.replace(' ', ' is ')) });
    expect(scene.writes()).toEqual([]);
  });

  it('takes no hash that is none', async () => {
    const scene = await openPruneScene({ versions: 2 });
    const result = await scene.prune('*: keep 2', '--apply', '--confirm=yes');
    expect(result).toMatchObject({ status: 2, stderr: expect.stringContaining('"yes" is no hash of a plan') });
    expect(scene.ghcr.requests).toEqual([]);
  });
});
