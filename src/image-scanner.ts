import { findBaseline } from './baseline.ts';
import { type DockerfileProblem, joinProblems } from './core/dockerfile-problems.ts';
import { countBySeverity, type Severity } from './core/findings.ts';
import { assessImage, type Baseline, type ImageScan } from './core/image-scan.ts';
import { toLine } from './core/printable.ts';
import { familiarName, formatReference } from './core/reference.ts';
import type { ReadScanRecord, ScanRecord } from './core/scan-record.ts';
import type { GateRules } from './core/scan-rules.ts';
import { describeVerdict } from './core/scan-verdict.ts';
import { formatDuration } from './core/timestamp.ts';
import type { Warning } from './core/warning.ts';
import { annotateDockerfile } from './dockerfile-annotations.ts';
import { BuildOnceError, isRegistryError } from './errors.ts';
import type { Descriptor } from './oci/types.ts';
import {
  findMembers,
  type Member,
  openScanner,
  type ScannedMember,
  type ScanSource,
  scanMembers,
} from './platform-scans.ts';
import type { FoundImage } from './registry/image.ts';
import { scanDocument } from './report/scan-json.ts';
import { renderScanMarkdown } from './report/scan-markdown.ts';
import { renderScanText, summaryOf } from './report/scan-text.ts';
import { readFreshScan } from './scan-record.ts';
import { type FreshScan, type ScanFiles, writeReports } from './scan-reports.ts';
import { readScanOrder, type ScanOrder } from './scan-settings.ts';
import type { Run } from './stage.ts';
import { loadTrivy } from './tools/load.ts';

export { openScanner } from './platform-scans.ts';
export { attachScan } from './scan-record.ts';

/** What a scan has found out about an image. */
export interface ScanOutcome {
  readonly passed: boolean;
  /** What was found, in one sentence. */
  readonly summary: string;
  /** Every rule that was broken, the findings that broke it and what mends them: a text of several lines. */
  readonly broken: string;
  readonly counts: Readonly<Record<Severity, number>>;
  /** How many vulnerabilities the published image does not have; `undefined` when nobody compared. */
  readonly newVulnerabilities: number | undefined;
  /** Since when the result was kept with the image (RFC 3339); `undefined` when Trivy has run. */
  readonly keptSince: string | undefined;
  readonly files: ScanFiles;
  /** Everything, for programs. */
  readonly document: object;
  readonly text: string;
  readonly markdown: string;
  /** What to keep with the image; `undefined` when it came from there. */
  readonly record: ScanRecord | undefined;
}

export interface ScanTask extends ScanSource {
  /** The platforms to scan; all of them when empty. */
  readonly only: readonly string[];
  /** A result that is kept with the image may be young enough. */
  readonly mayKeep: boolean;
  /** The Dockerfile in the workspace that the image was built from. */
  readonly dockerfile: string | undefined;
  /** What buildx would have otherwise in it. */
  readonly problems: readonly DockerfileProblem[];
  /** What the run has warned of in it before. */
  readonly warnings: readonly Warning[];
}

/** Scans every platform of an image, or takes the result that is kept with it, and judges what was found. */
export async function scanRun(run: Run, task: ScanTask): Promise<ScanOutcome> {
  const { image } = task;
  const repository =
    task.layoutPath === undefined
      ? run.registries.open(image.repository)
      : await run.registries.openLayout(task.layoutPath);
  const scene: Scene = {
    run,
    task,
    order: readScanOrder(run.host, run.options),
    members: chosenOf(task, await findMembers(repository, image)),
    published: run.options.scanFailOn === 'new' ? await findPublished(run, task) : undefined,
  };
  const kept = task.mayKeep ? await findKept(scene) : undefined;
  const fresh = kept === undefined ? await scanAll(scene) : undefined;
  const record = kept ?? fresh?.record;
  const scans = record?.platforms.map((member) => member.scan) ?? [];
  const scan = assessImage({ image: nameOf(task), scans, baseline: baselineOf(scene, record) }, rulesOf(run));
  if (fresh !== undefined) await annotate(scene, fresh);
  const files = await writeReports(run, scan, { category: image.repository.path, dockerfile: task.dockerfile, fresh });
  return { ...outcomeOf(scan), keptSince: kept?.scannedAt, files, record: fresh?.record };
}

interface Scene {
  readonly run: Run;
  readonly task: ScanTask;
  readonly order: ScanOrder;
  readonly members: readonly Member[];
  /** `undefined` where nobody asks what is new, and where there is none. */
  readonly published: Published | undefined;
}

/** The published image that `scan-fail-on: new` means. */
interface Published {
  readonly reference: string;
  readonly image: FoundImage;
  /** It is the very image that is scanned. */
  readonly isItself: boolean;
}

/** BuildOnceError `IMAGE_NOT_FOUND` when nothing is left, or a platform that is asked for is not there. */
function chosenOf(task: ScanTask, members: readonly Member[]): readonly Member[] {
  const chosen = members.filter(({ platform }) => task.only.length === 0 || task.only.includes(platform));
  const missing = task.only.filter((wanted) => chosen.every(({ platform }) => platform !== wanted));
  if (chosen.length > 0 && missing.length === 0) return chosen;
  const has = members.length === 0 ? 'no image' : members.map(({ platform }) => platform).join(', ');
  const what = missing.length === 0 ? '' : `, not ${missing.join(', ')}`;
  throw new BuildOnceError('IMAGE_NOT_FOUND', `${nameOf(task)} has ${toLine(has, 300)}${what}`, 1, {
    hint: 'Name the index or the manifest of an image, and platforms that it has.',
  });
}

async function findPublished(run: Run, { image }: ScanTask): Promise<Published | undefined> {
  const repository = run.registries.open(image.repository);
  const found = await findBaseline(repository, run);
  if (found === undefined) return undefined;
  const { descriptor } = found.image;
  const reference = familiarName(formatReference({ repository: image.repository, tag: found.tag, digest: undefined }));
  const distrust = await run.findDistrust({ repository, image: descriptor });
  if (distrust !== undefined) {
    run.host.log.warning(`nothing counts as new: ${reference}, the published image, is not trusted: ${distrust}`);
    return undefined;
  }
  return { reference, image: found.image, isItself: descriptor.digest === image.descriptor.digest };
}

/** The result that is kept with the image, when it is young, and says what is asked now. */
async function findKept({ run, task, order, members, published }: Scene): Promise<ReadScanRecord | undefined> {
  const { host, options, registries, startedAt, event } = run;
  // Of the packages nothing is kept.
  if (options.scanFormat.includes('cyclonedx')) return undefined;
  // Scanning is what is left when this fails, so that nothing is asked twice.
  const repository = registries.open(task.image.repository, event.push ? 'push' : 'pull', 'once');
  const isTrusted = async (artifact: Descriptor): Promise<boolean> => {
    const distrust = await run.findDistrust({ repository, image: artifact });
    if (distrust !== undefined) host.log.info(`the scan in ${artifact.digest} is not trusted: ${distrust}`);
    return distrust === undefined;
  };
  try {
    const record = await readFreshScan(repository, task.image, {
      settings: order.digest,
      platforms: members.map(({ platform, descriptor }) => ({ platform, digest: descriptor.digest })),
      nowMs: startedAt.getTime(),
      maxAgeMs: options.rescanAfter,
      isTrusted,
    });
    if (record === undefined || !isComparable(record, published)) return undefined;
    host.log.info(`scanned at ${record.scannedAt}, and rescan-after is ${formatDuration(options.rescanAfter)}`);
    return record;
  } catch (error) {
    if (!isRegistryError(error)) throw error;
    host.log.info(`whether a scan is kept with the image is not known: ${error.message}`);
    return undefined;
  }
}

function isComparable({ platforms, baseline }: ReadScanRecord, published: Published | undefined): boolean {
  if (published === undefined || published.isItself) return true;
  if (platforms.every(({ scan }) => scan.findings.length === 0)) return true;
  return baseline?.digest === published.image.descriptor.digest;
}

/** Of several images, one after the other: each takes as many programs as the machine has room for. */
function scanAll(scene: Scene): Promise<FreshScan> {
  const scan = (): Promise<FreshScan> => scanNow(scene);
  return scene.run.scanner?.turns?.take(scan) ?? scan();
}

/** Scans with one database the image, and what it is compared with when there is something to compare. */
async function scanNow({ run, task, order, members, published }: Scene): Promise<FreshScan> {
  const scanner = await (run.scanner?.ready ?? openScanner(run));
  const { settings } = order;
  const own = await scanMembers(scanner, run, task, { members, settings });
  const hasFindings = own.some(({ scan }) => scan.findings.length > 0);
  const other = published !== undefined && !published.isItself && hasFindings ? published : undefined;
  const theirs = other === undefined ? [] : await membersToCompare(run, other.image, members);
  const source = { image: other?.image ?? task.image, layoutPath: undefined };
  const compared = await scanMembers(scanner, run, source, { members: theirs, settings });
  const baseline = other && {
    reference: other.reference,
    digest: other.image.descriptor.digest,
    platforms: compared.map(recorded),
  };
  const record: FreshScan['record'] = {
    schema: 1,
    image: task.image.descriptor.digest,
    scannedAt: run.startedAt.toISOString(),
    settings: order.digest,
    scanner: scanner.trivy.version,
    database: scanner.database?.updatedAt,
    platforms: own.map(recorded),
    ...(baseline === undefined ? {} : { baseline }),
  };
  return { record, trivy: scanner.trivy, members: own };
}

/** Says at the lines of the Dockerfile what buildx, and Trivy when it was asked for misconfigurations, would have otherwise. */
async function annotate({ run, task, order }: Scene, { trivy }: FreshScan): Promise<void> {
  const { dockerfile, problems, warnings } = task;
  const { scanners, ignoreFile, timeoutMs } = order.settings;
  const { checkDockerfile } = await loadTrivy();
  const found =
    dockerfile !== undefined && scanners.includes('misconfig')
      ? await checkDockerfile(trivy, { file: dockerfile, ignoreFile, timeoutMs })
      : [];
  annotateDockerfile(run.host.log, dockerfile, joinProblems([...problems, ...found], warnings));
}

/** The same platforms; all of them where one was not published. */
async function membersToCompare(run: Run, image: FoundImage, wanted: readonly Member[]): Promise<readonly Member[]> {
  const all = await findMembers(run.registries.open(image.repository), image);
  const same = all.filter(({ platform }) => wanted.some((member) => member.platform === platform));
  return same.length === wanted.length ? same : all;
}

function recorded({ platform, descriptor, report, scan }: ScannedMember): FreshScan['record']['platforms'][number] {
  return { platform, digest: descriptor.digest, report: report.json, scan };
}

function baselineOf({ published }: Scene, record: ReadScanRecord | undefined): Baseline | undefined {
  if (published === undefined || record === undefined) return undefined;
  const compared = published.isItself ? record.platforms : (record.baseline?.platforms ?? []);
  return { name: published.reference, scans: compared.map(({ scan }) => scan) };
}

function rulesOf({ options }: Run): GateRules {
  return {
    failOn: options.scanFailOn,
    severities: options.scanSeverity,
    ignoreUnfixed: options.scanIgnoreUnfixed,
    budget: options.scanBudget,
  };
}

function outcomeOf(scan: ImageScan): Omit<ScanOutcome, 'keptSince' | 'files' | 'record'> {
  const { findings, verdict, comparedWith } = scan;
  const fresh = findings.filter(({ finding, isNew }) => isNew && finding.kind === 'vulnerability');
  return {
    passed: verdict.passed,
    summary: summaryOf(scan),
    broken: describeVerdict(verdict),
    counts: countBySeverity(findings.map(({ finding }) => finding)),
    newVulnerabilities: comparedWith === undefined ? undefined : fresh.length,
    document: scanDocument(scan),
    text: renderScanText(scan),
    markdown: renderScanMarkdown(scan),
  };
}

function nameOf({ image }: ScanTask): string {
  const { repository, descriptor } = image;
  return familiarName(formatReference({ repository, tag: undefined, digest: descriptor.digest }));
}
