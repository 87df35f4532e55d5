import { chmodSync, copyFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { makeAuthority } from '../support/certificates.ts';
import { startForwardProxy } from '../support/forward-proxy.ts';
import type { Job } from '../support/job.ts';
import { listen } from '../support/listen.ts';
import { findProgram } from '../support/programs.ts';
import { relay } from '../support/relay.ts';
import type { Toolchain } from '../support/toolchain.ts';

const CAPABILITIES = ['inputs', 'subrequests', 'contexts', 'gitquerystring'].map(
  (name) => `moby.buildkit.frontend.${name}`,
);

/** Docker's frontend as its own image has it (moby/buildkit v0.27.1, frontend/dockerfile/cmd/dockerfile-frontend). */
const FRONTEND = `FROM scratch
LABEL moby.buildkit.frontend.network.none="true"
LABEL moby.buildkit.frontend.caps="${CAPABILITIES.join(',')}"
COPY dockerfile-frontend /bin/dockerfile-frontend
ENTRYPOINT ["/bin/dockerfile-frontend"]
`;

/** Builds and pushes an image; `files` go into its context beside the Dockerfile. */
export async function pushImage(
  job: Job,
  reference: string,
  dockerfile: string,
  files: readonly string[] = [],
): Promise<void> {
  const context = `../${reference.replaceAll(/\W/g, '-')}`;
  job.write({ [`${context}/Dockerfile`]: dockerfile });
  for (const file of files) copyFileSync(file, join(job.workspace, context, file.slice(file.lastIndexOf('/') + 1)));
  const flags = ['--builder=default', '--provenance=false', '--push', `--tag=${reference}`];
  await job.run('docker', 'buildx', 'build', ...flags, context);
}

/** Pushes Docker's frontend as `REPOSITORY:works`, and one that always fails as `REPOSITORY:fails`. */
export async function pushFrontends(toolchain: Toolchain, job: Job, repository: string): Promise<void> {
  const program = findProgram('dockerfile-frontend', toolchain.env['PATH'] ?? '') ?? '';
  await pushImage(job, `${repository}:works`, FRONTEND, [program]);
  await pushImage(job, `${repository}:fails`, `FROM ${toolchain.baseImage}\nENTRYPOINT ["/bin/false"]\n`);
}

/** Lets a tag point at what is behind another one. */
export async function moveTag(job: Job, reference: string, to: string): Promise<void> {
  await job.run('docker', ...tagging(reference, to));
}

/** The PATH of a docker that moves tags, each `[reference, what it is to be]`, just before it builds. */
export function dockerThatMoves(toolchain: Toolchain, job: Job, moves: readonly (readonly [string, string])[]): string {
  const { PATH = '' } = toolchain.env;
  const docker = `'${findProgram('docker', PATH)}'`;
  const moved = moves.map((move) => `${docker} ${tagging(...move).join(' ')} >&2 || exit 99`).join('; ');
  job.write({
    '../moving/docker': `#!/bin/sh\ncase "$*" in *--metadata-file*) ${moved};; esac\nexec ${docker} "$@"\n`,
  });
  chmodSync(join(job.directory, 'moving/docker'), 0o755);
  return `${job.directory}/moving:${PATH}`;
}

function tagging(reference: string, to: string): readonly string[] {
  return ['buildx', 'imagetools', 'create', '--builder=default', `--tag=${reference}`, to];
}

/** Docker Hub as far as a client of ours can tell. */
export interface Hub {
  /** Of the authority that its certificate is from. */
  readonly certificate: string;
  /** For HTTPS_PROXY. */
  readonly proxy: string;
  close(): Promise<void>;
}

/** The repositories of this Docker Hub are those below `prefix` of a registry. */
export async function startHub(registry: string, prefix: string): Promise<Hub> {
  const authority = makeAuthority();
  const [hostname, port] = registry.split(':');
  const server = createServer(authority.issue('registry-1.docker.io'), (incoming, answer) => {
    incoming.url = incoming.url?.replace(/^\/v2\//, `/v2/${prefix}/`);
    relay(incoming, answer, { hostname, port });
  });
  const proxy = await startForwardProxy({ routes: { 'registry-1.docker.io:443': await listen(server) } });
  return {
    certificate: authority.cert,
    proxy: proxy.url,
    close: async () => {
      await proxy.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
