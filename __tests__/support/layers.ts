import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { findProgram, run, succeeds, TOOLCHAIN_SCRIPTS } from './programs.ts';

/**
 * The kinds of tests that need more than this checkout:
 * `docker` an engine with buildx, both platforms and a base image in the registry; `registry` Debian's docker-registry,
 * plain and with a login; `tls` the same over TLS; `buildkit` a docker-container builder that runs real BuildKit;
 * `frontend` Docker's Dockerfile frontend as a program, to be put into an image; `emulation` a kernel in which QEMU for riscv64
 * can be registered; `trivy` Trivy and what makes databases for it; `crane`, `cosign`, `act`, `actionlint` the program.
 */
export type LayerName =
  | 'docker'
  | 'registry'
  | 'tls'
  | 'buildkit'
  | 'frontend'
  | 'emulation'
  | 'trivy'
  | 'crane'
  | 'cosign'
  | 'act'
  | 'actionlint';

/** Why a layer cannot run here, and the command that would change that. */
interface MissingLayer {
  readonly why: string;
  readonly command: string;
}

type EngineKind = 'system' | 'private' | 'none';

/** What this machine offers, found without starting or changing anything. */
export interface Machine {
  readonly engine: EngineKind;
  /** Where the private toolchain is, or would be. */
  readonly prefix: string;
  /** With the private toolchain's programs first. */
  readonly path: string;
  /** A layer that is not in here can run. */
  readonly missing: Partial<Readonly<Record<LayerName, MissingLayer>>>;
}

const BOOTSTRAP = 'tools/toolchain/bootstrap.sh';
const BUILD = `${BOOTSTRAP} && tools/toolchain/go/build.sh`;
const BINFMT = '/proc/sys/fs/binfmt_misc';
const TEST_ENTRY = 'build-once-test-riscv64';
/** How the kernel shows what an entry of it matches: the head of an ELF file. */
const RISCV64 = '\nmagic 7f454c460201010000000000000000000200f3';
const BUILDER_IMAGE = 'moby/buildkit:buildx-stable-1';

/** The folder that tools/toolchain/env.sh takes as well. */
export function toolchainPrefix(env: Readonly<Record<string, string | undefined>>): string {
  const set = (name: string): string | undefined => env[name] || undefined;
  return (
    set('TOOLCHAIN_PREFIX') ??
    join(set('XDG_CACHE_HOME') ?? join(set('HOME') ?? userInfo().homedir, '.cache'), 'build-once-toolchain')
  );
}

/** Finds out which layers this machine can run. */
export async function inspectMachine(env: Readonly<Record<string, string | undefined>>): Promise<Machine> {
  const prefix = toolchainPrefix(env);
  const path = [join(prefix, 'usr/bin'), join(prefix, 'usr/sbin'), env['PATH'] ?? ''].join(':');
  const found = parseFound(await findEngine({ ...env, TOOLCHAIN_PREFIX: prefix }));
  const missing: Partial<Record<LayerName, MissingLayer>> = {};

  if (!existsSync(join(prefix, '.stamp'))) {
    missing.registry = { why: 'no docker-registry is unpacked', command: BOOTSTRAP };
  }
  if (missing.registry !== undefined) missing.tls = missing.registry;
  else if (findProgram('openssl', path) === undefined) {
    missing.tls = { why: 'no openssl makes the certificate', command: 'apt-get install openssl' };
  }
  if (found.engine === 'none') missing.docker = { why: found.reason, command: found.command };
  else if (missing.registry !== undefined) missing.docker = missing.registry;
  const builder =
    missing.docker === undefined ? missingBuilder(found.engine, prefix) : { ...missing.docker, command: BUILD };
  if (builder !== undefined) missing.buildkit = builder;
  if (builder !== undefined) missing.frontend = builder;
  else if (findProgram('dockerfile-frontend', path) === undefined) {
    missing.frontend = { why: 'no dockerfile-frontend here', command: BUILD };
  }
  const emulation = missing.docker ?? missingEmulation(prefix);
  if (emulation !== undefined) missing.emulation = emulation;
  for (const [name, command] of [
    ['trivy', BUILD],
    ['crane', BOOTSTRAP],
    ['cosign', BOOTSTRAP],
    ['act', BUILD],
    ['actionlint', BUILD],
  ] as const) {
    const programs = name === 'trivy' ? ['trivy', 'mkdb'] : [name];
    if (programs.some((program) => findProgram(program, path) === undefined))
      missing[name] = { why: `no ${name} here`, command };
  }
  return { engine: found.engine, prefix, path, missing };
}

/** One line a layer, for a person: its name, why it is skipped, what would set it up. */
export function describeMissing(missing: Machine['missing']): string[] {
  return Object.entries(missing).map(
    ([name, { why, command }]) => `skipping ${name} tests: ${why}; set up: ${command}`,
  );
}

async function findEngine(env: Readonly<Record<string, string | undefined>>): Promise<string> {
  const { stdout } = await run(['bash', join(TOOLCHAIN_SCRIPTS, 'find.sh')], { env });
  return stdout;
}

function parseFound(lines: string): { engine: EngineKind; reason: string; command: string } {
  const values = parseAssignments(lines);
  const engine = values['ENGINE'];
  return {
    engine: engine === 'system' || engine === 'private' ? engine : 'none',
    reason: values['REASON'] ?? 'no bash here to look for docker with',
    command: values['COMMAND'] ?? BOOTSTRAP,
  };
}

function missingBuilder(engine: EngineKind, prefix: string): MissingLayer | undefined {
  if (engine === 'system') {
    return succeeds(['docker', 'image', 'inspect', BUILDER_IMAGE])
      ? undefined
      : { why: `no ${BUILDER_IMAGE} in the engine`, command: `docker pull ${BUILDER_IMAGE}` };
  }
  const built = ['buildkitd', 'buildctl', 'buildkit-runc'].every((name) => existsSync(join(prefix, 'usr/bin', name)));
  return built ? undefined : { why: 'BuildKit is not built', command: BUILD };
}

/** The tests register it themselves, under a name of their own that a killed run may have left. */
function missingEmulation(prefix: string): MissingLayer | undefined {
  if (!['usr/bin/qemu-riscv64', 'busybox-riscv64/busybox'].every((name) => existsSync(join(prefix, name)))) {
    return { why: 'no QEMU for riscv64 is unpacked', command: BOOTSTRAP };
  }
  if (!existsSync(BINFMT)) return { why: 'the kernel has no binfmt_misc', command: 'modprobe binfmt_misc' };
  const other = readdirSync(BINFMT).find(
    (name) =>
      !['register', 'status', TEST_ENTRY].includes(name) && readFileSync(join(BINFMT, name), 'utf8').includes(RISCV64),
  );
  return other === undefined
    ? undefined
    : { why: 'riscv64 is emulated here already', command: `echo -1 >${join(BINFMT, other)}` };
}

/** `KEY=VALUE` lines, as the toolchain's scripts write them. */
export function parseAssignments(lines: string): Record<string, string> {
  return Object.fromEntries(
    lines
      .split('\n')
      .filter((line) => line.includes('='))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}
