import type { BaseConfig } from './core/build-scope.ts';
import { cleanPath } from './core/clean-path.ts';
import type { Digest } from './core/digest.ts';
import { canonicalJson } from './core/input-manifest.ts';
import { formatPlatform } from './core/platform.ts';
import { toLine } from './core/printable.ts';
import { parseReference } from './core/reference.ts';
import { splitOnce } from './core/split-once.ts';
import { BuildOnceError, isRegistryError } from './errors.ts';
import { type HashedImage, imageNotFound, placed } from './hashed-images.ts';
import { imagesIn } from './oci/links.ts';
import { parseImageConfig } from './oci/parse.ts';
import type { Descriptor, ImageConfig, Platform } from './oci/types.ts';
import { type FoundImage, fetchImage } from './registry/image.ts';
import type { Registries } from './registry/open.ts';
import type { Repository } from './registry/repository.ts';
import type { SharedWork } from './shared-work.ts';

/** What the registries said of base images. */
export interface KnownBases {
  /** What stands behind each name. */
  readonly pins: readonly HashedImage[];
  /** How they begin, by {@link baseKey}; `undefined` for one that cannot be read. */
  readonly configs: ReadonlyMap<string, BaseConfig | undefined>;
  /** Everything counts all the same, because a run that does not know them has to find the same hash. */
  readonly whole: boolean;
}

/** A base image on one platform. */
export function baseKey(reference: string, platform: Platform): string {
  return `${formatPlatform(platform)} ${reference}`;
}

/** A base image whose configuration is wanted. */
export interface WantedBase {
  readonly image: HashedImage;
  readonly platforms: readonly Platform[];
  /** Where it is named. */
  readonly place: string;
  /** The target is built on it, so that it must be for a system that is wanted. */
  readonly isRoot: boolean;
}

/** Where base images are read. */
interface BaseSource {
  readonly registries: Registries;
  /** What was read for other images. */
  readonly shared?: Pick<SharedWork, 'images' | 'configs'>;
}

/**
 * How a base image begins on each platform, by {@link baseKey}; `undefined` where that cannot be read or is not the same
 * in all that the builder may take. One request for an index, two for each of its platforms. Errors of the registry, naming
 * the place; BuildOnceError `BASE_NOT_FOUND`, and `BASE_UNSUPPORTED` for what is for other systems only.
 */
export async function readBaseConfigs(
  { registries, shared }: BaseSource,
  { image: { reference, digest }, platforms, place, isRoot }: WantedBase,
): Promise<ReadonlyMap<string, BaseConfig | undefined>> {
  const parsed = parseReference(reference);
  if (!parsed.ok) throw new TypeError(parsed.problem);
  const { repository: name } = parsed.value;
  const repository = registries.open(name);
  const keyOf = (digest: Digest): string => `${name.registry}/${name.path}@${digest}`;
  return placed(place, reference, async () => {
    const readIndex = () => readImage(repository, digest);
    const image = await (shared?.images(keyOf(digest), readIndex) ?? readIndex());
    if (image === 'not-found') throw imageNotFound(place, reference);
    const read = new Map<string, Promise<ImageConfig | undefined>>();
    const configOf = (child: Descriptor): Promise<ImageConfig | undefined> => {
      const readOne = () => readConfig(repository, child);
      const config = read.get(child.digest) ?? shared?.configs(keyOf(child.digest), readOne) ?? readOne();
      read.set(child.digest, config);
      return config;
    };
    const configs = platforms.map(async (platform): Promise<[string, BaseConfig | undefined]> => {
      const children = image === undefined ? [] : childrenFor(image, platform);
      return [baseKey(reference, platform), agreed(await Promise.all(children.map(configOf)))];
    });
    const known = new Map(await Promise.all(configs));
    if (isRoot) refuseForeign(`${place} names ${reference}`, await Promise.all(read.values()), platforms);
    return known;
  });
}

/** The builder would only say that nothing matches. */
function refuseForeign(what: string, found: readonly (ImageConfig | undefined)[], wanted: readonly Platform[]): void {
  const systems = new Set(found.flatMap((config) => config?.platform.os ?? []).filter((os) => os !== 'unknown'));
  if (systems.size === 0 || wanted.some(({ os }) => systems.has(os))) return;
  const only = toLine([...systems].join(', '), 40);
  throw new BuildOnceError('BASE_UNSUPPORTED', `${what}, which is an image for ${only} only`, 1, {
    hint: 'Name an image for Linux: images for Windows containers cannot be built.',
  });
}

/** With more to read than this, nobody says what the builder takes. */
const MAX_CANDIDATES = 32;

/** Variants are not told apart: a builder may take an older one. Without any that fits, all may be taken. */
function childrenFor({ manifest, descriptor }: FoundImage, wanted: Platform): readonly Descriptor[] {
  if (manifest.kind === 'manifest') return [descriptor];
  const fitting = manifest.manifests.filter(
    ({ platform }) => platform !== undefined && familyOf(platform) === familyOf(wanted),
  );
  const candidates = fitting.length > 0 ? fitting : imagesIn(manifest);
  return candidates.length > MAX_CANDIDATES ? [] : candidates;
}

function familyOf({ os, architecture }: Platform): string {
  return formatPlatform({ os, architecture });
}

/** What all of them say. */
function agreed(configs: readonly (ImageConfig | undefined)[]): BaseConfig | undefined {
  const texts = new Set(configs.map((one) => canonicalJson(one && [one.env, one.workingDirectory, one.onBuild])));
  const [config] = configs;
  if (config === undefined || texts.size > 1) return undefined;
  const pairs = config.env.map((text): [string, string] => {
    const [name = '', value = ''] = splitOnce(text, '=');
    return [name, value];
  });
  const directory = cleanPath(`/${config.workingDirectory}`);
  return { environment: new Map(pairs), directory, triggers: config.onBuild };
}

async function readConfig(repository: Repository, child: Descriptor): Promise<ImageConfig | undefined> {
  const image = await readImage(repository, child.digest);
  if (image === undefined || image === 'not-found' || image.manifest.kind !== 'manifest') return undefined;
  const content = await repository.fetch(image.manifest.config);
  const config = content === undefined ? undefined : parseImageConfig(await content.bytes());
  return config?.ok ? config.value : undefined;
}

/** `undefined` for what is there and no image. */
async function readImage(
  repository: Repository,
  digest: HashedImage['digest'],
): Promise<FoundImage | 'not-found' | undefined> {
  try {
    return (await fetchImage(repository, { digest })) ?? 'not-found';
  } catch (error) {
    if (isRegistryError(error) && error.code === 'MANIFEST_INVALID') return undefined;
    throw error;
  }
}
