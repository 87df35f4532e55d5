import { baseKey, readBaseConfigs } from '../base-configs.ts';
import { learnBases, type ResolvedInputs } from '../base-inputs.ts';
import { sealInputs } from '../core/input-manifest.ts';
import { quote } from '../core/printable.ts';
import { isLocalName } from '../core/reference.ts';
import { readTriggers } from '../core/stage-graph.ts';
import type { Unpinned } from '../dockerfile-inputs.ts';
import { contextImages, placeOf } from '../hashed-images.ts';
import { refuseUnseen } from '../image-policies.ts';
import { hasWindowsRules } from '../recorded-bits.ts';
import { type Results, type Run, type RunnableStage, resultOf } from '../stage.ts';

/** The stages before this one that have to run again once more is known. */
interface Earlier {
  readonly hash: RunnableStage;
  readonly lookup: readonly RunnableStage[];
}

/**
 * Before a build, looks at the ONBUILD triggers of the base images, which the hash does not see: reading them takes requests
 * that a hit is to be spared. Where there are some, the run is hashed with them and looks for its image once more; nothing is
 * ever built under the hash from before. What still is not covered makes the hash a unique one, so that no other run takes
 * the image for its own.
 */
export function coverTriggers(earlier: Earlier): RunnableStage {
  return async (run) => {
    const lookup = resultOf(run, 'lookup');
    if (lookup.image !== undefined || run.options.images.length === 0) return run;
    const before = resultOf(run, 'hash');
    let next = await covered(run, earlier.hash);
    if (resultOf(next, 'hash').hash === before.hash && lookup.existing.size === 0) return next;
    for (const stage of earlier.lookup) next = await stage(next);
    return next;
  };
}

/** The same for an image that nobody looks for, since it has no name: others that are built on it have to know its hash. */
export function coverTriggersUnasked(hash: RunnableStage): RunnableStage {
  return (run) => covered(run, hash);
}

async function covered(run: Run, hash: RunnableStage): Promise<Run> {
  const { pins, configs, order, dockerfile } = resultOf(run, 'hash');
  const bases = await learnBases(run, dockerfile, { pins, configs, whole: order.targets === undefined });
  const isNew = bases.configs.size > configs.size && hasTriggers(bases);
  const hashed = isNew ? await hash({ ...run, bases }) : run;
  const unseen = [...findUnread(bases), ...(await findReplaced(run, bases))];
  refuseUnseen(run.options, dockerfile, unseen);
  const uncovered = [...unseen, ...findLostBits(run)];
  warn(run, dockerfile, uncovered, ': the content hash does not cover it, so every run builds');
  const result = { ...resultOf(hashed, 'hash'), pins: bases.pins, isFinal: true };
  return withHash(hashed, uncovered.length === 0 ? result : unique(result, run.host.randomId()));
}

/**
 * Where no lookup follows: a Dockerfile that reads no file itself may be based on an image that does, so that the hash is
 * that of `coverTriggers`. Others are spared the requests, as is every run with `base: tag`. With `asBuild`, the one that is
 * spared them is that whose image is there already, as in a build.
 */
export function foreseeTriggers(hash: RunnableStage, { asBuild = false } = {}): RunnableStage {
  return async (run) => {
    const { pins, configs, order, dockerfile, isFinal } = resultOf(run, 'hash');
    const readsFiles = order.targets?.every(({ uses }) => uses.length > 0) !== false;
    if (isFinal || (asBuild ? await isPublished(run) : readsFiles || run.options.base === 'tag')) return run;
    const bases = await learnBases(run, dockerfile, { pins, configs, whole: order.targets === undefined });
    const unread = findUnread(bases);
    warn(run, dockerfile, unread, '');
    return unread.length > 0 || hasTriggers(bases) ? hash({ ...run, bases }) : run;
  };
}

async function isPublished(run: Run): Promise<boolean> {
  const [name] = run.options.images;
  if (name === undefined || isLocalName(name)) return false;
  return (await run.registries.open(name).resolve({ tag: resultOf(run, 'hash').tag })) !== undefined;
}

function warn({ host }: Run, file: string, found: readonly Unpinned[], why: string): void {
  for (const { message, line } of found) {
    host.log.warning(`${message}${why}`, { file, ...(line === undefined ? {} : { line }) });
  }
}

function withHash(run: Run, hash: Results['hash']): Run {
  return { ...run, results: { ...run.results, hash } };
}

function unique(hash: Results['hash'], id: string): Results['hash'] {
  return { ...hash, ...sealInputs({ ...hash.manifest, unique: id }) };
}

function hasTriggers({ configs }: ResolvedInputs): boolean {
  return [...configs.values()].some((config) => config !== undefined && config.triggers.length > 0);
}

/** The hash has the exec bits that git recorded; a build on Windows sends every file as executable. */
function findLostBits({ host }: Run): readonly Unpinned[] {
  const message = 'Windows has no exec bits, and every file of an image that is built there is executable';
  return hasWindowsRules(host.files) ? [{ message, line: undefined }] : [];
}

/** Bases of which a trigger cannot be read. */
function findUnread({ read, configs }: ResolvedInputs): readonly Unpinned[] {
  const unread = read.bases.filter(({ reference, platform, line = 0 }) => {
    const triggers = configs.get(baseKey(reference, platform))?.triggers;
    return triggers === undefined || readTriggers(triggers, line).length < triggers.length;
  });
  return [...new Map(unread.map(({ reference, line }) => [reference, notSeen(reference, line)])).values()];
}

/** Images that stand in for bases as named contexts: with triggers, they are not looked through. */
async function findReplaced(run: Run, { read, pins }: ResolvedInputs): Promise<readonly Unpinned[]> {
  const platforms = [...run.platforms, { os: 'linux', architecture: run.host.architecture }];
  const found = contextImages(read.baseContexts).map(async (use) => {
    const image = pins.find(({ reference }) => reference === use.reference);
    const wanted = image && { image, platforms, place: placeOf('', use), isRoot: false };
    const configs = wanted === undefined ? new Map() : await readBaseConfigs(run, wanted);
    const isPlain = [...configs.values()].every((config) => config?.triggers.length === 0);
    return isPlain && wanted !== undefined ? [] : [notSeen(use.reference, undefined)];
  });
  return [...(await Promise.all(found)).flat(), ...findLinked(run, read)];
}

/** Other images of the run that stand in for bases; they are there after this one's hash only. */
function findLinked({ links }: Run, { baseContexts }: ResolvedInputs['read']): readonly Unpinned[] {
  return baseContexts.flatMap(({ name }) => {
    const link = links?.get(name);
    return link?.mayTrigger === true ? [notSeen(link.target, undefined)] : [];
  });
}

function notSeen(reference: string, line: number | undefined): Unpinned {
  return { message: `the ONBUILD triggers of ${quote(reference)} cannot be looked through`, line };
}
