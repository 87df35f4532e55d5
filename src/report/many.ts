import type { Matrix } from '../core/bake/matrix.ts';
import { counted } from '../core/counted.ts';
import { toLine } from '../core/printable.ts';
import { familiarName } from '../core/reference.ts';
import { formatDuration } from '../core/timestamp.ts';
import type { Run } from '../stage.ts';
import { code, MAX_LINE_LENGTH, plain, table } from './markdown.ts';
import type { OutputName, Outputs, PLAN_OUTPUTS } from './outputs.ts';
import type { renderMarkdown } from './render.ts';
import type { failureOf, Report, reportOf, SeveralSection } from './report.ts';

/** How one image is reported. It comes from who calls, so that it is not in two bundles. */
export interface ImageReporter {
  readonly of: typeof reportOf;
  readonly failureOf: typeof failureOf;
  readonly markdown: typeof renderMarkdown;
}

/** A run over several images that is over. */
export interface ManyRun {
  readonly command: 'build' | 'plan';
  readonly images: readonly {
    readonly target: { readonly name: string };
    readonly run: Run;
    readonly error: Error | undefined;
    readonly durationMs: number;
  }[];
  readonly matrix: Matrix;
  readonly durationMs: number;
  readonly error: Error | undefined;
}

/** What happened to one of them. */
interface ImageReport {
  readonly name: string;
  readonly report: Report;
  /** `built`, `there` …: a word for the table. */
  readonly outcome: string;
  /** Why: one line. */
  readonly why: string;
}

const MAX_ROWS = 500;
/** Of those that were built or failed, in full: GitHub drops a summary of more than 1 MiB whole. */
const MAX_DETAILS = 20;
/** Codes of failures that say nothing of the image itself. */
const UNTOUCHED: Readonly<Record<string, string>> = { BUILD_STOPPED: 'not built', INTERRUPTED: 'interrupted' };
/** Images with which nothing was to be done. */
const DONE: ReadonlySet<string> = new Set(['there', 'reused']);
const WORDS: Partial<Readonly<Record<Report['status'], string>>> = {
  built: 'built',
  reused: 'reused',
  failed: 'failed',
};
/** Outputs that are lists, a line for each entry. */
const LISTS: readonly OutputName[] = ['tags', 'images-digests'];
/** Outputs that are numbers, or empty. */
const SUMS: readonly OutputName[] = [
  'critical',
  'high',
  'new-vulnerabilities',
  'seconds-saved',
  'deleted',
  'kept',
  'failed',
  'skipped',
  'freed-bytes',
];

/** Says what became of several images; of one alone that was to be built, what is said of any build. Pure. */
export function reportMany(run: ManyRun, reporter: ImageReporter): Report {
  const images = run.images.map((image) => reportImage(image, run.command, reporter));
  const [first, ...more] = images;
  if (first === undefined) throw new TypeError('there is no image');
  const failure = run.error === undefined ? undefined : reporter.failureOf(run.error);
  const { durationMs } = run;
  if (run.command === 'build' && more.length === 0) return { ...first.report, durationMs, failure };
  const headline = headlineOf(images, run);
  return {
    ...NOTHING,
    status: failure === undefined ? statusOf(images, run) : 'failed',
    headline,
    several: sectionOf(images, { headline, run, reporter }),
    subjects: failure === undefined ? images.flatMap(({ report }) => report.subjects) : [],
    durationMs,
    failure,
    outputs: run.command === 'plan' ? planOutputs(run.matrix) : buildOutputs(images),
  };
}

/** What is said of each image is in the section. */
const NOTHING = {
  reason: '',
  image: undefined,
  notPushed: undefined,
  loaded: undefined,
  explanation: undefined,
  hash: undefined,
  savedSeconds: undefined,
  inputs: [],
  warnings: [],
  platforms: [],
  tags: [],
  signatures: [],
  scan: undefined,
  prune: undefined,
  steps: [],
} as const satisfies Partial<Report>;

function reportImage(
  { target: { name }, run, error, durationMs }: ManyRun['images'][number],
  command: ManyRun['command'],
  { of }: ImageReporter,
): ImageReport {
  const report = of(run, durationMs, error);
  const { lookup } = run.results;
  const isThere = lookup?.image !== undefined;
  const planned = isThere ? 'there' : lookup === undefined ? 'not looked at' : 'missing';
  const { explanation, failure, reason } = report;
  const failed = UNTOUCHED[failure?.code ?? ''] ?? 'failed';
  const outcome =
    error !== undefined ? failed : command === 'plan' ? planned : (WORDS[report.status] ?? report.headline);
  const missed = explanation === undefined ? reason : `${lookup?.reason}: ${explanation.summary}`;
  return { name, report, outcome, why: failure === undefined ? missed : `${failure.code}: ${failure.message}` };
}

function statusOf(images: readonly ImageReport[], { command }: ManyRun): Report['status'] {
  if (images.every(({ report }) => report.status === 'idle')) return 'idle';
  if (command === 'plan') return 'planned';
  return images.some(({ report }) => report.status === 'built') ? 'built' : 'reused';
}

function headlineOf(images: readonly ImageReport[], { command }: ManyRun): string {
  const count = (word: string): number => images.filter(({ outcome }) => outcome === word).length;
  const failed = ['failed', ...Object.values(UNTOUCHED)]
    .filter((word) => count(word) > 0)
    .map((word) => `, ${count(word)} ${word}`)
    .join('');
  const all = counted(images.length, 'image');
  if (command === 'plan') return `${count('missing')} of ${all} to build, ${count('there')} there already${failed}`;
  return `Built ${count('built')} of ${all}, reused ${count('reused')}${failed}`;
}

interface SectionFacts {
  readonly headline: string;
  readonly run: ManyRun;
  readonly reporter: ImageReporter;
}

function sectionOf(images: readonly ImageReport[], { headline, run, reporter }: SectionFacts): SeveralSection {
  const { matrix, command } = run;
  const plan = { matrix: matrix.entries, waves: matrix.waves, any: matrix.entries.length > 0 };
  return {
    summary: headline,
    document: { images: images.map(documentOf), ...(command === 'plan' ? plan : {}) },
    markdown: markdownOf(images, reporter),
    text: textOf(images),
  };
}

function documentOf({ name, report, outcome, why }: ImageReport): object {
  const { status, hash, image, tags, inputs, warnings, platforms, scan, durationMs, failure, outputs } = report;
  const scanned = scan === undefined ? {} : { scan: { passed: scan.passed, summary: scan.summary } };
  return {
    name,
    outcome,
    why,
    status,
    hash,
    image,
    tags,
    inputs,
    warnings,
    platforms,
    ...scanned,
    durationMs,
    failure,
    outputs,
  };
}

/** What there was something to do with comes first; the rest, which may be hundreds, is folded. */
function markdownOf(images: readonly ImageReport[], { markdown }: ImageReporter): string {
  const done = images.filter(({ outcome }) => DONE.has(outcome));
  const others = images.filter((image) => !done.includes(image));
  const told = others.filter(({ outcome }) => outcome === 'built' || outcome === 'failed').slice(0, MAX_DETAILS);
  const details = told.map(({ name, report }) => folded(code(name), markdown(report)));
  const words = [...new Set(done.map(({ outcome }) => outcome))].join(', ');
  return [
    ...(others.length === 0 ? [] : [tableOf(others)]),
    ...details,
    ...(done.length === 0 ? [] : [folded(`${counted(done.length, 'image')} ${words}`, `${tableOf(done)}\n`)]),
  ].join('\n\n');
}

function folded(title: string, content: string): string {
  return `<details><summary>${title}</summary>\n\n${content}\n</details>`;
}

/** A row for each image; what none of them has is left out. */
function tableOf(images: readonly ImageReport[]): string {
  const columns: readonly (readonly [string, (image: ImageReport) => string])[] = [
    ['Image', ({ name }) => code(name)],
    ['What', ({ outcome }) => plain(outcome)],
    ['Why', ({ why }) => plain(why)],
    ['Digest', ({ report: { image } }) => (image === undefined ? '' : code(familiarName(image)))],
    ['Scan', ({ report: { scan } }) => plain(scan?.summary ?? '')],
    ['Retention', ({ report: { prune } }) => plain(prune?.summary ?? '')],
    ['Took', ({ report: { durationMs } }) => formatDuration(durationMs)],
  ];
  const shown = columns.filter(([, cell]) => images.some((image) => cell(image) !== ''));
  const rows = images.slice(0, MAX_ROWS).map((image) => shown.map(([, cell]) => cell(image)));
  const more = images.length - MAX_ROWS;
  const rest = more > 0 ? [shown.map((_, at) => (at === 0 ? `and ${more} more` : ''))] : [];
  return table(
    shown.map(([title]) => title),
    [...rows, ...rest],
  );
}

function textOf(images: readonly ImageReport[]): string {
  const width = Math.max(...images.map(({ name }) => name.length)) + 2;
  const wordWidth = Math.max(...images.map(({ outcome }) => outcome.length)) + 1;
  return images
    .map(
      ({ name, outcome, why }) => `  ${name.padEnd(width)}${outcome.padEnd(wordWidth)}${toLine(why, MAX_LINE_LENGTH)}`,
    )
    .join('\n');
}

function planOutputs({ entries, waves }: Matrix): Readonly<Record<(typeof PLAN_OUTPUTS)[number], string>> {
  return {
    matrix: JSON.stringify(entries),
    waves: JSON.stringify(waves),
    any: String(entries.length > 0),
  };
}

function buildOutputs(images: readonly ImageReport[]): Outputs {
  const outputs = images.map(({ report }) => report.outputs);
  const all = (name: OutputName): boolean => outputs.every((one) => one[name] === 'true');
  const scans = outputs.flatMap((one) => one['scan-result'] || []);
  const lists = LISTS.map((name) => [name, outputs.flatMap((one) => one[name] || []).join('\n')]);
  const sums = SUMS.map((name) => [name, sumOf(outputs.flatMap((one) => one[name] || []))]);
  return {
    built: String(outputs.some(({ built }) => built === 'true')),
    pushed: String(all('pushed')),
    signed: String(all('signed')),
    'scan-result': scans.includes('failed') ? 'failed' : (scans[0] ?? ''),
    json: JSON.stringify(Object.fromEntries(images.map(({ name, report }) => [name, briefly(report.outputs)]))),
    ...Object.fromEntries(lists),
    ...Object.fromEntries(sums),
  };
}

/** What repeats other outputs, or is long, is left out: GitHub takes 1 MB of outputs from a job. */
function briefly(outputs: Outputs): Outputs {
  const { json: _, metadata: __, ...rest } = outputs;
  return rest;
}

function sumOf(numbers: readonly string[]): string {
  const sum = numbers.reduce((sum, one) => sum + Number(one), 0);
  // Of seconds with their milliseconds.
  return numbers.length === 0 ? '' : String(Math.round(sum * 1000) / 1000);
}
