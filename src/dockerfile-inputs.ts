import { baseKey, type KnownBases } from './base-configs.ts';
import {
  distinctAdds,
  frontendOf,
  type ImageUse,
  imagesOf,
  type RemoteAdd,
  remoteAdds,
  runsPrograms,
} from './core/build-inputs.ts';
import type { NamedContext } from './core/build-options.ts';
import type { BuildScope } from './core/build-scope.ts';
import { textOfBytes } from './core/byte-text.ts';
import { compareCodePoints } from './core/code-point-order.ts';
import { digestOf } from './core/digest.ts';
import { canonicalInstructions, type Dockerfile, detectSyntax, pairsOf, parseDockerfile } from './core/dockerfile.ts';
import { type InputManifest, isBuilderArg } from './core/input-manifest.ts';
import type { Located } from './core/located.ts';
import { formatPlatform } from './core/platform.ts';
import { quote } from './core/printable.ts';
import { readStageGraph } from './core/stage-graph.ts';
import { type ReachedImage, readTarget, type TargetReads } from './core/target-reads.ts';
import { UsageError } from './errors.ts';
import { effectiveArgs, isProxyArg } from './forwarded-args.ts';
import type { Files, Host } from './host.ts';
import type { Platform } from './oci/types.ts';
import type { Options } from './options.ts';

/** What a Dockerfile, with the options of its build, says about the content. */
export interface DockerfileInputs {
  /** Those that the target reaches, and the frontend. */
  readonly images: readonly ImageUse[];
  /** Those of them that a stage begins from, once for each platform. */
  readonly bases: readonly ReachedImage[];
  /** The named contexts that the target reaches. */
  readonly contexts: readonly NamedContext[];
  /** Those of them that a stage begins from. */
  readonly baseContexts: readonly NamedContext[];
  readonly buildArgs: InputManifest['buildArgs'];
  readonly runsPrograms: boolean;
  readonly unpinned: readonly Unpinned[];
  /** Why nobody can say which images it names. */
  readonly unseen: Unpinned | undefined;
  /** What the target reads on each platform; `undefined` when that is not known, so that everything counts. */
  readonly targets: readonly PlatformReads[] | undefined;
  /** The same, also where everything counts: for what is said about it. */
  readonly reached: readonly TargetReads[];
  /** How its base images begin decides what is read. */
  readonly asksBases: boolean;
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
}

/** What the target reads on one platform. */
export interface PlatformReads extends TargetReads {
  readonly platform: Platform;
}

/** Something that the build reads and that no digest can be asked for. */
export interface Unpinned {
  readonly message: string;
  readonly line: number | undefined;
  /** What to do about it. */
  readonly hint?: string;
}

/** What the reading depends on besides the file. */
interface Setting {
  readonly host: Host;
  readonly options: Options;
  readonly platforms: readonly Platform[];
  readonly bases?: KnownBases;
}

const PIN_ADD = 'add --checksum=sha256:…, or name a commit of the git repository';

/** Frontends whose language is the one that we read. */
const DOCKERS_FRONTEND = /^(?:docker\.io\/)?docker\/dockerfile(?:-upstream)?(?:[:@]|$)/;

/** The Dockerfile as it counts: its canonical instructions, or the digest of its bytes where it cannot be read. */
export function readCanonical(files: Files, file: string): InputManifest['dockerfile'] {
  const bytes = files.read(file) ?? new Uint8Array();
  const read = parseDockerfile(textOfBytes(bytes));
  return read.ok ? canonicalInstructions(read.value) : { raw: digestOf(bytes) };
}

/** Reads what the Dockerfile names; one that we cannot read says so. UsageError with the line for a name that is none. */
export function readDockerfile(file: string, setting: Setting): DockerfileInputs {
  const text = textOfBytes(readBytes(setting.host.files, file));
  const buildArgs = effectiveArgs(setting.options.buildArgs, setting.host);
  const read = parseDockerfile(text);
  const frontend = orRefuse(file, frontendOf(detectSyntax(text), buildArgs));
  const isForeign = frontend !== undefined && !DOCKERS_FRONTEND.test(frontend.reference);
  if (!read.ok && !isForeign && !('isUnknown' in read)) orRefuse(file, read);
  const opened = { file, buildArgs, frontends: frontend === undefined ? [] : [frontend], isForeign };
  const inputs = read.ok ? inputsOf(read.value, opened, setting) : inputsOfUnread(read, opened, setting);
  if (!isForeign) return inputs;
  const seen =
    'the whole context and this file count; what else it reads, base images too, cannot be seen (max-age helps)';
  const warning = `the frontend ${quote(frontend.reference)} is not Docker's: ${seen}`;
  const unseen = { message: `the frontend ${quote(frontend.reference)} is not Docker's`, line: frontend.line };
  return { ...inputs, unseen, warnings: [warning, ...inputs.warnings] };
}

function readBytes(files: Files, file: string): Uint8Array {
  try {
    return files.read(file) ?? new Uint8Array();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError([{ input: 'file', message: `${quote(file)} cannot be read: ${why}` }], { cause });
  }
}

/** A Dockerfile of which nothing but the frontend was looked at. */
interface OpenedDockerfile {
  readonly file: string;
  readonly buildArgs: ReadonlyMap<string, string>;
  /** One, or none for BuildKit's own. */
  readonly frontends: readonly ImageUse[];
  /** Its language may be another one. */
  readonly isForeign: boolean;
}

function orRefuse<T>(file: string, found: Located<T>): T {
  if (found.ok) return found.value;
  const message = `${quote(file)} line ${found.line}: ${found.problem}`;
  throw new UsageError([{ input: 'file', message }], { at: { file, line: found.line } });
}

function inputsOfUnread(
  { problem, line }: Pick<Unpinned, 'line'> & { readonly problem: string },
  { buildArgs, frontends, isForeign }: OpenedDockerfile,
  { options }: Setting,
): DockerfileInputs {
  const unread = { message: `not understood: ${problem}`, line };
  return {
    images: frontends,
    bases: [],
    ...reachedContexts(options, undefined),
    buildArgs: countedArgs(buildArgs),
    runsPrograms: true,
    unpinned: isForeign ? [] : [unread],
    unseen: unread,
    targets: undefined,
    reached: [],
    asksBases: false,
    notes: [],
    warnings: [],
  };
}

function inputsOf(
  dockerfile: Dockerfile,
  { file, buildArgs, frontends, isForeign }: OpenedDockerfile,
  setting: Setting,
): DockerfileInputs {
  const { options, platforms, bases: known } = setting;
  const scope = scopeOf(setting, buildArgs);
  const targets = inOrder(platforms).map((platform): PlatformReads => {
    return { ...orRefuse(file, readTarget(dockerfile, scope, platform)), platform };
  });
  const reached = [...frontends, ...targets.flatMap(({ images }) => images)];
  const uncertain = targets.flatMap((target) => target.uncertain)[0];
  const isUnderstood = !isForeign && uncertain === undefined;
  // Who asks looks for triggers before a build, and hashes again with them.
  const isBlind = mayBeTriggered(targets, scope) && (options.base === 'tag' || known !== undefined);
  const isExact = isUnderstood && !isBlind && known?.whole !== true;
  const bases = basesOf(targets);
  const counted = countedArgs(buildArgs, declaredArgs(dockerfile, scope));
  const adds = isExact ? unpinnedAdds(targets) : remoteAdds(dockerfile, scope);
  return {
    images: isForeign ? orRefuse(file, imagesOf(dockerfile, scope)) : reached,
    bases,
    ...reachedContexts(options, isUnderstood ? targets : undefined),
    buildArgs: isExact ? builderArgs(counted) : counted,
    runsPrograms: runsPrograms(dockerfile) || bases.some((base) => runsInTriggers(scope, base)),
    unpinned: adds.map(({ source, line }) => {
      return { message: `ADD ${quote(source)} has no checksum`, line, hint: PIN_ADD };
    }),
    unseen: undefined,
    targets: isExact ? targets : undefined,
    reached: isForeign ? [] : targets,
    asksBases: !isForeign && uncertain !== undefined && bases.length > 0,
    notes:
      isUnderstood && isBlind
        ? ['the Dockerfile reads no file itself, but what it is based on may: the whole context counts']
        : [],
    warnings:
      uncertain === undefined
        ? []
        : [`${uncertain} depends on what the base image sets: the whole context and this file count`],
  };
}

function scopeOf({ host, options, platforms, bases }: Setting, buildArgs: ReadonlyMap<string, string>): BuildScope {
  return {
    buildArgs,
    platforms,
    buildPlatform: { os: 'linux', architecture: host.architecture },
    namedContexts: options.buildContexts.map(({ name }) => name),
    target: options.target,
    ...(bases && { baseOf: (reference, platform) => bases.configs.get(baseKey(reference, platform)) }),
  };
}

/** A target that reads no file itself is based on an image whose triggers are not known. */
function mayBeTriggered(targets: readonly TargetReads[], { baseOf }: BuildScope): boolean {
  const isUnknown = ({ role, reference, platform }: ReachedImage): boolean =>
    role !== 'content' && baseOf?.(reference, platform) === undefined;
  return targets.some(({ uses, images }) => uses.length === 0 && images.some(isUnknown));
}

function unpinnedAdds(targets: readonly TargetReads[]): readonly RemoteAdd[] {
  return distinctAdds(targets.flatMap(({ remotes }) => remotes.filter(({ isPinned }) => !isPinned)));
}

/** However they are given, it is one image. */
function inOrder(platforms: readonly Platform[]): readonly Platform[] {
  return [...platforms].sort((a, b) => compareCodePoints(formatPlatform(a), formatPlatform(b)));
}

/** Once for each platform; the one that the target is built on stays. */
function basesOf(targets: readonly TargetReads[]): readonly ReachedImage[] {
  const uses = targets.flatMap(({ images }) => images.filter(({ role }) => role !== 'content'));
  const ordered = [...uses.filter(({ role }) => role === 'base'), ...uses.filter(({ role }) => role === 'root')];
  return [...new Map(ordered.map((use) => [baseKey(use.reference, use.platform), use])).values()];
}

/** All of them where it is not known what is read. */
function reachedContexts(
  { buildContexts }: Options,
  targets: readonly TargetReads[] | undefined,
): Pick<DockerfileInputs, 'contexts' | 'baseContexts'> {
  if (targets === undefined) return { contexts: buildContexts, baseContexts: buildContexts };
  const uses = targets.flatMap((target) => target.uses);
  const reached = new Set(uses.map(({ context }) => context));
  const begun = new Set(uses.filter(({ op }) => op === 'from').map(({ context }) => context));
  return {
    contexts: buildContexts.filter(({ name }) => reached.has(name)),
    baseContexts: buildContexts.filter(({ name }) => begun.has(name)),
  };
}

function runsInTriggers({ baseOf }: BuildScope, { reference, platform }: ReachedImage): boolean {
  return baseOf?.(reference, platform)?.triggers.some((text) => /^\s*run\b/i.test(text)) === true;
}

/**
 * Proxies and the build's clock say nothing about the content, unless the Dockerfile asks for them by ARG. Any arg but those
 * of the builder itself may be a secret, and the manifest is published: of them, the digest counts.
 */
function countedArgs(args: ReadonlyMap<string, string>, declared?: ReadonlySet<string>): InputManifest['buildArgs'] {
  const counted = [...args].filter(([name]) => !isOptionalArg(name) || declared === undefined || declared.has(name));
  return Object.fromEntries(counted.map(([name, value]) => [name, isBuilderArg(name) ? value : digestOf(value)]));
}

/** Others count by the value that the Dockerfile's ARGs have. */
function builderArgs(args: InputManifest['buildArgs']): InputManifest['buildArgs'] {
  return Object.fromEntries(Object.entries(args).filter(([name]) => isBuilderArg(name)));
}

function isOptionalArg(name: string): boolean {
  return name === 'SOURCE_DATE_EPOCH' || isProxyArg(name);
}

/** The names of every ARG, those of triggers among them. */
function declaredArgs(dockerfile: Dockerfile, scope: BuildScope): ReadonlySet<string> {
  const graphs = scope.platforms.map((platform) => readStageGraph(dockerfile, scope, platform));
  const built = graphs.flatMap((graph) => (graph.ok ? graph.value.stages.flatMap((stage) => stage.instructions) : []));
  return new Set(
    [...dockerfile.globalArgs, ...built].flatMap((one) =>
      one.name === 'ARG' ? pairsOf(one).map(({ name }) => name) : [],
    ),
  );
}
