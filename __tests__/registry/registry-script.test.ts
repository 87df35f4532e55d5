import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CHECKOUT, NODE_DIRECTORY, run } from '../support/programs.ts';

const SCRIPT = [path.join(NODE_DIRECTORY, 'node'), path.join(CHECKOUT, 'tools/registry.ts')] as const;
let directory: string;
const children: ChildProcess[] = [];
beforeAll(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'script-'));
});
afterAll(() => rmSync(directory, { recursive: true }));
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function fileOf(name: string, text: string): string {
  const file = path.join(directory, name);
  writeFileSync(file, text);
  return file;
}

/** Starts the script; its address, and its end by a signal. */
async function start(...flags: readonly string[]) {
  const [node, script] = SCRIPT;
  const child = spawn(node, [script, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  child.stdout.setEncoding('utf8');
  const [line]: unknown[] = await once(child.stdout, 'data');
  const stop = async (signal: 'SIGINT' | 'SIGTERM'): Promise<unknown> => {
    child.kill(signal);
    const [status]: unknown[] = await once(child, 'exit');
    return status;
  };
  return { url: String(line).trim(), stop };
}

describe('npm run registry', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('prints its address, answers, and ends with %s', async (signal) => {
    const { url, stop } = await start();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect((await fetch(`${url}/v2/`)).status).toBe(200);
    expect(await stop(signal)).toBe(0);
  });

  it('takes its switches', async () => {
    const users = fileOf('users.json', '[{"name":"a","password":"b","rights":{"acme/*":["pull","push"]}}]');
    const folder = path.join(directory, 'content');
    const flags = ['--directory', folder, '--auth', 'basic', '--users', users, '--no-referrers', '--no-tag-deletion'];
    flags.push('--immutable-tags', '^v', '--immutable-status', '412', '--latency-ms', '1');
    const { url } = await start(...flags);
    const headers = { authorization: `Basic ${Buffer.from('a:b').toString('base64')}` };
    const statusOf = async (method: string, where: string): Promise<number> =>
      (await fetch(`${url}/v2/${where}`, { method, headers })).status;
    expect((await fetch(`${url}/v2/`)).status).toBe(401);
    expect(await statusOf('GET', '')).toBe(200);
    expect(await statusOf('POST', 'other/blobs/uploads/')).toBe(403);
    expect(await statusOf('GET', `acme/app/referrers/sha256:${'0'.repeat(64)}`)).toBe(404);
    expect(await statusOf('POST', 'acme/app/blobs/uploads/')).toBe(202);
  });

  it('says everything that is wrong at once', async () => {
    const users = fileOf(
      'bad.json',
      '[{"name":"a:b","password":"c"},{"name":"a","password":"b","rights":{"*":["fly"]}}]',
    );
    const flags = [
      'word',
      '--ports',
      '1',
      '--port',
      '70000',
      '--auth',
      'digest',
      '--users',
      users,
      '--token-uses',
      '3',
    ];
    flags.push('--tls-key', 'absent\u001b[31m', '--latency-ms', 'x', '--immutable-status', '500', '--no-referrers=yes');
    const { status, stdout, stderr } = await run([...SCRIPT, ...flags]);
    expect([status, stdout]).toEqual([2, '']);
    for (const problem of [
      '"word": only flags are allowed',
      '"--ports": there is no such flag',
      '--port: "70000" is no number up to 65535',
      '--auth: "digest" is neither basic nor bearer',
      'entry 1 of',
      'entry 2 of',
      '--token-lifetime-ms and --token-uses go with --auth bearer',
      '--tls-key and --tls-cert go together',
      '--latency-ms: "x" is no number',
      '--immutable-status: "500" is none of 400, 409, 412',
      '--no-referrers takes no value',
      'The flags: --port --directory',
    ]) {
      expect(stderr).toContain(problem);
    }
    expect(stderr).not.toContain('\u001b');
  });

  it.each([
    [['--users', 'x'], '--auth and --users go together'],
    [['--auth', 'basic', '--users', '/absent'], 'ENOENT'],
    [['--port'], '--port needs a value'],
    [['--immutable-tags', '('], '"(" is no regular expression'],
    [['--port', '1', '--port=2'], '"--port": once is allowed'],
    [['--help=yes'], '--help takes no value'],
    [['--immutable-status', '409'], '--immutable-status goes with --immutable-tags'],
  ])('says what is wrong with %j', async (flags, problem) => {
    const { status, stderr } = await run([...SCRIPT, ...flags]);
    expect([status, stderr]).toEqual([2, expect.stringContaining(problem)]);
  });

  it.each(['--help', '-h'])('%s lists the flags', async (flag) => {
    const { status, stdout, stderr } = await run([...SCRIPT, flag]);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain('The flags: --port --directory');
  });

  it.each(['/proc/none/x', '/dev/null/x', '/dev/null'])('says that it cannot use the folder %s', async (folder) => {
    const { status, stderr } = await run([...SCRIPT, '--directory', folder]);
    expect([status, stderr]).toEqual([1, expect.stringMatching(/the registry cannot start: E[A-Z]+: /)]);
  });

  it('says why it cannot start', async () => {
    const { url } = await start();
    const { status, stderr } = await run([...SCRIPT, '--port', new URL(url).port]);
    expect([status, stderr]).toEqual([1, expect.stringContaining('EADDRINUSE')]);
    const none = fileOf('none.pem', 'none');
    const tls = await run([...SCRIPT, '--tls-key', none, '--tls-cert', none]);
    expect([tls.status, tls.stderr]).toEqual([1, expect.stringContaining('the registry cannot start')]);
  });
});
