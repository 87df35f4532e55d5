import { type Digest, digestFromHash, digestOf, hasherFor, isDigest } from '../digest.ts';
import { canonicalJson } from '../input-manifest.ts';
import { valueAt } from '../json.ts';
import type { BlobFacts, ChildFacts, ManifestFacts } from './inventory.ts';

/**
 * What is known of manifests, as the text of a file in pieces: the digest of the rest, then a JSON array a line. Facts that are not
 * what was written would hide what an image needs, so a text that is changed or cut is worth nothing.
 */
export function* formatFacts(facts: ReadonlyMap<Digest, ManifestFacts>): Generator<string> {
  const hash = hasherFor();
  for (const line of factLines(facts)) hash.update(line);
  yield `${digestFromHash(hash)}\n`;
  yield* factLines(facts);
}

function* factLines(facts: ReadonlyMap<Digest, ManifestFacts>): Generator<string> {
  for (const one of facts) yield `${canonicalJson(one)}\n`;
}

/** `undefined` for what {@link formatFacts} has not written. */
export function parseFacts(text: string): ReadonlyMap<Digest, ManifestFacts> | undefined {
  const end = text.indexOf('\n');
  const lines = text.slice(end + 1);
  if (end < 0 || text.slice(0, end) !== digestOf(lines)) return undefined;
  const facts = new Map<Digest, ManifestFacts>();
  for (const line of lines.split('\n')) {
    if (line === '') continue;
    const [digest, known]: unknown[] = listOf(JSON.parse(line));
    const read = readFacts(known);
    if (!isDigestText(digest) || read === undefined) return undefined;
    facts.set(digest, read);
  }
  return facts;
}

function readFacts(json: unknown): ManifestFacts | undefined {
  const [kind, subject, sizeBytes] = ['kind', 'subject', 'sizeBytes'].map((name) => valueAt(json, name));
  if (typeof sizeBytes !== 'number' || (subject !== undefined && !isDigestText(subject))) return undefined;
  if (kind === 'index') {
    const children = listOf(valueAt(json, 'children')).map(readChild);
    const known = children.filter((child) => child !== undefined);
    return known.length === children.length ? { kind, subject, sizeBytes, children: known } : undefined;
  }
  const blobs = listOf(valueAt(json, 'blobs')).map(readBlob);
  const known = blobs.filter((blob) => blob !== undefined);
  return kind === 'manifest' && known.length === blobs.length ? { kind, subject, sizeBytes, blobs: known } : undefined;
}

const TYPES: readonly ChildFacts['type'][] = ['manifest', 'blob', 'unknown'];

function readChild(json: unknown): ChildFacts | undefined {
  const blob = readBlob(json);
  const type = TYPES.find((one) => one === valueAt(json, 'type'));
  return blob === undefined || type === undefined ? undefined : { ...blob, type };
}

function readBlob(json: unknown): BlobFacts | undefined {
  const [digest, sizeBytes] = [valueAt(json, 'digest'), valueAt(json, 'sizeBytes')];
  return isDigestText(digest) && typeof sizeBytes === 'number' ? { digest, sizeBytes } : undefined;
}

function listOf(json: unknown): unknown[] {
  return Array.isArray(json) ? json : [];
}

function isDigestText(value: unknown): value is Digest {
  return typeof value === 'string' && isDigest(value);
}
