import path from 'node:path';
import { findDockerfile, findIgnoreFile, readContext, readExtraFiles, readIgnoreFile } from '../context.ts';
import type { ImageUse } from '../core/build-inputs.ts';
import { compareCodePoints } from '../core/code-point-order.ts';
import { isDependencyManifest } from '../core/dependency-manifests.ts';
import type { Digest } from '../core/digest.ts';
import { compileIgnorePatterns, type IgnoreMatcher, parseIgnoreFile } from '../core/dockerignore.ts';
import { contentHash, hashTag, type InputManifest, type NamedInput } from '../core/input-manifest.ts';
import { isVolatileLabel } from '../core/labels.ts';
import type { Parsed } from '../core/parsed.ts';
import { formatPlatform } from '../core/platform.ts';
import { quote } from '../core/printable.ts';
import { formatReference, parseReference } from '../core/reference.ts';
import { readDockerfile, type Unpinned } from '../dockerfile-inputs.ts';
import { BuildOnceError, type Problem, UsageError } from '../errors.ts';
import type { Files, Location } from '../host.ts';
import type { Options } from '../options.ts';
import type { Run, Stage } from '../stage.ts';

/** An image that the build names, by the name it uses, and what stands behind that name. */
export interface HashedImage {
  readonly reference: string;
  readonly registry: string;
  readonly digest: Digest;
}

/** The content hash and what went into it. */
export interface HashResult {
  /** 64 hexadecimal digits. */
  readonly hash: string;
  /** The tag that stands for it. */
  readonly tag: string;
  readonly manifest: InputManifest;
  /** The Dockerfile that was read. */
  readonly dockerfile: string;
  /** The images that were hashed: the build is pinned to them. */
  readonly pins: readonly HashedImage[];
  /** Whether the Dockerfile runs programs of the target platforms. */
  readonly runsPrograms: boolean;
  /** Paths of the dependency manifests among the files, in order. */
  readonly dependencyManifests: readonly string[];
  /** What was hashed, in words. */
  readonly inputs: readonly string[];
}

interface HashPlan {
  readonly context: string;
  readonly dockerfile: string;
}

/** Hashes the whole context after the ignore file, the Dockerfile, the build's options and every image it names. */
export const hashStage: Stage<'hash', HashPlan> = {
  name: 'hash',
  title: 'Hash what the build reads',
  plan({ options, host }) {
    const dockerfile = findDockerfile(host.files, options.context, options.file) ?? '';
    return { context: options.context, dockerfile };
  },
  async apply({ context, dockerfile }, run) {
    const { host, options } = run;
    const read = readDockerfile(dockerfile, run);
    const images = await resolveImages(run, dockerfile, [...read.images, ...contextImages(options)]);
    const matcher = readIgnoreFile(host.files, findIgnoreFile(host.files, context, dockerfile));
    const entries = readContext(host.files, { directory: context, matcher, ...uncountedOf(options) });
    const named = readNamedContexts(run);
    const reasons = [...read.unpinned, ...named.unpinned];
    const manifest: InputManifest = {
      scheme: 1,
      form: 'context',
      dockerfile: read.canonical,
      context: entries,
      namedContexts: named.inputs,
      images: Object.fromEntries(images.map(({ reference, digest }) => [reference, digest])),
      buildArgs: read.buildArgs,
      options: countedOptions(run),
      files: readExtraFiles(host.files, options.hashFiles),
      salt: options.hashSalt ?? '',
      unique: reasons.length === 0 ? '' : host.randomId(),
    };
    for (const { message, line } of reasons) {
      host.log.warning(
        `${message}: what it brings cannot be known beforehand, so every run builds`,
        at(dockerfile, line),
      );
    }
    if (entries.some(([name]) => name === '.git' || name.startsWith('.git/'))) {
      host.log.warning(
        'the context holds .git, which differs in every run, so that nothing is ever reused; add .git to .dockerignore',
      );
    }
    const hash = contentHash(manifest);
    const dependencyManifests = entries.map(([name]) => name).filter(isDependencyManifest);
    host.log.info(`${entries.length} context entries, ${images.length} images: ${hashTag(hash)}`);
    return {
      hash,
      tag: hashTag(hash),
      manifest,
      dockerfile,
      pins: images,
      runsPrograms: read.runsPrograms,
      dependencyManifests,
      inputs: inWords(entries.length, dependencyManifests, images),
    };
  },
};

/** What is wrong with the files that the options name; asked before the first request. Pure but for reading. */
export function findContextProblems(options: Options, files: Files): readonly Problem[] {
  const problems: Problem[] = [];
  const context = files.kindOf(options.context);
  const isDirectory = files.list(options.context) !== undefined;
  if (!isDirectory) {
    const seen = context === undefined ? 'there is no such directory' : 'it is not a directory';
    problems.push({
      input: 'context',
      message: `${quote(options.context)}: ${seen}; a directory of the workspace is allowed`,
    });
  }
  if (
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
    if (isDirectoryValue(value) && files.list(value) === undefined) {
      problems.push({ input: 'build-contexts', message: `${quote(name)}: ${quote(value)} is no directory` });
    }
  }
  const patterns = compilePatterns(options.hashIgnore);
  if (!patterns.ok) problems.push({ input: 'hash-ignore', message: patterns.problem });
  return problems;
}

/** Asks for what stands behind each name, all at once; names with a digest need no question. */
async function resolveImages(run: Run, dockerfile: string, uses: readonly ImageUse[]): Promise<readonly HashedImage[]> {
  const byName = new Map(uses.map((use) => [use.reference, use]));
  const images = await Promise.all([...byName.values()].map((use) => resolveImage(run, dockerfile, use)));
  return images.sort((a, b) => compareCodePoints(a.reference, b.reference));
}

async function resolveImage(run: Run, dockerfile: string, { reference, line }: ImageUse): Promise<HashedImage> {
  const parsed = parseReference(reference);
  const where = line === undefined ? 'build-contexts' : `${dockerfile}:${line}`;
  if (!parsed.ok) throw new UsageError([{ input: 'file', message: `${where}: ${parsed.problem}` }]);
  const { repository, tag, digest } = parsed.value;
  const { registry } = repository;
  if (digest !== undefined) return { reference, registry, digest };
  const found = await run.registries.open(repository).resolve({ tag: tag ?? 'latest' });
  if (found !== undefined) return { reference, registry, digest: found.digest };
  throw new BuildOnceError(
    'BASE_NOT_FOUND',
    `${where} names ${formatReference(parsed.value)}, and its registry has no such image`,
    1,
    {
      hint: 'Check the name and the tag, and that this run may read that repository.',
    },
  );
}

const IMAGE_CONTEXT = 'docker-image://';

/** Named contexts that are images: pinned like those that the Dockerfile names. */
function contextImages({ buildContexts }: Options): readonly ImageUse[] {
  return buildContexts.flatMap(({ value }) =>
    value.startsWith(IMAGE_CONTEXT) ? [{ reference: value.slice(IMAGE_CONTEXT.length), line: undefined }] : [],
  );
}

function readNamedContexts({ host, options }: Run): {
  inputs: Record<string, NamedInput>;
  unpinned: readonly Unpinned[];
} {
  const inputs: Record<string, NamedInput> = {};
  const unpinned: Unpinned[] = [];
  for (const { name, value } of options.buildContexts) {
    if (isDirectoryValue(value)) {
      const matcher = readIgnoreFile(host.files, findIgnoreFile(host.files, value));
      inputs[name] = { entries: readContext(host.files, { directory: value, matcher }) };
    } else {
      inputs[name] = { source: value };
      const isFixed = value.startsWith(IMAGE_CONTEXT) || /@sha256:[a-f0-9]{64}$/.test(value);
      if (!isFixed) unpinned.push({ message: `the named context ${quote(name)} is ${quote(value)}`, line: undefined });
    }
  }
  return { inputs, unpinned };
}

function isDirectoryValue(value: string): boolean {
  return !/^(?:[a-z][a-z0-9+.-]*:\/\/|target:|git@)/i.test(value);
}

/** The options that change the image, as the user gave them: DESIGN's table of what counts. */
function countedOptions({ options, platforms }: Run): InputManifest['options'] {
  const ids = [...options.secrets, ...options.secretEnvs, ...options.secretFiles].map(({ id }) => id);
  return {
    target: options.target?.toLowerCase() ?? '',
    platforms: platforms.map(formatPlatform).sort(),
    network: options.network ?? '',
    addHosts: options.addHosts,
    provenance: options.provenance ?? '',
    sbom: options.sbom ?? '',
    attests: options.attests,
    secrets: ids.sort(),
    ssh: options.ssh.map((entry) => entry.split('=', 1)[0] ?? '').sort(),
    labels: options.labels.filter((label) => !isVolatileLabel(label)),
    annotations: options.annotations.filter((annotation) => !isVolatileLabel(annotation)),
  };
}

function compilePatterns(lines: readonly string[]): Parsed<IgnoreMatcher> {
  const patterns = parseIgnoreFile(lines.join('\n'));
  return patterns.ok ? compileIgnorePatterns(patterns.value) : patterns;
}

/** `hash-ignore`, which was checked before the run. */
function uncountedOf({ hashIgnore }: Options): { readonly uncounted?: IgnoreMatcher } {
  const matcher = compilePatterns(hashIgnore);
  return matcher.ok && hashIgnore.length > 0 ? { uncounted: matcher.value } : {};
}

function at(file: string, line: number | undefined): Location {
  return line === undefined ? { file } : { file, line };
}

function inWords(entryCount: number, manifests: readonly string[], images: readonly HashedImage[]): readonly string[] {
  const shown =
    manifests.length === 0
      ? ''
      : `, among them ${manifests.slice(0, 10).join(', ')}${manifests.length > 10 ? ' …' : ''}`;
  return [
    `${entryCount} context entries${shown}`,
    ...images.map(({ reference, digest }) => `${reference.replace(/@.*$/, '')} at ${digest}`),
  ];
}
