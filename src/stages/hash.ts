import path from 'node:path';
import type { KnownBases } from '../base-configs.ts';
import { resolveInputs } from '../base-inputs.ts';
import { findDockerfile } from '../context.ts';
import {
  type ContextReading,
  compileUncounted,
  findUnpinnedContexts,
  isDirectoryContext,
  type ReadingOrder,
  readContextInputs,
} from '../context-inputs.ts';
import { counted } from '../core/counted.ts';
import { isDependencyManifest } from '../core/dependency-manifests.ts';
import { type InputManifest, type SealedInputs, sealInputs } from '../core/input-manifest.ts';
import { countedLabels } from '../core/labels.ts';
import { formatPlatform } from '../core/platform.ts';
import { quote } from '../core/printable.ts';
import { isGitSource } from '../core/remote-source.ts';
import type { Warning } from '../core/warning.ts';
import { readDockerfile } from '../dockerfile-inputs.ts';
import type { Problem } from '../errors.ts';
import { findScopeProblems, findVersionTags, whatCounts } from '../hash-scope.ts';
import { findWarnings } from '../hash-warnings.ts';
import { contextImages, countedImages, type HashedImage } from '../hashed-images.ts';
import { refuseMissing } from '../hidden-path.ts';
import type { Files, Location } from '../host.ts';
import type { Options } from '../options.ts';
import type { Run, Stage } from '../stage.ts';

/** The content hash and what went into it. */
export interface HashResult extends SealedInputs {
  /** The Dockerfile that was read. */
  readonly dockerfile: string;
  /** How the files were read, and what was read; reading them again shows what has changed. */
  readonly order: ReadingOrder;
  readonly reading: ContextReading;
  /** What stands behind the images' names, as far as anybody was asked: the build is pinned to it. */
  readonly pins: readonly HashedImage[];
  /** How the base images begin, as far as anybody was asked. */
  readonly configs: KnownBases['configs'];
  /** No trigger of a base image can make it another one. */
  readonly isFinal: boolean;
  /** Whether the Dockerfile runs programs of the target platforms. */
  readonly runsPrograms: boolean;
  /** Paths of the dependency manifests among the files, in order. */
  readonly dependencyManifests: readonly string[];
  /** What was hashed, in words. */
  readonly inputs: readonly string[];
  /** What a person should look at. */
  readonly warnings: readonly Warning[];
}

interface HashPlan {
  readonly dockerfile: string;
}

/** Hashes what the target reads of its contexts, its instructions, the build's options and every image that it names. */
export const hashStage: Stage<'hash', HashPlan> = {
  name: 'hash',
  title: 'Hash what the build reads',
  plan({ options, host }) {
    const dockerfile = findDockerfile(host.files, options.context, options.file) ?? '';
    return { dockerfile };
  },
  async apply({ dockerfile }, run) {
    const { host, options } = run;
    refuseVersions(run, dockerfile);
    const { read, pins, configs, isFinal } = await resolveInputs(run, dockerfile);
    const images = countedImages([...read.images, ...contextImages(read.contexts)], pins, options.base);
    for (const note of read.notes) host.log.info(note);
    const order: ReadingOrder = { dockerfile, targets: read.targets };
    const reading = readContextInputs(run, order);
    refuseMissing(run, dockerfile, reading, findScopeProblems(run, reading.scoped));
    const { inputs, paths } = reading;
    const reasons = [...read.unpinned, ...findUnpinnedContexts(read.contexts)];
    const manifest: InputManifest = {
      scheme: 3,
      ...inputs,
      images,
      buildArgs: read.buildArgs,
      options: countedOptions(run, inputs.form),
      salt: options.hashSalt ?? '',
      unique: reasons.length === 0 ? '' : host.randomId(),
    };
    const warnings = findWarnings(run, { dockerfile, read, reading, unpinned: reasons });
    for (const { message, line } of warnings) host.log.warning(message, at(dockerfile, line));
    const sealed = sealInputs(manifest);
    const dependencyManifests = paths.filter(isDependencyManifest);
    host.log.info(`${whatCounts(reading)}, ${counted(Object.keys(images).length, 'image')}: ${sealed.tag}`);
    return {
      ...sealed,
      dockerfile,
      order,
      reading,
      pins,
      configs,
      isFinal,
      runsPrograms: read.runsPrograms,
      dependencyManifests,
      inputs: inWords(reading, dependencyManifests, images),
      warnings,
    };
  },
};

/** What can be known of it before the first request; base images can only add to what is read. */
function refuseVersions(run: Run, dockerfile: string): void {
  if (run.options.hashScope === 'inputs' || findVersionTags(run).length === 0) return;
  const { targets } = readDockerfile(dockerfile, run);
  if (targets === undefined) return;
  const reading = readContextInputs(run, { dockerfile, targets });
  refuseMissing(run, dockerfile, reading, findScopeProblems(run, reading.scoped));
}

/** What is wrong with the files that the options name; asked before the first request. Pure but for reading. */
export function findContextProblems(options: Options, files: Files): readonly Problem[] {
  const problems: Problem[] = [];
  const isGit = isGitSource(options.context);
  const context = files.kindOf(options.context);
  const isDirectory = files.list(options.context) !== undefined;
  if (isGit) problems.push(...findOutsideFile(options));
  else if (!isDirectory) {
    const seen = context === undefined ? 'there is no such directory' : 'it is not a directory';
    const instead = context === 'file' ? ', while files is for bake files and Dockerfiles' : '';
    problems.push({
      input: 'context',
      message: `${quote(options.context)}: ${seen}; a directory of the workspace is allowed${instead}`,
    });
  }
  if (
    !isGit &&
    (isDirectory || options.file !== undefined) &&
    findDockerfile(files, options.context, options.file) === undefined
  ) {
    const looked = options.file ?? path.join(options.context, 'Dockerfile');
    problems.push({
      input: 'file',
      message: `there is no Dockerfile at ${quote(looked)}; is the repository checked out?`,
    });
  }
  for (const file of options.hashFiles) {
    if (files.kindOf(file) === undefined)
      problems.push({ input: 'hash-files', message: `${quote(file)} is not there` });
  }
  for (const { name, value } of options.buildContexts) {
    if (isDirectoryContext(value) && files.list(value) === undefined) {
      problems.push({ input: 'build-contexts', message: `${quote(name)}: ${quote(value)} is no directory` });
    }
  }
  const patterns = compileUncounted(options);
  if (!patterns.ok) problems.push({ input: 'hash-ignore', message: patterns.problem });
  return problems;
}

/** In a git context, the Dockerfile is a file of the repository. */
function findOutsideFile({ file }: Options): readonly Problem[] {
  if (file === undefined) return [];
  const isOutside = path.isAbsolute(file) || path.posix.normalize(file).split(/[\\/]/)[0] === '..';
  const message = `${quote(file)} is outside of the git repository; a path relative to the context is allowed`;
  return isOutside ? [{ input: 'file', message }] : [];
}

/** The options that change the image, as the user gave them; docs/content-hash.md lists them. */
function countedOptions({ options, platforms }: Run, form: InputManifest['form']): InputManifest['options'] {
  const ids = [...options.secrets, ...options.secretEnvs, ...options.secretFiles].map(({ id }) => id);
  return {
    // In the exact form, the instructions say which target it is.
    target: form === 'inputs' ? '' : (options.target?.toLowerCase() ?? ''),
    platforms: [...new Set(platforms.map(formatPlatform))].sort(),
    network: options.network === 'default' ? '' : (options.network ?? ''),
    addHosts: options.addHosts,
    provenance: options.provenance ?? '',
    sbom: options.sbom ?? '',
    attests: options.attests,
    secrets: ids.sort(),
    ssh: options.ssh.map((entry) => entry.split('=', 1)[0] ?? '').sort(),
    labels: countedLabels(options.labels),
    annotations: countedLabels(options.annotations),
  };
}

function at(file: string, line: number | undefined): Location {
  return line === undefined ? { file } : { file, line };
}

function inWords(
  reading: ContextReading,
  manifests: readonly string[],
  images: InputManifest['images'],
): readonly string[] {
  const shown =
    manifests.length === 0
      ? ''
      : `, among them ${manifests.slice(0, 10).join(', ')}${manifests.length > 10 ? ' …' : ''}`;
  return [
    `${whatCounts(reading)}${shown}`,
    ...Object.entries(images).map(([name, seen]) =>
      seen === 'tag' ? `${name} by its tag` : `${name.replace(/@.*$/, '')} at ${seen}`,
    ),
  ];
}
