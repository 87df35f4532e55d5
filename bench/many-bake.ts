import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeDockerConfig, type Toolchain } from '../__tests__/support/toolchain.ts';
import { countCached, LOST_SNAPSHOT } from './docker.ts';
import { CLI, plainEnvironment } from './hit.ts';
import { allHit, bakeFile, namesOf, SOME_IMAGES } from './many.ts';
import { type Contest, setUp, type Work } from './measure.ts';
import { writeManyImages } from './source-tree.ts';

const FILES = 5000;

/** The short list, built and pushed by both tools, on a real registry. */
export interface ManyBakeScene {
  /** One run over it, all of it there, against one call of bake whose every step is cached in the engine. */
  readonly cached: Contest;
  close(): Promise<void>;
}

export async function openManyBakeScene(toolchain: Toolchain): Promise<ManyBakeScene> {
  const directory = mkdtempSync(join(tmpdir(), 'build-once-many-bake-'));
  const cwd = join(directory, 'tree');
  mkdirSync(cwd);
  writeManyImages(cwd, SOME_IMAGES, FILES, toolchain.baseImage);
  for (const whose of ['ours', 'theirs'])
    writeFileSync(join(cwd, `${whose}.json`), bakeFile(namesOf(SOME_IMAGES), `${toolchain.registry}/bench/${whose}`));
  const dockerConfig = makeDockerConfig(toolchain, directory);
  const env = { ...plainEnvironment(directory), ...toolchain.env, DOCKER_CONFIG: dockerConfig };
  const call = (...args: readonly string[]): Pick<Work, 'steps' | 'chance'> => {
    const [program = '', ...rest] = args;
    return { steps: [{ argv: [program, ...rest], env, cwd }], chance: LOST_SNAPSHOT };
  };
  const flags = ['--files=ours.json', '--scan=false', '--provenance=false', '--builder=default'];
  const ours = call(process.execPath, CLI, 'build', ...flags);
  const bake = ['--file=theirs.json', '--builder=default', '--push', '--provenance=false', '--progress=plain'];
  const theirs = call('docker', 'buildx', 'bake', ...bake);
  let isReady = false;
  return {
    cached: {
      async ours() {
        if (!isReady) for (const work of [ours, theirs]) await setUp({ ...work, check: () => '' });
        isReady = true;
        return { ...ours, check: allHit(SOME_IMAGES) };
      },
      // A step of each image at least.
      theirs: () => ({ ...theirs, check: (written) => countCached(written, SOME_IMAGES) }),
    },
    async close() {
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
