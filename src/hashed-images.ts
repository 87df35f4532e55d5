import type { ImageUse } from './core/build-inputs.ts';
import type { NamedContext } from './core/build-options.ts';
import { compareCodePoints } from './core/code-point-order.ts';
import type { Digest } from './core/digest.ts';
import type { InputManifest } from './core/input-manifest.ts';
import { quote, toLine } from './core/printable.ts';
import { formatReference, parseReference } from './core/reference.ts';
import { BuildOnceError, isRegistryError, RegistryError, UsageError } from './errors.ts';
import type { Options } from './options.ts';
import type { Registries } from './registry/open.ts';
import type { SharedWork } from './shared-work.ts';

/** An image that the build names, by the name it uses, and what stands behind that name. */
export interface HashedImage {
  readonly reference: string;
  readonly registry: string;
  readonly digest: Digest;
}

const IMAGE_CONTEXT = 'docker-image://';

/** Named contexts that are images: pinned like those that the Dockerfile names. */
export function contextImages(contexts: readonly NamedContext[]): readonly ImageUse[] {
  return contexts.flatMap(({ value }) =>
    value.startsWith(IMAGE_CONTEXT) ? [{ reference: value.slice(IMAGE_CONTEXT.length), line: undefined }] : [],
  );
}

const NO_LINE = 'build-contexts';

/** Where an image is named, for messages. */
export function placeOf(dockerfile: string, { line }: ImageUse): string {
  return line === undefined ? NO_LINE : `${dockerfile}:${line}`;
}

/**
 * What counts of each image: what stands behind its name. With `base: tag`, the name alone, whatever the build is pinned to,
 * but for one that names a digest.
 */
export function countedImages(
  uses: readonly ImageUse[],
  pins: readonly HashedImage[],
  base: Options['base'],
): InputManifest['images'] {
  const counted = pins.filter(({ reference }) => base === 'digest' || reference.includes('@'));
  const digests = new Map(counted.map(({ reference, digest }) => [reference, digest]));
  const names = [...new Set(uses.map(({ reference }) => reference))].sort(compareCodePoints);
  return Object.fromEntries(names.map((name) => [name, digests.get(name) ?? 'tag']));
}

/** Who can be asked what stands behind a name. */
interface Asked {
  /** Absent: nobody, so that a name without a digest stays without an answer. */
  readonly registries: Registries | undefined;
  /** For messages. */
  readonly dockerfile: string;
  /** The answers so far: no name is asked for twice in a run. */
  readonly known: readonly HashedImage[];
  /** The answers for other images. */
  readonly shared?: Pick<SharedWork, 'digests'> | undefined;
}

/**
 * Asks for what stands behind each name, all at once; names with a digest need no question. Answers the known ones too.
 * BuildOnceError `BASE_NOT_FOUND` and errors of the registry, naming the line in `dockerfile`.
 */
export async function resolveImages(asked: Asked, uses: readonly ImageUse[]): Promise<readonly HashedImage[]> {
  const { known } = asked;
  const byName = new Map(uses.map((use) => [use.reference, use]));
  for (const { reference } of known) byName.delete(reference);
  const images = await Promise.all([...byName.values()].map((use) => resolveImage(asked, use)));
  const found = [...known, ...images.flatMap((image) => image ?? [])];
  return found.sort((a, b) => compareCodePoints(a.reference, b.reference));
}

async function resolveImage(
  { registries, dockerfile, shared }: Asked,
  use: ImageUse,
): Promise<HashedImage | undefined> {
  const { reference } = use;
  const parsed = parseReference(reference);
  const place = placeOf(dockerfile, use);
  if (!parsed.ok) throw new UsageError([{ input: 'file', message: `${place}: ${parsed.problem}` }]);
  const { repository, tag = 'latest', digest } = parsed.value;
  const { registry } = repository;
  if (digest !== undefined) return { reference, registry, digest };
  if (registries === undefined) return undefined;
  const ask = async (): Promise<Digest | undefined> => (await registries.open(repository).resolve({ tag }))?.digest;
  const name = formatReference({ ...parsed.value, tag });
  const found = await placed(place, reference, () => shared?.digests(name, ask) ?? ask());
  if (found === undefined) throw imageNotFound(place, reference);
  return { reference, registry, digest: found };
}

/** The registry has no such image. */
export function imageNotFound(place: string, reference: string): BuildOnceError {
  const message = `${place} names ${fullName(reference)}, and its registry has no such image`;
  const hint = 'Check the name and the tag, and that this run may read that repository.';
  return new BuildOnceError('BASE_NOT_FOUND', message, 1, { hint: `${hint}${notOurs(place, reference)}` });
}

/** One word may be meant for a stage or a context of that name, and is the name of an image where there is none. */
function notOurs(place: string, reference: string): string {
  const isWord = place !== NO_LINE && !/[/:@]/.test(reference);
  return isWord ? ` No stage above and no named context is called ${quote(reference)}.` : '';
}

/** Errors of the registry say which image was asked for, and where it is named. */
export async function placed<T>(place: string, reference: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    if (!isRegistryError(cause)) throw cause;
    const { code, message, hint = 'Make sure that this run can read that image, or name another one.' } = cause;
    const { method, url, status, entries } = cause;
    const more = { hint: `${hint}${notOurs(place, reference)}`, cause };
    const details = { ...more, entries, ...(method && { method }), ...(url && { url }), ...(status && { status }) };
    throw new RegistryError(code, `${place} names ${fullName(reference)}, which cannot be read: ${message}`, details);
  }
}

function fullName(reference: string): string {
  const parsed = parseReference(reference);
  return parsed.ok ? formatReference(parsed.value) : toLine(reference);
}
