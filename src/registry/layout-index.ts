import { parseJson, textAt, valueAt } from '../core/json.ts';
import { type Parsed, parsed, unparsable } from '../core/parsed.ts';
import { formatDescriptor } from '../oci/format.ts';
import { parseDescriptor } from '../oci/parse.ts';
import { type Descriptor, MEDIA_TYPES } from '../oci/types.ts';

/** The annotation that names a tag in `index.json`, and only there (image-spec v1.1.1, annotations.md). */
const REF_NAME = 'org.opencontainers.image.ref.name';

interface Entry {
  /** As it was read: what we do not know is written back. */
  readonly json: unknown;
  /** `undefined` for an entry that we do not understand; the specification wants no error then. */
  readonly descriptor: Descriptor | undefined;
  readonly tag: string | undefined;
}

/** What `index.json` of a layout says. A value: changes make another one. */
export interface LayoutIndex {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly entries: readonly Entry[];
}

export const EMPTY_LAYOUT_INDEX: LayoutIndex = {
  fields: { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex },
  entries: [],
};

export function parseLayoutIndex(text: string): Parsed<LayoutIndex> {
  const json = parseJson(text);
  const manifests = valueAt(json, 'manifests') ?? [];
  if (typeof json !== 'object' || json === null || Array.isArray(json) || !Array.isArray(manifests)) {
    return unparsable('it is no image index');
  }
  return parsed({ fields: Object.fromEntries(Object.entries(json)), entries: manifests.map(readEntry) });
}

export function formatLayoutIndex({ fields, entries }: LayoutIndex): string {
  return `${JSON.stringify({ ...fields, manifests: entries.map(({ json }) => json) })}\n`;
}

/** Points the tag at this manifest. What it pointed at stays listed, without a tag, as in a registry. */
export function withTag(index: LayoutIndex, manifest: Descriptor, tag: string): LayoutIndex {
  const others = withoutTag(index, tag).entries.filter((entry) => entry.tag !== undefined || !isOf(entry, manifest));
  return { ...index, entries: [...others, entryOf(manifest, tag)] };
}

/** Lists a manifest, unless it is listed; `members`, which it names, need no entries of their own any more. */
export function withManifest(index: LayoutIndex, manifest: Descriptor, members: readonly Descriptor[]): LayoutIndex {
  const needed = index.entries.filter(
    (entry) => entry.tag !== undefined || !members.some((member) => isOf(entry, member)),
  );
  const listed = needed.some((entry) => isOf(entry, manifest));
  return { ...index, entries: listed ? needed : [...needed, entryOf(manifest)] };
}

/** Takes the tag away from its manifest, which stays listed. */
export function withoutTag(index: LayoutIndex, tag: string): LayoutIndex {
  const tagged = index.entries.find((entry) => entry.tag === tag)?.descriptor;
  const rest = { ...index, entries: index.entries.filter((entry) => entry.tag !== tag) };
  return tagged === undefined ? rest : withManifest(rest, tagged, []);
}

/** Drops a manifest with all its tags. */
export function withoutManifest(index: LayoutIndex, manifest: Descriptor): LayoutIndex {
  return { ...index, entries: index.entries.filter((entry) => !isOf(entry, manifest)) };
}

function isOf(entry: Entry, { digest }: Descriptor): boolean {
  return entry.descriptor?.digest === digest;
}

function entryOf({ mediaType, digest, sizeBytes }: Descriptor, tag?: string): Entry {
  const descriptor = { mediaType, digest, sizeBytes };
  const annotations = tag === undefined ? {} : { annotations: { [REF_NAME]: tag } };
  return { json: { ...formatDescriptor(descriptor), ...annotations }, descriptor, tag };
}

function readEntry(json: unknown): Entry {
  const result = parseDescriptor(json);
  return { json, descriptor: result.ok ? result.value : undefined, tag: textAt(json, 'annotations', REF_NAME) };
}
