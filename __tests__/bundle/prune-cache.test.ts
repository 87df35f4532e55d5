import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { IMAGE, openPruneScene, type PruneScene } from '../support/prune-scene.ts';

const manifestReads = ({ ghcr }: PruneScene): number => ghcr.count(/^(?:GET|HEAD) \/v2\/:repo\/manifests/, 200);

describe('an idle night', () => {
  it.each([
    [80, 1],
    [230, 3],
  ])('case 69: of %i versions is one request and %i pages, and no manifest is fetched', async (versions, pages) => {
    const scene = await openPruneScene({ versions, stepMinutes: 1 });
    const result = await scene.prune('*: for 30d\nuntagged: for 7d\norphans: for 1d', '--apply');
    expect(result).toMatchObject({
      status: 0,
      stdout: expect.stringContaining(`no image to delete, ${versions / 2} to`),
    });
    expect(scene.ghcr.requests.map(({ route }) => route).toSorted()).toEqual([
      'GET /orgs/:o/packages/container/:p',
      ...Array.from({ length: pages }, () => 'GET /orgs/:o/packages/container/:p/versions'),
    ]);
  });
});

describe('what was read of manifests', () => {
  const RULE = '*: keep 3';
  const folder = ({ home }: PruneScene): string => join(home, '.cache/build-once/manifests');

  it('case 70: is not read again: the next run fetches what is new only', async () => {
    const scene = await openPruneScene({ versions: 20 });
    const first = await scene.prune(RULE);
    expect(manifestReads(scene)).toBe(10);
    scene.ghcr.push({ tags: ['new'], minutesAgo: 600 });
    scene.ghcr.forgetRequests();
    const second = await scene.prune(RULE);
    expect(manifestReads(scene)).toBe(1);
    expect(first.stdout).toContain('7 images to delete, 3 to keep');
    expect(second.stdout).toContain('8 images to delete, 3 to keep');
  });

  it.each([
    ['is cut', (text: string) => text.slice(0, text.length / 2)],
    ['has one other letter', (text: string) => text.replace(/manifest|[0-9a-f]{60}/, (one) => one.toUpperCase())],
    ['is empty', () => ''],
    ['is something else', () => '\u0000\u001b[31m{"a":'.repeat(1000)],
  ])('case 70: is ignored when its file %s, and the plan is the same', async (_, change) => {
    const scene = await openPruneScene({ versions: 20 });
    const first = await scene.prune(RULE);
    const [name = ''] = readdirSync(folder(scene));
    const file = join(folder(scene), name);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, change(text));
    expect(readFileSync(file, 'utf8')).not.toBe(text);
    scene.ghcr.forgetRequests();
    const second = await scene.prune(RULE);
    expect(second).toMatchObject({ status: 0, stdout: first.stdout });
    expect(second.stderr).toContain('the cache of manifests is damaged, and is not used');
    expect(manifestReads(scene)).toBe(10);
    scene.ghcr.forgetRequests();
    await scene.prune(RULE);
    expect(manifestReads(scene)).toBe(0);
  });

  it('is of one package: another one is read for itself', async () => {
    const scene = await openPruneScene({ packages: { app: {}, api: { seed: 7 } }, versions: 8 });
    await scene.prune('*: keep 3');
    const other = await scene.cli(['prune', `--images=${IMAGE.replace('app', 'api')}`, '--retention=*: keep 3']);
    expect(other).toMatchObject({ status: 0 });
    expect(readdirSync(folder(scene))).toHaveLength(2);
  });
});
