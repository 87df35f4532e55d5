import type { Digest } from '../core/digest.ts';
import { parseJson, textAt } from '../core/json.ts';
import { parseTimestamp } from '../core/timestamp.ts';
import { isRegistryError } from '../errors.ts';
import { inParallel } from '../in-parallel.ts';
import { imagesIn } from '../oci/links.ts';
import { MAX_MANIFEST_BYTES, parseManifest } from '../oci/parse.ts';
import { type Descriptor, type Index, isManifestMediaType, type Manifest } from '../oci/types.ts';
import type { Repository } from '../registry/repository.ts';

/** When an image was made, as its manifest says it, or where else it may stand: in its config, in its first platform's image. */
export type ImageTime = { readonly madeAtMs: number } | { readonly within: Descriptor };

/** A manifest whose time is wanted. */
interface Undated {
  readonly digest: Digest;
  readonly own: ImageTime | undefined;
  /** What it belongs to: indexes, subjects. */
  readonly owners: ReadonlySet<Digest>;
}

const CREATED = 'org.opencontainers.image.created';
const IMAGE_CONFIG = /^application\/vnd\.(?:oci\.image\.config|docker\.container\.image)\.v1\+json$/;
/** Programs that want equal builds write 1970, or the year 1. */
const EARLIEST_MS = Date.UTC(2000, 0, 1);
const REQUESTS_AT_ONCE = 16;
/** An index in an index in an index. */
const MAX_DEPTH = 4;

/** What a manifest says of its time. */
export function timeOf(manifest: Index | Manifest): ImageTime | undefined {
  const madeAtMs = plausibleTime(manifest.annotations[CREATED]);
  if (madeAtMs !== undefined) return { madeAtMs };
  const within = manifest.kind === 'index' ? imagesIn(manifest)[0] : manifest.config;
  return within !== undefined && (manifest.kind === 'index' || IMAGE_CONFIG.test(within.mediaType))
    ? { within }
    : undefined;
}

/** When the images of a registry were made, since registries do not tell when they were pushed. */
export class ImageTimes {
  readonly #repository: Pick<Repository, 'fetch'>;
  readonly #read = new Map<Digest, number | undefined>();

  constructor(repository: Pick<Repository, 'fetch'>) {
    this.#repository = repository;
  }

  /**
   * In milliseconds since 1970; what belongs to images and has no time of its own has that of the newest of them. What is not
   * known is not in the answer.
   */
  async of(manifests: readonly Undated[]): Promise<ReadonlyMap<Digest, number>> {
    const byDigest = new Map(manifests.map((manifest) => [manifest.digest, manifest]));
    await inParallel(manifests, REQUESTS_AT_ONCE, async ({ digest, own, owners }) => {
      const isMember = [...owners].some((owner) => byDigest.has(owner));
      if (own === undefined || 'madeAtMs' in own || isMember || this.#read.has(digest)) return;
      this.#read.set(digest, await this.#timeWithin(own.within));
    });
    const times = new Map<Digest, number>();
    for (const { digest, own } of manifests) {
      const timeMs = own !== undefined && 'madeAtMs' in own ? own.madeAtMs : this.#read.get(digest);
      if (timeMs !== undefined) times.set(digest, timeMs);
    }
    inherit(times, manifests);
    return times;
  }

  async #timeWithin(content: Descriptor, depth = 0): Promise<number | undefined> {
    if (depth === MAX_DEPTH) return undefined;
    const bytes = await this.#bytesOf(content);
    if (bytes === undefined) return undefined;
    if (!isManifestMediaType(content.mediaType))
      return plausibleTime(textAt(parseJson(Buffer.from(bytes).toString()), 'created'));
    const manifest = parseManifest(bytes, content.mediaType);
    const time = manifest.ok ? timeOf(manifest.value) : undefined;
    if (time === undefined) return undefined;
    return 'madeAtMs' in time ? time.madeAtMs : this.#timeWithin(time.within, depth + 1);
  }

  /** An image whose time cannot be read has none: it is kept. */
  async #bytesOf(content: Descriptor): Promise<Uint8Array | undefined> {
    try {
      return await (await this.#repository.fetch(content))?.bytes(MAX_MANIFEST_BYTES);
    } catch (error) {
      if (isRegistryError(error) && error.code !== 'ABORTED') return undefined;
      throw error;
    }
  }
}

/** From the newest down, each gives its time to what belongs to it and has none; a chain of thousands may be pushed. */
function inherit(times: Map<Digest, number>, manifests: readonly Undated[]): void {
  const membersOf = new Map<Digest, Digest[]>();
  for (const { digest, owners } of manifests) {
    for (const owner of owners) {
      const members = membersOf.get(owner);
      if (members === undefined) membersOf.set(owner, [digest]);
      else members.push(digest);
    }
  }
  for (const [source, timeMs] of [...times].sort(([, a], [, b]) => b - a)) {
    const ahead = [source];
    for (let next = ahead.pop(); next !== undefined; next = ahead.pop()) {
      for (const member of membersOf.get(next) ?? []) {
        if (times.has(member)) continue;
        times.set(member, timeMs);
        ahead.push(member);
      }
    }
  }
}

function plausibleTime(text: string | undefined): number | undefined {
  const timeMs = text === undefined ? undefined : parseTimestamp(text);
  return timeMs === undefined || timeMs < EARLIEST_MS ? undefined : timeMs;
}
