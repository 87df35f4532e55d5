import path from 'node:path';
import { valueAt } from '../core/json.ts';
import { quote } from '../core/printable.ts';
import { UsageError } from '../errors.ts';
import type { Host } from '../host.ts';
import {
  type BakeImage,
  type BakeTarget,
  bakeDefinition,
  bakeTargets,
  entitlementsOf,
  findBakeProblems,
} from './bake-definition.ts';
import { BuildError, type BuildFailure, parseBuildFailure } from './build-log.ts';
import { type BuildOutcome, dockerfileLocation, readOutcome, runBuild } from './build-run.ts';
import type { Builder } from './builder.ts';
import type { Docker } from './docker.ts';
import { type Pin, unitePins } from './source-policy.ts';

/** Several images to build in one call, each for all its platforms. */
export interface BakeRequest {
  readonly images: readonly (BakeImage & {
    /** The images that were hashed for this one; for all images of the call together, one digest each. */
    readonly pins: readonly Pin[];
  })[];
  readonly builder: Builder;
}

/**
 * The definition is ours, and names the user's files: bake need not ask whether it may read them. Older ones know neither
 * variable, and no flag either. Paths mean what they mean for `docker buildx build`.
 */
const ENVIRONMENT = { BUILDX_BAKE_ENTITLEMENTS_FS: '0', BUILDX_BAKE_FILE_RELATIVE_PATHS: '0' };

/**
 * Builds all images that have a destination, and what they are built on, in one `docker buildx bake`: what they share is done
 * once. Answers what was built by name. BuildError (`BUILD_FAILED`) with the name of the image that failed, the failing step,
 * its last lines and its place in that image's Dockerfile; UsageError for a secret that is not there, and for what bake
 * cannot do.
 */
export async function bakeImages(docker: Docker, request: BakeRequest): Promise<ReadonlyMap<string, BuildOutcome>> {
  const { host } = docker;
  const env = { ...host.env, ...docker.env };
  const targets = bakeTargets(request.images);
  const wanted = targets.filter(({ destination }) => destination !== undefined);
  if (wanted.length === 0) return new Map();
  const problems = findBakeProblems(targets, env);
  if (problems.length > 0) throw new UsageError(problems, { hint: 'Build this image by a step of its own.' });
  const metadata = await runBuild(docker, {
    settings: targets.map(({ settings }) => settings),
    pins: unitePins(request.images.map(({ pins }) => pins)),
    argumentsFor({ directory, metadataFile }) {
      const file = path.join(directory, 'bake.json');
      host.files.write(file, bakeDefinition(targets, env));
      return bakeArguments({ file, metadataFile, builder: request.builder.name, targets });
    },
    env: ENVIRONMENT,
    shows: withoutNotice(),
    failed: ({ output, status }) => bakeError(host, targets, { output, status }),
  });
  return new Map(
    wanted.map(({ name, target }) => [name, readOutcome(valueAt(metadata, target), ` for ${quote(name)}`)]),
  );
}

/** The arguments after `docker`. */
function bakeArguments(call: {
  readonly file: string;
  readonly metadataFile: string;
  readonly builder: string;
  readonly targets: readonly BakeTarget[];
}): readonly string[] {
  return [
    'buildx',
    'bake',
    `--builder=${call.builder}`,
    '--progress=plain',
    `--metadata-file=${call.metadataFile}`,
    `--file=${call.file}`,
    ...entitlementsOf(call.targets).map((entitlement) => `--allow=${entitlement}`),
    '--',
    ...call.targets.filter(({ destination }) => destination !== undefined).map(({ target }) => target),
  ];
}

/** Leaves out what bake says of the files that it reads and was told not to ask about. */
function withoutNotice(): (line: string) => boolean {
  let isNotice = false;
  return (line) => {
    if (line.startsWith('Your build is requesting privileges for')) isNotice = true;
    else if (/^(?:#\d|ERROR: )/.test(line)) isNotice = false;
    return !isNotice;
  };
}

function bakeError(
  host: Host,
  targets: readonly BakeTarget[],
  { output, status }: { readonly output: string; readonly status: number },
): BuildError {
  const failure = parseBuildFailure(
    output,
    targets.map(({ target }) => target),
  );
  const blamed = findBlamed(host, targets, failure);
  const { line } = failure;
  return new BuildError(failure, {
    command: 'docker buildx bake',
    status,
    target: blamed?.name,
    location:
      line === undefined || blamed === undefined ? undefined : dockerfileLocation(host, blamed.settings.file, line),
  });
}

/**
 * The image whose Dockerfile has what failed. buildx names one that is built on it as readily: it is the Dockerfile that has
 * the lines which buildx shows.
 */
function findBlamed(host: Host, targets: readonly BakeTarget[], failure: BuildFailure): BakeTarget | undefined {
  const [only] = targets;
  const named = targets.length === 1 ? only : targets.find(({ target }) => target === failure.target);
  if (named === undefined || failure.excerpt.size === 0) return named;
  const hasExcerpt = ({ settings }: BakeTarget): boolean => {
    const lines = host.files.readText(settings.file)?.split('\n') ?? [];
    return [...failure.excerpt].every(([number, text]) => (lines[number - 1] ?? '').trim() === text);
  };
  return [named, ...named.bases].find(hasExcerpt) ?? named;
}
