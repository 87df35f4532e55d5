import { frontendOf, type ImageUse, imagesOf, remoteAdds, runsPrograms } from './core/build-inputs.ts';
import type { BuildScope } from './core/build-scope.ts';
import { digestOf } from './core/digest.ts';
import { canonicalInstructions, type Dockerfile, detectSyntax, parseDockerfile } from './core/dockerfile.ts';
import type { InputManifest } from './core/input-manifest.ts';
import { quote } from './core/printable.ts';
import { UsageError } from './errors.ts';
import type { Host } from './host.ts';
import type { Platform } from './oci/types.ts';
import type { Options } from './options.ts';

/** What a Dockerfile, with the options of its build, says about the content. */
export interface DockerfileInputs {
  readonly canonical: InputManifest['dockerfile'];
  readonly images: readonly ImageUse[];
  readonly buildArgs: InputManifest['buildArgs'];
  readonly runsPrograms: boolean;
  readonly unpinned: readonly Unpinned[];
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
}

/** Frontends whose language is the one that we read. */
const DOCKERS_FRONTEND = /^(?:docker\.io\/)?docker\/dockerfile(?:-upstream)?(?:[:@]|$)/;

/** Reads the Dockerfile; one that we cannot read counts with its raw bytes, and says so. */
export function readDockerfile(file: string, { host, options, platforms }: Setting): DockerfileInputs {
  const bytes = host.files.read(file) ?? new Uint8Array();
  const text = new TextDecoder().decode(bytes);
  const buildArgs = effectiveArgs(options.buildArgs, host.env);
  const refuse = (found: { readonly problem: string; readonly line: number }): never => {
    throw new UsageError([{ input: 'file', message: `${quote(file)} line ${found.line}: ${found.problem}` }]);
  };
  const read = parseDockerfile(text);
  const frontend = frontendOf(detectSyntax(text), buildArgs);
  if (!frontend.ok) return refuse(frontend);
  const isForeign = frontend.value !== undefined && !DOCKERS_FRONTEND.test(frontend.value.reference);
  if (isForeign) {
    const seen =
      'the whole context and this file count; what else it reads, base images too, cannot be seen (max-age helps)';
    host.log.warning(`the frontend ${quote(frontend.value?.reference ?? '')} is not Docker's: ${seen}`, { file });
  }
  if (!read.ok) {
    const unpinned = isForeign ? [] : [{ message: `not understood: ${read.problem}`, line: read.line }];
    const images = frontend.value === undefined ? [] : [frontend.value];
    return {
      canonical: { raw: digestOf(bytes) },
      images,
      buildArgs: Object.fromEntries(buildArgs),
      runsPrograms: true,
      unpinned,
    };
  }
  const dockerfile = read.value;
  const scope: BuildScope = {
    buildArgs,
    platforms,
    buildPlatform: { os: 'linux', architecture: host.architecture },
    namedContexts: options.buildContexts.map(({ name }) => name),
    target: options.target,
  };
  const images = imagesOf(dockerfile, scope);
  if (!images.ok) return refuse(images);
  return {
    canonical: canonicalInstructions(dockerfile),
    images: images.value,
    buildArgs: Object.fromEntries([...buildArgs].filter(([name]) => counts(name, dockerfile))),
    runsPrograms: runsPrograms(dockerfile),
    unpinned: remoteAdds(dockerfile, scope).map(({ source, line }) => ({
      message: `ADD ${quote(source)} has no checksum`,
      line,
    })),
  };
}

/** By name, the last one given wins. `KEY` alone takes its value from the environment, and means nothing without one there. */
function effectiveArgs(given: readonly string[], env: Host['env']): ReadonlyMap<string, string> {
  const args = new Map<string, string>();
  for (const arg of given) {
    const at = arg.indexOf('=');
    const name = at < 0 ? arg : arg.slice(0, at);
    const value = at < 0 ? env[arg] : arg.slice(at + 1);
    if (value !== undefined) args.set(name, value);
  }
  return args;
}

/** Proxies and the build's clock say nothing about the content, unless the Dockerfile asks for them by ARG. */
function counts(name: string, { globalArgs, stages }: Dockerfile): boolean {
  if (name !== 'SOURCE_DATE_EPOCH' && !/^(?:https?|ftp|no|all)_proxy$/i.test(name)) return true;
  const declarations = [globalArgs, ...stages.map(({ instructions }) => instructions)].flat();
  return declarations.some((one) => one.name === 'ARG' && one.words.some((word) => word.split('=', 1)[0] === name));
}
