import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { CHECKOUT, findProgram, NODE_DIRECTORY, run } from '../support/programs.ts';
import { NO_MIRROR, seedDatabase } from '../support/trivy-database.ts';

const toolchain = inject('toolchain');
/** The machine's own Node, whatever its version: what a newcomer has. */
const machinePath = (process.env['PATH'] ?? '').split(':').filter((directory) => !directory.includes('node_modules'));
const machineNode = findProgram('node', machinePath.join(':')) ?? join(NODE_DIRECTORY, 'node');
const cli = join(CHECKOUT, 'dist/cli.js');

let home: string;
let cache: string;
let env: Record<string, string>;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'build-once-home-'));
  cache = mkdtempSync(join(tmpdir(), 'build-once-cache-'));
  // Where the private toolchain is unpacked, or the machine's own engine: all that a new machine lacks is here.
  env = { HOME: home, TMPDIR: home, PATH: machinePath.join(':'), ...prefix(), XDG_CACHE_HOME: cache, ...NO_MIRROR };
});
afterEach(() => {
  for (const directory of [home, cache]) rmSync(directory, { recursive: true });
});

function prefix(): Record<string, string> {
  const { TOOLCHAIN_PREFIX, XDG_CACHE_HOME, HOME } = process.env;
  return {
    TOOLCHAIN_PREFIX:
      TOOLCHAIN_PREFIX ?? join(XDG_CACHE_HOME ?? join(HOME ?? '/root', '.cache'), 'build-once-toolchain'),
  };
}

/** What a demo could leave behind. */
const traces = (): string[] => [
  ...readdirSync(home),
  ...readdirSync('/run').filter((name) => /^build-once-[0-9a-f]{8}$/.test(name)),
];

describe.skipIf(!toolchain.layers.docker)('the demo', () => {
  it("builds, skips, rebuilds and moves tags on the machine's own Node, and leaves nothing behind", async () => {
    const before = traces();
    const { status, stdout, stderr } = await run([machineNode, cli, 'demo'], { env, cwd: home });
    expect(status, stderr).toBe(0);
    const rows = stdout.split('\n').filter((line) => / s {2}/.test(line));
    expect(rows.map((row) => row.split(/ {2,}/).slice(0, 3))).toEqual([
      ['release 1.0.0', 'built, tags 1.0.0 1.0 1 latest', 'not-found'],
      ['nothing changed', 'reused', 'hit'],
      ['README edited', 'reused', 'hit'],
      ['dependency added, 1.1.0', 'built, tags 1.1.0 1.1 1 latest', 'not-found'],
      ['same content, 1.1.1', 'reused, tags 1.1.1', 'hit'],
      ['backport 1.0.1', 'built, tags 1.0.1 1.0', 'not-found'],
    ]);
    expect(stderr).toMatch(
      /^The demo does not scan: (?:there is no Trivy here, and it downloads none|no mirror gave the vulnerability database.*)\.$/m,
    );
    expect(stdout).not.toContain('scan');
    expect(traces()).toEqual(before);
  });

  it.skipIf(!toolchain.layers.trivy || !toolchain.layers.registry)(
    'scans what it builds where there is a Trivy with a database, and not what it reuses',
    async () => {
      await seedDatabase(toolchain, cache);
      const before = traces();
      const withTrivy = { ...env, PATH: `${env['PATH']}:${toolchain.env['PATH']}` };
      const { status, stdout, stderr } = await run([machineNode, cli, 'demo'], { env: withTrivy, cwd: home });
      expect(status, stderr).toBe(0);
      expect(stderr).not.toContain('does not scan');
      const rows = stdout.split('\n').filter((line) => / s {2}/.test(line));
      const kept = expect.stringMatching(/^nothing found, kept since \d/);
      expect(rows.map((row) => row.split(/ {2,}/).slice(0, 4))).toEqual([
        ['release 1.0.0', 'built, tags 1.0.0 1.0 1 latest', 'not-found', 'nothing found'],
        ['nothing changed', 'reused', 'hit', kept],
        ['README edited', 'reused', 'hit', kept],
        ['dependency added, 1.1.0', 'built, tags 1.1.0 1.1 1 latest', 'not-found', 'nothing found'],
        ['same content, 1.1.1', 'reused, tags 1.1.1', 'hit', kept],
        ['backport 1.0.1', 'built, tags 1.0.1 1.0', 'not-found', 'nothing found'],
      ]);
      expect(traces()).toEqual(before);
    },
  );

  it('cleans up after Ctrl-C', async () => {
    const before = traces();
    const child = spawn(machineNode, [cli, 'demo'], {
      env,
      cwd: home,
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    let interrupted = false;
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
      if (interrupted || !stderr.includes('nothing changed')) return;
      interrupted = true;
      // To the whole group, as a terminal does.
      process.kill(-(child.pid ?? 0), 'SIGINT');
    });
    const status = await new Promise((resolve) => child.on('close', resolve));
    expect(status, stderr).toBe(130);
    expect(traces()).toEqual(before);
  });
});

describe("the CLI on the machine's own Node", () => {
  it.each([['help'], ['version'], ['hash', CHECKOUT, '--file', join(CHECKOUT, 'package.json')]])(
    'starts: %s',
    async (...args) => {
      const { status, stdout, stderr } = await run([machineNode, cli, ...args], { env, cwd: home });
      expect(status, stderr).toBe(0);
      expect(stdout).not.toBe('');
    },
  );

  it('says what to install where there is neither docker nor a way to get it', async () => {
    // The bundle alone: without the scripts of the clone there is nothing to set up a private Docker with.
    cpSync(join(CHECKOUT, 'dist'), join(home, 'dist'), { recursive: true });
    const bare = { HOME: home, TMPDIR: home, PATH: join(machineNode, '..'), DOCKER_HOST: 'tcp://127.0.0.1:9' };
    const { status, stderr } = await run([machineNode, join(home, 'dist/cli.js'), 'demo'], { env: bare, cwd: home });
    expect(status).toBe(1);
    expect(stderr).toMatch(/DOCKER_MISSING[\s\S]*Install Docker with its buildx plugin/);
  });
});
