import type { Digest } from '../core/digest.ts';
import { INPUTS_ANNOTATION } from '../core/labels.ts';
import { formatPlatform } from '../core/platform.ts';
import { familiarName, formatRepositoryName } from '../core/reference.ts';
import type { Warning } from '../core/warning.ts';
import { isBuildOnceError, isUsageError } from '../errors.ts';
import type { Explanation } from '../explanation.ts';
import type { Location } from '../host.ts';
import type { Run, StageName } from '../stage.ts';
import { isBuildError } from '../tools/build-log.ts';
import { hiddenExplanation } from './explanation.ts';
import { type Outputs, outputsOf, platformDigests, wasIdle } from './outputs.ts';
import { signatureLines } from './signatures.ts';

/** How far a chain of causes is followed; it may be a circle. */
const MAX_CAUSES = 5;
const HEADLINES = {
  built: 'Built',
  hashed: 'Hashed',
  explained: 'Compared',
  scanned: 'Scanned',
  verified: 'Verified',
  planned: 'Planned',
  pruned: 'Retention',
  restored: 'Brought back',
  idle: 'Nothing to build',
  failed: 'Failed',
} as const;

/** One platform's image inside the index. */
export interface PlatformRow {
  readonly platform: string;
  readonly digest: Digest;
  /** Config and layers as they travel, compressed; `undefined` on a hit, where it would cost requests. */
  readonly sizeBytes: number | undefined;
}

/** An image by the name of its repository, without a tag. */
export interface ProvenanceSubject {
  readonly name: string;
  readonly digest: Digest;
}

/** What became of one tag. */
export interface TagRow {
  readonly reference: string;
  readonly outcome: string;
}

export interface Step {
  readonly name: StageName;
  readonly durationMs: number;
  /** Why it did nothing. */
  readonly skipped: string | undefined;
}

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  /** The place in the Dockerfile that is to blame. */
  readonly at: Location | undefined;
}

/** What a scan found, and whether it passed. */
export interface ScanSection {
  readonly passed: boolean;
  /** One sentence. */
  readonly summary: string;
  /** Since when the result was kept with the image (RFC 3339); `undefined` when this run has scanned. */
  readonly keptSince: string | undefined;
  /** Everything, as in the file `scan.json`. */
  readonly document: object;
  /** The same for people. */
  readonly markdown: string;
  readonly text: string;
}

/** What a pruning, or the undoing of one, did. */
export type PruneSection = Section;

/** What became of several images. */
export type SeveralSection = Section;

/** A part of a report that is put into words where it is known what it is about. */
export interface Section {
  /** One sentence. */
  readonly summary: string;
  /** Everything, for programs. */
  readonly document: object;
  /** The same for people. */
  readonly markdown: string;
  readonly text: string;
}

/** A finished run as data: what the summary, the terminal and `--json` say. */
export interface Report {
  readonly status:
    | 'reused'
    | 'built'
    | 'hashed'
    | 'explained'
    | 'scanned'
    | 'verified'
    | 'planned'
    | 'pruned'
    | 'restored'
    | 'idle'
    | 'failed';
  /** What happened, in a few words. */
  readonly headline: string;
  /** Why: one sentence. */
  readonly reason: string;
  /** `repository@digest`. */
  readonly image: string | undefined;
  /** Why the image is not in the registry by this run; `undefined` when it is, or when there is none. */
  readonly notPushed: string | undefined;
  /** What the local engine got: names and the platform; `undefined` when nothing was loaded. */
  readonly loaded: string | undefined;
  /** In what the run differs from an image that is there; `undefined` where nobody asked, as on a hit. */
  readonly explanation: Explanation | undefined;
  readonly hash: string | undefined;
  /** How long the build of the reused image took; `undefined` when nothing was reused, or that is not known. */
  readonly savedSeconds: number | undefined;
  /** What was hashed, in words: `1,024 files`, `base image node:22 at sha256:…`. */
  readonly inputs: readonly string[];
  /** What a person should look at, with its place: `Dockerfile:3: …`. */
  readonly warnings: readonly string[];
  readonly platforms: readonly PlatformRow[];
  readonly tags: readonly TagRow[];
  /** What is signed and by whom, a line for each fact; empty when the run neither signs nor verifies. */
  readonly signatures: readonly string[];
  /** `undefined` when nothing was scanned. */
  readonly scan: ScanSection | undefined;
  /** What retention planned and did; `undefined` without it. */
  readonly prune: PruneSection | undefined;
  /** What became of each of several images; `undefined` for a run about one. */
  readonly several: SeveralSection | undefined;
  /** What this run has built and pushed, for an attestation of its provenance: none of a reused image, nor of another run's. */
  readonly subjects: readonly ProvenanceSubject[];
  readonly steps: readonly Step[];
  readonly durationMs: number;
  readonly failure: Failure | undefined;
  readonly outputs: Outputs;
}

/** Says what happened in a run, whatever its end. Pure. */
export function reportOf(run: Run, durationMs: number, error?: unknown): Report {
  const { hash } = run.results;
  const outputs = outputsOf(run);
  const status = error === undefined ? statusOf(run) : 'failed';
  return {
    status,
    headline: headlineOf(status, run),
    reason: reasonOf(status, run),
    image: outputs.image,
    notPushed: status === 'built' ? run.journal.find(({ stage }) => stage === 'tag')?.skipped : undefined,
    loaded: loadedOf(run),
    explanation: run.results.explain,
    hash: hash?.hash,
    savedSeconds: run.savedSeconds,
    inputs: hash?.inputs ?? [],
    warnings: hash === undefined ? [] : hash.warnings.map((warning) => located(hash.dockerfile, warning)),
    platforms: platformRows(run),
    tags: tagRows(run),
    signatures: signatureLines(run.results),
    scan: scanOf(run),
    prune: pruneOf(run),
    several: undefined,
    subjects: error === undefined ? subjectsOf(run) : [],
    steps: run.journal.map(({ stage, durationMs: tookMs, skipped }) => ({ name: stage, durationMs: tookMs, skipped })),
    durationMs,
    failure: error === undefined ? undefined : failureOf(error),
    outputs,
  };
}

/** The report with its sentences passed through `hide`; what is ours, such as digests and outputs, stays to the letter. */
export function redacted(report: Report, hide: (text: string) => string): Report {
  const { failure } = report;
  return {
    ...report,
    headline: hide(report.headline),
    reason: hide(report.reason),
    notPushed: report.notPushed && hide(report.notPushed),
    explanation: report.explanation && hiddenExplanation(report.explanation, hide),
    inputs: report.inputs.map(hide),
    warnings: report.warnings.map(hide),
    tags: report.tags.map(({ reference, outcome }) => ({ reference, outcome: hide(outcome) })),
    signatures: report.signatures.map(hide),
    scan: report.scan && { ...report.scan, ...hiddenSection(report.scan, hide) },
    prune: report.prune && hiddenSection(report.prune, hide),
    several: report.several && hiddenSection(report.several, hide),
    failure: failure && redactedFailure(failure, hide),
  };
}

function scanOf({ results: { scan } }: Run): ScanSection | undefined {
  if (scan === undefined) return undefined;
  const { passed, summary, keptSince, document, markdown, text } = scan;
  return { passed, summary, keptSince, document, markdown, text };
}

function pruneOf({ results: { prune, undo } }: Run): PruneSection | undefined {
  const section = prune ?? undo;
  if (section === undefined) return undefined;
  const { summary, document, markdown, text } = section;
  return { summary, document, markdown, text };
}

function hiddenSection(section: Section, hide: (text: string) => string): Section {
  return {
    summary: hide(section.summary),
    document: hiddenObject(section.document, hide),
    markdown: hide(section.markdown),
    text: hide(section.text),
  };
}

function hiddenObject(value: object, hide: (text: string) => string): object {
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, hiddenValue(item, hide)]));
}

function hiddenValue(value: unknown, hide: (text: string) => string): unknown {
  if (typeof value === 'string') return hide(value);
  if (Array.isArray(value)) return value.map((item: unknown) => hiddenValue(item, hide));
  return typeof value === 'object' && value !== null ? hiddenObject(value, hide) : value;
}

/** The report as JSON shows it: what is for people is left out where there is the same for programs. */
export function reportDocument(report: Report): object {
  const { scan, prune, several, ...rest } = report;
  if (scan === undefined && prune === undefined && several === undefined) return report;
  return {
    ...rest,
    ...(scan === undefined ? {} : { scan: forPrograms(scan) }),
    ...(prune === undefined ? {} : { prune: forPrograms(prune) }),
    ...(several === undefined ? {} : forPrograms(several)),
  };
}

function forPrograms(section: Section): object {
  const { markdown: _, text: __, document, ...rest } = section;
  return { ...rest, ...document };
}

/** The failure with its sentences passed through `hide`. */
export function redactedFailure(failure: Failure, hide: (text: string) => string): Failure {
  return { ...failure, message: hide(failure.message), hint: failure.hint && hide(failure.hint) };
}

/** The failure with its chain of causes in the message, as the reader of a red log needs it. */
export function failureOf(error: unknown): Failure {
  const messages: string[] = [];
  let cause: unknown = error;
  for (let depth = 0; cause !== undefined && depth < MAX_CAUSES; depth += 1) {
    // OpenSSL ends its messages with a line feed.
    const message = (cause instanceof Error ? cause.message || cause.name : thrownText(cause)).trim();
    if (!messages.some((earlier) => earlier.includes(message))) messages.push(message);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  const known = isBuildOnceError(error);
  return {
    code: known ? error.code : 'UNEXPECTED',
    message: messages.join('\ncaused by: '),
    hint: known ? error.hint : 'This is a defect of build-once: please report it with this log.',
    at: isBuildError(error) ? error.location : isUsageError(error) ? error.at : undefined,
  };
}

function located(file: string, { message, line }: Warning): string {
  return line === undefined ? message : `${file}:${line}: ${message}`;
}

/** Anything can be thrown. */
function thrownText(thrown: unknown): string {
  return typeof thrown === 'string' ? thrown : `a value of type ${typeof thrown} was thrown`;
}

function headlineOf(status: Report['status'], { results }: Run): string {
  if (status === 'pruned' || status === 'restored')
    return `${HEADLINES[status]}: ${(results.prune ?? results.undo)?.summary}`;
  if (status === 'explained') return results.explain?.summary ?? HEADLINES[status];
  if (status !== 'reused') return HEADLINES[status];
  if (results.lookup?.standing === 'bases') return 'Reused: nothing has changed since this version but base images';
  const isSame = results.lookup?.image?.manifest.annotations[INPUTS_ANNOTATION] === results.hash?.hash;
  return isSame
    ? 'Reused: nothing that the build reads has changed'
    : 'Reused: this commit has released this version already';
}

function reasonOf(status: Report['status'], { event, results: { lookup } }: Run): string {
  if (status === 'idle') return event.deleted ?? '';
  return lookup === undefined ? '' : `${lookup.reason}: ${lookup.detail}`;
}

function statusOf(run: Run): Report['status'] {
  const { results, command } = run;
  if (command === 'prune') return 'pruned';
  if (command === 'undo') return 'restored';
  if (wasIdle(run)) return 'idle';
  if (results.verify !== undefined) return 'verified';
  if (results.choose !== undefined) return 'scanned';
  if (results.lookup === undefined) return results.explain === undefined ? 'hashed' : 'explained';
  return results.build === undefined ? 'reused' : 'built';
}

function loadedOf({ results: { load } }: Run): string | undefined {
  if (load === undefined) return undefined;
  return `${load.tags.map(({ reference }) => familiarName(reference)).join(', ')} (${formatPlatform(load.platform)})`;
}

function platformRows(run: Run): PlatformRow[] {
  const sizes = run.results.build?.sizesBytes;
  return platformDigests(run).map(([platform, digest]) => ({ platform, digest, sizeBytes: sizes?.get(digest) }));
}

function subjectsOf({ options, results: { build, tag } }: Run): ProvenanceSubject[] {
  const digest = tag?.image.descriptor.digest;
  if (digest === undefined || digest !== build?.image.descriptor.digest) return [];
  const isIn = (name: string): boolean =>
    tag?.tags.some((row) => row.digest === digest && row.reference.startsWith(`${name}:`)) === true;
  const names = new Set(options.images.map(formatRepositoryName));
  return [...names].filter(isIn).map((name) => ({ name, digest }));
}

function tagRows({ results }: Run): TagRow[] {
  return (results.tag?.tags ?? results.load?.tags ?? []).map(({ reference, outcome, detail }) => ({
    reference,
    outcome: detail === undefined ? outcome : `${outcome}: ${detail}`,
  }));
}
