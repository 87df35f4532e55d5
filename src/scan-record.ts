import {
  attachArtifact,
  checkAttachable,
  type FoundArtifact,
  findArtifact,
  listArtifacts,
  orProblem,
  readLayer,
} from './artifact.ts';
import type { Digest } from './core/digest.ts';
import { CREATED_ANNOTATION } from './core/labels.ts';
import {
  formatScanRecord,
  MAX_SCAN_RECORD_BYTES,
  parseScanRecord,
  type ReadScanRecord,
  type ScanRecord,
} from './core/scan-record.ts';
import { parseTimestamp } from './core/timestamp.ts';
import type { Descriptor } from './oci/types.ts';
import type { FoundImage } from './registry/image.ts';
import type { Repository } from './registry/repository.ts';

/** Type of the artifact and of its layer. Its version changes when a reader of this one could not read it any more. */
export const SCAN_MEDIA_TYPE = 'application/vnd.build-once.scan.v1+json';

const SETTINGS = 'dev.build-once.scan-settings';
/** A scan a day for 27 years. */
const MAX_LISTED = 10_000;
/** Anybody who may push may attach what is none; more than this are not looked at. */
const MAX_CANDIDATES = 20;
/** How far the clocks of two runners may be apart. */
const CLOCK_DIFFERENCE_MS = 5 * 60_000;

/**
 * Attaches what the scans of an image found to the image, which is in this repository, and returns the artifact. The errors
 * of `Repository.push`; RegistryError TOO_LARGE for a record that nobody would read again.
 */
export async function attachScan(repository: Repository, image: Descriptor, record: ScanRecord): Promise<Descriptor> {
  const content = Buffer.from(formatScanRecord(record));
  checkAttachable(content, MAX_SCAN_RECORD_BYTES, 'the record of the scan');
  const annotations = { [CREATED_ANNOTATION]: record.scannedAt, [SETTINGS]: record.settings };
  return attachArtifact(repository, image, { type: SCAN_MEDIA_TYPE, content, annotations });
}

/** Which scan of an image counts. */
export interface WantedScan {
  readonly settings: Digest;
  /** With the digests of their manifests. */
  readonly platforms: readonly { readonly platform: string; readonly digest: Digest }[];
  readonly nowMs: number;
  readonly maxAgeMs: number;
  /** Whether what says that it is all this counts, given who attached it. */
  readonly isTrusted: (artifact: Descriptor) => Promise<boolean>;
}

/**
 * The newest scan that is attached to this image, is of these settings and has all of these platforms; of others that it has
 * nothing is said. `undefined` when there is none that is young enough, is trusted and can be used. The errors of `Repository`,
 * other than those about content that cannot be used, and of `isTrusted`.
 */
export async function readFreshScan(
  repository: Repository,
  image: FoundImage,
  wanted: WantedScan,
): Promise<ReadScanRecord | undefined> {
  for await (const { artifact, layer } of newestFirst(repository, image.descriptor, wanted)) {
    if (!(await wanted.isTrusted(artifact))) continue;
    const read = await orProblem(async () => {
      const content = await readLayer(repository, layer, { type: SCAN_MEDIA_TYPE, maxBytes: MAX_SCAN_RECORD_BYTES });
      return content.ok ? parseScanRecord(content.value) : content;
    });
    const record = read.ok ? select(read.value, image.descriptor.digest, wanted) : undefined;
    if (record !== undefined) return record;
  }
  return undefined;
}

/**
 * The artifacts that say of themselves that they fit. Where the registry's list does not have what they say, it is read in
 * them.
 */
async function* newestFirst(
  repository: Repository,
  image: Descriptor,
  wanted: WantedScan,
): AsyncGenerator<FoundArtifact> {
  const list = await listArtifacts(repository, image, { type: SCAN_MEDIA_TYPE, limit: MAX_LISTED });
  const artifacts = list.ok ? list.value : [];
  const find = async (artifact: Descriptor): Promise<readonly FoundArtifact[]> => {
    const found = await orProblem(async () => findArtifact(repository, artifact, image.digest));
    return found.ok ? [found.value] : [];
  };
  const known = fitting(artifacts, wanted).slice(0, MAX_CANDIDATES);
  for (const artifact of known) yield* await find(artifact);
  // Lists grow at their end.
  const silent = artifacts.filter(({ annotations }) => annotations?.[SETTINGS] === undefined).reverse();
  const found: FoundArtifact[] = [];
  for (const artifact of silent.slice(0, MAX_CANDIDATES - known.length)) found.push(...(await find(artifact)));
  yield* fitting(found, wanted);
}

/** Those whose annotations fit, the newest first. */
function fitting<T extends Pick<Descriptor, 'annotations'>>(
  candidates: readonly T[],
  wanted: WantedScan,
): readonly T[] {
  const timed = candidates.flatMap((candidate) => {
    const { annotations = {} } = candidate;
    const timeMs = freshTime(annotations[CREATED_ANNOTATION] ?? '', wanted);
    return annotations[SETTINGS] === wanted.settings && timeMs !== undefined ? [{ candidate, timeMs }] : [];
  });
  return timed.sort((a, b) => b.timeMs - a.timeMs).map(({ candidate }) => candidate);
}

/** Milliseconds since 1970; `undefined` when it is too long ago, or is still to come. */
function freshTime(text: string, { nowMs, maxAgeMs }: WantedScan): number | undefined {
  const timeMs = parseTimestamp(text);
  if (timeMs === undefined || timeMs > nowMs + CLOCK_DIFFERENCE_MS || timeMs < nowMs - maxAgeMs) return undefined;
  return timeMs;
}

/** The record with the wanted platforms; `undefined` when it is not what its annotations said, or lacks one of them. */
function select(record: ReadScanRecord, image: Digest, wanted: WantedScan): ReadScanRecord | undefined {
  if (record.image !== image || record.settings !== wanted.settings) return undefined;
  if (freshTime(record.scannedAt, wanted) === undefined) return undefined;
  const platforms = wanted.platforms.flatMap(({ platform, digest }) =>
    record.platforms.filter((one) => one.platform === platform && one.digest === digest),
  );
  return platforms.length < wanted.platforms.length ? undefined : { ...record, platforms };
}
