import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../src/core/digest.ts';
import { canonicalJson } from '../../src/core/input-manifest.ts';
import {
  type DecidingSettings,
  formatScanRecord,
  MAX_SCAN_RECORD_BYTES,
  parseScanRecord,
  type ReadPlatform,
  type ScannedPlatform,
  type ScanRecord,
  scanSettingsDigest,
  trimTrivyReport,
} from '../../src/core/scan-record.ts';
import { parseTrivyReport } from '../../src/core/trivy-report.ts';
import { changed } from '../support/changed-value.ts';
import { type Schema, valuesOf, violations } from '../support/json-schema.ts';
import { leakyReport, realScan, SCAN_FIXTURES, STAND_IN, scanOf, trivyReport } from '../support/trivy-reports.ts';

const SCHEMA: Schema = JSON.parse(
  readFileSync(path.join(import.meta.dirname, '../../schema/scan.v1.schema.json'), 'utf8'),
);
const REPORTS = readdirSync(path.join(SCAN_FIXTURES, 'trivy')).map((name) => path.join('trivy', name));
const reportIn = (name: string): unknown => JSON.parse(readFileSync(path.join(SCAN_FIXTURES, name), 'utf8'));
const jsonOf = (name: string): unknown => JSON.parse(trivyReport(name));
const parse = (value: unknown) =>
  parseScanRecord(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
const again = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const scanned = (platform: string, name: string): ScannedPlatform => ({
  platform,
  digest: digestOf(platform),
  report: jsonOf(name),
});
const BASELINE = {
  reference: 'ghcr.io/acme/app:1.2.3',
  digest: digestOf('baseline'),
  platforms: [scanned('linux/amd64', 'languages-before')],
};
const RECORD: ScanRecord = {
  schema: 1,
  image: digestOf('image'),
  scannedAt: '2026-11-21T17:00:00.000Z',
  settings: digestOf('settings'),
  scanner: '0.70.0',
  database: '2026-11-21T06:12:13.123456789Z',
  platforms: [scanned('linux/amd64', 'languages'), scanned('linux/arm/v7', 'secrets')],
  baseline: BASELINE,
};
/** The record as JSON, which tests may change. */
const FULL: Readonly<Record<string, unknown>> = JSON.parse(formatScanRecord(RECORD));
const [FIRST]: readonly ScannedPlatform[] = RECORD.platforms;

const read = (platform: string, name: string): ReadPlatform => ({
  platform,
  digest: digestOf(platform),
  scan: realScan(name, platform),
});

describe("Trivy's report, trimmed", () => {
  it.each(REPORTS)('says the same as before (%s)', (name) => {
    const report = reportIn(name);
    expect(parseTrivyReport(trimTrivyReport(report), 'linux/amd64')).toEqual(parseTrivyReport(report, 'linux/amd64'));
  });

  it.each(REPORTS)('has nothing left to trim (%s)', (name) => {
    const trimmed = trimTrivyReport(reportIn(name));
    expect(trimTrivyReport(trimmed)).toEqual(trimmed);
  });

  it.each(REPORTS)('has no field that the schema does not know (%s)', (name) => {
    expect(violations(SCHEMA, again(trimTrivyReport(reportIn(name))), { $ref: '#/$defs/report' })).toEqual([]);
  });

  it.each(REPORTS)('has neither lines, nor instructions, nor the environment, nor packages (%s)', (name) => {
    const text = JSON.stringify(trimTrivyReport(reportIn(name)));
    expect(text).not.toMatch(/"(?:ImageConfig|Env|Match|Code|Lines|CreatedBy|Packages|history)"/);
    expect(text.length).toBeLessThan(JSON.stringify(reportIn(name)).length);
  });

  it.each(['secrets', 'misconfigurations'])('holds nothing of a secret, which the report has (%s)', (name) => {
    const { report, token } = leakyReport(name);
    expect(scanOf(report).findings.length).toBeGreaterThan(2);
    expect(JSON.stringify(trimTrivyReport(report))).not.toContain(token);
  });

  it('says the same of whatever is in it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...REPORTS),
        fc.infiniteStream(fc.nat()),
        fc.oneof(
          fc.jsonValue(),
          fc.nat(5000).map((length) => 'x'.repeat(length)),
        ),
        (name, picks, other) => {
          const report = changed(reportIn(name), (count) => (picks.next().value ?? 0) % count, other);
          const trimmed = trimTrivyReport(report);
          expect(parseTrivyReport(trimmed, 'linux/amd64')).toEqual(parseTrivyReport(report, 'linux/amd64'));
          expect(trimTrivyReport(trimmed)).toEqual(trimmed);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('has nothing of what is of a wrong kind but the kind', () => {
    const results = [{ Target: { x: 'x' }, Class: ['x'], Vulnerabilities: { x: 'x' }, Secrets: null }, ['x'], 7];
    expect(trimTrivyReport({ SchemaVersion: 2, ArtifactName: null, Metadata: ['x'], Results: results })).toEqual({
      SchemaVersion: 2,
      ArtifactName: null,
      Metadata: [],
      Results: [{ Target: {}, Class: [], Vulnerabilities: {} }, [], 7],
    });
  });

  it('says the same of a source of scores with a long name', () => {
    const SeveritySource = 'x'.repeat(5000);
    const flaw = {
      VulnerabilityID: 'CVE-1',
      PkgName: 'lib',
      SeveritySource,
      CVSS: { [SeveritySource]: { V3Score: 5 } },
    };
    const report = { SchemaVersion: 2, Results: [{ Target: 'Node.js', Vulnerabilities: [flaw] }] };
    expect(parseTrivyReport(trimTrivyReport(report), 'linux/amd64')).toEqual(parseTrivyReport(report, 'linux/amd64'));
  });

  it.each(['Severity', 'PrimaryURL', 'Title', 'Description', 'PkgName'])(
    'cuts a long %s where it is cut anyway',
    (field) => {
      const flaw = { VulnerabilityID: 'CVE-1', PkgName: 'lib', [field]: `https://x.example/${'x'.repeat(1_000_000)}` };
      const report = {
        SchemaVersion: 2,
        Results: [{ Target: 'Node.js', Class: 'lang-pkgs', Vulnerabilities: [flaw] }],
      };
      const trimmed = trimTrivyReport(report);
      expect(parseTrivyReport(trimmed, 'linux/amd64')).toEqual(parseTrivyReport(report, 'linux/amd64'));
      expect(JSON.stringify(trimmed).length).toBeLessThan(5000);
    },
  );
});

describe('the record of a scan', () => {
  it('is read as it was written', () => {
    expect(parse(formatScanRecord(RECORD))).toEqual({
      ok: true,
      value: {
        ...RECORD,
        platforms: [read('linux/amd64', 'languages'), read('linux/arm/v7', 'secrets')],
        baseline: { ...BASELINE, platforms: [read('linux/amd64', 'languages-before')] },
      },
    });
  });

  it('may lack the time of the database, and a baseline', () => {
    const { baseline: _, ...rest } = RECORD;
    for (const database of [undefined, 'yesterday', '\u001b[31m']) {
      const written = parse(formatScanRecord({ ...rest, database }));
      expect(written).toMatchObject({ ok: true, value: { database: undefined } });
      expect(written.ok && 'baseline' in written.value).toBe(false);
    }
  });

  it('is one text for the same content, without what is trimmed of the reports', () => {
    const text = formatScanRecord(RECORD);
    const { schema, ...rest } = RECORD;
    expect(formatScanRecord({ ...rest, schema })).toBe(text);
    expect(canonicalJson(JSON.parse(text))).toBe(text);
    expect(text).not.toContain(STAND_IN);
  });

  it('is what the schema says, which knows every field', () => {
    expect(violations(SCHEMA, FULL)).toEqual([]);
    expect(Object.keys(again(SCHEMA['properties']) ?? {}).sort()).toEqual(Object.keys(FULL).sort());
  });

  const problems: readonly (readonly [string, unknown, string])[] = [
    ['of another schema', { ...FULL, schema: 2 }, 'its schema is 2; this release of build-once knows schema 1'],
    ['that is a list', [], 'its schema is none; this release of build-once knows schema 1'],
    ['that is no JSON', '{', 'it is not JSON'],
    ['with a field that is not known', { ...FULL, 'signed\u001b[0m': true }, 'it has "signed", which is not known'],
    ['of an image that is none', { ...FULL, image: 'sha256:x' }, 'image is no digest'],
    ['with settings that are none', { ...FULL, settings: 7 }, 'settings is no text'],
    ['of a day', { ...FULL, scannedAt: '2026-11-21' }, 'scannedAt is no time: "2026-11-21"'],
    ['of a database that is none', { ...FULL, database: null }, 'database is no text'],
    ['of a scanner that is none', { ...FULL, scanner: '0.70.0\n::error::' }, 'scanner is none: "0.70.0 ::error::"'],
    ['without platforms', { ...FULL, platforms: undefined }, 'platforms is no list'],
    [
      'of a platform that is none',
      { ...FULL, platforms: [{ ...FIRST, platform: 'amd64' }] },
      'platform is none: "amd64"',
    ],
    ['of a platform twice', { ...FULL, platforms: [FIRST, FIRST] }, 'platforms[1] is linux/amd64 once more'],
    [
      'of a baseline with a platform twice',
      { ...FULL, baseline: { ...BASELINE, platforms: [FIRST, FIRST] } },
      'platforms[1] is linux/amd64 once more',
    ],
    [
      'with more of a platform',
      { ...FULL, platforms: [{ ...FIRST, x: 1 }] },
      'platforms[0] has "x", which is not known',
    ],
    ['with a platform that is none', { ...FULL, platforms: ['x'] }, 'platforms[0].platform is no text'],
    ['with a baseline that is none', { ...FULL, baseline: [] }, 'baseline.reference is no text'],
    [
      'with a name of the baseline that is none',
      { ...FULL, baseline: { ...BASELINE, reference: 'a b' } },
      'baseline.reference is none: "a b"',
    ],
    [
      'with a report that cannot be read',
      { ...FULL, platforms: [{ ...FIRST, report: { SchemaVersion: 1 } }] },
      'platforms[0].report: SchemaVersion is not 2',
    ],
    ['without a report', { ...FULL, platforms: [{ ...FIRST, report: undefined }] }, 'SchemaVersion is not 2'],
    ['that nests deep', `{"schema":1,"platforms":${'['.repeat(20)}`, 'it nests too deep, or holds too many'],
    ['with more objects than fit into memory', `[${'{},'.repeat(1_000_000)}{}]`, 'holds too many lists and objects'],
  ];
  it.each(problems)('%s is refused, with the reason', (_, value, problem) => {
    expect(parse(value)).toEqual({ ok: false, problem: expect.stringContaining(problem) });
  });

  it('that is no UTF-8 is refused', () => {
    expect(parseScanRecord(Buffer.of(0x22, 0xff, 0x22))).toEqual({ ok: false, problem: 'it is not JSON' });
  });

  it('that is too large is not even looked into', () => {
    const problem = `larger than ${MAX_SCAN_RECORD_BYTES} bytes`;
    expect(parseScanRecord(new Uint8Array(MAX_SCAN_RECORD_BYTES + 1))).toEqual({ ok: false, problem });
  });

  it('is what the documentation shows', () => {
    const page = readFileSync(path.join(import.meta.dirname, '../../docs/scan.md'), 'utf8');
    const [, example = ''] = /^```json\n([^]*?)^```$/m.exec(page) ?? [];
    expect(violations(SCHEMA, JSON.parse(example))).toEqual([]);
    expect(parse(example)).toMatchObject({ ok: true });
  });

  it('is read when the schema allows it', () => {
    fc.assert(
      fc.property(valuesOf(SCHEMA), (value) => {
        const record = parse(value);
        fc.pre(record.ok || !record.problem.endsWith('once more'));
        expect(record).toMatchObject({ ok: true });
      }),
      { numRuns: 30 },
    );
  });

  it('is refused when the schema refuses it, reports aside', () => {
    const report = { SchemaVersion: 2 };
    const bare = { ...FULL, platforms: [{ ...FIRST, report }], baseline: { ...BASELINE, platforms: [] } };
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat()), fc.jsonValue(), (picks, other) => {
        const value = changed(bare, (count) => (picks.next().value ?? 0) % count, other);
        fc.pre(!JSON.stringify(violations(SCHEMA, value)).includes('.report'));
        const record = parse(value);
        fc.pre(record.ok || !record.problem.endsWith('once more'));
        expect(record.ok).toBe(violations(SCHEMA, value).length === 0);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the settings of a scan', () => {
  const SETTINGS: DecidingSettings = {
    scanners: ['vuln', 'secret'],
    pkgTypes: ['os', 'library'],
    skipDirs: ['a', 'b'],
    skipFiles: ['c', 'd'],
    ignoreFile: digestOf('ignored'),
    vex: [digestOf('vex'), 'repo'],
    trivyVersion: '0.70.0',
  };
  const digest = scanSettingsDigest(SETTINGS);
  const other: Digest = digestOf('other');

  it.each<[string, Partial<DecidingSettings>]>([
    ['other scanners', { scanners: ['vuln'] }],
    ['other types of packages', { pkgTypes: ['os'] }],
    ['other directories left out', { skipDirs: ['a'] }],
    ['other files left out', { skipFiles: [] }],
    ['directories left out as files', { skipDirs: [], skipFiles: ['a', 'b', 'c', 'd'] }],
    ['another ignore file', { ignoreFile: other }],
    ['no ignore file', { ignoreFile: undefined }],
    ['another statement in VEX', { vex: [other, 'repo'] }],
    ['VEX from elsewhere', { vex: [digestOf('vex'), 'oci'] }],
    ['another Trivy', { trivyVersion: '0.71.0' }],
    ['any Trivy', { trivyVersion: undefined }],
  ])('are others with %s', (_, change) => {
    expect(scanSettingsDigest({ ...SETTINGS, ...change })).not.toBe(digest);
  });

  it('are the same in another order, and when something is said twice', () => {
    const { scanners, pkgTypes, skipDirs, skipFiles, vex } = SETTINGS;
    const turned = {
      vex: vex.toReversed(),
      scanners: [...scanners.toReversed(), 'vuln'],
      pkgTypes: pkgTypes.toReversed(),
      skipDirs: skipDirs.toReversed(),
      skipFiles: skipFiles.toReversed(),
    };
    expect(scanSettingsDigest({ ...turned, ignoreFile: SETTINGS.ignoreFile, trivyVersion: '0.70.0' })).toBe(digest);
  });
});
