import path from 'node:path';
import type { BuildSettings } from '../core/build-options.ts';
import { parseDigest } from '../core/digest.ts';
import { numberAt, textAt } from '../core/json.ts';
import { formatPlatform } from '../core/platform.ts';
import { quote } from '../core/printable.ts';
import type { Reference } from '../core/reference.ts';
import { BuildOnceError, UsageError } from '../errors.ts';
import type { Host, Location } from '../host.ts';
import type { Descriptor, Platform } from '../oci/types.ts';
import { BuildError, isHarmless, parseBuildFailure } from './build-log.ts';
import { findSecretProblems, secretTexts } from './build-secrets.ts';
import {
  type Builder,
  type BuilderDescription,
  type BuilderNeeds,
  buildkitConfig,
  createArguments,
  deliveryOf,
  findLacks,
  findMissingPlatforms,
  readInspectExtras,
} from './builder.ts';
import { type BuildOrigin, buildArguments, type Destination, secretVariables } from './buildx-arguments.ts';
import { checkBuildx, type Docker, errorOf, runDocker, unreachableEngine } from './docker.ts';
import { emulate, planEmulation } from './emulation.ts';
import { describeEngine } from './engine.ts';
import { loadToolkit } from './load.ts';
import { type Pin, sourcePolicy } from './source-policy.ts';

/** One image to build, for all its platforms at once. */
export interface BuildRequest {
  readonly settings: BuildSettings;
  readonly builder: Builder;
  readonly destination: Destination;
  /** The images that were hashed, the `# syntax=` frontend among them: the build uses exactly these. */
  readonly pins: readonly Pin[];
  readonly origin: BuildOrigin | undefined;
}

/** What was built. */
export interface BuildOutcome {
  /** Of the index, whose digest is the image's. */
  readonly descriptor: Descriptor;
  /** buildx's name for this build, for `docker buildx history`. */
  readonly buildRef: string | undefined;
  /** Everything buildx says of the result: the parsed JSON. */
  readonly metadata: unknown;
}

const EMULATION_OFF =
  'Set emulation to auto, set it up in an earlier step (docker/setup-qemu-action), or use a builder that has these platforms.';

const POLICY_VARIABLE = 'EXPERIMENTAL_BUILDKIT_SOURCE_POLICY';

/**
 * The builder to use: the one that is named (`builder`, else BUILDX_BUILDER), else the current one, started when it sleeps.
 * One that cannot do what is asked is an error when it was named; otherwise a docker-container builder is made for the run.
 * Platforms that it cannot run are emulated, where there is an `emulator`: the image that registers QEMU.
 * BuildOnceError `DOCKER_MISSING`, `ENGINE_UNSUPPORTED` for Windows containers, `BUILDER_NOT_FOUND`, `BUILDER_UNFIT`,
 * `PLATFORM_MISSING`, `EMULATION_FAILED`.
 */
export async function chooseBuilder(
  docker: Docker,
  name: string | undefined,
  needs: BuilderNeeds,
  emulator?: Reference,
): Promise<Builder> {
  const named = name ?? (docker.host.env['BUILDX_BUILDER'] || undefined);
  const found = await inspectBuilder(docker, named);
  if (mayBeForeign(found)) await describeEngine(docker);
  const lacks = findLacks(found, needs);
  if (named !== undefined && lacks.length > 0) {
    throw new BuildOnceError(
      'BUILDER_UNFIT',
      `the builder ${quote(named)} cannot do this build: ${lacks.join('; ')}`,
      1,
      {
        hint: 'Use another builder, or leave the input builder out: one is then made for the run.',
      },
    );
  }
  if (found.problem !== undefined) throw unreachableEngine(found.problem);
  if (lacks.length > 0)
    docker.host.log.info(`making a builder for this run: with ${quote(found.name)}, ${lacks.join('; ')}`);
  const builder = lacks.length > 0 ? await createBuilder(docker, needs) : found;
  await provideMissingPlatforms(docker, builder, needs, emulator);
  const delivery = deliveryOf(builder, needs) ?? 'layout';
  return { name: builder.name, driver: builder.driver, delivery, created: builder !== found };
}

/**
 * Builds, and pushes by digest or writes an OCI layout. BuildError (`BUILD_FAILED`) with the failing step, its last lines and
 * its place in the Dockerfile; UsageError for a secret that is not there.
 */
export async function buildImage(docker: Docker, request: BuildRequest): Promise<BuildOutcome> {
  const { host } = docker;
  const { settings } = request;
  const problems = findSecretProblems(host, settings);
  if (problems.length > 0) throw new UsageError(problems);
  const hidden = secretTexts(host, settings);
  for (const text of hidden) host.log.mask(text);
  const directory = host.files.makeTemporaryDirectory('build-once-build-');
  const metadataFile = path.join(directory, 'metadata.json');
  const { hasAttestationType } = await loadToolkit(host);
  const args = buildArguments({
    settings,
    builder: request.builder.name,
    destination: request.destination,
    metadataFile,
    origin: request.origin,
    hasOwnProvenance: hasAttestationType('provenance', settings.attests.join('\n')),
  });
  const env = {
    ...secretVariables(settings),
    ...policyVariable(host, request.pins, path.join(directory, 'policy.json')),
  };
  const onLine = (line: string): void => {
    if (line !== '' && !isHarmless(line)) host.log.info(line);
  };
  const result = await runDocker(docker, args, { env, onLine });
  if (result.status === 0) return readOutcome(host, metadataFile);
  const output = hidden.reduce((text, secret) => text.replaceAll(secret, '***'), result.stderr);
  throw buildError(host, settings, { output, status: result.status });
}

async function inspectBuilder(docker: Docker, name: string | undefined): Promise<BuilderDescription> {
  const args = ['buildx', 'inspect', '--bootstrap', ...(name === undefined ? [] : ['--', name])];
  // The toolkit takes as long to load as buildx to answer; that it cannot be loaded is said below.
  const onStart = (): void => void loadToolkit(docker.host).catch(() => {});
  // Without DEBUG the answer leaves out what the driver can do.
  const { status, stdout, stderr } = await runDocker(docker, args, { env: { DEBUG: '1' }, onStart });
  if (status !== 0) {
    await checkBuildx(docker);
    if (name === undefined) await describeEngine(docker);
    const which = name === undefined ? 'the current builder' : `the builder ${quote(name)}`;
    const reason = errorOf(stderr);
    throw new BuildOnceError('BUILDER_NOT_FOUND', `${which} cannot be used: ${reason}`, 1, {
      hint: hintOfBuilder(reason, name),
    });
  }
  const { parseInspect } = await loadToolkit(docker.host);
  const { name: found = name ?? 'default', driver = '', nodes } = parseInspect(stdout);
  return {
    name: found,
    driver,
    nodes: nodes.map((node) => ({ endpoint: node.endpoint ?? '', driverOptions: node['driver-opts'] ?? [] })),
    ...readInspectExtras(stdout),
  };
}

function hintOfBuilder(reason: string, name: string | undefined): string {
  if (/permission denied|read-only file system/i.test(reason)) {
    return /connect to|docker API|\.sock\b/i.test(reason)
      ? 'This user may not use the Docker engine: add it to the group docker, or point DOCKER_HOST to another engine.'
      : "buildx keeps builders in BUILDX_CONFIG, else in the folder buildx of Docker's own (DOCKER_CONFIG): let this user write there, or set BUILDX_CONFIG to another folder.";
  }
  return name === undefined
    ? 'docker buildx ls shows the builders there are; docker buildx use NAME makes one the current one.'
    : 'docker buildx ls shows the builders there are; leave the input builder out to use the current one.';
}

/** The machine's own engine that names no platform of Linux, or cannot be used: it may be set to Windows containers. */
function mayBeForeign({ driver, platforms, problem }: BuilderDescription): boolean {
  const isLocal = driver === '' || driver === 'docker' || driver === 'docker-container';
  return isLocal && (problem !== undefined || platforms.length === 0);
}

async function createBuilder(docker: Docker, needs: BuilderNeeds): Promise<BuilderDescription> {
  const name = `build-once-${docker.host.randomId().slice(0, 16)}`;
  // Before it exists, so that a run that dies while making it leaves nothing behind.
  docker.host.cleanup({ kind: 'command', argv: ['docker', 'buildx', 'rm', '--force', name] });
  const { status, stderr } = await runDocker(docker, [
    'buildx',
    ...createArguments(name, needs, writeConfig(docker, needs)),
  ]);
  if (status === 0) return { ...(await inspectBuilder(docker, name)), knowsAccess: true };
  throw new BuildOnceError('BUILDER_UNFIT', `no docker-container builder could be made: ${errorOf(stderr)}`, 1, {
    hint: 'Turn on the containerd image store of the Docker engine, or set up a builder in an earlier step.',
  });
}

function writeConfig({ host }: Docker, needs: BuilderNeeds): string | undefined {
  const config = buildkitConfig(needs);
  if (config === undefined) return undefined;
  const file = path.join(host.files.makeTemporaryDirectory('build-once-buildkit-'), 'buildkitd.toml');
  host.files.write(file, config);
  return file;
}

async function provideMissingPlatforms(
  docker: Docker,
  builder: BuilderDescription,
  needs: BuilderNeeds,
  image: Reference | undefined,
): Promise<void> {
  const platforms = findMissingPlatforms(builder, needs);
  if (platforms.length === 0) return;
  if (image === undefined) throw platformMissing(builder, platforms, EMULATION_OFF);
  const plan = planEmulation(builder, platforms);
  if (plan.kind === 'impossible') throw platformMissing(builder, platforms, plan.hint);
  const isListed = async (): Promise<boolean> =>
    findMissingPlatforms(await inspectBuilder(docker, builder.name), needs).length === 0;
  await emulate(docker, { plan, platforms, image, isListed });
}

function platformMissing(builder: BuilderDescription, missing: readonly Platform[], hint: string): BuildOnceError {
  const wanted = missing.map(formatPlatform).join(', ');
  const has = builder.platforms.map(formatPlatform).join(', ');
  return new BuildOnceError(
    'PLATFORM_MISSING',
    `the builder ${quote(builder.name)} cannot run ${wanted}; it runs ${has === '' ? 'nothing known' : has}`,
    1,
    { hint },
  );
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

function buildError(host: Host, settings: BuildSettings, failed: { output: string; status: number }): BuildError {
  const failure = parseBuildFailure(failed.output);
  const location = failure.line === undefined ? undefined : dockerfileLocation(host, settings.file, failure.line);
  return new BuildError(failure, {
    command: 'docker buildx build',
    status: failed.status,
    ...(location === undefined ? {} : { location }),
  });
}

/** buildx prints the bare file name; a Dockerfile outside of the workspace has no place that a runner could show. */
function dockerfileLocation(host: Host, file: string, line: number): Location | undefined {
  // One in a git context is no file of this machine.
  if (!path.isAbsolute(file)) return undefined;
  const relative = path.relative(host.cwd, file);
  if (relative === '' || relative.startsWith('..') || path.isAbsolute(relative)) return undefined;
  return { file: relative.split(path.sep).join('/'), line };
}

function readOutcome(host: Host, metadataFile: string): BuildOutcome {
  const metadata: unknown = JSON.parse(host.files.readText(metadataFile) ?? '{}');
  const descriptor = readDescriptor(metadata);
  if (descriptor !== undefined) return { descriptor, buildRef: textAt(metadata, 'buildx.build.ref'), metadata };
  throw new BuildOnceError('BUILD_FAILED', 'buildx ended well but did not say what it built', 1, {
    hint: 'The builder may be too old: take a current buildx and BuildKit.',
  });
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
