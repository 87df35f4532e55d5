import type { BaseConfig, BuildScope } from '../../src/core/build-scope.ts';

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

/** Base images of which this is known, by the name that FROM gives them, on every platform. */
export function knownBases(configs: Readonly<Record<string, Partial<BaseConfig>>>): Pick<BuildScope, 'baseOf'> {
  const known = new Map(Object.entries(configs));
  return {
    baseOf: (reference) => {
      const config = known.get(reference);
      return config && { environment: new Map(), directory: '/', triggers: [], ...config };
    },
  };
}
