import { describe, expect, it } from 'vitest';
import { textAt, valueAt } from '../../src/core/json.ts';
import { IMAGE, JOB_TOKEN, openPruneScene } from '../support/prune-scene.ts';

describe('build-once prune', () => {
  it('prints what would go and why, and deletes nothing', async () => {
    const scene = await openPruneScene({ versions: 12 });
    const before = scene.images();
    const result = await scene.prune('*: keep 2');
    expect(result).toMatchObject({ status: 0 });
    expect(result.stdout).toContain(`${IMAGE}: 4 images to delete, 2 to keep`);
    for (const tag of before.slice(0, 4))
      expect(result.stdout).toMatch(
        new RegExp(`delete {2}${tag} .*2 manifests .*\\*: keep 2: not one of the 2 newest`),
      );
    expect(result.stdout).toContain('keep    2 images by *: keep 2');
    expect(result.stdout).toContain('nothing was deleted: this is what would go');
    expect(scene.images()).toEqual(before);
    expect(scene.writes()).toEqual([]);
  });

  it('deletes with --apply what it said, and nothing else', async () => {
    const scene = await openPruneScene({ versions: 12, referrers: 'gh' });
    const images = scene.images();
    const planned = await scene.prune('*: keep 2');
    const result = await scene.prune('*: keep 2', '--apply');
    expect(result).toMatchObject({ status: 0 });
    expect(hashIn(result.stdout)).toBe(hashIn(planned.stdout));
    expect(result.stdout).toMatch(/deleted 1 image \(4 manifests\), \S+ \S+ known to be freed/);
    expect(result.stdout).toMatch(/what was deleted is in .*journal-.*: build-once undo brings it back/);
    expect(scene.images()).toEqual(images.slice(-2));
    expect(scene.ghcr.integrity()).toMatchObject({
      taggedImages: 2,
      brokenTags: [],
      lostSignatures: [],
      orphanChildren: [],
      orphanReferrers: [],
    });
  });

  it('says all of it as JSON on stdout, and messages on stderr', async () => {
    const scene = await openPruneScene({ versions: 8 });
    const result = await scene.prune('*: keep 2', '--apply', '--json');
    const report: unknown = JSON.parse(result.stdout);
    expect(report).toMatchObject({
      status: 'pruned',
      prune: {
        isDryRun: false,
        deleted: '2',
        kept: '2',
        failed: '0',
        complete: 'true',
        hash: expect.stringMatching(/^[0-9a-f]{64}$/),
        repositories: [{ name: IMAGE, plan: { deletions: [{ rule: '*: keep 2' }, {}] }, applied: { deletedRoots: 2 } }],
      },
    });
    expect(result.stderr).toContain(`${IMAGE}: 8 manifests listed`);
    const journal = textAt(valueAt(report, 'prune'), 'journal');
    expect(journal).toMatch(/\/home\/\.local\/state\/build-once-prune\/journal-/);
  });

  it('case 6: a policy that no tag matches deletes nothing', async () => {
    const scene = await openPruneScene({ versions: 12 });
    const result = await scene.prune('nothing-*: delete', '--apply');
    expect(result).toMatchObject({ status: 0 });
    expect(scene.writes()).toEqual([]);
  });

  it('case 16: a protected name that matches nothing stops it before the first write; with ? it does not', async () => {
    const scene = await openPruneScene({ versions: 8, stepMinutes: 90 });
    const [oldest = ''] = scene.images();
    const refused = await scene.prune(`protect "nothing" , ${oldest}\n*: keep 1`, '--apply');
    expect(refused.status).toBe(2);
    const planned = await scene.prune(`protect nothing , ${oldest}\n*: keep 1`);
    expect(planned).toMatchObject({ status: 3, stderr: expect.stringContaining('RETENTION_REFUSED') });
    expect(planned.stdout).not.toContain('this is what would go');
    const stopped = await scene.prune(`protect nothing , ${oldest}\n*: keep 1`, '--apply');
    expect(stopped).toMatchObject({ status: 3, stderr: expect.stringContaining('RETENTION_REFUSED') });
    expect(stopped.stderr).toContain('protect "nothing" matches nothing here: correct it, or write "nothing?"');
    expect(scene.writes()).toEqual([]);
    const done = await scene.prune(`protect nothing? , ${oldest}\n*: keep 1`, '--apply');
    expect(done).toMatchObject({ status: 0 });
    expect(scene.images()).toHaveLength(2);
    expect(scene.images()).toContain(oldest);
  });

  it.each([
    ['1O', /retention: line 1, column 1: "1O"/],
    ['-1', /retention: line 1, column 1: "-1"/],
    ['10 d', /retention: line 1, column \d+: /],
    ['∞', /retention: line 1, column 1: "∞"/],
    ['sha-*: keep 3\n  v*: kep 3', /retention: line 2, column 7: "kep" .*did you mean keep\?/],
    ['rules: [{match: a, keep: 1, keep: 2}]', /retention: line 1, column \d+: .*keep/],
    ['   ', /retention: is required: without a rule nothing is deleted from a registry\. For example:\n/],
  ])('case 17: %j is an error with its place, before any request', async (retention, message) => {
    const scene = await openPruneScene({ versions: 2 });
    const result = await scene.prune(retention, '--apply');
    expect(result).toMatchObject({ status: 2, stdout: '', stderr: expect.stringMatching(message) });
    expect(scene.ghcr.requests).toEqual([]);
  });

  it('shows examples when there is no rule', async () => {
    const scene = await openPruneScene({ versions: 2 });
    const result = await scene.cli(['prune', `--images=${IMAGE}`]);
    expect(result).toMatchObject({ status: 2 });
    for (const example of ['30d', 'v*: semver 2 majors, 3 minors, 2 patches', 'untagged: for 7d'])
      expect(result.stderr).toContain(example);
    expect(scene.ghcr.requests).toEqual([]);
  });

  it('warns of a rule that is nearly one for what has no tag', async () => {
    const scene = await openPruneScene({ versions: 2 });
    const result = await scene.prune('untaged: for 7d');
    expect(result).toMatchObject({ status: 0 });
    expect(result.stdout).toContain('warning: the rule "untaged: for 7d" matches no tag here; did you mean untagged?');
  });

  it('tells of a name that is none only that', async () => {
    const scene = await openPruneScene({ versions: 2 });
    const result = await scene.cli(['prune', '--images=ghcr.io/acme/app:1', '--retention=3']);
    expect(result).toMatchObject({ status: 2, stderr: expect.stringContaining('carries a tag') });
    expect(result.stderr).not.toContain('is required');
  });

  it('refuses to order by a time that GitHub does not tell', async () => {
    const scene = await openPruneScene({ versions: 8 });
    const result = await scene.prune('*: keep 1 by image-created');
    expect(result).toMatchObject({ status: 3, stderr: expect.stringContaining('use by pushed') });
  });

  it('asks GitHub for the git tags, which protect images and keep them', async () => {
    // As releases are tagged: what they push is 1.0.1.
    const tags = [{ name: 'v1.0.1' }];
    const scene = await openPruneScene({ versions: 12, semverEvery: 1, repos: { 'acme/app': { tags } } });
    const env = { GITHUB_REPOSITORY: 'acme/app', GITHUB_TOKEN: JOB_TOKEN };
    for (const [rules, by] of [
      ['protect @git-tags\n*: keep 1', '@git-tags'],
      ['/^[0-9]/: while tag\n*: keep 1', '/^[0-9]/: while tag'],
    ] as const) {
      const { stdout } = await scene.cli(
        ['prune', `--images=${IMAGE}`, `--retention=${rules}`, `--github-token=${JOB_TOKEN}`],
        { env },
      );
      expect(stdout).toContain(`keep    1 image by ${by}`);
    }
  });

  it('says of a package that is not there no more than that', async () => {
    const scene = await openPruneScene({ versions: 2 });
    const result = await scene.cli(['prune', '--images=ghcr.io/acme/nope', '--retention=3']);
    expect(result).toMatchObject({
      status: 1,
      stdout: 'ghcr.io/acme/nope: GitHub knows no such package\nnothing was deleted\n',
    });
  });

  it('asks nobody anything when retention is off', async () => {
    const scene = await openPruneScene({ versions: 8 });
    const result = await scene.prune('off', '--apply');
    expect(result).toMatchObject({ status: 0, stderr: expect.stringContaining('retention has no rule for it') });
    expect(scene.ghcr.requests).toEqual([]);
  });

  it('takes BUTLER_IMAGE_KEEP_COUNT, says so, and prefers a rule of its own', async () => {
    const scene = await openPruneScene({ versions: 12 });
    const env = { BUTLER_IMAGE_KEEP_COUNT: '2' };
    const taken = await scene.cli(['prune', `--images=${IMAGE}`], { env });
    expect(taken).toMatchObject({ status: 0, stderr: expect.stringContaining('BUTLER_IMAGE_KEEP_COUNT') });
    expect(taken.stdout).toContain('4 images to delete, 2 to keep');
    const own = await scene.cli(['prune', `--images=${IMAGE}`, '--retention=5'], { env });
    expect(own.stdout).toContain('1 image to delete, 5 to keep');
  });
});

function hashIn(text: string): string | undefined {
  return /^plan ([0-9a-f]{64})/m.exec(text)?.[1];
}
