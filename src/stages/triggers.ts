import { readBaseTriggers } from '../base-triggers.ts';
import type { BaseUse, ImageUse } from '../core/build-inputs.ts';
import { canonicalJson, sealInputs } from '../core/input-manifest.ts';
import { quote } from '../core/printable.ts';
import { readTriggers } from '../core/stage-graph.ts';
import { type DockerfileInputs, readDockerfile, type Unpinned } from '../dockerfile-inputs.ts';
import { contextImages, type HashedImage, resolveImages } from '../hashed-images.ts';
import type { Platform } from '../oci/types.ts';
import { hasWindowsRules } from '../recorded-bits.ts';
import { type Results, type Run, type RunnableStage, resultOf } from '../stage.ts';

/** What the bases' triggers make the build read. */
interface Triggered {
  readonly images: readonly ImageUse[];
  readonly uncovered: readonly Unpinned[];
  readonly runsPrograms: boolean;
}

/**
 * Before a build, looks at the ONBUILD triggers of the base images, which the hash does not see: reading them takes requests
 * that a hit is to be spared. Where they bring in what the hash does not cover, the hash of this run becomes a unique one, so
 * that no other run takes the image for its own.
 */
export const coverTriggers: RunnableStage = async (run) => {
  if (resultOf(run, 'lookup').image !== undefined || run.options.images.length === 0) return run;
  const hash = resultOf(run, 'hash');
  const triggered = await findTriggered(run, hash);
  const covered = { ...hash, runsPrograms: hash.runsPrograms || triggered.runsPrograms };
  const uncovered = [...triggered.uncovered, ...findLostBits(run)];
  const result = uncovered.length === 0 ? covered : await uniqueHash(run, covered, triggered.images);
  for (const { message, line } of uncovered) {
    const at = { file: hash.dockerfile, ...(line === undefined ? {} : { line }) };
    run.host.log.warning(`${message}: the content hash does not cover it, so every run builds`, at);
  }
  return { ...run, results: { ...run.results, hash: result } };
};

/** The hash has the exec bits that git recorded; a build on Windows sends every file as executable. */
function findLostBits({ host }: Run): readonly Unpinned[] {
  const message = 'Windows has no exec bits, and every file of an image that is built there is executable';
  return hasWindowsRules(host.files) ? [{ message, line: undefined }] : [];
}

async function uniqueHash(run: Run, hash: Results['hash'], images: readonly ImageUse[]): Promise<Results['hash']> {
  const more = await resolveImages(run.registries, hash.dockerfile, images);
  const pins = [...hash.pins, ...more];
  const digests = Object.fromEntries(pins.map(({ reference, digest }) => [reference, digest]));
  const manifest = { ...hash.manifest, images: digests, unique: run.host.randomId() };
  const inputs = [...hash.inputs, ...more.map(({ reference, digest }) => `${reference} at ${digest}`)];
  return { ...hash, ...sealInputs(manifest), pins, inputs };
}

async function findTriggered(run: Run, { dockerfile, pins }: Results['hash']): Promise<Triggered> {
  const plain = readDockerfile(dockerfile, run);
  const own = { os: 'linux', architecture: run.host.architecture };
  const contexts = contextImages(run.options).flatMap((use) =>
    [...run.platforms, own].map((platform) => ({ ...use, platform, required: false })),
  );
  const [bases, replaced] = await Promise.all([readAll(run, plain.bases, pins), readAll(run, contexts, pins)]);
  const triggers = new Map([...bases].map(([name, { texts }]) => [name, texts ?? []]));
  const all = [...triggers.values()].flat();
  const read = all.length === 0 ? plain : readDockerfile(dockerfile, { ...run, triggers });
  const images = read.images.filter((use) => !isCovered(use, pins));
  const uncovered = [
    ...[...bases].flatMap(([name, { texts, line }]) => unreadable(name, texts, line)),
    ...[...replaced].flatMap(([name, { texts }]) => unreadable(name, texts?.length === 0 ? [] : undefined, undefined)),
    ...images.map(({ reference, line }) => ({
      message: `an ONBUILD of the base image reads ${quote(reference)}`,
      line,
    })),
    ...added(plain, read),
  ];
  return { images, uncovered, runsPrograms: all.some((text) => /^\s*run\b/i.test(text)) };
}

interface Found {
  readonly texts: readonly string[] | undefined;
  readonly line: number | undefined;
}

/** The triggers of each image, by the name it is used by. */
async function readAll(
  run: Run,
  uses: readonly (Omit<BaseUse, 'line'> & ImageUse)[],
  pins: readonly HashedImage[],
): Promise<ReadonlyMap<string, Found>> {
  const platforms = new Map<string, Platform[]>();
  for (const { reference, platform } of uses) {
    platforms.set(reference, [...(platforms.get(reference) ?? []), platform]);
  }
  const found = [...platforms].map(async ([reference, wanted]): Promise<[string, Found]> => {
    const pin = pins.find((one) => one.reference === reference);
    const required = uses.find((use) => use.reference === reference && use.required);
    const requiredBy = required && `${resultOf(run, 'hash').dockerfile}:${required.line}`;
    const texts = pin === undefined ? undefined : await readBaseTriggers(run.registries, pin, wanted, requiredBy);
    return [reference, { texts, line: uses.find((use) => use.reference === reference)?.line }];
  });
  return new Map(await Promise.all(found));
}

/** A problem for a base whose triggers, or one of them, cannot be read. */
function unreadable(name: string, texts: readonly string[] | undefined, line: number | undefined): readonly Unpinned[] {
  if (texts !== undefined && readTriggers(texts, line ?? 0).length === texts.length) return [];
  return [{ message: `the ONBUILD triggers of ${quote(name)} cannot be looked through`, line }];
}

function isCovered({ reference }: ImageUse, pins: readonly HashedImage[]): boolean {
  return reference.includes('@') || pins.some((pin) => pin.reference === reference);
}

/** What the triggers add to what the Dockerfile itself says. */
function added(plain: DockerfileInputs, read: DockerfileInputs): readonly Unpinned[] {
  const known = new Set(plain.unpinned.map(({ message, line }) => `${line} ${message}`));
  const adds = read.unpinned.filter(({ message, line }) => !known.has(`${line} ${message}`));
  // Also where this run gives none: one that does would have the same hash.
  const isExact = plain.targets !== undefined;
  const [before, after] = isExact ? [plain.declaredArgs, read.declaredArgs] : [plain.optionalArgs, read.optionalArgs];
  const args = after.filter((name) => !before.includes(name));
  const uses = (inputs: DockerfileInputs) => canonicalJson(inputs.targets?.map((target) => target.uses));
  const reads = isExact && uses(read) !== uses(plain);
  return [
    ...(reads ? [{ message: 'an ONBUILD of a base image reads files of the context', line: undefined }] : []),
    ...adds.map(({ message, line }) => ({ message: `in an ONBUILD of the base image, ${message}`, line })),
    ...args.map((name) => ({ message: `an ONBUILD of a base image asks for ${quote(name)}`, line: undefined })),
  ];
}
