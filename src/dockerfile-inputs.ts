import {
  type BaseUse,
  basesOf,
  frontendOf,
  type ImageUse,
  imagesOf,
  remoteAdds,
  runsPrograms,
} from './core/build-inputs.ts';
import type { BuildScope } from './core/build-scope.ts';
import { textOfBytes } from './core/byte-text.ts';
import { digestOf } from './core/digest.ts';
import { canonicalInstructions, type Dockerfile, detectSyntax, pairsOf, parseDockerfile } from './core/dockerfile.ts';
import type { InputManifest } from './core/input-manifest.ts';
import { quote } from './core/printable.ts';
import { readStageGraph } from './core/stage-graph.ts';
import { readTarget, type TargetReads } from './core/target-reads.ts';
import { UsageError } from './errors.ts';
import { forwardedArgs, isProxyArg } from './forwarded-args.ts';
import type { Files, Host } from './host.ts';
import type { Platform } from './oci/types.ts';
import type { Options } from './options.ts';

/** What a Dockerfile, with the options of its build, says about the content. */
export interface DockerfileInputs {
  readonly images: readonly ImageUse[];
  /** Those of FROM. */
  readonly bases: readonly BaseUse[];
  readonly buildArgs: InputManifest['buildArgs'];
  /** The args that count only when an ARG declares them, and that one declares, given or not. */
  readonly optionalArgs: readonly string[];
  /** Every ARG that one declares. */
  readonly declaredArgs: readonly string[];
  readonly runsPrograms: boolean;
  readonly unpinned: readonly Unpinned[];
  /** What the target reads on each platform; `undefined` when that is not known, so that everything counts. */
  readonly targets: readonly PlatformReads[] | undefined;
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
}

/** What the reading depends on besides the file. */
interface Setting {
  readonly host: Host;
  readonly options: Options;
  readonly platforms: readonly Platform[];
  /** As in `BuildScope`. */
  readonly triggers?: ReadonlyMap<string, readonly string[]>;
}

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
  const { host, options, platforms, triggers } = setting;
  const text = textOfBytes(host.files.read(file) ?? new Uint8Array());
  const buildArgs = effectiveArgs(options.buildArgs, host);
  const refuse = (found: { readonly problem: string; readonly line: number }): never => {
    throw new UsageError([{ input: 'file', message: `${quote(file)} line ${found.line}: ${found.problem}` }]);
  };
  const read = parseDockerfile(text);
  const frontend = frontendOf(detectSyntax(text), buildArgs);
  if (!frontend.ok) return refuse(frontend);
  const isForeign = frontend.value !== undefined && !DOCKERS_FRONTEND.test(frontend.value.reference);
  const seen =
    'the whole context and this file count; what else it reads, base images too, cannot be seen (max-age helps)';
  const warnings = isForeign ? [`the frontend ${quote(frontend.value?.reference ?? '')} is not Docker's: ${seen}`] : [];
  if (!read.ok) {
    const unpinned = isForeign ? [] : [{ message: `not understood: ${read.problem}`, line: read.line }];
    const images = frontend.value === undefined ? [] : [frontend.value];
    return {
      images,
      bases: [],
      buildArgs: countedArgs(buildArgs),
      optionalArgs: [],
      declaredArgs: [],
      runsPrograms: true,
      unpinned,
      targets: undefined,
      notes: [],
      warnings,
    };
  }
  const dockerfile = read.value;
  const scope: BuildScope = {
    buildArgs,
    platforms,
    buildPlatform: { os: 'linux', architecture: host.architecture },
    namedContexts: options.buildContexts.map(({ name }) => name),
    target: options.target,
    ...(triggers === undefined ? {} : { triggers }),
  };
  const declared = declaredArgs(dockerfile, scope);
  const images = imagesOf(dockerfile, scope);
  if (!images.ok) return refuse(images);
  const targets: PlatformReads[] = [];
  for (const platform of platforms) {
    const reads = readTarget(dockerfile, { ...scope, buildArgs: withoutPasswords(buildArgs) }, platform);
    if (!reads.ok) return refuse(reads);
    targets.push({ ...reads.value, platform });
  }
  const uncertain = targets.flatMap((target) => target.uncertain)[0];
  const mayBeTriggered = targets.some(({ uses, images }) => uses.length === 0 && images.length > 0);
  const isExact = !isForeign && uncertain === undefined && !mayBeTriggered;
  const counted = countedArgs(buildArgs, declared);
  const reached = new Set(targets.flatMap(({ remotes }) => remotes.map(({ line }) => line)));
  return {
    images: images.value,
    bases: basesOf(dockerfile, scope),
    buildArgs: isExact ? builderArgs(counted) : counted,
    optionalArgs: [...declared].filter(isOptionalArg),
    declaredArgs: [...declared],
    runsPrograms: runsPrograms(dockerfile),
    unpinned: remoteAdds(dockerfile, scope)
      .filter(({ line }) => !isExact || reached.has(line))
      .map(({ source, line }) => ({ message: `ADD ${quote(source)} has no checksum`, line })),
    targets: isExact ? targets : undefined,
    notes:
      isForeign || uncertain !== undefined || !mayBeTriggered
        ? []
        : ['the Dockerfile reads no file itself, but what it is based on may: the whole context counts'],
    warnings:
      uncertain === undefined
        ? warnings
        : [...warnings, `${uncertain} depends on what the base image sets: the whole context and this file count`],
  };
}

/**
 * By name, the last one given wins; under them what buildx adds by itself. `KEY` alone takes its value from the environment,
 * and means nothing without one there.
 */
function effectiveArgs(given: readonly string[], host: Host): ReadonlyMap<string, string> {
  const args = new Map(forwardedArgs(host));
  for (const arg of given) {
    const at = arg.indexOf('=');
    const name = at < 0 ? arg : arg.slice(0, at);
    const value = at < 0 ? host.env[arg] : arg.slice(at + 1);
    if (value !== undefined) args.set(name, value);
  }
  return args;
}

/**
 * Proxies and the build's clock say nothing about the content, unless the Dockerfile asks for them by ARG. Proxies may hold
 * passwords: of them, the digest counts.
 */
function countedArgs(args: ReadonlyMap<string, string>, declared?: ReadonlySet<string>): InputManifest['buildArgs'] {
  const counted = [...args].filter(([name]) => !isOptionalArg(name) || declared === undefined || declared.has(name));
  return Object.fromEntries(counted.map(([name, value]) => [name, isProxyArg(name) ? digestOf(value) : value]));
}

/** Args that the builder itself takes. Others count by the value that the Dockerfile's ARGs have. */
function builderArgs(args: InputManifest['buildArgs']): InputManifest['buildArgs'] {
  return Object.fromEntries(Object.entries(args).filter(([name]) => /^(?:BUILDKIT_|SOURCE_DATE_EPOCH$)/.test(name)));
}

/** A proxy may hold a password: its digest stands for it. */
function withoutPasswords(args: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...args].map(([name, value]) => [name, isProxyArg(name) ? digestOf(value) : value]));
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
