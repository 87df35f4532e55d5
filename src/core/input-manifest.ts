import { createHash } from 'node:crypto';
import { compareCodePoints } from './code-point-order.ts';
import type { Digest } from './digest.ts';

/** One context entry and what of it counts: a file's bytes and exec bit, a link's target, an empty directory. */
export type Entry = readonly [path: string, leaf: string];

/** What a named context is: a directory's entries, or what its value stands for. */
export type NamedInput = { readonly entries: readonly Entry[] } | { readonly source: string };

/** One thing that the target reads of a context, and what it is. */
export interface UseInput {
  readonly op: 'copy' | 'add' | 'bind' | 'from';
  /** Which named context; left out for the build's own. */
  readonly context?: string;
  readonly source: string;
  /**
   * In the order in which they are copied; the paths are relative to the source. `/` and a name is no directory, but what the
   * source itself names: `COPY a /x` makes a file of it, and a directory of a directory that holds a file `a`.
   */
  readonly entries: readonly Entry[];
}

/** What the target reads on one platform. */
export interface TargetInput {
  readonly platform: string;
  /** The instructions of the stages that it needs, in canonical form. */
  readonly instructions: readonly string[];
  /** In the order in which BuildKit makes the target: positions in the manifest's `uses`. */
  readonly uses: readonly number[];
}

/**
 * Everything that the image depends on. Two runs whose manifests are equal would build the same image; nothing else counts.
 * The form `inputs` is exact. The form `context` is over-inclusive, for what is not fully understood: the whole context after
 * the ignore file, and the whole Dockerfile. What belongs to the other form is empty.
 */
export interface InputManifest {
  readonly scheme: 3;
  readonly form: 'inputs' | 'context';
  /** Which of the files that are read count: `hash-scope`. */
  readonly scope: 'inputs' | 'manifests';
  /** Form `inputs`: all that the targets read of contexts, each once. */
  readonly uses: readonly UseInput[];
  /** Form `inputs`. */
  readonly targets: readonly TargetInput[];
  /** Form `context`: canonical instructions, or the digest of the raw bytes where they could not be read. */
  readonly dockerfile: readonly string[] | { readonly raw: string };
  /** Form `context`. */
  readonly context: readonly Entry[];
  /** Form `context`; in the form `inputs` those that are no directories. */
  readonly namedContexts: Readonly<Record<string, NamedInput>>;
  /** Index digest of every image that the target reaches, by the name it uses; `tag` where the name alone counts. */
  readonly images: Readonly<Record<string, Digest | 'tag'>>;
  /** See {@link isBuilderArg}. */
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string | readonly string[]>>;
  /** `hash-files`. */
  readonly files: readonly Entry[];
  readonly salt: string;
  /** A random text when the build reads what cannot be pinned: such a manifest equals no other. */
  readonly unique: string;
}

/** The largest manifest, as text, that is attached or read: some 500,000 files. */
export const MAX_INPUTS_BYTES = 64 * 1024 * 1024;

const HASH_TAG_DIGITS = 32;

/** A manifest with what stands for it. */
export interface SealedInputs {
  readonly manifest: InputManifest;
  /** Its canonical JSON: what is hashed, and attached to the image. Made when it is asked for: it may be large. */
  readonly text: () => string;
  /** The content hash: sha256 of the text, 64 hexadecimal digits. */
  readonly hash: string;
  /** The tag that stands for the hash. */
  readonly tag: string;
}

/** True for the args that the builder itself takes. They are in `buildArgs` in both forms, others in the form `context` only. */
export function isBuilderArg(name: string): boolean {
  return /^(?:BUILDKIT_|SOURCE_DATE_EPOCH$)/.test(name);
}

/** A manifest, its uses, one of them, its entries. */
const DEPTH_OF_ENTRIES = 4;
/** Small pieces are put together, since each update of a hash takes longer than its bytes. */
const BLOCK_LENGTH = 1 << 16;

/** Hashes what is written of a manifest, as it is written. */
export function sealInputs(manifest: InputManifest): SealedInputs {
  const sum = createHash('sha256');
  let block = '';
  for (const piece of canonicalPieces(manifest, DEPTH_OF_ENTRIES)) {
    block += piece;
    if (block.length < BLOCK_LENGTH) continue;
    sum.update(block);
    block = '';
  }
  const hash = sum.update(block).digest('hex');
  return { manifest, text: () => canonicalJson(manifest), hash, tag: hashTag(hash) };
}

/** The tag that stands for a content hash: 128 bits of it. The full hash is in the image's annotation. */
export function hashTag(hash: string): string {
  return `hash-${hash.slice(0, HASH_TAG_DIGITS)}`;
}

/** JSON with the keys of each object by code point and no blanks: one text for one value. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) {
    // Without an object in it, a list is written as it is: one call instead of one for each text.
    return isFlat(value) ? JSON.stringify(value) : `[${value.map(canonicalJson).join(',')}]`;
  }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  return `{${sortedEntries(value)
    .map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`)
    .join(',')}}`;
}

/** The text of {@link canonicalJson} in pieces, for what is large: lists and objects above this depth are never in memory whole. */
export function* canonicalPieces(value: unknown, depth: number): Generator<string> {
  if (depth === 0 || typeof value !== 'object' || value === null) {
    yield canonicalJson(value);
    return;
  }
  const isList = Array.isArray(value);
  if (isList && isFlat(value)) {
    yield* slicesOf(value);
    return;
  }
  const entries = isList ? value.map((item) => ['', item] as const) : sortedEntries(value);
  yield isList ? '[' : '{';
  for (const [position, [key, item]] of entries.entries()) {
    yield `${position > 0 ? ',' : ''}${isList ? '' : `${JSON.stringify(key)}:`}`;
    yield* canonicalPieces(item, depth - 1);
  }
  yield isList ? ']' : '}';
}

/** Of a long list, so many items are written at once. */
const SLICE_LENGTH = 500;

function* slicesOf(list: readonly unknown[]): Generator<string> {
  if (list.length <= SLICE_LENGTH) {
    yield JSON.stringify(list);
    return;
  }
  for (let start = 0; start < list.length; start += SLICE_LENGTH) {
    const text = JSON.stringify(list.slice(start, start + SLICE_LENGTH));
    yield `${start === 0 ? '[' : ','}${text.slice(1, -1)}`;
  }
  yield ']';
}

function isFlat(list: readonly unknown[]): boolean {
  return list.every((item) => (Array.isArray(item) ? isFlat(item) : typeof item !== 'object' || item === null));
}

function sortedEntries(value: object): readonly (readonly [string, unknown])[] {
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return entries.sort(([a], [b]) => compareCodePoints(a, b));
}
