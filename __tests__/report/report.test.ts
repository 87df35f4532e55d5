import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { INPUTS_ANNOTATION } from '../../src/core/labels.ts';
import { BuildOnceError, RegistryError, UsageError } from '../../src/errors.ts';
import type { Explanation } from '../../src/explanation.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { MEDIA_TYPES } from '../../src/oci/types.ts';
import { parseOptions } from '../../src/options.ts';
import type { FoundImage } from '../../src/registry/image.ts';
import { OUTPUT_NAMES, outputsOf, PLAN_OUTPUTS, PRUNE_OUTPUTS, platformDigests } from '../../src/report/outputs.ts';
import { failureOf, redacted, reportDocument, reportOf } from '../../src/report/report.ts';
import type { JournalEntry, Results, Run } from '../../src/stage.ts';
import { sampleHash } from '../support/sample-hash.ts';
import { sampleRun } from '../support/sample-run.ts';
import { sampleScan } from '../support/sample-scan.ts';

const HASH = 'ab'.repeat(32);
const DIGEST = digestOf('index');
const OTHER = digestOf('other');
const AMD64 = digestOf('amd64');
const ARM64 = digestOf('arm64');
const repository = { registry: 'ghcr.io', path: 'acme/app' };
const host = createTerminalHost({ env: {}, cwd: '/', write: () => {} });

function imageWith(annotations: Readonly<Record<string, string>>): FoundImage {
  const manifest = (digest: typeof DIGEST, os: string, architecture: string): FoundImage['descriptor'] => ({
    mediaType: MEDIA_TYPES.ociManifest,
    digest,
    sizeBytes: 1,
    platform: { os, architecture },
  });
  return {
    repository,
    descriptor: { mediaType: MEDIA_TYPES.ociIndex, digest: DIGEST, sizeBytes: 1 },
    manifest: {
      kind: 'index',
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: [
        manifest(AMD64, 'linux', 'amd64'),
        manifest(ARM64, 'linux', 'arm64'),
        manifest(OTHER, 'unknown', 'unknown'),
      ],
      annotations: { [INPUTS_ANNOTATION]: HASH, ...annotations },
    },
  };
}

const image = imageWith({});
const otherImage: FoundImage = { ...image, descriptor: { ...image.descriptor, digest: OTHER } };
const hash = sampleHash(HASH, {
  inputs: ['3 files'],
  warnings: [
    { message: 'look here', line: 3 },
    { message: 'look', line: undefined },
  ],
});
const nothing = { existing: new Map(), hashTags: new Map() };
const hit: Results['lookup'] = { reason: 'hit', detail: 'it is there', image, ...nothing };
const miss: Results['lookup'] = { reason: 'not-found', detail: 'it is not there', image: undefined, ...nothing };
const build: Results['build'] = {
  image,
  labels: { a: 'b' },
  sizesBytes: new Map([[AMD64, 1000]]),
  metadata: { 'containerimage.digest': DIGEST },
  problems: [],
  layoutPath: undefined,
};
const tagged: Results['tag'] = {
  image,
  tags: [
    { reference: 'ghcr.io/acme/app:1.2.3', tag: '1.2.3', digest: DIGEST, outcome: 'created', detail: undefined },
    { reference: 'docker.io/acme/app:1.2.3', tag: '1.2.3', digest: DIGEST, outcome: 'moved', detail: 'was 1.2.2' },
    { reference: 'ghcr.io/acme/app:1', tag: '1', digest: OTHER, outcome: 'kept', detail: '2.0.0 is higher' },
  ],
};

function runWith(results: Partial<Results>, journal: readonly JournalEntry[] = []): Run {
  return sampleRun({
    options: parseOptions({ images: 'ghcr.io/acme/app,acme/app' }).options,
    tags: { candidates: [], version: '1.2.3', notices: [] },
    host,
    results,
    journal,
  });
}

const OF_A_BUILD = OUTPUT_NAMES.filter((name) => PLAN_OUTPUTS.every((one) => one !== name)).toSorted();

describe('the outputs', () => {
  it('of a build', () => {
    expect(outputsOf(runWith({ hash, lookup: miss, build, tag: tagged }))).toEqual({
      hash: HASH,
      reason: 'not-found',
      built: 'true',
      version: '1.2.3',
      digest: DIGEST,
      image: `ghcr.io/acme/app@${DIGEST}`,
      imageid: DIGEST,
      tags: 'ghcr.io/acme/app:1.2.3\ndocker.io/acme/app:1.2.3',
      'tag-names': '1.2.3',
      labels: 'a=b',
      annotations: `${INPUTS_ANNOTATION}=${HASH}`,
      json: JSON.stringify({
        tags: ['ghcr.io/acme/app:1.2.3', 'docker.io/acme/app:1.2.3'],
        labels: { a: 'b' },
        annotations: { [INPUTS_ANNOTATION]: HASH },
        hash: HASH,
      }),
      metadata: `{"containerimage.digest":"${DIGEST}"}`,
      'images-digests': `ghcr.io/acme/app@${DIGEST}\ndocker.io/acme/app@${DIGEST}`,
      'platforms-digests': `{"linux/amd64":"${AMD64}","linux/arm64":"${ARM64}"}`,
      pushed: 'true',
      'scan-result': '',
      critical: '',
      high: '',
      'new-vulnerabilities': '',
      sarif: '',
      report: '',
      signed: 'false',
      'verify-command': '',
      'seconds-saved': '',
      ...Object.fromEntries(PRUNE_OUTPUTS.map((name) => [name, ''])),
    });
  });

  it('of a hit', () => {
    expect(outputsOf(runWith({ hash, lookup: hit, tag: tagged }))).toMatchObject({
      reason: 'hit',
      built: 'false',
      metadata: '{}',
      labels: `${INPUTS_ANNOTATION}=${HASH}`,
      pushed: 'true',
    });
  });

  it('of a build that pushed nothing', () => {
    expect(outputsOf(runWith({ hash, lookup: miss, build }))).toMatchObject({
      digest: DIGEST,
      tags: '',
      pushed: 'false',
    });
  });

  it('of a run that failed half-way are what was known', () => {
    expect(outputsOf(runWith({}))).toEqual({ version: '1.2.3' });
    expect(outputsOf(runWith({ hash, lookup: miss }))).toEqual({
      hash: HASH,
      reason: 'not-found',
      built: 'false',
      version: '1.2.3',
    });
  });

  it('of a run that has nothing to build are two', () => {
    const run = runWith({});
    const idle = { ...run, event: { ...run.event, deleted: 'the branch x was deleted' } };
    expect(outputsOf(idle)).toEqual({ built: 'false', pushed: 'false' });
    expect(reportOf(idle, 0)).toMatchObject({ headline: 'Nothing to build', reason: 'the branch x was deleted' });
    expect(reportOf(idle, 0, new Error('no')).status).toBe('failed');
    expect(reportOf({ ...idle, results: { hash } }, 0).status).toBe('hashed');
  });

  it('are all there, whatever the end, once there is an image', () => {
    const ends: readonly Partial<Results>[] = [
      { hash, lookup: hit, tag: tagged },
      { hash, lookup: hit },
      { hash, lookup: miss, build, tag: tagged },
      { hash, lookup: miss, build },
    ];
    for (const results of ends) expect(Object.keys(outputsOf(runWith(results))).toSorted()).toEqual(OF_A_BUILD);
    const { outputs } = reportOf(runWith({ hash, lookup: miss, build }), 0, new Error('no'));
    expect(outputs).toMatchObject({ digest: DIGEST, built: 'true', pushed: 'false', tags: '' });
  });

  it('tell what a hit saved, where that is known', () => {
    const run = runWith({ hash, lookup: hit, tag: tagged });
    expect(outputsOf({ ...run, savedSeconds: 0.1 })['seconds-saved']).toBe('0.1');
    expect(outputsOf(run)['seconds-saved']).toBe('');
    expect(reportOf({ ...run, savedSeconds: 252 }, 0).savedSeconds).toBe(252);
  });

  it('are all in the table', () => {
    expect(Object.keys(outputsOf(runWith({ hash, lookup: miss, build, tag: tagged }))).toSorted()).toEqual(OF_A_BUILD);
  });

  it('have one line for each label, whatever a registry answered', () => {
    const annotations = {
      'a\nevil': 'x',
      b: 'line 1\r\n\n  line 2\n::set-output name=x::y',
      c: '\u001b[31m\0\ud800',
      d: ' '.repeat(1_000_000),
      e: ' \n'.repeat(500_000),
    };
    const output = outputsOf(runWith({ lookup: { ...hit, image: imageWith(annotations) } }));
    expect(output.annotations?.split('\n')).toEqual([
      `${INPUTS_ANNOTATION}=${HASH}`,
      'a evil=x',
      'b=line 1 line 2 ::set-output name=x::y',
      'c=\ufffd\ufffd',
      'd=',
      'e=',
    ]);
    expect(output.json).not.toMatch(/[\n\0]|\p{Cs}/u);
  });

  it('name the platforms of an index, without attestations', () => {
    expect(platformDigests(runWith({ lookup: hit }))).toEqual([
      ['linux/amd64', AMD64],
      ['linux/arm64', ARM64],
    ]);
    expect(platformDigests(runWith({}))).toEqual([]);
  });
});

describe('the report', () => {
  const journal: readonly JournalEntry[] = [
    { stage: 'hash', skipped: undefined, durationMs: 5 },
    { stage: 'build', skipped: 'it is there', durationMs: 0 },
  ];

  it.each<[string, Partial<Results>]>([
    ['hashed', { hash }],
    ['reused', { hash, lookup: hit }],
    ['built', { hash, lookup: miss, build }],
  ])('of a run that %s', (status, results) => {
    expect(reportOf(runWith(results), 10).status).toBe(status);
  });

  it('says all there is to say', () => {
    expect(reportOf(runWith({ hash, lookup: miss, build, tag: tagged }, journal), 1234)).toMatchObject({
      reason: 'not-found: it is not there',
      image: `ghcr.io/acme/app@${DIGEST}`,
      hash: HASH,
      inputs: ['3 files'],
      warnings: ['Dockerfile:3: look here', 'look'],
      platforms: [
        { platform: 'linux/amd64', digest: AMD64, sizeBytes: 1000 },
        { platform: 'linux/arm64', digest: ARM64, sizeBytes: undefined },
      ],
      tags: [
        { reference: 'ghcr.io/acme/app:1.2.3', outcome: 'created' },
        { reference: 'docker.io/acme/app:1.2.3', outcome: 'moved: was 1.2.2' },
        { reference: 'ghcr.io/acme/app:1', outcome: 'kept: 2.0.0 is higher' },
      ],
      steps: [
        { name: 'hash', durationMs: 5, skipped: undefined },
        { name: 'build', durationMs: 0, skipped: 'it is there' },
      ],
      durationMs: 1234,
      failure: undefined,
    });
  });

  it('names the repositories that hold what this run built, for its provenance', () => {
    const published = { hash, lookup: miss, build, tag: tagged };
    const names = ['ghcr.io/acme/app', 'docker.io/acme/app'];
    expect(reportOf(runWith(published), 0).subjects).toEqual(names.map((name) => ({ name, digest: DIGEST })));
    const inOne = { ...tagged, tags: tagged.tags.slice(1) };
    expect(reportOf(runWith({ ...published, tag: inOne }), 0).subjects).toEqual([
      { name: 'docker.io/acme/app', digest: DIGEST },
    ]);
  });

  it.each<[string, Partial<Results>, Error | undefined]>([
    ['was reused', { hash, lookup: hit, tag: tagged }, undefined],
    ['was not pushed', { hash, lookup: miss, build }, undefined],
    ['another run built', { hash, lookup: miss, build: { ...build, image: otherImage }, tag: tagged }, undefined],
    ['a failed run left behind', { hash, lookup: miss, build, tag: tagged }, new Error('no')],
  ])('claims no provenance of an image that %s', (_, results, error) => {
    expect(reportOf(runWith(results), 0, error).subjects).toEqual([]);
  });

  it('of a failure keeps what had happened', () => {
    const report = reportOf(runWith({ hash }), 1, new BuildOnceError('X', 'no', 1, { hint: 'Do.' }));
    expect(report).toMatchObject({ status: 'failed', hash: HASH, failure: { code: 'X', message: 'no', hint: 'Do.' } });
  });

  it('has secrets taken out of its sentences, and digests left as they are', () => {
    const error = new BuildOnceError('X', 'hunter2 failed', 1, { hint: 'Change hunter2.' });
    const report = reportOf(runWith({ hash, lookup: { ...miss, detail: 'hunter2' }, tag: tagged }), 1, error);
    const hide = (text: string): string => text.replaceAll('hunter2', '***');
    expect(redacted(report, hide)).toEqual({
      ...report,
      reason: 'not-found: ***',
      failure: { code: 'X', message: '*** failed', hint: 'Change ***.', at: undefined },
    });
    expect(redacted(reportOf(runWith({}), 1), hide)).toEqual(reportOf(runWith({}), 1));
  });
});

describe('an explanation', () => {
  const explanation: Explanation = {
    summary: '1 difference from ghcr.io/acme/app:hunter2',
    reference: 'ghcr.io/acme/app:hunter2',
    digest: DIGEST,
    isSame: false,
    differences: [
      { subject: 'arg', kind: 'changed', name: 'A', where: 'hunter2', before: 'hunter2', after: 'x', note: 'hunter2' },
    ],
    unknown: undefined,
    checked: ['hunter2'],
  };

  it('is the headline of a run that was made for it, and none of a build', () => {
    expect(reportOf(runWith({ hash, explain: explanation }), 1)).toMatchObject({
      status: 'explained',
      headline: explanation.summary,
      explanation,
    });
    expect(reportOf(runWith({ hash, lookup: miss, explain: explanation, build }), 1)).toMatchObject({
      status: 'built',
      headline: 'Built',
      explanation,
    });
  });

  it('shows no secret, wherever it stands', () => {
    const report = reportOf(runWith({ hash, explain: explanation }), 1);
    const { reference, ...shown } = redacted(report, (text) => text.replaceAll('hunter2', '***')).explanation ?? {};
    expect(reference).toBeDefined();
    expect(JSON.stringify(shown)).not.toContain('hunter2');
    expect(JSON.stringify(shown)).toContain('"before":"***"');
  });
});

it('a release that stands for all but its base images says so', () => {
  expect(reportOf(runWith({ hash, lookup: { ...hit, standing: 'bases' } }), 1).headline).toBe(
    'Reused: nothing has changed since this version but base images',
  );
});

describe('a failure', () => {
  it('has its causes in its message, each once', () => {
    const socket = new Error('connect ECONNREFUSED');
    const error = new RegistryError('UNREACHABLE', 'ghcr.io does not answer', {
      cause: new TypeError('fetch failed', { cause: new Error('fetch failed', { cause: socket }) }),
    });
    expect(failureOf(error)).toEqual({
      code: 'UNREACHABLE',
      message: 'ghcr.io does not answer\ncaused by: fetch failed\ncaused by: connect ECONNREFUSED',
      hint: undefined,
      at: undefined,
    });
  });

  it('that is a circle of causes ends', () => {
    const error = new Error('round');
    error.cause = new Error('and round', { cause: error });
    expect(failureOf(error).message).toBe('round\ncaused by: and round');
    const own = new Error('self');
    own.cause = own;
    expect(failureOf(own).message).toBe('self');
  });

  it('lists every problem of bad input', () => {
    const error = new UsageError([
      { input: 'a', message: 'is bad' },
      { input: 'b', message: 'is worse' },
    ]);
    expect(failureOf(error)).toMatchObject({ code: 'BAD_INPUT', message: 'a: is bad\nb: is worse' });
  });

  it.each<[unknown, string]>([
    [new Error(''), 'Error'],
    [new TypeError('x is undefined'), 'x is undefined'],
    ['text', 'text'],
    [null, 'a value of type object was thrown'],
    [Object.create(null), 'a value of type object was thrown'],
    [42, 'a value of type number was thrown'],
  ])('that is not ours (%j) is a defect to report', (thrown, message) => {
    expect(failureOf(thrown)).toEqual({
      code: 'UNEXPECTED',
      message,
      hint: expect.stringContaining('please report it'),
      at: undefined,
    });
  });
});

describe('a scan', () => {
  const SECRET = 'hunter2';
  const scan = sampleScan({
    passed: false,
    summary: `found ${SECRET}`,
    text: `the text has ${SECRET}`,
    markdown: `**${SECRET}**`,
    keptSince: '2026-11-21T17:00:00Z',
    newVulnerabilities: 0,
    counts: { CRITICAL: 1, HIGH: 12, MEDIUM: 0, LOW: 0, UNKNOWN: 0 },
    document: { schema: 1, passed: false, findings: [{ id: 'CVE-1', title: `of ${SECRET}`, score: 9.8, url: null }] },
  });
  const hide = (text: string): string => text.replaceAll(SECRET, '***');

  it('of an image that was named is a run of its own, whatever else there is', () => {
    const report = reportOf(runWith({ choose: { image, reference: 'ghcr.io/acme/app:1' }, scan }), 5);
    expect(report).toMatchObject({ status: 'scanned', headline: 'Scanned', image: `ghcr.io/acme/app@${DIGEST}` });
  });

  it('is in the outputs, also when the run failed', () => {
    const report = reportOf(runWith({ hash, lookup: hit, scan }), 5, new BuildOnceError('SCAN_REJECTED', 'no', 1));
    expect(report.status).toBe('failed');
    expect(report.outputs).toMatchObject({
      digest: DIGEST,
      pushed: 'false',
      'scan-result': 'failed',
      critical: '1',
      high: '12',
      'new-vulnerabilities': '0',
      sarif: '/tmp/reports/scan.sarif',
      report: '/tmp/reports',
    });
  });

  it('that nobody compared, without SARIF, leaves those outputs empty', () => {
    const files = { directory: '/tmp/reports', sarif: undefined };
    const { outputs } = reportOf(runWith({ hash, lookup: hit, scan: sampleScan({ files }) }), 5);
    expect(outputs).toMatchObject({ 'scan-result': 'passed', critical: '0', 'new-vulnerabilities': '', sarif: '' });
  });

  it('is shown for programs without what is for people', () => {
    const report = reportOf(runWith({ hash, lookup: hit, scan }), 5);
    expect(reportDocument(report)).toMatchObject({
      status: 'reused',
      scan: { ...scan.document, summary: scan.summary },
    });
    expect(JSON.stringify(reportDocument(report))).not.toMatch(/the text has|"markdown"/);
    const without = reportOf(runWith({ hash, lookup: hit }), 5);
    expect(reportDocument(without)).toBe(without);
  });

  it('shows no secret anywhere, and keeps all else to the letter', () => {
    const report = reportOf(runWith({ hash, lookup: hit, scan }), 5);
    const hidden = redacted(report, hide);
    expect(JSON.stringify([hidden, reportDocument(hidden)])).not.toContain(SECRET);
    expect(hidden.scan).toEqual({
      passed: false,
      summary: 'found ***',
      text: 'the text has ***',
      markdown: '*******',
      keptSince: scan.keptSince,
      document: { schema: 1, passed: false, findings: [{ id: 'CVE-1', title: 'of ***', score: 9.8, url: null }] },
    });
  });
});
