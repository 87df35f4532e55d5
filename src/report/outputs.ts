import { countedLabels, INPUTS_ANNOTATION, readAssignments } from '../core/labels.ts';
import { formatPlatform } from '../core/platform.ts';
import { toPrintable } from '../core/printable.ts';
import { formatReference } from '../core/reference.ts';
import type { Descriptor } from '../oci/types.ts';
import { imageOf, type Results, type Run } from '../stage.ts';

/** Every output of the action, and what it holds; `action.yml` and the README's table are made from these. */
export const OUTPUT_TABLE = {
  digest:
    'Digest of the image: the index over all platforms. Built with neither a push nor `load`, the image is nowhere.',
  image: '`repository@digest` of the first of `images`; `repository:hash-…` when only the local engine has it.',
  imageid: "The image's id as `docker images` shows it: the digest of the index, where the engine says no other.",
  hash: 'The full content hash, 64 hexadecimal digits.',
  built: '`true` when a build ran, `false` when the image was reused.',
  reason: '`hit`, or why not: `not-found`, `forced`, `expired`, `incomplete`, `mismatch`.',
  tags: 'Full references of every tag on the image, one a line.',
  'tag-names': 'The tags alone, one a line.',
  version: 'The main tag: the version, the branch or `pr-N`.',
  labels: 'Labels of the image, one `KEY=VALUE` a line.',
  annotations: 'Annotations of the image, one `KEY=VALUE` a line.',
  json: '`tags`, `labels` and `annotations` as JSON; of several images, the outputs of each by its name.',
  metadata: "buildx's build metadata as JSON; `{}` when the image was reused.",
  'images-digests': '`repository@digest` of each of `images`, one a line.',
  matrix:
    'Of `plan`: the images that are missing, for `strategy.matrix.include`; each behind those that it is built on.',
  waves: 'The same in several lists, where images are built on others: each list needs nothing but those before it.',
  any: '`true` when an image is missing: a matrix without entries is an error.',
  'platforms-digests': 'Digest of each platform as JSON: `{"linux/amd64":"sha256:…"}`.',
  pushed: '`true` when the image and its tags are in the registry.',
  'scan-result':
    '`passed` or `failed`: whether the scan found what `scan-fail-on` and `scan-budget` forbid; this and the next five are empty without a scan.',
  critical: 'How many CRITICAL findings the scan has, those of several platforms once.',
  high: 'How many HIGH ones.',
  'new-vulnerabilities':
    'With `scan-fail-on: new`, how many vulnerabilities the published image does not have; empty when there is none to compare with.',
  sarif: "The scan's SARIF file, for `github/codeql-action/upload-sarif`.",
  report: 'The folder with the files of the scan that `scan-format` asks for.',
  signed: '`true` when the image is signed by this run, or was by the same identity before.',
  'verify-command': 'The cosign command that verifies the signature; empty when the run does not sign.',
  deleted:
    'How many images `retention` has deleted, each with all that only it needed; empty without `retention`, as the next seven.',
  kept: 'How many images it keeps.',
  failed: 'How many deletions failed.',
  skipped: 'How many images were left alone because they changed meanwhile, or the registry never deletes them.',
  'freed-bytes': 'Bytes that are known to be freed.',
  complete: '`true` when everything that was planned was carried out; `false` when the next run has to go on.',
  plan: 'The file with the plan.',
  journal: 'The file with what was deleted, for `build-once undo`; empty when nothing was.',
  'seconds-saved': 'On a hit, how long the build of the reused image took, in seconds; empty when that is not known.',
} as const;

export type OutputName = keyof typeof OUTPUT_TABLE;

export const OUTPUT_NAMES: readonly OutputName[] = Object.keys(OUTPUT_TABLE).filter(isOutputName);

function isOutputName(name: string): name is OutputName {
  return Object.hasOwn(OUTPUT_TABLE, name);
}

/** Those of `plan`; a build has none of them. */
export const PLAN_OUTPUTS = ['matrix', 'waves', 'any'] as const satisfies readonly OutputName[];

/** Those of `prune`. */
export const PRUNE_OUTPUTS = [
  'deleted',
  'kept',
  'failed',
  'skipped',
  'freed-bytes',
  'complete',
  'plan',
  'journal',
] as const satisfies readonly OutputName[];

export type Outputs = Partial<Readonly<Record<OutputName, string>>>;

/** The outputs that this run can give, also when it failed half-way. Pure. */
export function outputsOf(run: Run): Outputs {
  const { hash, lookup, build, tag, scan, sign } = run.results;
  const image = imageOf(run);
  const { prune } = run.results;
  if (run.command === 'prune') return prune?.outputs ?? {};
  if (wasIdle(run)) return { built: 'false', pushed: 'false' };
  return {
    ...(hash === undefined ? {} : { hash: hash.hash }),
    ...(lookup === undefined ? {} : { reason: lookup.reason, built: String(build !== undefined) }),
    ...(run.tags.version === undefined ? {} : { version: run.tags.version }),
    ...(image === undefined ? {} : imageOutputs(run, image)),
    ...(image === undefined
      ? {}
      : {
          pushed: String(tag !== undefined),
          ...scanOutputs(scan),
          signed: String(sign !== undefined),
          'verify-command': sign?.verifyCommand ?? '',
          'seconds-saved': String(run.savedSeconds ?? ''),
          ...(prune?.outputs ?? Object.fromEntries(PRUNE_OUTPUTS.map((name) => [name, '']))),
        }),
  };
}

/** Empty without a scan. */
function scanOutputs(scan: Results['scan'] | undefined): Outputs {
  return {
    'scan-result': scan === undefined ? '' : scan.passed ? 'passed' : 'failed',
    critical: String(scan?.counts.CRITICAL ?? ''),
    high: String(scan?.counts.HIGH ?? ''),
    'new-vulnerabilities': String(scan?.newVulnerabilities ?? ''),
    sarif: scan?.files.sarif ?? '',
    report: scan?.files.directory ?? '',
  };
}

/** Nothing was to be done: a branch or tag was deleted. */
export function wasIdle({ event, results }: Run): boolean {
  return event.deleted !== undefined && results.hash === undefined;
}

function imageOutputs(
  run: Run,
  image: {
    readonly descriptor: Descriptor;
    readonly manifest: { readonly annotations: Readonly<Record<string, string>> };
  },
): Outputs {
  const { digest } = image.descriptor;
  const { tag, build, load, engine } = run.results;
  const names = run.options.images.map((repository) => formatReference({ repository, tag: undefined, digest }));
  const onImage = (tag?.tags ?? load?.tags ?? []).filter((row) => row.digest === digest);
  const isLocal = load !== undefined && tag === undefined && (build ?? engine?.image) !== undefined;
  const local = isLocal ? onImage.find((row) => row.tag === run.results.hash?.tag)?.reference : undefined;
  const tags = onImage.map(({ reference }) => reference);
  const annotations = image.manifest.annotations;
  const labels = build?.labels ?? labelsOfHit(run.options.labels, annotations);
  return {
    digest,
    image: local ?? names[0] ?? digest,
    imageid: load?.id ?? digest,
    tags: tags.join('\n'),
    'tag-names': [...new Set(onImage.map((row) => row.tag))].join('\n'),
    labels: assignments(labels),
    annotations: assignments(annotations),
    json: JSON.stringify({ tags, labels, annotations, hash: annotations[INPUTS_ANNOTATION] }),
    metadata: JSON.stringify(build?.metadata ?? {}),
    'images-digests': names.join('\n'),
    'platforms-digests': JSON.stringify(Object.fromEntries(platformDigests(run))),
  };
}

/**
 * What is known of a reused image's labels without asking for its config: its annotations, which it carries as labels too,
 * and the labels asked for that count towards the hash, so that it has them.
 */
function labelsOfHit(
  asked: readonly string[],
  annotations: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const { [INPUTS_ANNOTATION]: hash } = annotations;
  const counted = readAssignments(countedLabels(asked));
  return { ...annotations, ...counted, ...(hash === undefined ? {} : { [INPUTS_ANNOTATION]: hash }) };
}

/** Digest of each platform's manifest, attestations left out. */
export function platformDigests(run: Run): readonly (readonly [platform: string, descriptor: Descriptor['digest']])[] {
  const image = imageOf(run);
  if (image?.manifest.kind !== 'index') return [];
  return image.manifest.manifests.flatMap(({ platform, digest }) =>
    platform === undefined || platform.os === 'unknown' ? [] : [[formatPlatform(platform), digest] as const],
  );
}

function assignments(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map((pair) => pair.map(oneLine).join('='))
    .join('\n');
}

/** A value of several lines would read as several labels. */
function oneLine(text: string): string {
  return toPrintable(text)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join(' ');
}
