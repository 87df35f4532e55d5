import path from 'node:path';
import { formatPlatform } from '../core/platform.ts';
import { quote } from '../core/printable.ts';
import type { Reference } from '../core/reference.ts';
import { BuildOnceError } from '../errors.ts';
import type { Platform } from '../oci/types.ts';
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
import { checkBuildx, type Docker, errorOf, runDocker, unreachableEngine } from './docker.ts';
import { emulate, planEmulation } from './emulation.ts';
import { describeEngine } from './engine.ts';
import { loadToolkit } from './load.ts';

export { bakeImages } from './bake.ts';
export { type BuildRequest, buildImage } from './build-image.ts';
export type { BuildOutcome } from './build-run.ts';

const EMULATION_OFF =
  'Set emulation to auto, set it up in an earlier step (docker/setup-qemu-action), or use a builder that has these platforms.';

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
