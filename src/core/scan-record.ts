import { compareCodePoints } from './code-point-order.ts';
import { type Digest, digestOf } from './digest.ts';
import type { PlatformScan } from './findings.ts';
import { canonicalJson } from './input-manifest.ts';
import { valueAt } from './json.ts';
import type { Parsed } from './parsed.ts';
import { quote } from './printable.ts';
import {
  exactly,
  type JsonLimits,
  malformed,
  parseStrictly,
  readDigest,
  readList,
  readText,
  readVersion,
} from './strict-json.ts';
import { parseTimestamp } from './timestamp.ts';
import { MAX_NAME_LENGTH, parseTrivyReport } from './trivy-report.ts';

/** What the scans of an image found, as it is kept beside the image: `schema/scan.v1.schema.json`. */
export interface ScanRecord<Platform = ScannedPlatform> {
  readonly schema: 1;
  /** Of the index, or of the manifest of an image of one platform. */
  readonly image: Digest;
  /** RFC 3339. */
  readonly scannedAt: string;
  /** See {@link scanSettingsDigest}. */
  readonly settings: Digest;
  /** The version of Trivy. */
  readonly scanner: string;
  /** When the database was made, RFC 3339; `undefined` when there was none, or nobody knows. */
  readonly database: string | undefined;
  readonly platforms: readonly Platform[];
  /** The published image that it was compared with, scanned with the same database. */
  readonly baseline?: RecordedBaseline<Platform> | undefined;
}

export interface RecordedBaseline<Platform = ScannedPlatform> {
  /** `ghcr.io/acme/app:1.2.3` */
  readonly reference: string;
  readonly digest: Digest;
  readonly platforms: readonly Platform[];
}

/** One platform of an image, and what Trivy said of it. */
export interface ScannedPlatform {
  /** `linux/arm64` */
  readonly platform: string;
  /** Of its manifest. */
  readonly digest: Digest;
  /** Trivy's JSON. */
  readonly report: unknown;
}

/** The same as it was read again. */
export interface ReadPlatform {
  readonly platform: string;
  readonly digest: Digest;
  readonly scan: PlatformScan;
}

export type ReadScanRecord = ScanRecord<ReadPlatform>;

/** The largest record, as text, that is attached or read. */
export const MAX_SCAN_RECORD_BYTES = 16 * 1024 * 1024;

const LIMITS: JsonLimits = {
  maxBytes: MAX_SCAN_RECORD_BYTES,
  // A vulnerability of 300 bytes has eight, and few are as short.
  maxContainers: 1_000_000,
  // A score of a vulnerability of a result of a report of a platform of the baseline, with the lists between them: eleven.
  maxDepth: 12,
};
const VERSION = /^[\w.+-]{1,64}$/;
const PLATFORM = /^[\w.+-]{1,64}(?:\/[\w.+-]{1,64}){1,2}$/;
const REFERENCE = /^[\x21-\x7e]{1,512}$/;

/**
 * The record as canonical JSON, its reports cut down by {@link trimTrivyReport}. A time of the database that is none is left
 * out.
 */
export function formatScanRecord(record: ScanRecord): string {
  const { baseline, database } = record;
  const trimmed = (platforms: readonly ScannedPlatform[]) =>
    platforms.map(({ platform, digest, report }) => ({ platform, digest, report: trimTrivyReport(report) }));
  return canonicalJson({
    ...record,
    database: parseTimestamp(database ?? '') === undefined ? undefined : database,
    platforms: trimmed(record.platforms),
    baseline: baseline && { ...baseline, platforms: trimmed(baseline.platforms) },
  });
}

/**
 * Parses a record that somebody else wrote, as `schema/scan.v1.schema.json` describes it. Strict: a field that is not known
 * may mean something; but of Trivy's reports, what `parseTrivyReport` takes.
 */
export function parseScanRecord(content: Uint8Array): Parsed<ReadScanRecord> {
  return parseStrictly(content, LIMITS, readRecord);
}

function readRecord(json: unknown): ReadScanRecord {
  const [database, baseline] = ['database', 'baseline'].map((name) => valueAt(json, name));
  return {
    // What may be left out.
    database: undefined,
    ...exactly(json, 'it', {
      schema: readVersion(json, 'schema', 1),
      image: readDigest(valueAt(json, 'image'), 'image'),
      scannedAt: readTime(valueAt(json, 'scannedAt'), 'scannedAt'),
      settings: readDigest(valueAt(json, 'settings'), 'settings'),
      scanner: readForm(valueAt(json, 'scanner'), 'scanner', VERSION),
      platforms: readPlatforms(json, 'platforms'),
      ...(database === undefined ? {} : { database: readTime(database, 'database') }),
      ...(baseline === undefined ? {} : { baseline: readBaseline(baseline) }),
    }),
  };
}

function readBaseline(json: unknown): RecordedBaseline<ReadPlatform> {
  return exactly(json, 'baseline', {
    reference: readForm(valueAt(json, 'reference'), 'baseline.reference', REFERENCE),
    digest: readDigest(valueAt(json, 'digest'), 'baseline.digest'),
    platforms: readPlatforms(json, 'platforms'),
  });
}

function readPlatforms(json: unknown, name: string): readonly ReadPlatform[] {
  const seen = new Set<string>();
  return readList(json, name, (item, where) => {
    const platform = readForm(valueAt(item, 'platform'), `${where}.platform`, PLATFORM);
    if (seen.has(platform)) malformed(`${where} is ${platform} once more`);
    seen.add(platform);
    const report = parseTrivyReport(valueAt(item, 'report'), platform);
    const { digest } = exactly(item, where, {
      platform,
      digest: readDigest(valueAt(item, 'digest'), `${where}.digest`),
      report,
    });
    return { platform, digest, scan: report.ok ? report.value : malformed(`${where}.report: ${report.problem}`) };
  });
}

function readTime(json: unknown, where: string): string {
  const text = readText(json, where);
  return parseTimestamp(text) === undefined ? malformed(`${where} is no time: ${quote(text)}`) : text;
}

function readForm(json: unknown, where: string, form: RegExp): string {
  const text = readText(json, where);
  return form.test(text) ? text : malformed(`${where} is none: ${quote(text)}`);
}

/** What decides what a scan finds, besides the image and the database. */
export interface DecidingSettings {
  readonly scanners: readonly string[];
  readonly pkgTypes: readonly string[];
  readonly skipDirs: readonly string[];
  readonly skipFiles: readonly string[];
  /** Of its content; `undefined` when there is none. */
  readonly ignoreFile: Digest | undefined;
  /** Of the content of each file; what Trivy looks for itself by its word. */
  readonly vex: readonly (Digest | 'repo' | 'oci')[];
  /** The version of Trivy that was asked for. */
  readonly trivyVersion: string | undefined;
}

/** What stands for these settings: a scan with others may find other things. The order of what is listed does not matter. */
export function scanSettingsDigest(settings: DecidingSettings): Digest {
  const { scanners, pkgTypes, skipDirs, skipFiles, ignoreFile, vex, trivyVersion } = settings;
  const set = (items: readonly string[]) => [...new Set(items)].sort(compareCodePoints);
  return digestOf(
    canonicalJson({
      scanners: set(scanners),
      pkgTypes: set(pkgTypes),
      skipDirs: set(skipDirs),
      skipFiles: set(skipFiles),
      ignoreFile,
      vex: set(vex),
      trivyVersion,
    }),
  );
}

/** Keeps of a value what matters of it, as `parseTrivyReport` sees it: what is of a wrong kind stays of a wrong kind. */
type Trim = (value: unknown) => unknown;

/** A text, number or word. What is too long stays too long. */
const plain: Trim = (value) => {
  if (typeof value === 'string') return value.slice(0, MAX_NAME_LENGTH + 1);
  if (typeof value !== 'object' || value === null) return value;
  return Array.isArray(value) ? [] : {};
};

/** Go writes an empty list as null, or not at all. */
const listOf =
  (item: Trim): Trim =>
  (value) =>
    Array.isArray(value) ? value.map(item) : plain(value ?? undefined);

const fieldsOf =
  (pick: (name: string) => Trim | undefined): Trim =>
  (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return plain(value);
    const fields = Object.entries(value).map(([name, field]) => [name, pick(name)?.(field)]);
    return Object.fromEntries(fields.filter(([, field]) => field !== undefined));
  };

const only = (known: Readonly<Record<string, Trim>>): Trim => {
  const fields = new Map(Object.entries(known));
  return fieldsOf((name) => fields.get(name));
};

const names = (text: string): Readonly<Record<string, Trim>> =>
  Object.fromEntries(text.split(' ').map((name) => [name, plain]));

const FACTS = { ...names('Severity Title PrimaryURL'), Layer: only(names('Digest DiffID')) };
const RESULT = only({
  ...names('Target Class Type'),
  Vulnerabilities: listOf(
    only({
      ...FACTS,
      ...names('VulnerabilityID Description PkgName PkgPath InstalledVersion FixedVersion Status SeveritySource'),
      PkgIdentifier: only(names('PURL')),
      CVSS: fieldsOf(() => only(names('V3Score'))),
    }),
  ),
  // Without the lines that they stand in.
  Secrets: listOf(only({ ...FACTS, ...names('RuleID Category StartLine EndLine') })),
  Misconfigurations: listOf(
    only({
      ...FACTS,
      ...names('ID Description Message Resolution Status'),
      CauseMetadata: only(names('StartLine EndLine')),
    }),
  ),
  Licenses: listOf(only({ ...FACTS, ...names('Name PkgName Category FilePath Link') })),
  ExperimentalModifiedFindings: listOf(
    only({ ...names('Type Status Statement Source'), Finding: only(names('VulnerabilityID RuleID ID Name')) }),
  ),
});
const REPORT = only({
  ...names('SchemaVersion ArtifactName'),
  Trivy: only(names('Version')),
  Metadata: only({ OS: only(names('Family Name EOSL')), Layers: listOf(only(names('DiffID'))) }),
  Results: listOf(RESULT),
});

/**
 * Keeps of Trivy's JSON only what `parseTrivyReport` reads, which finds the same in it: no configuration of the image with its
 * environment, no lines of files, no instructions of layers, no list of packages.
 */
export function trimTrivyReport(json: unknown): unknown {
  return REPORT(json);
}
