import type { RepositoryName } from '../reference.ts';
import { imageOf, type NamedImage } from './named-images.ts';
import type { YamlValue } from './yaml-values.ts';

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

type Fields = ReadonlyMap<string, YamlValue>;

interface Field {
  readonly name: string;
  readonly value: Fields;
}

/** `image: {registry, repository, tag, digest}` of Helm and `images: [{name, newName, newTag, digest}]` of Kustomize. */
export function imageValues(documents: readonly YamlValue[], repository: RepositoryName): ImageValues {
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
export function looseValues(documents: readonly YamlValue[], repository: RepositoryName): readonly LooseValue[] {
  return documents.flatMap(fieldsOf).flatMap(({ name, value }) => {
    if (nameIn(value) !== undefined) return [];
    const tail = tailOf(value);
    const image = tail === '' ? undefined : imageOf(`${spelled(repository)}${tail}`, repository);
    return image === undefined ? [] : [{ ...image, field: name }];
  });
}

function valueImageOf(value: Fields, repository: RepositoryName): ValueImage | undefined {
  const named = nameIn(value);
  if (named === undefined) return undefined;
  const registry = writtenAt(value, 'registry') ?? writtenAt(value, 'hub');
  const full = registry === undefined ? named : `${registry.replace(/\/+$/, '')}/${named}`;
  // A chart may add the registry from a value for all of its images.
  const isOwnPath = registry === undefined && named === repository.path;
  return imageOf(`${isOwnPath ? spelled(repository) : full}${tailOf(value)}`, repository);
}

/** Of an image: what it is called is one by its tag only, since much has a name. */
function nameIn(value: Fields): string | undefined {
  const name = tailOf(value) === '' ? undefined : writtenAt(value, 'name');
  return writtenAt(value, 'newName') ?? writtenAt(value, 'repository') ?? name;
}

function spelled({ registry, path }: RepositoryName): string {
  return `${registry}/${path}`;
}

/** `:1.2@sha256:…`, as far as there is something; charts take a tag that holds a digest, too. */
function tailOf(value: Fields): string {
  const tag = tagOf(value);
  const digest = writtenAt(value, 'digest')?.replace(/^@/, '');
  return `${tag === undefined ? '' : `:${tag}`}${digest === undefined || tag?.includes('@') ? '' : `@${digest}`}`;
}

function tagOf(value: Fields): string | undefined {
  return writtenAt(value, 'newTag') ?? writtenAt(value, 'tag');
}

/** The text of a field; `~`, `null` and nothing are none. */
function writtenAt(value: Fields, key: string): string | undefined {
  const text = value.get(key);
  return typeof text !== 'string' || /^(?:~|null|)$/.test(text) ? undefined : text;
}

/** Every map in a document, each once, by the name of the field that holds it. */
function fieldsOf(document: YamlValue): readonly Field[] {
  const fields: Field[] = [];
  const seen = new Set<YamlValue>();
  const ahead: { readonly name: string; readonly value: YamlValue }[] = [{ name: '', value: document }];
  for (let next = ahead.pop(); next !== undefined; next = ahead.pop()) {
    const { name, value } = next;
    if (typeof value === 'string' || seen.has(value)) continue;
    seen.add(value);
    if (value instanceof Map) {
      fields.push({ name, value });
      for (const [key, child] of value) ahead.push({ name: key, value: child });
    } else for (const child of value.values()) ahead.push({ name, value: child });
  }
  return fields;
}
