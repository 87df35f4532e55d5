import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { toLine } from './core/printable.ts';
import { BuildOnceError, isBuildOnceError } from './errors.ts';
import type { Host } from './host.ts';
import type { Machine } from './hosts/machine.ts';
import { createTerminalHost } from './hosts/terminal.ts';
import type { RawOptions } from './options.ts';
import type { runCommand } from './pipeline.ts';
import { type RunningRegistry, startRegistry } from './registry/server.ts';
import type { renderText } from './report/render.ts';
import type { Report } from './report/report.ts';
import { loadTrivy } from './tools/load.ts';

/** What the demo shows. It comes from who calls, so that it is not in two bundles. */
export interface Program {
  readonly runCommand: typeof runCommand;
  readonly renderText: typeof renderText;
}

/** One run of the demo: what changes before it, and what it asks for. */
interface Episode {
  readonly title: string;
  readonly version: string;
  readonly files: Readonly<Record<string, string>>;
}

interface Row {
  readonly title: string;
  readonly happened: string;
  readonly why: string;
  /** Empty where nothing is scanned. */
  readonly scan: string;
  readonly time: string;
  readonly requests: string;
}

const SAMPLE = {
  Dockerfile: 'FROM scratch\nARG TARGETARCH\nCOPY app/ /app/\nCOPY package-lock.json /app/\nLABEL sample=build-once\n',
  '.dockerignore': '.git\n*.md\n',
  'README.md': 'Not copied: a change here changes nothing.\n',
  'app/main.js': 'console.log("hello")\n',
  'package-lock.json': '{ "lockfileVersion": 3, "packages": {} }\n',
};

const EPISODES: readonly Episode[] = [
  { title: 'release 1.0.0', version: '1.0.0', files: {} },
  { title: 'nothing changed', version: '1.0.0', files: {} },
  { title: 'README edited', version: '1.0.0', files: { 'README.md': 'Edited.\n' } },
  {
    title: 'dependency added, 1.1.0',
    version: '1.1.0',
    files: { 'package-lock.json': '{ "lockfileVersion": 3, "packages": { "node_modules/left": {} } }\n' },
  },
  { title: 'same content, 1.1.1', version: '1.1.1', files: {} },
  { title: 'backport 1.0.1', version: '1.0.1', files: { 'app/main.js': 'console.log("fixed")\n' } },
];

const MAX_RUN_PATH = 50;
const MAX_REASON_LENGTH = 300;
/** A demo is not worth waiting for a network that is not there. */
const CONNECT_TIMEOUT_MS = 5000;

/**
 * Shows the main job on a small sample: build, skip, rebuild, version tags; in a registry of its own, on the machine's
 * Docker or on a private one; with a scan where Trivy is installed. Everything is removed at the end, also after Ctrl-C, but
 * for what Trivy looks things up in, which stays in the cache. Returns the table to print.
 */
export async function runDemo(host: Machine, program: Program): Promise<string> {
  const engine = await findEngine(host);
  const noScan = await whyNoScan(host, engine);
  if (noScan !== undefined) host.log.info(`The demo does not scan: ${noScan}.`);
  const registry = await startRegistry();
  try {
    const workspace = host.files.makeTemporaryDirectory('build-once-demo-');
    const reports = host.files.makeTemporaryDirectory('build-once-demo-reports-');
    const image = `${registry.host}/demo/app`;
    host.log.info(`The registry of the demo is ${registry.host}, the sample is in ${workspace}.`);
    writeFiles(host, workspace, SAMPLE);
    const rows: Row[] = [];
    for (const episode of EPISODES) {
      host.signal.throwIfAborted();
      writeFiles(host, workspace, episode.files);
      rows.push(
        await runEpisode(episode, {
          program,
          host,
          engine,
          scan: noScan === undefined,
          registry,
          workspace,
          reports,
          image,
        }),
      );
    }
    return `${table(rows)}\n\n${ending(image)}`;
  } finally {
    await registry.close();
  }
}

interface Setting {
  readonly program: Program;
  readonly host: Host;
  readonly engine: Host['env'];
  readonly scan: boolean;
  readonly registry: RunningRegistry;
  readonly workspace: string;
  readonly reports: string;
  readonly image: string;
}

async function runEpisode(episode: Episode, setting: Setting): Promise<Row> {
  const { program, host, registry, workspace, image } = setting;
  const lines: string[] = [];
  // Reports are kept for what comes after a run: nothing does here.
  const env = { ...host.env, ...setting.engine, RUNNER_TEMP: setting.reports };
  const inner = createTerminalHost({ env, cwd: workspace, signal: host.signal, write: (line) => lines.push(line) });
  const raw: RawOptions = {
    images: image,
    context: '.',
    platforms: 'linux/amd64,linux/arm64',
    version: episode.version,
    scan: String(setting.scan),
    provenance: 'false',
  };
  const before = registry.requests.length;
  try {
    const { report, error } = await program.runCommand('build', raw, inner);
    if (error !== undefined) {
      for (const line of lines) host.log.info(line);
      throw error;
    }
    host.log.info(`\n${episode.title}\n${program.renderText(report)}`);
    return rowOf(episode, report, registry.requests.length - before);
  } finally {
    await inner.finish();
  }
}

function rowOf({ title }: Episode, report: Report, requests: number): Row {
  const moved = report.tags.filter(({ outcome }) => /^(?:created|moved)/.test(outcome));
  const tags = moved
    .map(({ reference }) => reference.split(':').at(-1) ?? '')
    .filter((tag) => !tag.startsWith('hash-'));
  return {
    title,
    happened: `${report.status}${tags.length === 0 ? '' : `, tags ${tags.join(' ')}`}`,
    why: report.outputs.reason ?? '',
    scan: scanOf(report),
    time: `${(report.durationMs / 1000).toFixed(2)} s`,
    requests: String(requests),
  };
}

function scanOf({ scan }: Report): string {
  if (scan === undefined) return '';
  return scan.keptSince === undefined ? scan.summary : `${scan.summary}, kept since ${scan.keptSince}`;
}

/**
 * Why the runs of the demo cannot be scanned, or `undefined`. Trivy is not downloaded for it. What Trivy looks things up in is
 * fetched here, unless it is on this machine, so that no run waits for it.
 */
async function whyNoScan(host: Machine, engine: Host['env']): Promise<string | undefined> {
  const env = { ...host.env, ...engine };
  const inner = createTerminalHost({ env, cwd: host.cwd, signal: host.signal, write: () => undefined });
  try {
    const { findInstalledTrivy, prepareDatabase } = await loadTrivy();
    if ((await findInstalledTrivy(inner)) === undefined) return 'there is no Trivy here, and it downloads none';
    host.log.info('Trivy is here: getting its vulnerability database …');
    await prepareDatabase(inner, {
      repositories: [],
      javaRepositories: [],
      registries: { env, signal: host.signal, connectTimeoutMs: CONNECT_TIMEOUT_MS },
      cache: undefined,
    });
    return undefined;
  } catch (error) {
    host.signal.throwIfAborted();
    if (!isBuildOnceError(error)) throw error;
    return toLine(error.message, MAX_REASON_LENGTH);
  } finally {
    await inner.finish();
  }
}

/** The environment that leads to an engine: nothing to add for the machine's own, or that of a private one. */
async function findEngine(host: Machine): Promise<Host['env']> {
  const own = await whyNoEngine(host);
  if (own === undefined) return {};
  host.log.info(`This machine's own Docker is not used: ${own}.`);
  const tools = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'tools', 'toolchain');
  if (!existsSync(path.join(tools, 'bootstrap.sh')) || process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) {
    throw new BuildOnceError('DOCKER_MISSING', `the demo needs Docker with buildx: ${own}`, 1, {
      hint: 'Install Docker with its buildx plugin and start it. On Debian, as root and from a clone, the demo sets up a private one.',
    });
  }
  host.log.info('Debian and root: setting up a private Docker in the cache folder, about a minute the first time …');
  await script(host, [path.join(tools, 'bootstrap.sh')]);
  const run = runDirectory(host);
  host.cleanup({ kind: 'command', argv: ['bash', path.join(tools, 'down.sh'), run, 'wipe'] });
  await script(host, [path.join(tools, 'up.sh'), run, 'engine']);
  const lines = (host.files.readText(path.join(run, 'env')) ?? '').split('\n');
  return Object.fromEntries(lines.filter((line) => line.includes('=')).map((line) => splitOnce(line)));
}

/** Why the machine's own Docker will not do, or `undefined`. A client without a reachable engine counts as none. */
async function whyNoEngine(host: Host): Promise<string | undefined> {
  const checks = [
    {
      argv: ['docker', 'version', '--format', '{{.Server.Version}}'],
      problem: 'there is none, or its engine cannot be reached',
    },
    { argv: ['docker', 'buildx', 'version'], problem: 'it has no buildx plugin' },
  ] as const;
  for (const { argv, problem } of checks) {
    const status = await host.exec({ argv: [...argv] }).then(
      (result) => result.status,
      () => 1,
    );
    if (status !== 0) return problem;
  }
  return undefined;
}

async function script(host: Host, args: readonly string[]): Promise<void> {
  const result = await host.exec({
    argv: ['bash', ...args],
    env: { OWNER_PID: String(process.pid) },
    onLine: (line) => host.log.info(`  ${line}`),
  });
  host.signal.throwIfAborted();
  if (result.status === 0) return;
  throw new BuildOnceError(
    'DOCKER_MISSING',
    `no private Docker could be set up: ${result.stderr.trim().split('\n').at(-1) ?? ''}`,
    1,
    {
      hint: 'Install Docker with its buildx plugin and start it, then run the demo again.',
    },
  );
}

/** Short on purpose: sockets lie below it, and their paths are limited. */
function runDirectory(host: Host): string {
  const directory = `/run/build-once-${host.randomId().slice(0, 8)}`;
  if (directory.length > MAX_RUN_PATH) throw new TypeError('the run directory is too long');
  return directory;
}

function writeFiles(host: Host, workspace: string, files: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(files)) host.files.write(path.join(workspace, name), content);
}

function splitOnce(line: string): [string, string] {
  const at = line.indexOf('=');
  return [line.slice(0, at), line.slice(at + 1)];
}

function table(rows: readonly Row[]): string {
  const head: Row = {
    title: 'run',
    happened: 'what happened',
    why: 'why',
    scan: 'scan',
    time: 'time',
    requests: 'requests',
  };
  const names = ['title', 'happened', 'why', 'scan', 'time', 'requests'] as const;
  const columns = names.filter((name) => rows.some((row) => row[name] !== ''));
  const widths = columns.map((column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const line = (row: Row): string =>
    columns
      .map((column, index) => row[column].padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd();
  return ['', line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}

function ending(image: string): string {
  return `All of it ran on ${image}, which is gone now. Try it on your own: build-once build --images YOUR/IMAGE .`;
}
