import type { BuildScope } from '../../src/core/build-scope.ts';

const AMD64 = { os: 'linux', architecture: 'amd64' };

/** The scope of a build for linux/amd64 on linux/amd64, of which nothing else was said. */
export function buildScope(changes: Partial<BuildScope> = {}): BuildScope {
  return {
    buildArgs: new Map(),
    platforms: [AMD64],
    buildPlatform: AMD64,
    target: undefined,
    namedContexts: [],
    ...changes,
  };
}
