import { counted } from '../core/counted.ts';
import { someOf } from '../core/some-of.ts';
import { BuildOnceError, isBuildOnceError } from '../errors.ts';
import { errorThrown } from '../interruption.ts';
import type { ManyCall } from './image-pipeline.ts';
import type { ImageRun } from './image-run.ts';

/** Codes of failures that say that something is wrong with another image. */
const FOLLOWS: ReadonlySet<string> = new Set(['BASE_FAILED', 'BUILD_STOPPED']);
/** Of images that have the same to tell. */
const MAX_NAMES = 10;

/**
 * What the run ends with: the failure of the one image; of several, BuildOnceError `IMAGES_FAILED` that names each, with all
 * that it is about.
 */
export function failureOfAll(
  images: readonly ImageRun[],
  command: ManyCall['command'],
  signal: AbortSignal,
): Error | undefined {
  const failed = images.flatMap(({ target, error }) => (error === undefined ? [] : [{ name: target.name, error }]));
  const [first] = failed;
  if (first === undefined) return undefined;
  if (signal.aborted) return errorThrown(first.error, signal);
  if (images.length === 1) return first.error;
  const stopped = failed.filter(({ error }) => isStopped(error));
  const causes = failed.filter(({ error }) => !isStopped(error));
  const told = new Map<string, string[]>();
  for (const { name, error } of causes) told.set(messageOf(error), [...(told.get(messageOf(error)) ?? []), name]);
  const lines = [...told].map(([message, names]) => `${someOf(names, MAX_NAMES)}: ${message}`);
  if (stopped.length > 0)
    lines.push(
      `not built because of that: ${someOf(
        stopped.map(({ name }) => name),
        MAX_NAMES,
      )}`,
    );
  const codes = new Set(causes.map(({ error }) => (isBuildOnceError(error) ? error.exitCode : 1)));
  const [exitCode = 1] = codes.size === 1 ? codes : [];
  const count = images.filter(({ target, error }) => target.isRequested || error !== undefined).length;
  const message = `${causes.length} of ${counted(count, 'image')} failed\n${lines.join('\n')}`;
  const hint = stopped.length > 0 ? HINTS.stopped : failed.length === count ? HINTS.all : HINTS[command];
  return new BuildOnceError('IMAGES_FAILED', message, exitCode, { hint });
}

const HINTS = {
  stopped: "Mend what is named and run it again: what was built of the others is in the builder's cache.",
  all: 'Mend what is named and run it again.',
  plan: 'Mend what is named and run it again: the matrix has those of the others that are missing.',
  build: 'Mend what is named and run it again: the others are there, and are not built again.',
} as const;

/** Nothing is wrong with the image itself. */
function isStopped(error: Error): boolean {
  return isBuildOnceError(error) && FOLLOWS.has(error.code);
}

function messageOf(error: Error): string {
  if (!isBuildOnceError(error)) return `UNEXPECTED: ${error.message}`;
  return `${error.code}: ${error.message}${error.hint === undefined ? '' : `\n${error.hint}`}`;
}
