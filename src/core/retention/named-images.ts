import { fullAllowance } from '../allowance.ts';
import { type Digest, parseDigest } from '../digest.ts';
import { formatRepositoryName, parseReference, type RepositoryName, sameRepository } from '../reference.ts';
import { expandBody, type Lookup } from '../shell-words.ts';

/** An image of one repository that a text names. */
export interface NamedImage {
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
  /** On which line of the text, counted from 1. */
  readonly line: number;
}

/** What a text says of one repository. */
export interface NamedImages {
  readonly images: readonly NamedImage[];
  /** The lines on which a tag is made of something that is not in the text: `app:${TAG}`. */
  readonly openLines: readonly number[];
}

/** Longer lines are none that a person wrote; nothing in them is expanded. */
const MAX_EXPANDED_LENGTH = 4096;
const TAG = '[A-Za-z0-9_][A-Za-z0-9._-]{0,127}';
const DIGEST = 'sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}';
/** What a template puts in: `${TAG}`, `$(TAG)`, `{{ .Values.tag }}`, `<TAG>`, `%TAG%`, `__TAG__` is a tag by its letters. */
const TEMPLATE = '[$<%]|\\{\\{';
/** Before a name that stands for an image although it has neither tag nor digest. */
const IMAGE_FIELD =
  /(?:\b(?:image|container)["']?\s*[:=]\s*["']?|\bFROM\s+(?:--[^\s=]+=\S+\s+)?|\bfrom=|uses["']?:\s*["']?docker:\/\/)$/i;
const FIELD_LENGTH = 200;

/**
 * Every occurrence of the repository with a tag or a digest, as a whole word, in whatever language the text is written; and
 * without one, which is `latest`, where an image is asked for: `image: acme/app`, `FROM acme/app`. Variables are read as in
 * compose files: `${TAG:-1.2}`.
 */
export function namedImages(text: string, repository: RepositoryName, lookup: Lookup = () => undefined): NamedImages {
  const found = new Map<string, NamedImage>();
  const openLines = new Set<number>();
  const word = wordOf(repository);
  const [hint = ''] = repository.path.split('/').slice(-1);
  for (const [index, written] of text.split('\n').entries()) {
    if (!written.toLowerCase().includes(hint)) continue;
    const line = index + 1;
    const expanded = expandedLine(written, lookup);
    const readings = [written, expanded].map((reading) => imagesInLine(reading, word));
    for (const { tag, digest } of readings.flatMap(({ images }) => images)) {
      const key = `${line} ${tag ?? ''}@${digest ?? ''}`;
      found.set(key, { tag, digest, line });
    }
    if (readings[0]?.isOpen === true && (expanded === written || readings[1]?.images.length === 0)) openLines.add(line);
  }
  return { images: [...found.values()], openLines: [...openLines] };
}

/** The image that a whole text is the reference of; `undefined` for one of another repository, and for what is no reference. */
export function imageOf(text: string, repository: RepositoryName): Omit<NamedImage, 'line'> | undefined {
  const parsed = parseReference(text.replace(/^(?:docker-pullable|docker|oci):\/\//, ''));
  if (!parsed.ok || !sameRepository(parsed.value.repository, repository)) return undefined;
  const { tag, digest } = parsed.value;
  return { tag: tag ?? (digest === undefined ? 'latest' : undefined), digest };
}

/** A line in which no variable is missing; one that cannot be expanded, or names a variable that is not known, as it is. */
function expandedLine(line: string, lookup: Lookup): string {
  if (!line.includes('$') || line.length > MAX_EXPANDED_LENGTH || line.includes('${{')) return line;
  const expanded = expandBody(line, lookup, fullAllowance());
  return expanded.ok ? expanded.value : line;
}

/** The repository in all of its spellings, and what may follow it. */
function wordOf(repository: RepositoryName): RegExp {
  const names = spellingsOf(repository).map((name) => name.replaceAll(/[.\-[\]:/]/g, '\\$&'));
  const start = '(?<![A-Za-z0-9._-])(?<!(?:^|[^/])/)';
  const end = '(?![A-Za-z0-9_/-]|\\.[A-Za-z0-9])';
  return new RegExp(
    `${start}(?:${names.join('|')})${end}(?::(?<tag>${TAG}))?(?<template>:?(?:${TEMPLATE}))?(?:@(?<digest>${DIGEST}))?(?<colon>:)?`,
    'gi',
  );
}

function spellingsOf(repository: RepositoryName): readonly string[] {
  const { registry, path } = repository;
  const full = formatRepositoryName(repository);
  if (registry !== 'docker.io') return [full];
  const paths = path.startsWith('library/') ? [path, path.slice('library/'.length)] : [path];
  const hosts = ['docker.io/', 'index.docker.io/', 'registry-1.docker.io/', 'registry.hub.docker.com/', ''];
  return hosts.flatMap((host) => paths.map((one) => `${host}${one}`));
}

interface LineReading {
  readonly images: readonly Omit<NamedImage, 'line'>[];
  readonly isOpen: boolean;
}

function imagesInLine(line: string, word: RegExp): LineReading {
  const images: Omit<NamedImage, 'line'>[] = [];
  let isOpen = false;
  for (const { index, groups } of line.matchAll(word)) {
    const digest = parseDigest(groups?.['digest'] ?? '');
    const isMade = groups?.['template'] !== undefined;
    const tag = isMade ? undefined : groups?.['tag'];
    if (isMade && digest === undefined) isOpen = true;
    else if (tag !== undefined || digest !== undefined) images.push({ tag, digest });
    else if (groups?.['colon'] === undefined && IMAGE_FIELD.test(line.slice(Math.max(0, index - FIELD_LENGTH), index)))
      images.push({ tag: 'latest', digest });
  }
  return { images, isOpen };
}
