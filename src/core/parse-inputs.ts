import {
  type Entry,
  type InputManifest,
  MAX_INPUTS_BYTES,
  type NamedInput,
  type TargetInput,
  type UseInput,
} from './input-manifest.ts';
import { valueAt } from './json.ts';
import type { Parsed } from './parsed.ts';
import { quote } from './printable.ts';
import {
  eachOf,
  exactly,
  type JsonLimits,
  malformed,
  parseStrictly,
  type Read,
  readDigest,
  readList,
  readOneOf,
  readText,
  readVersion,
} from './strict-json.ts';

const LIMITS: JsonLimits = {
  maxBytes: MAX_INPUTS_BYTES,
  // Four times what the largest one has.
  maxContainers: 2_000_000,
  // Five are the most of the schema: an entry, in a list, of a use, in a list, of the manifest.
  maxDepth: 8,
};

/** A digest and the exec bit of a file, the target of a link, an empty directory, what is none of them, a commit. */
const LEAF = /^(?:[0-9a-f]{64}[x-]|@[\s\S]*|\/|\?|#[0-9a-f]{40,64})$/;
const OPS = ['copy', 'add', 'bind', 'from'] as const;
const FORMS = ['inputs', 'context'] as const;
const SCOPES = ['inputs', 'manifests'] as const;

/**
 * Parses an input manifest that somebody else wrote, as `schema/inputs.v1.schema.json` describes it. Strict: a field that is
 * not known may mean something, so that a comparison without it would lie.
 */
export function parseInputs(content: Uint8Array): Parsed<InputManifest> {
  return parseStrictly(content, LIMITS, readManifest);
}

function readManifest(json: unknown): InputManifest {
  return exactly(json, 'it', {
    scheme: readVersion(json, 'scheme', 3),
    form: readOneOf(FORMS, valueAt(json, 'form'), 'form'),
    scope: readOneOf(SCOPES, valueAt(json, 'scope'), 'scope'),
    uses: readList(json, 'uses', readUse),
    targets: readTargets(json),
    dockerfile: readDockerfile(valueAt(json, 'dockerfile')),
    context: readList(json, 'context', readEntry),
    namedContexts: readRecord(json, 'namedContexts', readNamed),
    images: readRecord(json, 'images', (value, where) => (value === 'tag' ? value : readDigest(value, where))),
    buildArgs: readRecord(json, 'buildArgs', readText),
    options: readRecord(json, 'options', (value, where) =>
      Array.isArray(value) ? eachOf(value, where, readText) : readText(value, where),
    ),
    files: readList(json, 'files', readEntry),
    salt: readText(valueAt(json, 'salt'), 'salt'),
    unique: readText(valueAt(json, 'unique'), 'unique'),
  });
}

function readUse(json: unknown, where: string): UseInput {
  const context = valueAt(json, 'context');
  return exactly(json, where, {
    op: readOneOf(OPS, valueAt(json, 'op'), `${where}.op`),
    ...(context === undefined ? {} : { context: readText(context, `${where}.context`) }),
    source: readText(valueAt(json, 'source'), `${where}.source`),
    entries: eachOf(valueAt(json, 'entries'), `${where}.entries`, readEntry),
  });
}

function readTargets(json: unknown): readonly TargetInput[] {
  const uses = valueAt(json, 'uses');
  const useCount = Array.isArray(uses) ? uses.length : 0;
  return readList(json, 'targets', (target, where) =>
    exactly(target, where, {
      platform: readText(valueAt(target, 'platform'), `${where}.platform`),
      instructions: eachOf(valueAt(target, 'instructions'), `${where}.instructions`, readText),
      uses: eachOf(valueAt(target, 'uses'), `${where}.uses`, (use, at) => readPosition(use, useCount, at)),
    }),
  );
}

function readPosition(json: unknown, count: number, where: string): number {
  const isPosition = typeof json === 'number' && Number.isInteger(json) && json >= 0 && json < count;
  return isPosition ? json : malformed(`${where} is no position in uses`);
}

function readDockerfile(json: unknown): InputManifest['dockerfile'] {
  if (Array.isArray(json)) return eachOf(json, 'dockerfile', readText);
  return exactly(json, 'dockerfile', { raw: readText(valueAt(json, 'raw'), 'dockerfile.raw') });
}

function readNamed(json: unknown, where: string): NamedInput {
  const entries = valueAt(json, 'entries');
  if (entries !== undefined) return exactly(json, where, { entries: eachOf(entries, `${where}.entries`, readEntry) });
  return exactly(json, where, { source: readText(valueAt(json, 'source'), `${where}.source`) });
}

function readEntry(json: unknown, where: string): Entry {
  if (!Array.isArray(json) || json.length !== 2) return malformed(`${where} is no pair of a path and its content`);
  const [path, leaf]: readonly unknown[] = json;
  const content = readText(leaf, where);
  if (!LEAF.test(content)) malformed(`${where} has a content that is none: ${quote(content)}`);
  return [readText(path, where), content];
}

function readRecord<T>(json: unknown, name: string, read: Read<T>): Readonly<Record<string, T>> {
  const record = valueAt(json, name);
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return malformed(`${name} is no object`);
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, read(value, `${name}[${quote(key)}]`)]));
}
