import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { run } from '../__tests__/support/programs.ts';
import type { Toolchain } from '../__tests__/support/toolchain.ts';
import { VERSION } from '../src/version.ts';

/** The machine and the programs, in words: figures mean nothing without them. Without a toolchain only what is ours. */
export async function describeMachine(toolchain: Toolchain | undefined): Promise<readonly string[]> {
  const [cpu] = cpus();
  const described = [
    `${cpus().length} × ${cpu?.model.trim() ?? 'unknown processor'}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `${type()} ${release()}`,
    `build-once ${VERSION}`,
    `Node ${process.versions.node}`,
  ];
  if (toolchain === undefined) return described;
  const env = { ...process.env, ...toolchain.env };
  const versions = [
    ['Docker', ['docker', 'version', '--format', '{{.Server.Version}}']],
    ['buildx', [toolchain.buildxPlugin || 'docker-buildx', 'version']],
    ['BuildKit', ['buildkitd', '--version']],
    ['docker-registry', ['docker-registry', '--version']],
  ] as const;
  for (const [name, argv] of versions) {
    const { stdout } = await run(argv, { env }).catch(() => ({ stdout: '' }));
    const version = /v?[0-9]+\.[0-9]+\.[0-9]+/.exec(stdout)?.[0];
    if (version !== undefined) described.push(`${name} ${version}`);
  }
  return described;
}

/** Processes that wanted a processor in the last minute, on average. */
export function currentLoad(): number {
  return loadavg()[0] ?? 0;
}
