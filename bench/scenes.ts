import type { Toolchain } from '../__tests__/support/toolchain.ts';
import { type CaseCounts, measureCases } from './cases.ts';
import { type DockerScene, openDockerScene } from './docker.ts';
import { type HashScene, openHashScene } from './hash.ts';
import { type HitScene, openHitScene } from './hit.ts';
import { type ManyScene, openManyScene } from './many.ts';
import { type ManyBakeScene, openManyBakeScene } from './many-bake.ts';
import { openPruneScene, type PruneScene } from './prune.ts';
import { openPushScene, type PushScene } from './push.ts';
import type { SampleSize } from './sample.ts';
import { openScanScene, type ScanScene } from './scan.ts';
import { openSignScene, type SignScene } from './sign.ts';
import { measureWorlds, type WorldCounts } from './worlds.ts';

/** What rows are measured on: each scene is set up when a row first asks for it, and once. */
export interface Scenes {
  hit(): Promise<HitScene>;
  docker(size: SampleSize): Promise<DockerScene>;
  push(): Promise<PushScene>;
  scan(): Promise<ScanScene>;
  sign(): Promise<SignScene>;
  prune(): PruneScene;
  hash(): HashScene;
  many(): Promise<ManyScene>;
  manyBake(): Promise<ManyBakeScene>;
  cases(): Promise<CaseCounts>;
  worlds(): Promise<WorldCounts>;
  /** Takes down what was set up, the newest first, all of it; answers what went wrong. */
  close(): Promise<readonly string[]>;
}

/** As many as DESIGN §8 asks for. */
const RANDOM_PACKAGES = 10_000;

export function openScenes(toolchain: Toolchain | undefined): Scenes {
  const opened: { close(): Promise<void> }[] = [];
  const remember = async <T extends { close(): Promise<void> }>(opening: Promise<T>): Promise<T> => {
    const scene = await opening;
    opened.push(scene);
    return scene;
  };
  let hit: Promise<HitScene> | undefined;
  let push: Promise<PushScene> | undefined;
  let scan: Promise<ScanScene> | undefined;
  let sign: Promise<SignScene> | undefined;
  let prune: PruneScene | undefined;
  let many: Promise<ManyScene> | undefined;
  let manyBake: Promise<ManyBakeScene> | undefined;
  let cases: Promise<CaseCounts> | undefined;
  let worlds: Promise<WorldCounts> | undefined;
  let hash: HashScene | undefined;
  const docker = new Map<SampleSize, Promise<DockerScene>>();
  return {
    hit() {
      hit ??= remember(openHitScene());
      return hit;
    },
    docker(size) {
      if (toolchain === undefined) throw new TypeError('this row needs the toolchain');
      const scene = docker.get(size) ?? remember(openDockerScene(toolchain, size));
      docker.set(size, scene);
      return scene;
    },
    push() {
      if (toolchain === undefined) throw new TypeError('this row needs the toolchain');
      push ??= remember(openPushScene(toolchain));
      return push;
    },
    scan() {
      if (toolchain === undefined) throw new TypeError('this row needs the toolchain');
      scan ??= remember(openScanScene(toolchain));
      return scan;
    },
    sign() {
      sign ??= remember(openSignScene(toolchain));
      return sign;
    },
    prune() {
      prune ??= openPruneScene();
      return prune;
    },
    hash() {
      if (hash === undefined) opened.push((hash = openHashScene()));
      return hash;
    },
    many() {
      many ??= remember(openManyScene());
      return many;
    },
    manyBake() {
      if (toolchain === undefined) throw new TypeError('this row needs the toolchain');
      manyBake ??= remember(openManyBakeScene(toolchain));
      return manyBake;
    },
    cases() {
      cases ??= measureCases();
      return cases;
    },
    worlds() {
      worlds ??= measureWorlds(RANDOM_PACKAGES);
      return worlds;
    },
    async close() {
      const failures: string[] = [];
      for (const scene of opened.reverse()) {
        await scene.close().catch((error: unknown) => failures.push(`taking down: ${String(error)}`));
      }
      return failures;
    },
  };
}
