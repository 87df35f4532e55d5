import { type Document, parseAllDocuments } from 'yaml';
import { textAt } from '../json.ts';
import type { RepositoryName } from '../reference.ts';
import { imageOf, type NamedImage } from './named-images.ts';

/** An image whose name and tag stand in fields of their own: Helm's values, Kustomize's `images`. */
export type ValueImage = Omit<NamedImage, 'line'>;

/** What the fields of one document say of a repository. */
export interface ImageValues {
  readonly images: readonly ValueImage[];
  /** The fields that hold an image of the repository: `image`. Other files may set their tags only. */
  readonly fields: readonly string[];
  /** A chart's own version is the tag: none is written. */
  readonly takesAppVersion: boolean;
}

/** Fields that set a tag or a digest, and name no repository. */
export interface LooseValue extends ValueImage {
  readonly field: string;
}

interface Field {
  readonly name: string;
  readonly value: object;
}

/** Longer texts, and those with more of what nests or refers, are no values that a person wrote; reading them takes minutes. */
const MAX_TEXT_LENGTH = 1 << 18;
const MAX_MARKS = 1000;
const MARK = /[[{]|(?<=^|[\s[{,:])[&*!?]/gm;
/** How much may be said by aliases: they can make a small file say very much. */
const MAX_ALIASES = 100;
const MAX_DEPTH = 64;

/**
 * The documents of a YAML file, every scalar as it is written, so that the tag `1.10` is not the number 1.1. What cannot be
 * read is left out.
 */
export function readYaml(text: string): readonly unknown[] {
  if (text.length > MAX_TEXT_LENGTH || (text.match(MARK)?.length ?? 0) > MAX_MARKS) return [];
  try {
    const documents = parseAllDocuments(text, {
      schema: 'failsafe',
      merge: true,
      logLevel: 'silent',
      uniqueKeys: false,
      strict: false,
    });
    return documents.flatMap((document) => valueOf(document));
  } catch {
    // Nested too deep for the reader.
    return [];
  }
}

/** None where aliases say too much. */
function valueOf(document: Document): readonly unknown[] {
  try {
    return [document.toJS({ maxAliasCount: MAX_ALIASES })];
  } catch {
    return [];
  }
}

/** `image: {registry, repository, tag, digest}` of Helm and `images: [{name, newName, newTag, digest}]` of Kustomize. */
export function imageValues(documents: readonly unknown[], repository: RepositoryName): ImageValues {
  const images: ValueImage[] = [];
  const fields = new Set<string>();
  let takesAppVersion = false;
  for (const { name, value } of documents.flatMap(fieldsOf)) {
    const image = valueImageOf(value, repository);
    if (image === undefined) continue;
    fields.add(name);
    if (tagOf(value) === undefined && image.digest === undefined) takesAppVersion = true;
    images.push(image);
  }
  return { images, fields: [...fields], takesAppVersion };
}

/** As in a file of values for one environment: `image: {tag: 1.2}`. */
export function looseValues(documents: readonly unknown[], repository: RepositoryName): readonly LooseValue[] {
  return documents.flatMap(fieldsOf).flatMap(({ name, value }) => {
    if (nameIn(value) !== undefined) return [];
    const tail = tailOf(value);
    const image = tail === '' ? undefined : imageOf(`${spelled(repository)}${tail}`, repository);
    return image === undefined ? [] : [{ ...image, field: name }];
  });
}

function valueImageOf(value: object, repository: RepositoryName): ValueImage | undefined {
  const named = nameIn(value);
  if (named === undefined) return undefined;
  const registry = writtenAt(value, 'registry') ?? writtenAt(value, 'hub');
  const full = registry === undefined ? named : `${registry.replace(/\/+$/, '')}/${named}`;
  // A chart may add the registry from a value for all of its images.
  const isOwnPath = registry === undefined && named === repository.path;
  return imageOf(`${isOwnPath ? spelled(repository) : full}${tailOf(value)}`, repository);
}

/** Of an image: what it is called is one by its tag only, since much has a name. */
function nameIn(value: object): string | undefined {
  const name = tailOf(value) === '' ? undefined : writtenAt(value, 'name');
  return writtenAt(value, 'newName') ?? writtenAt(value, 'repository') ?? name;
}

function spelled({ registry, path }: RepositoryName): string {
  return `${registry}/${path}`;
}

/** `:1.2@sha256:…`, as far as there is something; charts take a tag that holds a digest, too. */
function tailOf(value: object): string {
  const tag = tagOf(value);
  const digest = writtenAt(value, 'digest')?.replace(/^@/, '');
  return `${tag === undefined ? '' : `:${tag}`}${digest === undefined || tag?.includes('@') ? '' : `@${digest}`}`;
}

function tagOf(value: object): string | undefined {
  return writtenAt(value, 'newTag') ?? writtenAt(value, 'tag');
}

/** The text of a field; `~`, `null` and nothing are none. */
function writtenAt(value: object, key: string): string | undefined {
  const text = textAt(value, key);
  return text === '~' || text === 'null' ? undefined : text;
}

/** Every object in a document, each once, by the name of the field that holds it. */
function fieldsOf(document: unknown): readonly Field[] {
  const fields: Field[] = [];
  const seen = new Set<object>();
  const ahead: { readonly name: string; readonly value: unknown; readonly depth: number }[] = [
    { name: '', value: document, depth: 0 },
  ];
  for (let next = ahead.pop(); next !== undefined; next = ahead.pop()) {
    const { name, value, depth } = next;
    if (typeof value !== 'object' || value === null || seen.has(value) || depth > MAX_DEPTH) continue;
    seen.add(value);
    if (!Array.isArray(value)) fields.push({ name, value });
    for (const [key, child] of Object.entries(value))
      ahead.push({ name: Array.isArray(value) ? name : key, value: child, depth: depth + 1 });
  }
  return fields;
}
