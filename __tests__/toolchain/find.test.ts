import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inspectMachine, parseAssignments, toolchainPrefix } from '../support/layers.ts';
import { run, TOOLCHAIN_SCRIPTS } from '../support/programs.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'find-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const STORE = '[["driver-type","io.containerd.snapshotter.v1"]]';
const BOTH = 'linux/amd64, linux/amd64/v2, linux/arm64';

/** A docker that answers as told; an answer that is absent is a failure. */
function stubDocker(answers: { version?: string; buildx?: string; store?: string; platforms?: string }): string {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const cases = [
    ['version*', answers.version],
    ['buildx?version*', answers.buildx],
    ['info*', answers.store],
    ['buildx?inspect*', answers.platforms === undefined ? undefined : `Platforms:        ${answers.platforms}`],
  ].map(([pattern, answer]) => `${pattern}) ${answer === undefined ? 'exit 1' : `echo '${answer}'`} ;;`);
  writeFileSync(join(bin, 'docker'), `#!/bin/sh\ncase "$*" in\n${cases.join('\n')}\nesac\n`, { mode: 0o755 });
  return bin;
}

async function find(bin: string, prefix = join(folder, 'prefix')) {
  const env = { PATH: `${bin}:/usr/bin:/bin`, HOME: folder, TOOLCHAIN_PREFIX: prefix };
  const { status, stdout } = await run(['bash', join(TOOLCHAIN_SCRIPTS, 'find.sh')], { env });
  return { status, ...parseAssignments(stdout) };
}

const capable = { version: '28.0', buildx: 'v0.29', store: STORE, platforms: BOTH };

describe('find.sh', () => {
  it('takes the machine’s docker when it can do the job', async () => {
    expect(await find(stubDocker(capable))).toEqual({ status: 0, ENGINE: 'system' });
  });

  it.each([
    ['its engine cannot be reached', { ...capable, version: undefined }, 'its engine cannot be reached'],
    ['there is no buildx', { ...capable, buildx: undefined }, 'without buildx'],
    ['the containerd store is off', { ...capable, store: '[["Backing Filesystem","extfs"]]' }, 'image store is off'],
    ['it cannot build arm64', { ...capable, platforms: 'linux/amd64, linux/386' }, 'cannot build linux/arm64'],
    [
      'a platform only begins like arm64',
      { ...capable, platforms: 'linux/amd64, linux/arm64be' },
      'cannot build linux/arm64',
    ],
  ])('does not when %s, and says why and what would help', async (_, answers, reason) => {
    const { version, buildx, store, platforms } = answers;
    const bin = stubDocker({ store, platforms, ...(version ? { version } : {}), ...(buildx ? { buildx } : {}) });
    expect(await find(bin)).toMatchObject({
      status: 3,
      ENGINE: 'none',
      REASON: expect.stringContaining(reason),
      COMMAND: expect.stringContaining('tools/toolchain/bootstrap.sh'),
    });
  });

  it.runIf(process.getuid?.() === 0)('falls back to the private toolchain that is unpacked, for root', async () => {
    mkdirSync(join(folder, 'prefix'));
    writeFileSync(join(folder, 'prefix/.stamp'), 'recipe 1\n');
    expect(await find(stubDocker({}))).toMatchObject({ status: 0, ENGINE: 'private' });
  });
});

describe('the layers', () => {
  it.each([
    ['TOOLCHAIN_PREFIX', { TOOLCHAIN_PREFIX: '/one' }, '/one'],
    ['XDG_CACHE_HOME', { XDG_CACHE_HOME: '/two', HOME: '/three' }, '/two/build-once-toolchain'],
    ['HOME', { HOME: '/three' }, '/three/.cache/build-once-toolchain'],
    ['an empty HOME', { HOME: '' }, join(userInfo().homedir, '.cache/build-once-toolchain')],
    ['nothing', {}, join(userInfo().homedir, '.cache/build-once-toolchain')],
  ])('are looked for where the scripts put the toolchain: %s', async (_, given, prefix) => {
    const script = `set -u; . '${TOOLCHAIN_SCRIPTS}/env.sh'; echo "$TOOLCHAIN_PREFIX"`;
    expect((await run(['/bin/bash', '-c', script], { env: given })).stdout.trim()).toBe(prefix);
    expect(toolchainPrefix(given)).toBe(prefix);
  });

  it('that a bare machine cannot run each say why and the command that sets them up', async () => {
    const { missing } = await inspectMachine({
      PATH: '/usr/bin:/bin',
      HOME: folder,
      TOOLCHAIN_PREFIX: join(folder, 'prefix'),
    });
    expect(Object.keys(missing).toSorted()).toEqual([
      'act',
      'actionlint',
      'buildkit',
      'crane',
      'docker',
      'emulation',
      'frontend',
      'registry',
      'tls',
      'trivy',
    ]);
    expect(missing.act).toEqual({
      why: 'no act here',
      command: 'tools/toolchain/bootstrap.sh && tools/toolchain/go/build.sh',
    });
  });
});
