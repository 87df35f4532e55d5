import path from 'node:path';
import type { BuildSettings } from '../core/build-options.ts';
import { parseDigest } from '../core/digest.ts';
import { numberAt, textAt } from '../core/json.ts';
import { BuildOnceError, UsageError } from '../errors.ts';
import type { Host, Location } from '../host.ts';
import type { Descriptor } from '../oci/types.ts';
import { isHarmless } from './build-log.ts';
import { findSecretProblems, secretTexts } from './build-secrets.ts';
import { secretVariables } from './buildx-arguments.ts';
import { type Docker, runDocker } from './docker.ts';
import { type Pin, sourcePolicy } from './source-policy.ts';

/** What was built. */
export interface BuildOutcome {
  /** Of the index, whose digest is the image's. */
  readonly descriptor: Descriptor;
  /** buildx's name for this build, for `docker buildx history`. */
  readonly buildRef: string | undefined;
  /** Everything buildx says of the result: the parsed JSON. */
  readonly metadata: unknown;
}

/** One call of buildx that builds, whatever its subcommand. */
export interface BuildRun {
  /** Of each image, in order: their secrets travel in variables of that order, see `secretVariables`. */
  readonly settings: readonly BuildSettings[];
  readonly pins: readonly Pin[];
  /** The arguments after `docker`. What they name is written into this directory, which goes with the run. */
  readonly argumentsFor: (files: { readonly directory: string; readonly metadataFile: string }) => readonly string[];
  /** Added to the client's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Answers whether a line of the progress is to be shown. */
  readonly shows?: (line: string) => boolean;
  /** The error for a build that failed; no secret is in the output. */
  readonly failed: (failure: { readonly output: string; readonly status: number }) => BuildOnceError;
}

const POLICY_VARIABLE = 'EXPERIMENTAL_BUILDKIT_SOURCE_POLICY';

/**
 * Runs buildx with the secrets in its environment and the pins in force, and shows its progress. Answers what buildx says of
 * the result: parsed JSON. UsageError for a secret that is not there.
 */
export async function runBuild(docker: Docker, run: BuildRun): Promise<unknown> {
  const { host } = docker;
  const problems = new Map(
    run.settings
      .flatMap((settings) => findSecretProblems(host, settings))
      .map((problem) => [`${problem.input}\n${problem.message}`, problem]),
  );
  if (problems.size > 0) throw new UsageError([...problems.values()]);
  const secrets = run.settings.flatMap((settings) => settings.secrets);
  const hidden = secretTexts(host, { secrets, secretEnvs: run.settings.flatMap((settings) => settings.secretEnvs) });
  for (const text of hidden) host.log.mask(text);
  const directory = host.files.makeTemporaryDirectory('build-once-build-');
  const metadataFile = path.join(directory, 'metadata.json');
  const args = run.argumentsFor({ directory, metadataFile });
  const env = {
    ...run.env,
    ...secretVariables({ secrets }),
    ...policyVariable(host, run.pins, path.join(directory, 'policy.json')),
  };
  const onLine = (line: string): void => {
    if (line !== '' && !isHarmless(line) && run.shows?.(line) !== false) host.log.info(line);
  };
  const result = await runDocker(docker, args, { env, onLine });
  if (result.status === 0) return JSON.parse(host.files.readText(metadataFile) ?? '{}');
  const output = hidden.reduce((text, secret) => text.replaceAll(secret, '***'), result.stderr);
  throw run.failed({ output, status: result.status });
}

/** What buildx says of one image. BuildOnceError `BUILD_FAILED` when it does not say what it built; `of` names the image. */
export function readOutcome(metadata: unknown, of = ''): BuildOutcome {
  const descriptor = readDescriptor(metadata);
  if (descriptor !== undefined) return { descriptor, buildRef: textAt(metadata, 'buildx.build.ref'), metadata };
  throw new BuildOnceError('BUILD_FAILED', `buildx ended well but did not say what it built${of}`, 1, {
    hint: 'The builder may be too old: take a current buildx and BuildKit.',
  });
}

/** buildx prints the bare file name; a Dockerfile outside of the workspace has no place that a runner could show. */
export function dockerfileLocation(host: Host, file: string, line: number): Location | undefined {
  // One in a git context is no file of this machine.
  if (!path.isAbsolute(file)) return undefined;
  const relative = path.relative(host.cwd, file);
  if (relative === '' || relative.startsWith('..') || path.isAbsolute(relative)) return undefined;
  return { file: relative.split(path.sep).join('/'), line };
}

/** The pins as a source policy; a policy that the user set stays in force after them. */
function policyVariable(host: Host, pins: readonly Pin[], file: string): Readonly<Record<string, string>> {
  if (pins.length === 0) return {};
  const ownFile = host.env[POLICY_VARIABLE] || undefined;
  const own = ownFile === undefined ? undefined : host.files.readText(ownFile);
  host.files.write(file, sourcePolicy(pins, parsePolicy(own)));
  return { [POLICY_VARIABLE]: file };
}

function parsePolicy(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UsageError([{ input: POLICY_VARIABLE, message: 'names a file that is not JSON' }], { cause });
  }
}

/** `containerimage.descriptor` is there since BuildKit 0.9. */
function readDescriptor(metadata: unknown): Descriptor | undefined {
  const key = 'containerimage.descriptor';
  const digest = parseDigest(textAt(metadata, key, 'digest') ?? '');
  const mediaType = textAt(metadata, key, 'mediaType');
  const sizeBytes = numberAt(metadata, key, 'size');
  if (digest === undefined || mediaType === undefined || sizeBytes === undefined) return undefined;
  return { mediaType, digest, sizeBytes };
}
