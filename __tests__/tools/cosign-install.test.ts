import { createHash } from 'node:crypto';
import fs from 'node:fs';
import type { ServerResponse } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { COSIGN_RELEASES } from '../../src/tools/cosign-checksums.ts';
import { type Cosign, cosignFileNames, findCosign } from '../../src/tools/cosign-install.ts';
import { pinnedFile } from '../../src/tools/pinned-program.ts';
import { renderTable } from '../../tools/pinned-checksums.ts';
import { type ScriptedServer, serve } from '../registry/scripted-server.ts';
import { CHECKOUT, run } from '../support/programs.ts';

const SYSTEM_PATH = '/usr/bin:/bin';
const PLATFORMS = ['darwin/amd64', 'darwin/arm64', 'linux/amd64', 'linux/arm64'];
const CLOCK = { now: () => Date.now(), random: () => 0, sleep: () => Promise.resolve() };

let directory: string;
let mark: string;
let host: ReturnType<typeof createTerminalHost>;
let lines: string[];
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'cosign-install-'));
  mark = path.join(directory, 'ran');
  open();
});
afterEach(async () => {
  await host.finish();
  fs.rmSync(directory, { recursive: true });
});

function open(searchPath = SYSTEM_PATH): void {
  lines = [];
  const env = { PATH: searchPath, HOME: directory, RUNNER_TOOL_CACHE: path.join(directory, 'tools') };
  host = createTerminalHost({ cwd: directory, env, write: (line) => void lines.push(line) });
}

const WHOLE_HELP = 'echo "  --statement=  --signing-config="';

/** A cosign that says that it is this version, and writes down that it ran. */
function cosign(version: string, help = WHOLE_HELP): string {
  const answers = `case $1 in version) echo '{"gitVersion":"${version}"}' ;; *) ${help} ;; esac`;
  return `#!/bin/sh\n: >"${mark}"\n${answers}\n`;
}

const GOOD = 'v3.0.6';
const find = (bytes: string, server: ScriptedServer): Promise<Cosign> => {
  const sum = createHash('sha256').update(bytes).digest('hex');
  return findCosign(host, {
    downloadUrl: `http://${server.host}/mirror`,
    transport: { clock: CLOCK, attempts: 2 },
    releases: [{ version: '3.0.6', source: 'test', sha256: Object.fromEntries(PLATFORMS.map((name) => [name, sum])) }],
  });
};
const answering = (answer: (response: ServerResponse) => void): Promise<ScriptedServer> =>
  serve((_, response) => answer(response));

function putOnPath(script: string): void {
  const bin = fs.mkdtempSync(path.join(directory, 'bin-'));
  fs.writeFileSync(path.join(bin, 'cosign'), script, { mode: 0o755 });
  open(`${bin}:${SYSTEM_PATH}`);
}

describe('a cosign on the PATH', () => {
  it.each([
    ['the pinned one', 'v3.0.6', '3.0.6'],
    ['a newer one', 'v3.1.1', '3.1.1'],
    ['a build without a version, as of Debian', 'devel', 'devel'],
  ])('is used: %s', async (_, says, version) => {
    putOnPath(cosign(says));
    expect(await findCosign(host, { transport: {} })).toEqual({ host, program: 'cosign', version });
  });

  it.each([
    ['an older one', cosign('v3.0.5'), /cosign 3\.0\.5 on the PATH is not used: 3\.0\.6 or newer is needed/],
    ['one of the old days', cosign('v2.6.2'), /2\.6\.2 on the PATH is not used/],
    ['the next major version', cosign('v4.0.0'), /not used/],
    ['a pre-release', cosign('v3.1.0-rc1'), /not used/],
    ['a build without a version that lacks what is needed', cosign('devel', 'echo --predicate='), /downloading/],
    ['one that fails', '#!/bin/sh\nexit 1\n', /downloading/],
    ['one that is something else', '#!/bin/sh\necho "{}"\n', /downloading/],
  ])('is passed over: %s', async (_, script, said) => {
    putOnPath(script);
    const good = cosign(GOOD);
    const found = await find(good, await answering((response) => void response.end(good)));
    expect(path.isAbsolute(found.program)).toBe(true);
    expect(lines.join('\n')).toMatch(said);
  });

  it('is not asked with the variables that are for cosign', async () => {
    putOnPath(cosign('v3.1.1').replace('case', '[ -z "$COSIGN_OUTPUT_FILE" ] || exit 1; case'));
    const asked = { ...host, env: { ...host.env, COSIGN_OUTPUT_FILE: 'x' } };
    expect((await findCosign(asked, { transport: {} })).version).toBe('3.1.1');
  });
});

describe('the download', () => {
  it('is the program of this machine, once, and is kept in the tool cache', async () => {
    const good = cosign(GOOD);
    const server = await answering((response) => void response.end(good));
    const found = await find(good, server);
    expect(await find(good, server)).toEqual(found);
    const architecture = process.arch === 'x64' ? ['amd64', 'x64'] : [process.arch, process.arch];
    expect(server.lines()).toEqual([`GET /mirror/v3.0.6/cosign-${process.platform}-${architecture[0]}`]);
    expect(found.program).toBe(path.join(directory, 'tools/cosign/3.0.6', architecture[1] ?? '', 'cosign'));
    expect(fs.statSync(found.program).mode & 0o777).toBe(0o755);
  });

  it.each([
    ['altered', `${cosign(GOOD)}# altered\n`],
    ['cut, as a whole', cosign(GOOD).slice(0, -1)],
    ['empty', ''],
  ])('is refused when it is %s, and nothing of it is run or kept', async (_, bytes) => {
    const server = await answering((response) => void response.end(bytes));
    await expect(find(cosign(GOOD), server)).rejects.toMatchObject({
      code: 'COSIGN_TAMPERED',
      message: expect.stringContaining('nothing of it was run'),
    });
    expect(fs.existsSync(mark)).toBe(false);
    expect(fs.existsSync(path.join(directory, 'tools'))).toBe(false);
  });

  it.each([
    ['not there', (response: ServerResponse) => void response.writeHead(404).end(), /404/],
    [
      'cut each time',
      (response: ServerResponse) =>
        void response.writeHead(200, { 'content-length': 1e6 }).write('x', () => response.destroy()),
      /cut/,
    ],
  ])('says why there is none when it is %s', async (_, answer, why) => {
    await expect(find(cosign(GOOD), await answering(answer))).rejects.toMatchObject({
      code: 'COSIGN_DOWNLOAD_FAILED',
      exitCode: 1,
      message: expect.stringMatching(why),
    });
  });

  it.each([
    ['another version', cosign('v3.0.5'), /holds cosign 3\.0\.5/],
    ['a build without a version', cosign('devel'), /holds cosign devel/],
    ['one that does not work here', '#!/bin/sh\nexit 1\n', /does not work here/],
  ])('is refused when it is %s, though its checksum is right', async (_, bytes, message) => {
    const server = await answering((response) => void response.end(bytes));
    await expect(find(bytes, server)).rejects.toMatchObject({
      code: 'COSIGN_DOWNLOAD_FAILED',
      message: expect.stringMatching(message),
    });
  });

  it('says where there is none to download', async () => {
    await expect(findCosign({ ...host, os: 'plan9' }, { transport: {} })).rejects.toMatchObject({
      code: 'COSIGN_MISSING',
      exitCode: 1,
      message: expect.stringMatching(/no cosign 3\.0\.6 for plan9\/.* is known here: .*linux\/amd64/),
    });
  });
});

describe('the table', () => {
  const file = path.join(CHECKOUT, 'src/tools/cosign-checksums.ts');

  it('is what its script would write', () => {
    const table = fs.readFileSync(file, 'utf8');
    expect(renderTable(table, COSIGN_RELEASES)).toBe(table);
  });

  it('has the pinned version, for four platforms, each with a checksum and a source', () => {
    expect(COSIGN_RELEASES[0]?.version).toBe('3.0.6');
    for (const { version, source, sha256 } of COSIGN_RELEASES) {
      expect(source.length).toBeGreaterThan(20);
      expect(Object.keys(sha256)).toEqual(PLATFORMS);
      for (const [platform, sum] of Object.entries(sha256)) {
        expect(sum).toMatch(/^[0-9a-f]{64}$/);
        const name = `cosign-${platform.replace('/', '-')}`;
        const pinned = pinnedFile({ releases: COSIGN_RELEASES, fileNames: cosignFileNames }, version, platform);
        expect(pinned).toEqual({ version, name, sha256: sum });
      }
    }
  });

  it.each([
    ['that lists of others do not have', ['3.9.9', 'LIST'], /is not in .*list/],
    ['that no list is named for', ['3.9.9'], /at least one list/],
    ['that is none', ['latest', 'LIST'], /latest is no version/],
  ])('does not take a version %s', async (_, args, message) => {
    const list = path.join(directory, 'list');
    fs.writeFileSync(list, 'other sums');
    const sum = createHash('sha256').update('program').digest('hex');
    const sums = [...cosignFileNames().values()].map((name) => `${sum}  ${name}\n`).join('');
    const server = await serve(
      ({ path: asked }, response) => void response.end(asked.endsWith('.txt') ? sums : 'program'),
    );
    const before = fs.readFileSync(file);
    const named = args.map((arg) => (arg === 'LIST' ? list : arg));
    const script = path.join(CHECKOUT, 'tools/cosign-checksums.ts');
    const result = await run([process.execPath, script, ...named, '--from', `http://${server.host}`]);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(message);
    expect(fs.readFileSync(file)).toEqual(before);
  });
});
