import { parseDigest } from './digest.ts';
import {
  compareFindings,
  type Finding,
  type FindingLayer,
  type HiddenFinding,
  type PlatformScan,
  SEVERITIES,
  type Severity,
} from './findings.ts';
import { booleanAt, numberAt, textAt, valueAt } from './json.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';
import { parseWebUrl } from './web-url.ts';

/** Far more than images have, and twice what GitHub takes. */
export const MAX_FINDINGS = 50_000;
/** What is longer is cut, and an address passed over. */
export const MAX_NAME_LENGTH = 4096;
const MAX_PROSE_LENGTH = 4000;
const SCHEMA_VERSION = 2;
/** What the image's configuration is called, as it has no name of its own. */
const CONFIGURATION = 'configuration';
/** Targets that are no files: all packages of a kind, each with a file of its own (pkg/scan/langpkg/scan.go, and scan/local). */
const COLLECTIONS: ReadonlySet<string> = new Set([
  'Conda',
  'Java',
  'Kubernetes',
  'Loose File License(s)',
  'Node.js',
  'OS Packages',
  'Python',
  'Ruby',
]);

/**
 * Reads what `trivy image --format json` says of one platform (schema 2, Trivy 0.70: pkg/types/report.go). What is not known
 * is passed over, but a finding that cannot be read is never dropped: the report is refused, as a gate that sees half of it
 * would let the other half pass. The texts that Trivy quotes from files are not read at all: in a secret's line the secret is
 * masked, but in the lines of a misconfiguration and in the instruction of a layer it is not.
 */
export function parseTrivyReport(json: unknown, platform: string): Parsed<PlatformScan> {
  try {
    return parsed(readReport(json, platform));
  } catch (error) {
    if (error instanceof Malformed) return unparsable(error.message);
    throw error;
  }
}

/** Thrown inside this file only: reading stops at the first thing that is wrong. */
class Malformed extends Error {}

function malformed(problem: string): never {
  throw new Malformed(problem);
}

function readReport(json: unknown, platform: string): PlatformScan {
  if (numberAt(json, 'SchemaVersion') !== SCHEMA_VERSION) malformed(`SchemaVersion is not ${SCHEMA_VERSION}`);
  const artifact = textAt(json, 'ArtifactName') ?? '';
  const layers = listAt(json, 'the report', 'Metadata', 'Layers').map((layer) => textAt(layer, 'DiffID'));
  const results = listAt(json, 'the report', 'Results');
  let left = MAX_FINDINGS;
  const findings: Finding[] = [];
  const hidden: HiddenFinding[] = [];
  for (const [index, result] of results.entries()) {
    const where = `Results[${index}]`;
    const place = placeOf(result, where, { artifact, layers });
    const each = <T>(name: string, read: (item: unknown, place: Place) => T): readonly T[] => {
      const items = listAt(result, where, name);
      left -= items.length;
      if (left < 0) malformed(`there are more than ${MAX_FINDINGS} findings`);
      return items.map((item, at) => read(item, { ...place, where: `${where}.${name}[${at}]` }));
    };
    findings.push(...each('Vulnerabilities', readVulnerability), ...each('Secrets', readSecret));
    findings.push(...each('Misconfigurations', readMisconfiguration).filter((finding) => finding !== undefined));
    findings.push(...each('Licenses', readLicense));
    hidden.push(...each('ExperimentalModifiedFindings', readHidden));
  }
  const scanner = nameAt(json, 'Trivy', 'Version');
  return { platform, scanner, system: readSystem(json), findings: findings.sort(compareFindings), hidden };
}

function readSystem(json: unknown): PlatformScan['system'] {
  const family = nameAt(json, 'Metadata', 'OS', 'Family');
  if (family === undefined) return undefined;
  const version = nameAt(json, 'Metadata', 'OS', 'Name');
  const name = version === undefined ? family : `${family} ${version}`;
  return { name, isSupported: booleanAt(json, 'Metadata', 'OS', 'EOSL') !== true };
}

/** Where a result was found. */
interface Place {
  /** In the report, for messages. */
  readonly where: string;
  readonly target: string;
  readonly file: string | undefined;
  readonly origin: 'system' | 'language';
  /** The diff ids of the image's layers. */
  readonly layers: readonly (string | undefined)[];
}

interface Whole {
  readonly artifact: string;
  readonly layers: Place['layers'];
}

/** Trivy calls the image's configuration, and the packages of its system, what it was told to scan: the digest is in that. */
function placeOf(result: unknown, where: string, { artifact, layers }: Whole): Place {
  if (typeof result !== 'object' || result === null || Array.isArray(result)) malformed(`${where} is no object`);
  const target = nameAt(result, 'Target') ?? '';
  const type = nameAt(result, 'Type');
  const kind = textAt(result, 'Class');
  const place = { where, layers, origin: kind === 'lang-pkgs' ? 'language' : 'system' } as const;
  if (kind === 'os-pkgs') return { ...place, target: type ?? kind, file: undefined };
  if (target === '' || target === artifact) return { ...place, target: CONFIGURATION, file: undefined };
  if (COLLECTIONS.has(target)) return { ...place, target, file: undefined };
  const path = target.replace(/^\/+/, '');
  return { ...place, target: path, file: path };
}

function readVulnerability(json: unknown, place: Place): Finding {
  const packageName = nameAt(json, 'PkgName') ?? malformed(`${place.where} names no package`);
  return {
    kind: 'vulnerability',
    ...readFacts(json, place, 'VulnerabilityID'),
    origin: place.origin,
    file: nameAt(json, 'PkgPath')?.replace(/^\/+/, '') ?? place.file,
    package: packageName,
    purl: nameAt(json, 'PkgIdentifier', 'PURL'),
    installed: nameAt(json, 'InstalledVersion') ?? '',
    fixed: nameAt(json, 'FixedVersion'),
    status: nameAt(json, 'Status'),
    score: scoreOf(json),
  };
}

function readSecret(json: unknown, place: Place): Finding {
  return {
    kind: 'secret',
    ...readFacts(json, place, 'RuleID'),
    // Trivy has none, and what it has instead is the line with the secret.
    description: '',
    category: nameAt(json, 'Category'),
    ...readLines(place.file === undefined ? undefined : json),
  };
}

/** `undefined` for a check that was passed. */
function readMisconfiguration(json: unknown, place: Place): Finding | undefined {
  const status = textAt(json, 'Status');
  if (status === 'PASS' || status === 'EXCEPTION') return undefined;
  return {
    kind: 'misconfiguration',
    ...readFacts(json, place, 'ID'),
    message: proseAt(json, 'Message') ?? '',
    resolution: proseAt(json, 'Resolution'),
    // The lines of the configuration are those of a Dockerfile that Trivy made up from the history.
    ...readLines(place.file === undefined ? undefined : valueAt(json, 'CauseMetadata')),
  };
}

function readLicense(json: unknown, place: Place): Finding {
  const packageName = nameAt(json, 'PkgName');
  const facts = readFacts(json, place, 'Name');
  const category = nameAt(json, 'Category');
  return {
    kind: 'license',
    ...facts,
    title: category === undefined ? `license ${facts.id}` : `license ${facts.id} (${category})`,
    description: '',
    url: parseWebUrl(textAt(json, 'Link')),
    file: nameAt(json, 'FilePath')?.replace(/^\/+/, '') ?? place.file,
    package: packageName,
    category,
  };
}

function readHidden(json: unknown, { where }: Place): HiddenFinding {
  const finding = valueAt(json, 'Finding');
  const ids = ['VulnerabilityID', 'RuleID', 'ID', 'Name'].map((name) => nameAt(finding, name));
  return {
    kind: nameAt(json, 'Type') ?? malformed(`${where} has no Type`),
    id: ids.find((id) => id !== undefined) ?? '',
    status: nameAt(json, 'Status'),
    statement: proseAt(json, 'Statement'),
    source: nameAt(json, 'Source'),
  };
}

function readFacts(json: unknown, { where, target, file, layers }: Place, idName: string) {
  const id = nameAt(json, idName) ?? malformed(`${where} has no ${idName}`);
  return {
    id,
    severity: readSeverity(valueAt(json, 'Severity'), where),
    title: proseAt(json, 'Title') ?? id,
    description: proseAt(json, 'Description') ?? '',
    url: parseWebUrl(textAt(json, 'PrimaryURL')),
    target,
    file,
    layer: readLayer(valueAt(json, 'Layer'), layers),
  };
}

/** An unknown word is refused: it could be anything, and a gate would let it pass. */
function readSeverity(json: unknown, where: string): Severity {
  if (json === undefined || json === '') return 'UNKNOWN';
  const seen = typeof json === 'string' ? quote(json) : `a value of type ${typeof json}`;
  return SEVERITIES.find((severity) => severity === json) ?? malformed(`${where} has the severity ${seen}`);
}

function readLayer(json: unknown, layers: Place['layers']): FindingLayer | undefined {
  const digest = parseDigest(textAt(json, 'Digest') ?? '');
  const diffId = parseDigest(textAt(json, 'DiffID') ?? '');
  if (digest === undefined && diffId === undefined) return undefined;
  const index = diffId === undefined ? -1 : layers.indexOf(diffId);
  return { digest, diffId, position: index < 0 ? undefined : index + 1 };
}

function readLines(json: unknown): { readonly startLine: number | undefined; readonly endLine: number | undefined } {
  const [startLine, endLine] = ['StartLine', 'EndLine'].map((name) => {
    const line = numberAt(json, name);
    return line !== undefined && Number.isSafeInteger(line) && line > 0 ? line : undefined;
  });
  if (startLine === undefined) return { startLine, endLine: undefined };
  return { startLine, endLine: endLine !== undefined && endLine > startLine ? endLine : startLine };
}

function scoreOf(json: unknown): number | undefined {
  const sources = [nameAt(json, 'SeveritySource') ?? 'nvd', 'nvd', 'ghsa'];
  const scores = sources.map((source) => numberAt(json, 'CVSS', source, 'V3Score'));
  return scores.find((score) => score !== undefined && score > 0 && score <= 10);
}

function nameAt(json: unknown, ...path: readonly string[]): string | undefined {
  return textAt(json, ...path)?.slice(0, MAX_NAME_LENGTH);
}

function proseAt(json: unknown, ...path: readonly string[]): string | undefined {
  return textAt(json, ...path)?.slice(0, MAX_PROSE_LENGTH);
}

/** The list at this path; Go writes an empty one as null, or not at all. */
function listAt(json: unknown, where: string, ...path: readonly string[]): readonly unknown[] {
  const value = valueAt(json, ...path);
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : malformed(`${path.join('.')} in ${where} is no list`);
}
