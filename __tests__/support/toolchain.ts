import { existsSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type LayerName, type Machine, parseAssignments } from './layers.ts';
import { mustRun, NODE_DIRECTORY, run, TOOLCHAIN_SCRIPTS } from './programs.ts';

/** A registry that asks for a login. */
export interface AuthRegistry {
  /** `host:port`. */
  readonly host: string;
  readonly username: string;
  readonly password: string;
}

/**
 * The real programs and servers of one test run; `inject('toolchain')` gives it to a test file, and only when a selected
 * test file says so is anything started. What belongs to a missing layer is an empty string: ask `layers` first.
 *
 * The engine and the registries are shared by all test files, so a test uses repositories and builders of its own names
 * (`randomUUID()`), its own {@link makeDockerConfig}, and never prunes or deletes what it did not make.
 */
export interface Toolchain {
  readonly layers: Readonly<Record<LayerName, boolean>>;
  /** For child processes: PATH with Node 24 and the toolchain first; DOCKER_HOST of the engine. Not a whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The plain registry, `127.0.0.1:port`. */
  readonly registry: string;
  readonly authRegistry: AuthRegistry;
  /** Over TLS, with a certificate of its own (a PEM file): clients need SSL_CERT_FILE or their own option. */
  readonly tlsRegistry: AuthRegistry & { readonly certificate: string };
  /** `registry/base/busybox:1.38`, for linux/amd64 and linux/arm64. */
  readonly baseImage: string;
  /** tools/toolchain/vulnapp, `registry/vuln/app:1`, for both platforms. */
  readonly vulnerableImage: string;
  /** The buildx plugin to link into a private DOCKER_CONFIG; empty when the engine's client finds it by itself. */
  readonly buildxPlugin: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    toolchain: Toolchain;
  }
}

const LOGIN = { username: 'tester', password: 'secret' } as const;
const NOT_POSSIBLE = 3;

/** A toolchain that is up; `stop` takes down what was started, and nothing else. */
export interface RunningToolchain {
  readonly toolchain: Toolchain;
  readonly missing: Machine['missing'];
  readonly stop: () => Promise<void>;
}

/** The toolchain without anything started: programs only. */
export function idleToolchain(machine: Machine): Toolchain {
  const isThere = (name: LayerName): boolean => machine.missing[name] === undefined;
  return {
    layers: {
      docker: isThere('docker'),
      registry: isThere('registry'),
      tls: isThere('tls'),
      buildkit: isThere('buildkit'),
      frontend: isThere('frontend'),
      emulation: isThere('emulation'),
      trivy: isThere('trivy'),
      crane: isThere('crane'),
      cosign: isThere('cosign'),
      act: isThere('act'),
      actionlint: isThere('actionlint'),
    },
    env: { PATH: `${NODE_DIRECTORY}:${machine.path}` },
    registry: '',
    authRegistry: { host: '', ...LOGIN },
    tlsRegistry: { host: '', ...LOGIN, certificate: '' },
    baseImage: '',
    vulnerableImage: '',
    buildxPlugin: '',
  };
}

/**
 * Starts what the machine's layers need in a run directory of its own, which is taken down with `stop`, and by a guard
 * process when this process ends without having called it. A script that finds the work impossible only drops its layers.
 */
export async function startToolchain(machine: Machine, parent = '/tmp'): Promise<RunningToolchain> {
  if (machine.missing.registry !== undefined) {
    return { toolchain: idleToolchain(machine), missing: machine.missing, stop: () => Promise.resolve() };
  }
  const directory = mkdtempSync(join(parent, 'bo-'));
  const env = { ...process.env, TOOLCHAIN_PREFIX: machine.prefix, OWNER_PID: String(process.pid) };
  const script = (name: string, ...args: string[]) =>
    run(['bash', join(TOOLCHAIN_SCRIPTS, name), directory, ...args], { env });
  const stop = async (): Promise<void> => {
    await script('down.sh', 'wipe');
  };
  try {
    const missing = { ...machine.missing };
    await demand(script('up.sh', 'registry', 'auth', ...(missing.tls === undefined ? ['tls'] : [])));
    if (missing.docker === undefined && machine.engine === 'private') {
      const engine = await script('up.sh', 'engine');
      if (engine.status === NOT_POSSIBLE) {
        missing.docker = { why: engine.stderr.trim(), command: 'see docs/development.md' };
        missing.buildkit = missing.docker;
        missing.frontend = missing.docker;
        missing.emulation = missing.docker;
      } else await demand(Promise.resolve(engine));
    }
    const systemEnv = machine.engine === 'system' ? await systemEngine(directory) : {};
    if (missing.docker === undefined) await demand(script('seed.sh'));
    return { toolchain: readToolchain({ ...machine, missing }, directory, systemEnv), missing, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * A fresh private DOCKER_CONFIG below `directory`, so that builders and logins of one test are not seen by another.
 * Answers its path.
 */
export function makeDockerConfig(
  toolchain: Toolchain,
  directory: string,
  logins: readonly AuthRegistry[] = [],
): string {
  const config = mkdtempSync(join(directory, 'docker-config-'));
  mkdirSync(join(config, 'cli-plugins'), { recursive: true });
  if (toolchain.buildxPlugin !== '') symlinkSync(toolchain.buildxPlugin, join(config, 'cli-plugins/docker-buildx'));
  const auths = Object.fromEntries(
    logins.map(({ host, username, password }) => [
      host,
      { auth: Buffer.from(`${username}:${password}`).toString('base64') },
    ]),
  );
  writeFileSync(join(config, 'config.json'), JSON.stringify({ auths }), { mode: 0o600 });
  return config;
}

/** Where the machine's own engine listens, for a client with a DOCKER_CONFIG of its own; told to seed.sh in RUN/env. */
async function systemEngine(directory: string): Promise<Record<string, string>> {
  const host =
    process.env['DOCKER_HOST'] ?? (await mustRun(['docker', 'context', 'inspect', '-f', '{{.Endpoints.docker.Host}}']));
  writeFileSync(join(directory, 'env'), `DOCKER_HOST=${host}\n`, { flag: 'a' });
  return { DOCKER_HOST: host };
}

function readToolchain(machine: Machine, directory: string, systemEnv: Readonly<Record<string, string>>): Toolchain {
  const read = (file: string): Record<string, string> =>
    existsSync(join(directory, file)) ? parseAssignments(readFileSync(join(directory, file), 'utf8')) : {};
  const values = { ...read('env'), ...read('seed') };
  const idle = idleToolchain(machine);
  const value = (name: string): string => values[name] ?? '';
  const isPrivate = machine.engine === 'private';
  const own = join(homedir(), '.docker/cli-plugins/docker-buildx');
  return {
    ...idle,
    env: { ...idle.env, ...(isPrivate ? { DOCKER_HOST: value('DOCKER_HOST') } : systemEnv) },
    registry: value('REGISTRY'),
    authRegistry: { host: value('AUTH_REGISTRY'), ...LOGIN },
    tlsRegistry: { host: value('TLS_REGISTRY'), ...LOGIN, certificate: value('TLS_CERTIFICATE') },
    baseImage: value('BASE_IMAGE'),
    vulnerableImage: value('VULNERABLE_IMAGE'),
    buildxPlugin: isPrivate
      ? join(machine.prefix, 'usr/libexec/docker/cli-plugins/docker-buildx')
      : existsSync(own)
        ? own
        : '',
  };
}

async function demand(result: ReturnType<typeof run>): Promise<void> {
  const { status, stdout, stderr } = await result;
  if (status !== 0) throw new Error(`the toolchain did not start (${status ?? 'signal'}):\n${stdout}${stderr}`);
}
