import { type Digest, parseDigest } from './digest.ts';
import { valueAt } from './json.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';

/** How much a document may hold. Text that holds more, or nests deeper, would fill the memory. */
export interface JsonLimits {
  readonly maxBytes: number;
  /** Of lists and objects. */
  readonly maxContainers: number;
  readonly maxDepth: number;
}

/**
 * Reads a JSON document that somebody else wrote, in UTF-8 without a mark. `read` is made of the functions below, which stop
 * at the first thing that is wrong; a problem then.
 */
export function parseStrictly<T>(content: Uint8Array, limits: JsonLimits, read: (json: unknown) => T): Parsed<T> {
  if (content.length > limits.maxBytes) return unparsable(`larger than ${limits.maxBytes} bytes`);
  if (!isFlat(content, limits)) return unparsable('it nests too deep, or holds too many lists and objects');
  try {
    return parsed(read(jsonOf(content)));
  } catch (error) {
    if (error instanceof Malformed) return unparsable(error.message);
    throw error;
  }
}

/** Thrown inside {@link parseStrictly} only. */
class Malformed extends Error {}

/** Ends {@link parseStrictly} with this problem. */
export function malformed(problem: string): never {
  throw new Malformed(problem);
}

/** What is no JSON may pass. */
function isFlat(content: Uint8Array, { maxDepth, maxContainers }: JsonLimits): boolean {
  const [mark, backslash, list, object, listEnd, objectEnd] = Buffer.from('"\\[{]}');
  let containers = 0;
  let depth = 0;
  let isText = false;
  for (let at = 0; at < content.length; at += 1) {
    const byte = content[at];
    if (byte === mark) isText = !isText;
    else if (isText) at += byte === backslash ? 1 : 0;
    else if (byte === listEnd || byte === objectEnd) depth -= 1;
    else if (byte === list || byte === object) {
      containers += 1;
      depth += 1;
      if (depth > maxDepth || containers > maxContainers) return false;
    }
  }
  return true;
}

function jsonOf(content: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content));
  } catch {
    return malformed('it is not JSON');
  }
}

export function readDigest(json: unknown, where: string): Digest {
  return parseDigest(readText(json, where)) ?? malformed(`${where} is no digest`);
}

export function readOneOf<T extends string>(allowed: readonly T[], json: unknown, where: string): T {
  return allowed.find((one) => one === json) ?? malformed(`${where} is none of ${allowed.join(', ')}`);
}

/** The version of a document, under the name that it has there, which must be the one that is known. */
export function readVersion<T extends number>(json: unknown, name: string, known: T): T {
  const version = valueAt(json, name);
  if (version === known) return known;
  const seen = typeof version === 'number' ? String(version) : 'none';
  return malformed(`its ${name} is ${seen}; this release of build-once knows ${name} ${known}`);
}

export function readText(json: unknown, where: string): string {
  return typeof json === 'string' ? json : malformed(`${where} is no text`);
}

/** Reads one value; `where` it stands, for messages. */
export type Read<T> = (json: unknown, where: string) => T;

export function readList<T>(json: unknown, name: string, read: Read<T>): readonly T[] {
  return eachOf(valueAt(json, name), name, read);
}

export function eachOf<T>(json: unknown, where: string, read: Read<T>): readonly T[] {
  if (!Array.isArray(json)) return malformed(`${where} is no list`);
  return json.map((item: unknown, position) => read(item, `${where}[${position}]`));
}

/** What was read of an object, when that was all of it. */
export function exactly<T extends object>(json: unknown, where: string, read: T): T {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return malformed(`${where} is no object`);
  const stray = Object.keys(json).find((key) => !Object.hasOwn(read, key));
  return stray === undefined ? read : malformed(`${where} has ${quote(stray)}, which is not known`);
}
