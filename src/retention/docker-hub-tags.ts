import { type Digest, parseDigest } from '../core/digest.ts';
import { numberAt, textAt, valueAt } from '../core/json.ts';
import { type Parsed, parsed, unparsable } from '../core/parsed.ts';
import { quote } from '../core/printable.ts';
import { isTag } from '../core/reference.ts';
import { parseTimestamp } from '../core/timestamp.ts';
import { isIndexMediaType } from '../oci/types.ts';

/** A tag as Docker Hub lists it, with the images behind it. */
export interface DockerHubTag {
  readonly name: string;
  /** `undefined` of tags that were pushed long ago. */
  readonly digest: Digest | undefined;
  /** Whether the images are the platforms of an index, or the one is what the tag is on. */
  readonly isIndex: boolean;
  readonly pushedAtMs: number | undefined;
  readonly updatedAtMs: number | undefined;
  readonly pulledAtMs: number | undefined;
  readonly images: readonly DockerHubImage[];
}

/** A platform's image, or what belongs to it. */
export interface DockerHubImage {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly pushedAtMs: number | undefined;
  readonly pulledAtMs: number | undefined;
}

/** One page of tags. */
export interface DockerHubPage {
  /** Of all tags. */
  readonly count: number;
  /** The address of the next page. */
  readonly next: string | undefined;
  readonly tags: readonly DockerHubTag[];
}

/** Reads an answer of https://docs.docker.com/reference/api/hub/latest/#tag/repositories/operation/ListRepositoryTags. */
export function parseDockerHubPage(json: unknown): Parsed<DockerHubPage> {
  const count = numberAt(json, 'count');
  const results = valueAt(json, 'results');
  if (count === undefined || !Array.isArray(results)) return unparsable('it is no page of tags');
  const tags: DockerHubTag[] = [];
  for (const result of results) {
    const name = textAt(result, 'name');
    if (name === undefined || !isTag(name)) return unparsable(`${quote(name ?? '')} is not a tag`);
    tags.push(readTag(result, name));
  }
  return parsed({ count, next: textAt(json, 'next'), tags });
}

function readTag(json: unknown, name: string): DockerHubTag {
  const listed = valueAt(json, 'images');
  const images = Array.isArray(listed) ? listed.flatMap(readImage) : [];
  const digest = parseDigest(textAt(json, 'digest') ?? '');
  const mediaType = textAt(json, 'media_type');
  return {
    name,
    digest,
    isIndex: mediaType === undefined ? images.some((image) => image.digest !== digest) : isIndexMediaType(mediaType),
    pushedAtMs: timeAt(json, 'tag_last_pushed') ?? timeAt(json, 'last_updated'),
    updatedAtMs: timeAt(json, 'last_updated'),
    pulledAtMs: timeAt(json, 'tag_last_pulled'),
    images,
  };
}

function readImage(json: unknown): readonly DockerHubImage[] {
  const digest = parseDigest(textAt(json, 'digest') ?? '');
  if (digest === undefined) return [];
  return [
    {
      digest,
      sizeBytes: numberAt(json, 'size') ?? 0,
      pushedAtMs: timeAt(json, 'last_pushed'),
      pulledAtMs: timeAt(json, 'last_pulled'),
    },
  ];
}

function timeAt(json: unknown, key: string): number | undefined {
  const text = textAt(json, key);
  const timeMs = text === undefined ? undefined : parseTimestamp(text);
  // Where nothing happened yet there is null, or the year 1.
  return timeMs === undefined || timeMs <= 0 ? undefined : timeMs;
}
