import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { attachArtifact } from '../../src/artifact.ts';
import { CREATED_ANNOTATION } from '../../src/core/labels.ts';
import { copyImage } from '../../src/registry/copy.ts';
import { SCAN_MEDIA_TYPE } from '../../src/scan-record.ts';
import { type Spy, spyOn } from '../support/job.ts';
import { findProgram } from '../support/programs.ts';
import type { ActionResult } from '../support/runner.ts';
import { openByName, vulnappAdvisories } from '../support/trivy-database.ts';
import {
  advisoriesWith,
  descriptorOf,
  dockerfile,
  nodePackage,
  openScanJob,
  publishDatabase,
  readAttached,
  readReportText,
  type ScanJob,
  shown,
  shownScan,
  tagList,
  VULNAPP,
} from './scan-job.ts';

const toolchain = inject('toolchain');
const canScan = toolchain.layers.trivy && toolchain.layers.docker;
const RELEASE = { ref: 'refs/tags/v1.2.3' };
const TWO_DAYS_MS = 2 * 86_400_000;
/** What a reader of both runs would have the same. */
const COMPARED = ['digest', 'image', 'tags', 'platforms-digests', 'pushed', 'hash', 'scan-result', 'critical', 'high'];

describe.skipIf(!canScan)('a hit', () => {
  let job: ScanJob;
  let spy: Spy;
  let newer: string;
  let first: ActionResult;

  beforeAll(async () => {
    newer = await publishDatabase(toolchain, advisoriesWith({ fresh: { id: 'CVE-2098-1', fixed: '2.0.0' } }));
    const database = await publishDatabase(toolchain, vulnappAdvisories());
    const inputs = { 'scan-fail-on': 'any', 'scan-severity': 'CRITICAL' };
    job = openScanJob(toolchain, { database, inputs });
    job.write({
      ...nodePackage('fresh', '1.0.0'),
      'db/arm64/installed': VULNAPP['db/amd64/installed'] ?? '',
      Dockerfile: dockerfile(['COPY fresh /app/node_modules/fresh']),
    });
    first = await job.scan();
    expect(first, first.log).toMatchObject({ status: 'success', outputs: { critical: '0', high: '1', built: 'true' } });
  });
  afterAll(() => job?.remove());
  beforeEach(() => {
    const programs = ['docker', 'trivy'].map((name) => [name, findProgram(name, toolchain.env['PATH'] ?? '') ?? '']);
    spy = spyOn(job, Object.fromEntries(programs));
  });

  /** The image as it was built, in another repository, and what was found in it two days ago. */
  const copyWithOlderResult = async (): Promise<string> => {
    const name = `${toolchain.registry}/t/${randomUUID()}`;
    const [from, to] = [openByName(job.image), openByName(name)];
    const { digest = '', hash = '' } = first.outputs;
    const image = await descriptorOf(job.image, digest);
    await copyImage(from.repository, to.repository, image);
    await to.repository.tag(image, `hash-${hash.slice(0, 32)}`);
    const [record] = await readAttached(job.image, digest, SCAN_MEDIA_TYPE);
    if (record === undefined) throw new Error('nothing was kept');
    const then = new Date(Date.now() - TWO_DAYS_MS).toISOString();
    const content = Buffer.from(JSON.stringify({ ...JSON.parse(record.text), scannedAt: then }));
    const annotations = { ...record.annotations, [CREATED_ANNOTATION]: then };
    await attachArtifact(to.repository, image, { type: SCAN_MEDIA_TYPE, content, annotations });
    from.close();
    to.close();
    return name;
  };

  it('with a fresh result starts no process, and says the same as the run that scanned', async () => {
    const second = await job.scan({}, { env: { PATH: spy.path } });
    expect(second, second.log).toMatchObject({ status: 'success', outputs: { built: 'false', reason: 'hit' } });
    expect(spy.calls()).toEqual([]);
    const compared = ({ outputs }: ActionResult) => COMPARED.map((name) => [name, outputs[name]]);
    expect(compared(second)).toEqual(compared(first));
    expect(shownScan(second)).toContain('CVE-2023-45853');
    expect(shownScan(second)).toBe(shownScan(first));
    for (const file of ['scan.txt', 'scan.sarif'])
      expect(readReportText(second, file), file).toBe(readReportText(first, file));
    expect(shown(second.summary)).toMatch(/kept since 20/);
    expect(await readAttached(job.image, second.outputs['digest'] ?? '', SCAN_MEDIA_TYPE)).toHaveLength(1);
  });

  it('with a result older than rescan-after is scanned again, and keeps that as well', async () => {
    const images = await copyWithOlderResult();
    const young = await job.scan({ images, 'rescan-after': '3d' }, { env: { PATH: spy.path } });
    expect(young, young.log).toMatchObject({ status: 'success', outputs: { reason: 'hit', 'scan-result': 'passed' } });
    expect(spy.calls()).toEqual([]);
    const again = await job.scan({ images }, { env: { PATH: spy.path } });
    expect(again, again.log).toMatchObject({ status: 'success', outputs: { reason: 'hit', 'scan-result': 'passed' } });
    expect(spy.calls().filter((call) => /^image\b/.test(call))).toHaveLength(2);
    expect(await readAttached(images, again.outputs['digest'] ?? '', SCAN_MEDIA_TYPE)).toHaveLength(2);
  });

  it('in which a newer database knows a CRITICAL fails, and moves no tag', async () => {
    const images = await copyWithOlderResult();
    const before = await tagList(images);
    const stopped = await job.scan({ images, 'scan-db-repository': newer }, { event: RELEASE });
    expect(stopped, stopped.log).toMatchObject({
      exitCode: 1,
      outputs: { reason: 'hit', built: 'false', pushed: 'false', 'scan-result': 'failed', critical: '1', tags: '' },
    });
    expect(stopped.log).toContain('CVE-2098-1 in fresh 1.0.0 (linux/amd64, linux/arm64): fixed in 2.0.0');
    expect(await tagList(images)).toBe(before);
    const hashTag = `hash-${(first.outputs['hash'] ?? '').slice(0, 32)}`;
    expect((await descriptorOf(images, hashTag)).digest).toBe(first.outputs['digest']);
    expect(await readAttached(images, first.outputs['digest'] ?? '', SCAN_MEDIA_TYPE)).toHaveLength(1);
  });
});
