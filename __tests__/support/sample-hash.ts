import type { Results } from '../../src/stage.ts';
import { emptyManifest } from './sample-manifest.ts';

/** What the hash stage leaves of a build that reads nothing; `parts` stand in for its own. */
export function sampleHash(hash: string, parts: Partial<Results['hash']> = {}): Results['hash'] {
  const manifest = emptyManifest();
  return {
    hash,
    tag: `hash-${hash.slice(0, 32)}`,
    text: () => '',
    manifest,
    dockerfile: 'Dockerfile',
    order: { dockerfile: 'Dockerfile', targets: undefined },
    reading: { inputs: manifest, dockerfile: [], paths: [], leaves: () => new Map(), problems: [], contexts: [] },
    pins: [],
    configs: new Map(),
    isFinal: true,
    runsPrograms: false,
    dependencyManifests: [],
    inputs: [],
    warnings: [],
    ...parts,
  };
}
