import path from 'node:path';
import type { KnownBases } from '../base-configs.ts';
import { readInputs } from '../base-inputs.ts';
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
import { contentHash, hashTag, type InputManifest } from '../core/input-manifest.ts';
import { countedLabels } from '../core/labels.ts';
import { formatPlatform } from '../core/platform.ts';
import { quote } from '../core/printable.ts';
import { isGitSource } from '../core/remote-source.ts';
import { type Problem, UsageError } from '../errors.ts';
import { contextImages, countedImages, type HashedImage } from '../hashed-images.ts';
import type { Files, Location } from '../host.ts';
import type { Options } from '../options.ts';
import type { Run, Stage } from '../stage.ts';

/** The content hash and what went into it. */
export interface HashResult {
  /** 64 hexadecimal digits. */
  readonly hash: string;
  /** The tag that stands for it. */
  readonly tag: string;
  readonly manifest: InputManifest;
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
    const { read, pins, configs, isFinal } = await readInputs(run, dockerfile);
    const images = countedImages([...read.images, ...contextImages(read.contexts)], pins, options.base);
    for (const note of read.notes) host.log.info(note);
    for (const warning of read.warnings) host.log.warning(warning, { file: dockerfile });
    const order: ReadingOrder = { dockerfile, targets: read.targets };
    const reading = readContextInputs(run, order);
    refuseMissing(run, order, reading);
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
    for (const { message, line } of reasons) {
      host.log.warning(
        `${message}: what it brings cannot be known beforehand, so every run builds`,
        at(dockerfile, line),
      );
    }
    if (run.git?.main === undefined && paths.some((name) => name === '.git' || name.startsWith('.git/'))) {
      host.log.warning(
        'the build reads .git, which differs in every run, so that nothing is ever reused; add .git to .dockerignore',
      );
    }
    const hash = contentHash(manifest);
    const dependencyManifests = paths.filter(isDependencyManifest);
    host.log.info(`${inEntries(paths.length)}, ${counted(Object.keys(images).length, 'image')}: ${hashTag(hash)}`);
    return {
      hash,
      tag: hashTag(hash),
      manifest,
      dockerfile,
      order,
      reading,
      pins,
      configs,
      isFinal,
      runsPrograms: read.runsPrograms,
      dependencyManifests,
      inputs: inWords(paths.length, dependencyManifests, images),
    };
  },
};

/** BuildKit would refuse the same, but only after a builder is there. */
function refuseMissing({ host, options }: Run, { dockerfile }: ReadingOrder, { problems }: ContextReading): void {
  if (problems.length === 0) return;
  const { path: paths } = host.files;
  const messages = problems.map(({ problem, line }) => `${quote(dockerfile)} line ${line}: ${problem}`);
  const ignored = host.files.kindOf(paths.join(options.context, '.dockerignore')) !== undefined;
  const hint = ignored ? ' (what the ignore file leaves out is not there for the build)' : '';
  throw new UsageError([...new Set(messages)].map((message) => ({ input: 'file', message: `${message}${hint}` })));
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
    problems.push({
      input: 'context',
      message: `${quote(options.context)}: ${seen}; a directory of the workspace is allowed`,
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

function inEntries(count: number): string {
  return counted(count, 'context entry', 'context entries');
}

function inWords(entryCount: number, manifests: readonly string[], images: InputManifest['images']): readonly string[] {
  const shown =
    manifests.length === 0
      ? ''
      : `, among them ${manifests.slice(0, 10).join(', ')}${manifests.length > 10 ? ' …' : ''}`;
  return [
    `${inEntries(entryCount)}${shown}`,
    ...Object.entries(images).map(([name, seen]) =>
      seen === 'tag' ? `${name} by its tag` : `${name.replace(/@.*$/, '')} at ${seen}`,
    ),
  ];
}
