import fs from 'node:fs';
import type { ServerResponse } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { isBuildOnceError } from '../../src/errors.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { findInstalledTrivy, findTrivy, type TrivyFinding } from '../../src/tools/trivy-install.ts';
import { type ScriptedServer, serve } from '../registry/scripted-server.ts';
import { startForwardProxy } from '../support/forward-proxy.ts';
import { makeArchive, type SampleArchive, saysVersion, tableOf } from './trivy-archive.ts';

const VERSION = '0.70.0';
const GOOD = makeArchive(saysVersion(VERSION));
/** The tools that unpacking needs, and no Trivy. */
const SYSTEM_PATH = '/usr/bin:/bin';

let directory: string;
let hosts: ReturnType<typeof createTerminalHost>[];
let lines: string[];
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'trivy-install-test-'));
  hosts = [];
  lines = [];
});
afterEach(async () => {
  for (const host of hosts) await host.finish();
  fs.rmSync(directory, { recursive: true });
});

function open(env: Readonly<Record<string, string>> = {}, signal?: AbortSignal): ReturnType<typeof createTerminalHost> {
  const host = createTerminalHost({
    cwd: directory,
    env: { PATH: SYSTEM_PATH, HOME: directory, RUNNER_TOOL_CACHE: path.join(directory, 'tools'), ...env },
    write: (line) => void lines.push(line),
    ...(signal === undefined ? {} : { signal }),
  });
  hosts.push(host);
  return host;
}

const CLOCK = { now: () => Date.now(), random: () => 0, sleep: () => Promise.resolve() };

function finding(more: Partial<TrivyFinding> = {}, archive: SampleArchive = GOOD): TrivyFinding {
  return {
    version: undefined,
    downloadUrl: undefined,
    transport: { clock: CLOCK, attempts: 2 },
    releases: tableOf(VERSION, archive),
    ...more,
  };
}

/** A mirror of the releases, and how it is named. */
async function mirror(
  answer: (response: ServerResponse, index: number) => void = (response) => void response.end(GOOD.bytes),
): Promise<ScriptedServer & { readonly finding: (archive?: SampleArchive) => TrivyFinding }> {
  const server = await serve((_, response, index) => answer(response, index));
  return {
    ...server,
    finding: (archive) => finding({ downloadUrl: `http://${server.host}/mirror/` }, archive),
  };
}

async function refusal(work: Promise<unknown>): Promise<{ code: string; message: string; exitCode: number }> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isBuildOnceError(error)) throw new Error('it was not refused', { cause: error });
  return { code: error.code, message: error.message, exitCode: error.exitCode };
}

/** A program named trivy in a directory of its own, which writes down that it ran. */
function program(script: string): { readonly directory: string; readonly ran: () => boolean } {
  const at = fs.mkdtempSync(path.join(directory, 'bin-'));
  const mark = path.join(at, 'ran');
  fs.writeFileSync(path.join(at, 'trivy'), `#!/bin/sh\n: >"${mark}"\n${script}\n`, { mode: 0o755 });
  return { directory: at, ran: () => fs.existsSync(mark) };
}

const inTools = (): readonly string[] => {
  const tools = path.join(directory, 'tools');
  return fs.existsSync(tools) ? fs.readdirSync(tools, { recursive: true, encoding: 'utf8' }).sort() : [];
};
const isEmpty = (): boolean => inTools().every((name) => /^trivy(\/0\.70\.0)?$/.test(name));

describe('a Trivy on the PATH', () => {
  it.each([
    ['the pinned one', '0.70.0', undefined],
    ['a newer one', '0.71.2', undefined],
    ['the one that is asked for', '0.58.1', 'v0.58.1'],
  ])('is used: %s', async (_, version, wanted) => {
    const { directory: bin } = program(saysVersion(version));
    const host = open({ PATH: `${bin}:${SYSTEM_PATH}` });
    expect(await findTrivy(host, finding({ version: wanted }))).toEqual({ host, program: 'trivy', version });
  });

  it('is all that is looked for, with the tool cache, where nothing is to be downloaded', async () => {
    expect(await findInstalledTrivy(open())).toBeUndefined();
    const { directory: bin } = program(saysVersion('0.70.0'));
    const host = open({ PATH: `${bin}:${SYSTEM_PATH}` });
    expect(await findInstalledTrivy(host)).toEqual({ host, program: 'trivy', version: '0.70.0' });
    const cached = path.join(directory, 'tools/trivy/0.70.0', process.arch);
    fs.cpSync(bin, cached, { recursive: true });
    fs.writeFileSync(`${cached}.complete`, '');
    expect((await findInstalledTrivy(open()))?.program).toBe(path.join(cached, 'trivy'));
  });

  it.each([
    ['an older one', saysVersion('0.69.3'), undefined, /0\.69\.3 on the PATH is not used: 0\.70\.0 or newer/],
    ['a pre-release', saysVersion('0.71.0-rc.1'), undefined, /not used/],
    ['another major version', saysVersion('1.0.0'), undefined, /not used/],
    [
      'another than the one that is asked for',
      saysVersion('0.71.0'),
      '0.70.0',
      /0\.71\.0 on the PATH .* 0\.70\.0 is asked for/,
    ],
    ['one that fails', 'exit 3', undefined, undefined],
    ['one that says nothing', ':', undefined, undefined],
    ['one that says too much', 'exec yes', undefined, undefined],
  ])('is passed over: %s', async (_, script, version, said) => {
    const { directory: bin } = program(script);
    const server = await mirror();
    const found = await findTrivy(open({ PATH: `${bin}:${SYSTEM_PATH}` }), { ...server.finding(), version });
    expect(path.isAbsolute(found.program)).toBe(true);
    if (said !== undefined) expect(lines.join('\n')).toMatch(said);
  });

  it('is found past folders of its name', async () => {
    const { directory: bin } = program(saysVersion(VERSION));
    const at = path.join(directory, 'folder');
    fs.mkdirSync(path.join(at, 'trivy'), { recursive: true });
    fs.symlinkSync('nowhere', path.join(directory, 'trivy'));
    const host = open({ PATH: `${at}:${directory}:${bin}:${SYSTEM_PATH}` });
    expect((await findTrivy(host, finding())).program).toBe('trivy');
  });

  it('is asked without the configuration that lies in the current directory', async () => {
    const { directory: bin } = program(`case "$*" in *--config=/dev/null*) ${saysVersion(VERSION)};; *) exit 1;; esac`);
    const host = open({ PATH: `${bin}:${SYSTEM_PATH}` });
    expect((await findTrivy(host, finding())).program).toBe('trivy');
  });

  it('is not asked with the variables that are for Trivy', async () => {
    const { directory: bin } = program(`[ -z "$TRIVY_FORMAT" ] && ${saysVersion(VERSION)}`);
    const host = open({ PATH: `${bin}:${SYSTEM_PATH}`, TRIVY_FORMAT: 'table' });
    expect((await findTrivy(host, finding())).version).toBe(VERSION);
  });
});

describe('the hijacked releases', () => {
  const hijacked = ['0.69.4', '0.69.5', '0.69.6'];

  it.each(hijacked)('%s is refused on the PATH', async (version) => {
    const { directory: bin } = program(saysVersion(version));
    expect(await refusal(findTrivy(open({ PATH: `${bin}:${SYSTEM_PATH}` }), finding()))).toMatchObject({
      code: 'TRIVY_HIJACKED',
      exitCode: 3,
    });
  });

  it.each(hijacked)('%s is not run to know it, where its build says what it is', async (version) => {
    const built = `# build\t-ldflags="-s -w -X github.com/aquasecurity/trivy/pkg/version/app.ver=${version}"`;
    const { directory: bin, ran } = program(`${built}\n${saysVersion('0.70.0')}`);
    expect((await refusal(findTrivy(open({ PATH: `${bin}:${SYSTEM_PATH}` }), finding()))).code).toBe('TRIVY_HIJACKED');
    expect(ran()).toBe(false);
  });

  it.each([0, 1, 10, 20, 21, 22, 40, 41, 42, 60])(
    'are not run to know them, where that stands %i bytes before the end of what is read at once',
    async (count) => {
      const { directory: bin, ran } = program('');
      const file = path.join(bin, 'trivy');
      const head = `${fs.readFileSync(file, 'utf8')}${saysVersion('0.70.0')}\nexit\n`;
      const built = '/pkg/version/app.ver=0.69.4';
      for (const pieces of [1, 2]) {
        fs.writeFileSync(file, `${head.padEnd(pieces * 2 ** 20 - count, '#')}${built}`);
        const found = findTrivy(open({ PATH: `${bin}:${SYSTEM_PATH}` }), finding());
        expect((await refusal(found)).code).toBe('TRIVY_HIJACKED');
        expect(ran()).toBe(false);
      }
    },
  );

  it.each(hijacked)('%s is refused when it is asked for, before any request', async (version) => {
    const server = await mirror();
    const asked = { ...server.finding(), version: `v${version}`, releases: tableOf(version, GOOD) };
    expect((await refusal(findTrivy(open(), asked))).code).toBe('TRIVY_HIJACKED');
    expect(server.seen).toEqual([]);
  });

  it('are refused in the tool cache, under another name too', async () => {
    const server = await mirror();
    const { program: file } = await findTrivy(open(), server.finding());
    fs.writeFileSync(file, `#!/bin/sh\n${saysVersion('0.69.5')}\n`);
    expect(await refusal(findTrivy(open(), finding()))).toMatchObject({ code: 'TRIVY_HIJACKED' });
  });
});

describe('the download', () => {
  it('asks the mirror for the archive of this machine, and keeps the program in the tool cache', async () => {
    const server = await mirror();
    const found = await findTrivy(open(), server.finding());
    const arch = process.arch === 'x64' ? ['64bit', 'x64'] : ['ARM64', 'arm64'];
    const os = process.platform === 'darwin' ? 'macOS' : 'Linux';
    expect(server.lines()).toEqual([`GET /mirror/v0.70.0/trivy_0.70.0_${os}-${arch[0]}.tar.gz`]);
    expect(found.program).toBe(path.join(directory, 'tools/trivy/0.70.0', arch[1] ?? '', 'trivy'));
    expect(inTools()).toEqual([
      'trivy',
      'trivy/0.70.0',
      `trivy/0.70.0/${arch[1]}`,
      `trivy/0.70.0/${arch[1]}.complete`,
      `trivy/0.70.0/${arch[1]}/trivy`,
    ]);
  });

  it('is made once', async () => {
    const server = await mirror();
    const first = await findTrivy(open(), server.finding());
    const second = await findTrivy(open(), server.finding());
    expect(second.program).toBe(first.program);
    expect(server.seen).toHaveLength(1);
  });

  it('goes to the cache of the user where there is no tool cache', async () => {
    const server = await mirror();
    const found = await findTrivy(
      open({ RUNNER_TOOL_CACHE: '', XDG_CACHE_HOME: path.join(directory, 'xdg') }),
      server.finding(),
    );
    expect(found.program).toContain(path.join(directory, 'xdg/build-once/tools/trivy/0.70.0'));
  });

  it('is for this run where the tool cache cannot be written to', async () => {
    const server = await mirror();
    const file = path.join(directory, 'a-file');
    fs.writeFileSync(file, '');
    const host = open({ RUNNER_TOOL_CACHE: file });
    const found = await findTrivy(host, server.finding());
    expect(found.version).toBe(VERSION);
    expect(lines.join('\n')).toContain('nothing is kept for the next run');
    await host.finish();
    expect(fs.existsSync(found.program)).toBe(false);
  });

  it('clears away what a killed run left, after a day', async () => {
    const server = await mirror();
    const place = path.join(directory, 'tools/trivy/0.70.0');
    const left = (ageMs: number) => path.join(place, `.build-once-${Date.now() - ageMs}-abc`);
    const [old, young] = [left(25 * 3_600_000), left(3_600_000)];
    for (const name of [old, young]) fs.mkdirSync(name, { recursive: true });
    await findTrivy(open(), server.finding());
    expect([fs.existsSync(old), fs.existsSync(young)]).toEqual([false, true]);
  });

  it('replaces what is in the tool cache and does not work', async () => {
    const server = await mirror();
    const { program: file } = await findTrivy(open(), server.finding());
    fs.writeFileSync(file, '#!/bin/sh\nexit 1\n');
    expect((await findTrivy(open(), server.finding())).version).toBe(VERSION);
    expect(lines.join('\n')).toMatch(/warning: ".*trivy" is not Trivy 0\.70\.0, and is replaced/);
    expect(fs.readFileSync(file, 'utf8')).toContain('Version');
  });

  it('does not take what is half in the tool cache', async () => {
    const server = await mirror();
    const { program: file } = await findTrivy(open(), server.finding());
    fs.rmSync(`${path.dirname(file)}.complete`);
    fs.writeFileSync(path.join(path.dirname(file), 'rest'), '');
    expect((await findTrivy(open(), server.finding())).version).toBe(VERSION);
    expect(server.seen).toHaveLength(2);
    expect(fs.readdirSync(path.dirname(file))).toEqual(['trivy']);
  });

  it.each([
    ['altered', makeArchive(`${saysVersion(VERSION)} # altered`).bytes],
    ['an empty file', Buffer.alloc(0)],
    ['a page that says that the file is not there', Buffer.from('<html>')],
    ['cut, as a whole', GOOD.bytes.subarray(0, -1)],
  ])('is refused when it is %s, and nothing of it is run or left', async (_, bytes) => {
    const mark = path.join(directory, 'ran');
    const armed = makeArchive(`: >"${mark}"\n${saysVersion(VERSION)}`);
    const server = await mirror((response) => void response.end(bytes));
    expect((await refusal(findTrivy(open(), server.finding(armed)))).code).toBe('TRIVY_TAMPERED');
    for (const host of hosts.splice(0)) await host.finish();
    expect(isEmpty()).toBe(true);
    expect(fs.existsSync(mark)).toBe(false);
  });

  it('does not run a program that was put in the place of the right one', async () => {
    const mark = path.join(directory, 'ran');
    const evil = makeArchive(`: >"${mark}"\n${saysVersion(VERSION)}`);
    const server = await mirror((response) => void response.end(evil.bytes));
    expect((await refusal(findTrivy(open(), server.finding()))).message).toContain('nothing of it was run');
    expect(fs.existsSync(mark)).toBe(false);
  });

  it('starts again when it is cut', async () => {
    const server = await mirror((response, index) => {
      if (index > 0) response.end(GOOD.bytes);
      else {
        response.writeHead(200, { 'content-length': GOOD.bytes.length });
        response.write(GOOD.bytes.subarray(0, 10), () => response.destroy());
      }
    });
    expect((await findTrivy(open(), server.finding())).version).toBe(VERSION);
    expect(server.seen).toHaveLength(2);
  });

  it.each([
    [
      'cut each time',
      (response: ServerResponse) =>
        void response.writeHead(200, { 'content-length': 1e6 }).write('x', () => response.destroy()),
      /cut/,
    ],
    ['not there', (response: ServerResponse) => void response.writeHead(404).end(), /404/],
    ['forbidden', (response: ServerResponse) => void response.writeHead(403).end(), /403/],
    ['on a server that is down', (response: ServerResponse) => void response.writeHead(503).end(), /503/],
    [
      'somewhere else for ever',
      (response: ServerResponse) => void response.writeHead(302, { location: '/again' }).end(),
      /redirected more than/,
    ],
  ])('says why there is none when it is %s', async (_, answer, why) => {
    const server = await mirror(answer);
    const error = await refusal(findTrivy(open(), server.finding()));
    expect(error).toMatchObject({ code: 'TRIVY_DOWNLOAD_FAILED', exitCode: 1 });
    expect(error.message).toMatch(why);
    expect(isEmpty()).toBe(true);
  });

  it('follows a redirect to another server, as of a release', async () => {
    const store = await serve((_, response) => void response.end(GOOD.bytes));
    const server = await mirror(
      (response) => void response.writeHead(302, { location: `http://${store.host}/x?sig=1` }).end(),
    );
    expect((await findTrivy(open(), server.finding())).version).toBe(VERSION);
    expect(lines.join('\n')).not.toContain('sig=1');
  });

  it('takes its time, as long as something comes', async () => {
    const server = await mirror((response) => {
      const pieces = [...GOOD.bytes].map((byte) => Buffer.of(byte));
      const next = (): void => {
        const piece = pieces.splice(0, 20);
        if (piece.length === 0) response.end();
        else response.write(Buffer.concat(piece), () => setImmediate(next));
      };
      next();
    });
    const patient = { ...server.finding(), transport: { clock: CLOCK, attempts: 1, answerTimeoutMs: 1 } };
    expect((await findTrivy(open(), patient)).version).toBe(VERSION);
  });

  it('gives up on a server that falls silent', async () => {
    const server = await mirror((response) => void response.writeHead(200, { 'content-length': 1e6 }).write('x'));
    const short = { ...server.finding(), transport: { clock: CLOCK, attempts: 1, idleTimeoutMs: 50 } };
    expect((await refusal(findTrivy(open(), short))).code).toBe('TRIVY_DOWNLOAD_FAILED');
  });

  it('goes through the proxy of the run', async () => {
    const server = await mirror((response, index) => {
      if (index === 0) response.writeHead(302, { location: '/elsewhere' }).end();
      else response.end(GOOD.bytes);
    });
    const proxy = await startForwardProxy({ routes: { 'releases.test:80': server.host } });
    onTestFinished(() => proxy.close());
    const settings = finding({
      downloadUrl: 'http://releases.test/mirror',
      transport: { env: { HTTP_PROXY: proxy.url }, clock: CLOCK },
    });
    expect((await findTrivy(open(), settings)).version).toBe(VERSION);
    expect(proxy.requests[0]?.target).toMatch(/^http:\/\/releases\.test\/mirror\/v0\.70\.0\//);
  });

  it('leaves nothing when the run is interrupted', async () => {
    const run = new AbortController();
    const server = await mirror((response) => {
      response.writeHead(200, { 'content-length': 1e6 });
      response.write('x', () => run.abort(new Error('interrupted')));
    });
    const host = open({ TMPDIR: directory }, run.signal);
    const settings = { ...server.finding(), transport: { clock: CLOCK, signal: run.signal } };
    await expect(findTrivy(host, settings)).rejects.toThrow();
    await host.finish();
    expect(isEmpty()).toBe(true);
  });

  it('is shared by two jobs at once', async () => {
    const server = await mirror();
    const found = await Promise.all([1, 2, 3].map(() => findTrivy(open(), server.finding())));
    expect(new Set(found.map(({ program: file }) => file)).size).toBe(1);
    for (const host of hosts.splice(0)) await host.finish();
    expect(inTools().filter((name) => name.includes('.build-once-'))).toEqual([]);
    expect(fs.existsSync(found[0]?.program ?? '')).toBe(true);
  });

  it('is refused when it holds another version than the table says', async () => {
    const other = makeArchive(saysVersion('0.71.0'));
    const server = await mirror((response) => void response.end(other.bytes));
    expect(await refusal(findTrivy(open(), server.finding(other)))).toMatchObject({
      code: 'TRIVY_DOWNLOAD_FAILED',
      message: expect.stringContaining('holds Trivy 0.71.0'),
    });
    expect(isEmpty()).toBe(true);
  });

  it('is refused when its program does not work here', async () => {
    const broken = makeArchive('exit 1');
    const server = await mirror((response) => void response.end(broken.bytes));
    expect((await refusal(findTrivy(open(), server.finding(broken)))).message).toContain('does not work here');
  });
});

describe('settings that make no sense', () => {
  it.each([
    [
      'a version without a checksum',
      { version: '0.65.0' },
      'TRIVY_MISSING',
      /no checksum of Trivy 0\.65\.0 .* 0\.70\.0 can be downloaded/,
    ],
    ['no version', { version: 'latest' }, 'BAD_INPUT', /"latest" is no version/],
    ['no address', { downloadUrl: 'mirror' }, 'BAD_INPUT', /trivy-download-url/],
    ['a file', { downloadUrl: 'file:///etc' }, 'BAD_INPUT', /trivy-download-url/],
    [
      'an address with a password',
      { downloadUrl: 'https://kim:secret@mirror.test/' },
      'BAD_INPUT',
      /^(?!.*secret).*trivy-download-url/,
    ],
  ])('are refused: %s', async (_, more, code, message) => {
    const error = await refusal(findTrivy(open(), finding(more)));
    expect(error).toMatchObject({ code, exitCode: 2 });
    expect(error.message).toMatch(message);
  });

  it('says where there is no Trivy to download', async () => {
    const host = { ...open(), os: 'plan9', architecture: 'mips' };
    const error = await refusal(findTrivy(host, finding()));
    expect(error).toMatchObject({ code: 'TRIVY_MISSING', exitCode: 1 });
    expect(error.message).toMatch(/no Trivy 0\.70\.0 for plan9\/mips is known here: .*linux\/amd64/);
  });
});
