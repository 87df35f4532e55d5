import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { hashOf } from '../support/content-hash.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT } from '../support/programs.ts';
import { IMAGE, JOB_TOKEN, OWN_TOKEN, openPruneScene, type PruneScene } from '../support/prune-scene.ts';
import { type ActionRun, runAction } from '../support/runner.ts';

const DAY_MS = 86_400_000;
const ALL = '*: delete\nlimits: max-delete 100%';

/** A job that reuses its image, which has been there for ten days, as have the others. */
interface BuildScene extends PruneScene {
  readonly digest: string;
  readonly hashTag: string;
  build(inputs: Readonly<Record<string, string>>, more?: Partial<ActionRun>): ReturnType<typeof runAction>;
}

async function openBuildScene(): Promise<BuildScene> {
  let agoMs = 10 * DAY_MS;
  const scene = await openPruneScene({ versions: 8, now: () => Date.now() - agoMs });
  scene.write('Dockerfile', 'FROM scratch\nCOPY Dockerfile /\n');
  const hash = await hashOf(scene.workspace);
  const hashTag = `hash-${hash.slice(0, 32)}`;
  const digest = await plantImage({
    image: IMAGE,
    tags: [hashTag],
    annotations: { 'dev.build-once.inputs': hash },
    login: { username: 'kim', password: OWN_TOKEN },
    access: { env: scene.env, authorities: readFileSync(scene.authority, 'utf8') },
  });
  agoMs = 0;
  scene.ghcr.forgetRequests();
  const build: BuildScene['build'] = (inputs, more = {}) =>
    runAction({
      action: CHECKOUT,
      workspace: scene.workspace,
      runnerTemp: scene.temp,
      with: { images: IMAGE, platforms: 'linux/amd64', 'registry-ca': scene.authority, ...inputs },
      event: { token: JOB_TOKEN },
      ...more,
      env: { ...scene.env, ...more.env },
    });
  return { ...scene, digest, hashTag, build };
}

const deletions = ({ ghcr }: PruneScene): number => ghcr.count(/^DELETE/);

describe('retention in a build', () => {
  let scene: BuildScene;
  beforeEach(async () => {
    scene = await openBuildScene();
  });

  it('deletes after tagging what the rule says, but never what this run has made or used', async () => {
    const result = await scene.build({ retention: ALL });
    expect(result, result.log).toMatchObject({
      status: 'success',
      outputs: { built: 'false', deleted: '4', kept: '1', failed: '0', skipped: '0', complete: 'true' },
    });
    expect(result.log).toContain('keep    1 image by this run');
    const { tags } = scene.ghcr.store();
    expect([...tags.keys()]).toEqual(expect.arrayContaining(['main', scene.hashTag]));
    expect(new Set(tags.values())).toEqual(new Set([scene.digest]));
    expect(scene.ghcr.integrity()).toMatchObject({ brokenTags: [], orphanChildren: [] });
    const order = scene.ghcr.requests.map(({ method, path }) => `${method} ${path}`);
    const tagged = order.findLastIndex((line) => line.startsWith('PUT ') && line.includes('/manifests/'));
    expect(tagged).toBeGreaterThan(0);
    expect(order.findIndex((line) => line.startsWith('DELETE'))).toBeGreaterThan(tagged);
    expect(result.summary).toContain('#### Retention\n\n4 images deleted, 1 image kept');
    expect(result.outputs['journal']).toMatch(/\/temp\/build-once-prune\/journal-.*\.jsonl$/);
    const undone = await scene.cli(['undo', result.outputs['journal'] ?? '']);
    expect(undone).toMatchObject({ status: 0, stdout: expect.stringContaining('8 brought back') });
  });

  it.each([
    ['a pull request', { name: 'pull_request', ref: 'refs/pull/7/merge', headRef: 'fix', baseRef: 'main' }],
    [
      'a pull request from a fork',
      { name: 'pull_request_target', ref: 'refs/heads/main', headRef: 'x', baseRef: 'main' },
    ],
  ])('deletes nothing for %s', async (_, event) => {
    const head = { repo: { full_name: 'acme/app', fork: false }, ref: 'fix', sha: 'a'.repeat(40) };
    const payload = { number: 7, pull_request: { number: 7, head, base: { ref: 'main' } } };
    const result = await scene.build({ retention: ALL }, { event: { ...event, payload, token: JOB_TOKEN } });
    expect(result.log).not.toMatch(/images? to delete/);
    expect(result.outputs).toMatchObject({ deleted: '', journal: '' });
    expect(deletions(scene)).toBe(0);
  });

  it.each([
    ['push: false', { push: 'false', retention: ALL }],
    ['retention: off', { retention: 'off' }],
    ['no retention', {}],
  ])('deletes nothing with %s', async (_, inputs) => {
    const result = await scene.build(inputs);
    expect(result.outputs).toMatchObject({ deleted: '', plan: '', journal: '' });
    expect(deletions(scene)).toBe(0);
  });

  it('says with dry-run what would go, and deletes nothing', async () => {
    const result = await scene.build({ retention: ALL, 'dry-run': 'true' });
    expect(result).toMatchObject({ status: 'success', outputs: { deleted: '0', kept: '1', complete: 'false' } });
    expect(result.log).toContain(`${IMAGE}: 4 images to delete, 1 to keep`);
    expect(result.summary).toContain('4 images would be deleted, 1 image kept');
    expect(deletions(scene)).toBe(0);
  });

  it('takes BUTLER_IMAGE_KEEP_COUNT', async () => {
    const result = await scene.build({}, { env: { BUTLER_IMAGE_KEEP_COUNT: '3' } });
    expect(result).toMatchObject({ status: 'success', outputs: { deleted: '2', kept: '3' } });
    expect(result.log).toContain('BUTLER_IMAGE_KEEP_COUNT');
  });

  it('fails with exit code 3 when the breaker stops it, with the image tagged already', async () => {
    const result = await scene.build({ retention: '*: delete\nlimits: max-delete 10%' });
    expect(result).toMatchObject({ status: 'failure', exitCode: 3, outputs: { built: 'false', deleted: '0' } });
    expect(result.outputs['tag-names']).toContain('main');
    expect(scene.ghcr.store().tags.get('main')).toBe(scene.digest);
    expect(deletions(scene)).toBe(0);
  });

  it('is checked before anything else', async () => {
    const result = await scene.build({ retention: 'sha-*: kep 3' });
    expect(result).toMatchObject({ status: 'failure', exitCode: 2, outputs: {} });
    expect(result.log).toMatch(/retention: line 1, column 8: "kep"/);
    expect(scene.ghcr.requests).toEqual([]);
  });
});
