import type { BuildSettings } from '../../src/core/build-options.ts';

/** Settings of the plainest build, with these changes. */
export function buildSettings(change: Partial<BuildSettings> = {}): BuildSettings {
  const context = change.context ?? '/work';
  return {
    context,
    file: `${context}/Dockerfile`,
    target: undefined,
    platforms: [
      { os: 'linux', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm64' },
    ],
    buildArgs: [],
    buildContexts: [],
    secrets: [],
    secretEnvs: [],
    secretFiles: [],
    ssh: [],
    labels: [],
    annotations: [],
    addHosts: [],
    allow: [],
    network: undefined,
    noCache: false,
    noCacheFilters: [],
    pull: false,
    shmSize: undefined,
    ulimit: [],
    cgroupParent: undefined,
    provenance: undefined,
    sbom: undefined,
    attests: [],
    cacheFrom: [],
    cacheTo: [],
    ...change,
  };
}
