import { type Digest, parseDigest } from '../core/digest.ts';
import { numberAt, textAt, valueAt } from '../core/json.ts';
import { type Parsed, parsed, unparsable } from '../core/parsed.ts';
import { normalizePlatform } from '../core/platform.ts';
import { quote } from '../core/printable.ts';
import { isTag } from '../core/reference.ts';
import type { Descriptor, ImageConfig, Index, Manifest, Platform } from './types.ts';
import { isIndexMediaType, isManifestMediaType, MEDIA_TYPES } from './types.ts';

/**
 * The largest manifest or index that is read. Registries must take 4 MiB and may refuse more:
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests
 */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** No image comes near: an index of 10,000 manifests has 2 MB. */
const MAX_ENTRIES = 10_000;
/** RFC 6838 allows less; artifacts in the wild carry parameters too. Never control characters. */
const MEDIA_TYPE = /^[\x21-\x7e]{1,127}\/[\x20-\x7e]{1,255}$/;
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i;

/** One entry of a registry's error answer (distribution-spec v1.1.1, "Error Codes"). */
interface ErrorEntry {
  readonly code: string;
  readonly message: string;
}

/**
 * Parses a manifest or an index of image-spec v1.1.1, or Docker's schema 2. `mediaType` is the one it was served or listed
 * with: where the document names another one, or is an index and a manifest at once, it is refused, because two readers
 * could see two images (CVE-2021-41190).
 */
export function parseManifest(content: Uint8Array | string, mediaType?: string): Parsed<Index | Manifest> {
  if (content.length > MAX_MANIFEST_BYTES) return unparsable(`larger than ${MAX_MANIFEST_BYTES} bytes`);
  return reading(() => readManifest(jsonOf(content), mediaType));
}

/** Parses one descriptor: of a layout's `index.json`, of a build's metadata file. */
export function parseDescriptor(json: unknown): Parsed<Descriptor> {
  return reading(() => readDescriptor(json, 'the descriptor'));
}

/** Parses an image's config; the config of an artifact is not one. */
export function parseImageConfig(content: Uint8Array | string): Parsed<ImageConfig> {
  return reading(() => {
    const json = jsonOf(content);
    const created = textAt(json, 'created');
    if (created !== undefined && !TIMESTAMP.test(created)) malformed(`created is not a time: ${quote(created)}`);
    return {
      platform: readPlatform(json, 'the config') ?? malformed('the config names no platform'),
      ...(created === undefined ? {} : { created }),
      labels: readTexts(valueAt(json, 'config', 'Labels'), 'config.Labels'),
      diffIds: readList(valueAt(json, 'rootfs', 'diff_ids'), 'rootfs.diff_ids').map((item) =>
        readDigest(item, 'diff_ids'),
      ),
      env: readTextList(valueAt(json, 'config', 'Env'), 'config.Env'),
      workingDirectory: textAt(valueAt(json, 'config'), 'WorkingDir') ?? '',
      onBuild: readTextList(valueAt(json, 'config', 'OnBuild'), 'config.OnBuild'),
    };
  });
}

/** Parses a page of `tags/list`; `null` is no tags. A name that is no tag is a problem, since nothing could be asked of it. */
export function parseTagList(content: Uint8Array): Parsed<readonly string[]> {
  return reading(() => {
    const tags = valueAt(jsonOf(content), 'tags');
    if (tags === undefined) return malformed('there is no list of tags');
    if (tags === null) return [];
    if (!Array.isArray(tags)) return malformed('tags is not a list');
    return tags.map((tag) =>
      typeof tag === 'string' && isTag(tag) ? tag : malformed(`${describe(tag)} is not a tag`),
    );
  });
}

/** The entries of a registry's error answer; none when it answered something else. */
export function parseErrorEntries(content: Uint8Array): readonly ErrorEntry[] {
  const json = reading(() => jsonOf(content));
  const errors = json.ok ? valueAt(json.value, 'errors') : undefined;
  if (!Array.isArray(errors)) return [];
  const entries = errors.slice(0, 10).map((entry) => ({
    code: textAt(entry, 'code') ?? '',
    message: textAt(entry, 'message') ?? textAt(entry, 'detail') ?? '',
  }));
  return entries.filter(({ code }) => /^[A-Za-z0-9_ .-]{1,64}$/.test(code));
}

/** Thrown inside this file only: reading stops at the first thing that is wrong. */
class Malformed extends Error {}

function malformed(problem: string): never {
  throw new Malformed(problem);
}

function reading<T>(read: () => T): Parsed<T> {
  try {
    return parsed(read());
  } catch (error) {
    if (error instanceof Malformed) return unparsable(error.message);
    throw error;
  }
}

function jsonOf(content: Uint8Array | string): unknown {
  try {
    return JSON.parse(
      typeof content === 'string' ? content : new TextDecoder('utf-8', { fatal: true }).decode(content),
    );
  } catch {
    const start =
      typeof content === 'string' ? content.slice(0, 200) : new TextDecoder().decode(content.subarray(0, 200));
    return malformed(start.trim() === '' ? 'it is empty, not JSON' : `it is not JSON: it begins with ${quote(start)}`);
  }
}

function readManifest(json: unknown, given: string | undefined): Index | Manifest {
  const mediaType = readMediaType(json, given);
  if (numberAt(json, 'schemaVersion') !== 2) malformed('schemaVersion is not 2');
  const subject = optional(json, 'subject');
  const artifactType = readArtifactType(json, 'the document');
  const common = {
    mediaType,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(subject === undefined ? {} : { subject: readDescriptor(subject, 'subject') }),
    annotations: readTexts(optional(json, 'annotations'), 'annotations'),
  };
  if (isIndexMediaType(mediaType)) {
    return { kind: 'index', ...common, manifests: readDescriptors(json, 'manifests') };
  }
  const config = readDescriptor(valueAt(json, 'config'), 'config');
  return { kind: 'manifest', ...common, config, layers: readDescriptors(json, 'layers') };
}

function readMediaType(json: unknown, given: string | undefined): string {
  const isIndex = optional(json, 'manifests') !== undefined;
  const isManifest = optional(json, 'config') !== undefined || optional(json, 'layers') !== undefined;
  if (isIndex && isManifest) malformed('it is an index and a manifest at once');
  const own = textAt(json, 'mediaType');
  const served = given !== undefined && isManifestMediaType(given) ? given : undefined;
  if (own !== undefined && served !== undefined && own !== served) {
    malformed(`it says that it is ${quote(own)}, but it came as ${quote(served)}`);
  }
  const mediaType = served ?? own ?? (isIndex ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.ociManifest);
  if (!isManifestMediaType(mediaType)) malformed(`${quote(mediaType)} is no type of manifest or index`);
  if (isIndexMediaType(mediaType) ? isManifest : isIndex) malformed(`its fields are not those of ${quote(mediaType)}`);
  return mediaType;
}

function readDescriptors(json: unknown, name: string): readonly Descriptor[] {
  return readList(valueAt(json, name), name).map((item, position) => readDescriptor(item, `${name}[${position}]`));
}

function readDescriptor(json: unknown, where: string): Descriptor {
  const mediaType = textAt(json, 'mediaType');
  if (mediaType === undefined || !MEDIA_TYPE.test(mediaType)) {
    return malformed(`${where} has no valid mediaType: ${describe(valueAt(json, 'mediaType'))}`);
  }
  const sizeBytes = numberAt(json, 'size');
  if (sizeBytes === undefined || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
    return malformed(`${where} has no valid size: ${describe(valueAt(json, 'size'))}`);
  }
  const artifactType = readArtifactType(json, where);
  const annotations = optional(json, 'annotations');
  const platform = readPlatform(optional(json, 'platform'), where);
  return {
    mediaType,
    digest: readDigest(valueAt(json, 'digest'), where),
    sizeBytes,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations: readTexts(annotations, `${where}.annotations`) }),
    ...(platform === undefined ? {} : { platform }),
  };
}

function readDigest(value: unknown, where: string): Digest {
  const digest = typeof value === 'string' ? parseDigest(value) : undefined;
  return digest ?? malformed(`${where} has no valid digest: ${describe(value)}`);
}

function readArtifactType(json: unknown, where: string): string | undefined {
  const artifactType = textAt(json, 'artifactType');
  if (artifactType === undefined || MEDIA_TYPE.test(artifactType)) return artifactType;
  return malformed(`${where} has no valid artifactType: ${quote(artifactType)}`);
}

/** `undefined` where it is left out, also as the empty texts that some writers leave for an artifact. */
function readPlatform(json: unknown, where: string): Platform | undefined {
  const os = textAt(json, 'os');
  const architecture = textAt(json, 'architecture');
  if (os === undefined && architecture === undefined) return undefined;
  if (os === undefined || architecture === undefined) return malformed(`${where} has half a platform`);
  const variant = textAt(json, 'variant');
  const osVersion = textAt(json, 'os.version');
  for (const text of [os, architecture, variant, osVersion]) {
    if (text !== undefined && !/^[\w.+-]{1,64}$/.test(text))
      malformed(`${where} has no valid platform: ${quote(text)}`);
  }
  const platform = normalizePlatform({ os, architecture, ...(variant === undefined ? {} : { variant }) });
  return osVersion === undefined ? platform : { ...platform, osVersion };
}

function readTexts(json: unknown, where: string): Readonly<Record<string, string>> {
  if (json === undefined || json === null) return {};
  if (typeof json !== 'object' || Array.isArray(json)) return malformed(`${where} is not an object`);
  const entries = Object.entries(json);
  if (entries.length > MAX_ENTRIES) malformed(`${where} has more than ${MAX_ENTRIES} entries`);
  return Object.fromEntries(
    entries.map(([key, value]) => [
      key,
      typeof value === 'string' ? value : malformed(`${where} has a value that is no text`),
    ]),
  );
}

function readList(json: unknown, where: string): readonly unknown[] {
  // Go writes an empty list as null.
  if (json === null) return [];
  if (!Array.isArray(json)) return malformed(`${where} is not a list`);
  if (json.length > MAX_ENTRIES) malformed(`${where} has more than ${MAX_ENTRIES} entries`);
  return json;
}

function readTextList(json: unknown, where: string): readonly string[] {
  return readList(json ?? null, where).map((item) =>
    typeof item === 'string' ? item : malformed(`${where} has a value that is no text`),
  );
}

/** Absent and `null` are the same here, as they are to Go's readers. */
function optional(json: unknown, name: string): unknown {
  return valueAt(json, name) ?? undefined;
}

function describe(value: unknown): string {
  return typeof value === 'string' ? quote(value) : typeof value === 'number' ? String(value) : typeof value;
}
