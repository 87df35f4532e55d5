import { randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { runWorkflow, type WorkflowResult } from '../support/act.ts';
import { createGhcr, type Ghcr } from '../support/ghcr/ghcr.ts';
import { type Job, openJob } from '../support/job.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT } from '../support/programs.ts';

const toolchain = inject('toolchain');
const DAY_MS = 86_400_000;
const TOKEN = 'ghs_s3cr3t0of0the0job0000000000000000000';
const ago = (days: number): string => new Date(Date.now() - days * DAY_MS).toISOString();

/** By tag, how many days ago the image was made. */
const IMAGES: ReadonlyMap<string, number> = new Map([
  ...Array.from({ length: 24 }, (_, index): [string, number] => [`sha-${String(index).padStart(7, '0')}`, 40 - index]),
  ['v1.0.0', 90],
  ['v1.0.1', 80],
  ['v1.0.2', 70],
  ['v1.0.3', 60],
  ['nightly-1', 3],
  ['nightly-2', 2],
  ['pr-7', 50],
  ['pr-8', 50],
  ['pr-9', 50],
  ['latest', 60],
  ['other', 400],
]);
/** The four oldest builds of commits; the patch that is no release; the pull request that was closed ten days ago. */
const GONE = ['pr-8', 'sha-0000000', 'sha-0000001', 'sha-0000002', 'sha-0000003', 'v1.0.1'];

describe.skipIf(!toolchain.layers.act || !toolchain.layers.registry)('examples/nightly-prune.yml, run by act', () => {
  let action: string;
  let github: Ghcr;
  let job: Job;

  beforeAll(async () => {
    action = mkdtempSync(join(tmpdir(), 'build-once-action-'));
    for (const part of ['dist', 'prune']) cpSync(join(CHECKOUT, part), join(action, part), { recursive: true });
    // GitHub itself: releases and pull requests.
    github = createGhcr({
      repos: {
        'acme/app': {
          releases: [{ tag_name: 'v1.0.0', draft: false, prerelease: false }],
          pulls: [
            { number: 7, state: 'open', closed_at: null },
            { number: 8, state: 'closed', closed_at: ago(10) },
            { number: 9, state: 'closed', closed_at: ago(1) },
          ],
        },
      },
    });
    await github.listen();
    job = openJob(toolchain);
  });
  afterAll(async () => {
    job.remove();
    await github.close();
    rmSync(action, { recursive: true });
  });

  const runNight = (image: string): Promise<WorkflowResult> =>
    runWorkflow({
      workflow: join(CHECKOUT, 'examples/nightly-prune.yml'),
      image,
      action,
      files: { 'README.md': 'an application\n' },
      event: 'schedule',
      env: { ...job.env, GITHUB_API_URL: github.url },
      token: TOKEN,
    });

  it('deletes what its rules do not keep, says why, and has nothing left to do on the next night', async () => {
    const repository = `t/${randomUUID()}`;
    const image = `${toolchain.registry}/${repository}`;
    for (const [tag, days] of IMAGES)
      await plantImage({ image, tags: [tag], annotations: { 'org.opencontainers.image.created': ago(days), tag } });
    const tagsThere = async (): Promise<readonly string[]> => {
      const answer = await fetch(`http://${toolchain.registry}/v2/${repository}/tags/list`);
      const { tags }: { tags: string[] } = JSON.parse(await answer.text());
      return tags.toSorted();
    };
    const first = await runNight(image);
    expect(first.status, first.log).toBe('success');
    expect(first.outputs).toMatchObject({ deleted: '6', kept: '29', failed: '0', skipped: '0', complete: 'true' });
    expect(await tagsThere()).toEqual([...IMAGES.keys()].filter((tag) => !GONE.includes(tag)).toSorted());
    expect(first.summary).toContain('### Retention: 6 images deleted, 29 images kept');
    expect(first.summary).toMatch(/<code>&#64;releases<\/code> \| 0 \| 1 \|/);
    expect(first.log).not.toContain(TOKEN);
    const second = await runNight(image);
    expect(second.status, second.log).toBe('success');
    expect(second.outputs).toMatchObject({ deleted: '0', kept: '29', complete: 'true' });
  });
});
