import { existsSync, readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { toolchainPrefix } from '../__tests__/support/layers.ts';
import { CHECKOUT, mustRun, run } from '../__tests__/support/programs.ts';
import type { Toolchain } from '../__tests__/support/toolchain.ts';
import { VERSION } from '../src/version.ts';
import type { Machine, Session } from './results.ts';

/** What a run makes of the tree; it does not count as changed. */
const MADE = ['bench/results.json', 'docs/performance.md', 'docs/performance.svg'];

/** The machine: figures mean nothing without it. */
export function inspectHardware(): Machine {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model.trim() ?? 'unknown processor',
    processors: cpus().length,
    memoryBytes: totalmem(),
    kernel: `${type()} ${release()}`,
  };
}

/** How a program says its version. */
const VERSION_LINE = /^(?!.*\bgo[0-9]).*?\bv?([0-9]+\.[0-9]+\.[0-9]+)/im;

/** Ours, and those of the programs that are here; without a toolchain only what is ours. */
export async function readVersions(toolchain: Toolchain | undefined): Promise<Session['versions']> {
  const versions: Record<string, string> = { 'build-once': VERSION, Node: process.versions.node };
  if (toolchain === undefined) return versions;
  const env = { ...process.env, ...toolchain.env };
  const programs = [
    ['Docker', ['docker', 'version', '--format', '{{.Server.Version}}']],
    ['buildx', [toolchain.buildxPlugin || 'docker-buildx', 'version']],
    ['BuildKit', ['buildkitd', '--version']],
    ['docker-registry', ['docker-registry', '--version']],
    ['crane', ['crane', 'version']],
    ['cosign', ['cosign', 'version']],
    ['Trivy', ['trivy', '--version']],
  ] as const;
  for (const [name, argv] of programs) {
    const { status, stdout, stderr } = await run(argv, { env }).catch(() => ({ status: 1, stdout: '', stderr: '' }));
    const version = VERSION_LINE.exec(`${stdout}${stderr}`)?.[1] ?? (status === 0 ? packagedVersion(name) : undefined);
    if (version !== undefined) versions[name] = version;
  }
  return versions;
}

/** Of a program of the private toolchain that does not know its own: as its package says. */
function packagedVersion(name: string): string | undefined {
  const stamp = join(toolchainPrefix(process.env), '.stamp');
  if (!existsSync(stamp)) return undefined;
  const line = readFileSync(stamp, 'utf8')
    .split('\n')
    .find((one) => one.startsWith(`${name} `));
  return line === undefined ? undefined : /^\S+ ([0-9.]+)/.exec(line)?.[1];
}

/** What is checked out. Error without git. */
export async function readCommit(): Promise<Pick<Session, 'commit' | 'isDirty'>> {
  const git = (...args: string[]): Promise<string> => mustRun(['git', ...args], { cwd: CHECKOUT });
  const changed = await git('status', '--porcelain', '--', '.', ...MADE.map((file) => `:!${file}`));
  return { commit: await git('rev-parse', '--short=12', 'HEAD'), isDirty: changed !== '' };
}

/** Processes that wanted a processor in the last minute, on average, to one digit. */
export function currentLoad(): number {
  return Number((loadavg()[0] ?? 0).toFixed(1));
}
