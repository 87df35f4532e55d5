import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { IMAGE, openPruneScene } from '../support/prune-scene.ts';

describe('the action build-once/prune', () => {
  it('deletes, and says so in outputs, in the log and in the summary', async () => {
    const scene = await openPruneScene({ versions: 36, platforms: 1, attest: true, semverEvery: 3, untaggedEvery: 6 });
    const retention = 'protect latest\n/^\\d+\\./: semver 2 minors 1 patches\nsha-*: keep 2, for 1h\nuntagged: for 1d';
    const result = await scene.step({ retention });
    expect(result, result.log).toMatchObject({
      status: 'success',
      outputs: { failed: '0', skipped: '0', complete: 'true' },
      annotations: [],
    });
    const { deleted = '', kept = '', plan = '', journal = '', 'freed-bytes': freed } = result.outputs;
    expect(Number(deleted)).toBeGreaterThan(0);
    expect(Number(deleted) + Number(kept)).toBe(12);
    expect(scene.images()).toHaveLength(Number(kept));
    expect(Number(freed)).toBeGreaterThan(0);
    expect([plan, journal].every((path) => existsSync(path))).toBe(true);
    expect(JSON.parse(readFileSync(plan, 'utf8')).plans[0].repository).toBe(IMAGE);
    expect(result.summary).toMatch(
      /^### Retention: \d+ images? deleted, \d+ images? kept, \S+ \S+ known to be freed\n/,
    );
    expect(result.summary).toContain('| By | To delete | To keep |');
    expect(result.summary).toMatch(/\| <code>sha-&#42;: keep 2, for 1h<\/code> \| 5 \| 1 \|/);
    expect(result.summary).toContain('<code>protect latest</code> | 0 | 1 |');
    expect(result.summary).toMatch(/\| Image \| Pushed \| Rule \| Why \|\n/);
    expect(result.summary.match(/### Retention/g)).toHaveLength(1);
    expect(result.post?.status).toBe('success');
  });

  it('says with dry-run what would go, and writes nothing to GitHub', async () => {
    const scene = await openPruneScene({ versions: 8 });
    const result = await scene.step({ retention: '*: keep 3', 'dry-run': 'true' });
    expect(result).toMatchObject({
      status: 'success',
      outputs: {
        deleted: '0',
        kept: '3',
        failed: '0',
        skipped: '0',
        'freed-bytes': '0',
        complete: 'false',
        journal: '',
      },
    });
    expect(result.summary).toContain('### Retention: 1 image would be deleted, 3 images kept');
    expect(result.log).toContain('nothing was deleted: this is what would go');
    expect(scene.writes()).toEqual([]);
  });

  it('case 53: is stopped by the breaker with exit code 3 and the hash; confirm lets that plan run', async () => {
    const scene = await openPruneScene({ versions: 12 });
    const retention = '*: keep 2\nlimits: max-delete 30%';
    const stopped = await scene.step({ retention });
    expect(stopped).toMatchObject({ status: 'failure', exitCode: 3, outputs: { deleted: '0', complete: 'false' } });
    const [hash = ''] = /[0-9a-f]{64}/.exec(stopped.annotations[0]?.message ?? '') ?? [];
    expect(stopped.summary).toContain(hash);
    expect(stopped.summary).toContain('4 of 6 tagged images would go, and max-delete is 30%');
    expect(scene.writes()).toEqual([]);
    const other = await scene.step({ retention, confirm: 'f'.repeat(64) });
    expect(other).toMatchObject({ status: 'failure', exitCode: 3 });
    expect(scene.writes()).toEqual([]);
    const confirmed = await scene.step({ retention, confirm: hash });
    expect(confirmed).toMatchObject({ status: 'success', outputs: { deleted: '4', kept: '2' } });
  });

  it('case 17: is refused a wrong rule with its place, before any request', async () => {
    const scene = await openPruneScene({ versions: 2 });
    const result = await scene.step({ retention: 'protect latest\nsha-* keep 3' });
    expect(result).toMatchObject({ status: 'failure', exitCode: 2, outputs: {} });
    expect(result.log).toMatch(/retention: line 2, column 1: /);
    expect(scene.ghcr.requests).toEqual([]);
  });

  it('fails when a deletion fails, after having done the others, and names it', async () => {
    const scene = await openPruneScene({ versions: 12 });
    const [oldest = ''] = scene.images();
    const id = scene.ghcr
      .store()
      .list()
      .find(({ tags }) => tags.includes(oldest))?.id;
    scene.ghcr.settings.faults = [{ on: 'delete', answer: 409, matches: (path) => path.endsWith(`/${id}`) }];
    const result = await scene.step({ retention: '*: keep 2' });
    expect(result).toMatchObject({ status: 'failure', exitCode: 1, outputs: { deleted: '3', failed: '1' } });
    expect(result.log).toMatch(new RegExp(`failed {2}${oldest}: .*409`));
    expect(scene.images()).toHaveLength(3);
    expect(scene.ghcr.integrity()).toMatchObject({ brokenTags: [], orphanChildren: [] });
  });

  it('shows nothing of a hostile tag but what it is', async () => {
    const scene = await openPruneScene({ versions: 4 });
    scene.ghcr.push({ tags: ['__proto__'], minutesAgo: 9000 });
    scene.ghcr.push({ tags: [`a${'.-_'.repeat(42)}b`], minutesAgo: 9001 });
    scene.ghcr.push({ tags: ['_x', 'untagged', 'sha256-abc'], minutesAgo: 9002 });
    const result = await scene.step({ retention: '*: keep 2' });
    expect(result).toMatchObject({ status: 'success', outputs: { deleted: '3' } });
    expect(result.summary).toContain('<code>&#95;&#95;proto&#95;&#95;</code>');
  });

  it('prunes nothing on a pull request, and says what would go', async () => {
    const scene = await openPruneScene({ versions: 8 });
    const event = { name: 'pull_request', ref: 'refs/pull/7/merge', headRef: 'fix', baseRef: 'main' };
    const result = await scene.step({ retention: '*: keep 3' }, { event });
    expect(result).toMatchObject({ status: 'success', outputs: { deleted: '0', complete: 'false' } });
    expect(scene.writes()).toEqual([]);
  });

  it('case 49: ends after SIGTERM with what it has done in the summary, and nothing broken', async () => {
    const scene = await openPruneScene({ versions: 24 });
    const result = await scene.step(
      { retention: '*: keep 2\nlimits: max-delete 100%' },
      { interrupt: { signal: 'SIGTERM', when: () => scene.ghcr.count(/^DELETE/) >= 3 } },
    );
    expect(result).toMatchObject({ status: 'failure', exitCode: 143, outputs: { complete: 'false', failed: '0' } });
    expect(result.summary).toContain('the run was interrupted; the next run goes on');
    expect(scene.ghcr.integrity()).toMatchObject({ brokenTags: [] });
    expect(await scene.cli(['undo', result.outputs['journal'] ?? ''])).toMatchObject({ status: 0 });
    expect(scene.ghcr.store().byDigest.size).toBe(24);
  });
});
