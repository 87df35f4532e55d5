import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mustRun } from '../__tests__/support/programs.ts';
import { makeDockerConfig, type Toolchain } from '../__tests__/support/toolchain.ts';
import { CLI, cliHit, flags, type Inputs, PLATFORMS, plainEnvironment } from './hit.ts';
import { type Contest, type Step, setUp, type Work } from './measure.ts';
import { type SampleSize, writeSample } from './sample.ts';

/** Where buildx builds: inside the engine, or in a container of real BuildKit. */
export type Driver = 'docker' | 'docker-container';

/** An application of one size, built and pushed for both platforms by both tools, on a real registry. */
export interface DockerScene {
  /** A reused image against a build whose every step is cached in a warm builder. */
  cached(driver: Driver): Promise<Contest>;
  /** A reused image against a builder that is made for this build, reads the registry's cache and is removed. */
  fresh(): Promise<Contest>;
  /** A miss against the same build without us; `cold` builds every step. */
  miss(driver: Driver, cold: boolean): Promise<Contest>;
  /** What a miss asks of buildx before it builds, against a start of buildx. */
  inspect(): Promise<Contest>;
  close(): Promise<void>;
}

/** Provenance is the same on both sides, and off: that is the faster rival. */
const COMMON = ['--provenance=false', '--progress=plain'];
const NETWORK = '--driver-opt=network=host';

/**
 * The engine's own race: what a build has just let go of is collected while the next one looks for it
 * (https://github.com/moby/buildkit/issues/6521). Both sides of a row may meet it.
 */
export const LOST_SNAPSHOT = /snapshot [^\n]* does not exist: not found/;

export async function openDockerScene(toolchain: Toolchain, size: SampleSize): Promise<DockerScene> {
  const directory = mkdtempSync(join(tmpdir(), 'build-once-docker-'));
  const workspace = join(directory, 'workspace');
  const env = {
    ...plainEnvironment(directory),
    ...toolchain.env,
    DOCKER_CONFIG: makeDockerConfig(toolchain, directory),
  };
  const place = { cwd: workspace, env };
  const ours = `${toolchain.registry}/bench/${size}-ours`;
  const theirs = `${toolchain.registry}/bench/${size}-theirs`;
  const inputs: Inputs = {
    images: ours,
    scan: 'false',
    platforms: PLATFORMS,
    'build-args': `BASE=${toolchain.baseImage}`,
    provenance: 'false',
  };
  const builders = new Set<string>();
  const docker = (...args: string[]): Step => ({ ...place, argv: ['docker', 'buildx', ...args] });
  const create = (name: string): Step => {
    builders.add(name);
    return docker('create', `--name=${name}`, '--driver=docker-container', NETWORK, '--bootstrap');
  };
  const remove = (name: string): Step => docker('rm', '--force', name);
  const bare = (builder: string, ...more: string[]): Step =>
    docker(
      'build',
      `--builder=${builder}`,
      ...COMMON,
      `--platform=${PLATFORMS}`,
      `--build-arg=BASE=${toolchain.baseImage}`,
      `--tag=${theirs}:main`,
      '--push',
      ...more,
      '.',
    );
  const build = (builder: string, more: Inputs = {}): Work => ({
    steps: [
      { ...place, argv: [process.execPath, CLI, 'build', ...flags({ ...inputs, tags: 'main', builder, ...more })] },
    ],
    check: isBuilt,
    chance: LOST_SNAPSHOT,
  });
  const rival = (builder: string, check: Work['check'], ...more: string[]): Work => ({
    steps: [bare(builder, ...more)],
    check,
    chance: LOST_SNAPSHOT,
  });
  const builderOf = async (driver: Driver): Promise<string> => {
    if (driver === 'docker') return 'default';
    const name = `bench-${size}`;
    if (!builders.has(name)) await setUp({ steps: [create(name)], check: nothing });
    return name;
  };
  const hit = cliHit(inputs, place);

  writeSample(workspace, size);
  return {
    async cached(driver) {
      const builder = await builderOf(driver);
      await setUp(build(builder, { force: 'true' }));
      await setUp(rival(builder, nothing));
      return { ours: () => hit, theirs: () => rival(builder, countCached) };
    },
    async fresh() {
      const builder = await builderOf('docker-container');
      await setUp(build(builder, { force: 'true' }));
      const cache = `type=registry,ref=${theirs}:cache`;
      await setUp(rival(builder, nothing, `--cache-to=${cache},mode=max`));
      let made = 0;
      const rebuild = (): Work => {
        const name = `bench-${size}-fresh-${made++}`; // of its own when a pair is measured again
        const { steps, ...rest } = rival(name, countCached, `--cache-from=${cache}`);
        return { steps: [create(name), ...steps, remove(name)], ...rest };
      };
      return { ours: () => hit, theirs: rebuild };
    },
    async miss(driver, cold) {
      const builder = await builderOf(driver);
      const theirs = cold ? rival(builder, nothing, '--no-cache') : rival(builder, countCached);
      return { ours: () => build(builder, { force: 'true', 'no-cache': String(cold) }), theirs: () => theirs };
    },
    async inspect() {
      const builder = await builderOf('docker');
      const only = (step: Step): Work => ({ steps: [step], check: nothing });
      return { ours: () => only(docker('inspect', builder)), theirs: () => only(docker('version')) };
    },
    async close() {
      for (const name of builders)
        await mustRun(['docker', 'buildx', 'rm', '--force', name], { env }).catch(() => undefined);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function nothing(): string {
  return '';
}

function isBuilt(written: string): string {
  if (/^miss \(/m.test(written)) return '';
  throw new Error(`this was to be a miss:\n${written}`);
}

/** Cached steps of BuildKit's plain log; a build that does not find so many in its cache is no rival to show. */
export function countCached(written: string, least = 1): string {
  const count = written.match(/^#[0-9]+ CACHED$/gm)?.length ?? 0;
  if (count >= least) return `${count} steps CACHED`;
  throw new Error(`${least} steps were to be cached, ${count} were:\n${written.slice(-4000)}`);
}
