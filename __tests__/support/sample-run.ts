import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { parseOptions } from '../../src/options.ts';
import { openRegistries } from '../../src/registry/open.ts';
import type { Run } from '../../src/stage.ts';

/** A run that pushes `ghcr.io/acme/app` for linux/amd64 and has no results yet; `parts` stand in for its own. */
export function sampleRun(parts: Partial<Run> = {}): Run {
  const host = createTerminalHost({ env: {}, cwd: '/', write: () => {} });
  return {
    command: 'build',
    prune: undefined,
    journalPath: undefined,
    options: parseOptions({ images: 'ghcr.io/acme/app' }).options,
    platforms: [{ os: 'linux', architecture: 'amd64' }],
    event: {
      git: { date: new Date(0) },
      repository: undefined,
      runUrl: undefined,
      push: true,
      untrusted: undefined,
      deleted: undefined,
    },
    signing: 'none',
    trust: { by: 'hash' },
    findDistrust: async () => undefined,
    tags: { candidates: [], version: undefined, notices: [] },
    host,
    registries: openRegistries({ env: {}, signal: host.signal }),
    access: { env: {}, signal: host.signal },
    startedAt: new Date(0),
    results: {},
    journal: [],
    ...parts,
  };
}
