import { baseKey, type KnownBases, readBaseConfigs } from './base-configs.ts';
import { formatPlatform } from './core/platform.ts';
import { quote } from './core/printable.ts';
import type { ReachedImage } from './core/target-reads.ts';
import { type DockerfileInputs, readDockerfile } from './dockerfile-inputs.ts';
import { contextImages, type HashedImage, placeOf, resolveImages } from './hashed-images.ts';
import { refuseTriggered, refuseViolations } from './image-policies.ts';
import type { Run } from './stage.ts';

/** What the Dockerfile reads, and what is known of the images that it names. */
export interface ResolvedInputs extends KnownBases {
  readonly read: DockerfileInputs;
  /** It is known how every base image begins. */
  readonly isFinal: boolean;
}

/**
 * Reads the Dockerfile, and asks what stands behind the images that the target reaches; how base images begin only where
 * the Dockerfile alone does not say what is read. With `base: tag` nobody is asked, and nobody ever whom a policy forbids.
 * Errors as of `readDockerfile`, `refuseViolations`, `resolveImages` and `learnBases`.
 */
export async function resolveInputs(run: Run, dockerfile: string): Promise<ResolvedInputs> {
  if (run.bases !== undefined) return learnBases(run, dockerfile, run.bases);
  const read = readDockerfile(dockerfile, run);
  refuseViolations(run.options, dockerfile, read);
  const registries = run.options.base === 'tag' ? undefined : run.registries;
  const pins = await resolveImages({ registries, dockerfile, known: [], shared: run.shared }, usesOf(read));
  const known = { pins, configs: new Map(), whole: false };
  if (registries !== undefined && read.asksBases) return learnBases(run, dockerfile, known);
  return { ...known, read, isFinal: read.bases.length === 0 && contextImages(read.baseContexts).length === 0 };
}

/**
 * Reads the Dockerfile with all that base images bring in; theirs may reach further stages, with bases of their own. What
 * is known already is not asked for again. Errors as of `readDockerfile`, `refuseTriggered`, `resolveImages` and
 * `readBaseConfigs`.
 */
export async function learnBases(run: Run, dockerfile: string, known: KnownBases): Promise<ResolvedInputs> {
  const read = readDockerfile(dockerfile, { ...run, bases: known });
  refuseTriggered(run.options, dockerfile, read);
  const { registries, shared } = run;
  const pins = await resolveImages({ registries, dockerfile, known: known.pins, shared }, usesOf(read));
  const unknown = read.bases.filter(({ reference, platform }) => !known.configs.has(baseKey(reference, platform)));
  if (unknown.length === 0) {
    const warnings = [...read.warnings, ...unreadable(read, known)];
    return { ...known, pins, read: { ...read, warnings }, isFinal: true };
  }
  const found = await readAll(run, dockerfile, unknown, pins);
  return learnBases(run, dockerfile, { ...known, pins, configs: new Map([...known.configs, ...found]) });
}

function usesOf(read: DockerfileInputs): DockerfileInputs['images'] {
  return [...read.images, ...contextImages(read.contexts)];
}

/** Said where everything counts because of it. */
function unreadable({ bases, targets }: DockerfileInputs, { configs }: KnownBases): readonly string[] {
  if (targets !== undefined) return [];
  const unread = bases.filter(({ reference, platform }) => configs.get(baseKey(reference, platform)) === undefined);
  return [...new Set(unread.map(({ reference }) => `the configuration of ${quote(reference)} cannot be read`))];
}

async function readAll(
  run: Run,
  dockerfile: string,
  bases: readonly ReachedImage[],
  pins: readonly HashedImage[],
): Promise<KnownBases['configs']> {
  const byName = new Map<string, ReachedImage[]>();
  for (const base of bases) byName.set(base.reference, [...(byName.get(base.reference) ?? []), base]);
  const found = [...byName].map(async ([reference, uses]) => {
    const image = pins.find((pin) => pin.reference === reference);
    const named = uses.find(({ role }) => role === 'root') ?? uses[0];
    if (image === undefined || named === undefined) return [];
    const platforms = [...new Map(uses.map(({ platform }) => [formatPlatform(platform), platform])).values()];
    const wanted = { image, platforms, place: placeOf(dockerfile, named), isRoot: named.role === 'root' };
    return [...(await readBaseConfigs(run, wanted))];
  });
  return new Map((await Promise.all(found)).flat());
}
