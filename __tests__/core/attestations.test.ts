import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { inputsPredicate, reusePredicate } from '../../src/core/attestations.ts';
import { digestOf } from '../../src/core/digest.ts';
import { textAt } from '../../src/core/json.ts';
import { type ScanFacts, scanPredicate } from '../../src/core/scan-attestation.ts';
import { parseTrivyReport } from '../../src/core/trivy-report.ts';
import { readWorkflowRun } from '../../src/core/workflow-run.ts';
import { sampleInputs } from '../support/hashed-image.ts';
import { violations } from '../support/json-schema.ts';
import { SCAN_SCHEMA } from '../support/predicate-schemas.ts';
import { leakyReport, trivyReport } from '../support/trivy-reports.ts';
import { workflowEnv } from '../support/workflow-env.ts';

const RUN = readWorkflowRun(workflowEnv());
const RECORD = { scannedAt: '2026-11-21T17:00:00.000Z', scanner: '0.70.0', database: '2026-11-21T06:12:13Z' };
const IMAGE = `ghcr.io/acme/app@${digestOf('platform')}`;
const FACTS: ScanFacts = {
  run: RUN,
  identity: undefined,
  scanners: ['vuln', 'secret'],
  image: IMAGE,
  finishedAt: '2026-11-21T17:05:00.000Z',
};

/** As it is read back from what was signed. */
function scan(report: unknown, { record = RECORD, facts = FACTS }: ScanChanges = {}): unknown {
  const platform = { platform: 'linux/amd64', digest: digestOf('platform'), report };
  return JSON.parse(JSON.stringify(scanPredicate(record, platform, facts)));
}

interface ScanChanges {
  readonly record?: Parameters<typeof scanPredicate>[0];
  readonly facts?: ScanFacts;
}

function golden(name: string): unknown {
  return JSON.parse(readFileSync(path.join(import.meta.dirname, '../fixtures/attestations', name), 'utf8'));
}

describe('the attestation of a scan', () => {
  it('of one platform is this', () => {
    expect(scan(JSON.parse(trivyReport('languages')))).toEqual(golden('scan.json'));
  });

  it.each([
    ['in a workflow', {}],
    ['elsewhere', { facts: { ...FACTS, run: undefined } }],
    ['without a database', { record: { ...RECORD, database: undefined } }],
  ])('has the form that cosign gives it: %s', (_, changes) => {
    expect(violations(SCAN_SCHEMA, scan(JSON.parse(trivyReport('languages')), changes))).toEqual([]);
  });

  it('holds no secret that Trivy has shown', () => {
    const { report, token } = leakyReport('secrets');
    expect(JSON.stringify(scan(report))).not.toContain(token);
  });

  it('holds nothing of the environment of the image, nor of its history', () => {
    const config = { config: { Env: ['TOKEN=hunter2'] }, history: [{ created_by: 'RUN hunter2' }] };
    const report = { SchemaVersion: 2, ArtifactName: 'x', Metadata: { ImageConfig: config }, Results: [] };
    expect(JSON.stringify(scan(report))).not.toContain('hunter2');
  });

  it('calls the image by its name where it was scanned in a folder, and says the same of it', () => {
    const folder = '/home/me/_temp/build-once-layout-x1';
    const given = trivyReport('os-amd64').replaceAll(
      textAt(JSON.parse(trivyReport('os-amd64')), 'ArtifactName') ?? '',
      folder,
    );
    const predicate: unknown = scan(JSON.parse(given));
    expect(JSON.stringify(predicate)).not.toContain(folder);
    const result: unknown = Object(Object(predicate).scanner).result;
    expect(JSON.stringify(result)).toContain(`"Target":"${IMAGE} (`);
    expect(parseTrivyReport(result, 'linux/amd64')).toEqual(parseTrivyReport(JSON.parse(given), 'linux/amd64'));
  });

  it.each([
    [undefined],
    [null],
    ['text'],
    [{ Results: 'none' }],
    [{ ArtifactName: 'a', Results: [null, 1, { Target: 2 }] }],
  ])('is one also of the report %j', (report) => {
    expect(() => scan(report)).not.toThrow();
  });
});

describe('the attestation of the inputs', () => {
  it('names what is attached, by the content hash', () => {
    const inputs = sampleInputs();
    const mediaType = 'application/vnd.build-once.inputs.v1+json';
    expect(inputsPredicate(inputs, { mediaType, digest: digestOf(inputs.text()) })).toEqual({
      mediaType,
      digest: `sha256:${inputs.hash}`,
      sizeBytes: Buffer.byteLength(inputs.text()),
      scheme: 3,
    });
  });
});

describe('the attestation of a release of an image that was there', () => {
  it('says which commit and version it is', () => {
    const tags = ['1.2.3', '1.2', '1', 'latest'];
    expect(reusePredicate({ run: RUN, version: '1.2.3', tags })).toEqual(golden('reuse.json'));
  });

  it('says nothing of a run that nobody knows', () => {
    const predicate = reusePredicate({ run: undefined, version: '1.2.3', tags: ['1.2.3'] });
    expect(JSON.parse(JSON.stringify(predicate))).toEqual({ version: '1.2.3', tags: ['1.2.3'] });
  });
});
