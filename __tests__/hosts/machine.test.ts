import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Undo } from '../../src/host.ts';
import { Cleanups, removePath } from '../../src/hosts/cleanups.ts';
import { createTerminalHost, type TerminalSettings } from '../../src/hosts/terminal.ts';
import { source, startScript } from './script.ts';

const remove = (name: string): Undo => ({ kind: 'remove', path: name });

function hostWith(settings: TerminalSettings = {}): { host: ReturnType<typeof createTerminalHost>; lines: string[] } {
  const lines: string[] = [];
  return { host: createTerminalHost({ cwd: os.tmpdir(), write: (line) => void lines.push(line), ...settings }), lines };
}

describe('the list of what to undo', () => {
  function listWith(): { done: string[]; remembered: string[][]; cleanups: Cleanups } {
    const done: string[] = [];
    const remembered: string[][] = [];
    const nameOf = (undo: Undo): string => (undo.kind === 'remove' ? undo.path : undo.argv.join(' '));
    const cleanups = new Cleanups(
      async (undo) => void done.push(nameOf(undo)),
      (pending) => void remembered.push(pending.map(nameOf)),
    );
    return { done, remembered, cleanups };
  }

  it('is worked off once, the newest first', async () => {
    const { done, cleanups } = listWith();
    for (const name of ['a', 'b', 'c']) cleanups.add(remove(name));
    await cleanups.runAll();
    await cleanups.runAll();
    expect(done).toEqual(['c', 'b', 'a']);
  });

  it('can be shortened by hand', async () => {
    const { done, cleanups } = listWith();
    const undo = cleanups.add(remove('a'));
    cleanups.add(remove('b'));
    await undo();
    await undo();
    await cleanups.runAll();
    expect(done).toEqual(['a', 'b']);
  });

  it('is written down with each change, and a thing leaves it only when it is undone', async () => {
    const { remembered, cleanups } = listWith();
    cleanups.add(remove('a'));
    const undo = cleanups.add(remove('b'));
    await undo();
    await cleanups.runAll();
    expect(remembered).toEqual([['a'], ['a', 'b'], ['a'], []]);
  });

  it('takes the same thing twice as two', async () => {
    const { done, cleanups } = listWith();
    cleanups.add(remove('a'));
    cleanups.add(remove('a'));
    await cleanups.runAll();
    expect(done).toEqual(['a', 'a']);
  });
});

describe('removing', () => {
  it('takes a folder with all that is in it, but not what its links point at', () => {
    const root = fs.mkdtempSync(path.join(os.tmpdir(), 'remove-test-'));
    fs.mkdirSync(path.join(root, 'ours/deep'), { recursive: true });
    fs.writeFileSync(path.join(root, 'theirs'), 'x');
    fs.symlinkSync('../theirs', path.join(root, 'ours/link'));
    removePath(path.join(root, 'ours'));
    expect(fs.readdirSync(root)).toEqual(['theirs']);
    removePath(path.join(root, 'nothing'));
    removePath(root);
  });
});

describe('a machine', () => {
  it('removes its temporary directories when it is finished', async () => {
    const { host } = hostWith();
    const directory = host.files.makeTemporaryDirectory('build-once-machine-');
    host.files.write(path.join(directory, 'deep/secret'), 'x');
    await host.finish();
    expect(fs.existsSync(directory)).toBe(false);
  });

  it('undoes by a program also after it was interrupted', async () => {
    const controller = new AbortController();
    const { host } = hostWith({ signal: controller.signal });
    const marker = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'machine-test-')), 'marker');
    host.cleanup({ kind: 'command', argv: ['sh', '-c', 'echo "$TEXT" > "$1"', 'sh', marker], env: { TEXT: 'undone' } });
    controller.abort(new Error('interrupted'));
    await expect(host.exec({ argv: ['true'] })).rejects.toThrow('interrupted');
    await host.finish();
    expect(fs.readFileSync(marker, 'utf8')).toBe('undone\n');
    fs.rmSync(path.dirname(marker), { recursive: true });
  });

  it('goes on undoing when a part of it fails, and says so', async () => {
    const { host, lines } = hostWith();
    const directory = host.files.makeTemporaryDirectory('build-once-machine-');
    host.cleanup({ kind: 'command', argv: ['no-such-program'] });
    host.cleanup({ kind: 'command', argv: [] });
    await host.finish();
    expect(lines).toEqual([
      expect.stringContaining('warning: cleaning up failed: "no-such-program" could not be started'),
    ]);
    expect(fs.existsSync(directory)).toBe(false);
  });

  it('runs programs and knows the time', async () => {
    const { host } = hostWith();
    expect(await host.exec({ argv: ['echo', 'x'] })).toEqual({ status: 0, stdout: 'x\n', stderr: '' });
    expect(host.now()).toBeInstanceOf(Date);
    expect(host.randomId()).toMatch(/^[0-9a-f]{32}$/);
    expect(host.randomId()).not.toBe(host.randomId());
    expect(host.architecture).toMatch(/^[a-z0-9]+$/);
    expect(host.os).toBe(process.platform);
  });

  it('sleeps, and is woken by an interruption with its reason', async () => {
    const controller = new AbortController();
    const { host } = hostWith({ signal: controller.signal });
    await host.sleep(1);
    const sleeping = host.sleep(60_000);
    controller.abort(new Error('interrupted'));
    await expect(sleeping).rejects.toThrow('interrupted');
    await expect(host.sleep(60_000)).rejects.toThrow('interrupted');
  });

  it('leaves no listeners behind, however often it sleeps and runs programs', async () => {
    const script = startScript(`
      import { createTerminalHost } from '${source('hosts/terminal.ts')}';
      const host = createTerminalHost({ signal: new AbortController().signal });
      for (let count = 0; count < 30; count += 1) await host.sleep(0);
      for (let count = 0; count < 12; count += 1) await host.exec({ argv: ['true'] });
    `);
    expect(await script.ended).toEqual({ status: 0, signal: null, stdout: '', stderr: '' });
  });
});

describe('the terminal', () => {
  it('shows messages, and where they belong', async () => {
    const { host, lines } = hostWith();
    const { log } = host;
    log.info('a\nb');
    log.notice('c');
    log.warning('d', { file: 'Dockerfile', line: 3 });
    log.error('e', { file: 'Dockerfile' });
    log.debug('not shown');
    expect(await log.group('title', async () => 1)).toBe(1);
    expect(lines).toEqual(['a\nb', 'note: c', 'warning: Dockerfile:3: d', 'error: Dockerfile: e', 'title']);
  });

  it('shows details on request', () => {
    const { host, lines } = hostWith({ env: { BUILD_ONCE_DEBUG: 'true' } });
    host.log.debug('x');
    expect(lines).toEqual(['debug: x']);
  });

  it.each(['debug', 'info', 'notice', 'warning', 'error'] as const)(
    '%s shows nothing that could act on it',
    (level) => {
      const { host, lines } = hostWith({ env: { BUILD_ONCE_DEBUG: 'true' } });
      host.log[level]('a\u001b]0;title\u0007\u001b[2J\u0000\u202eb\r::x', { file: '\u001b[31mfile', line: 1 });
      expect(lines.join()).toMatch(/a\ufffd\ufffdb\n::x$/);
      expect(lines.join()).not.toMatch(/[^\P{Cc}\n]/u);
    },
  );

  it('shows no secret', async () => {
    const { host, lines } = hostWith();
    host.log.mask('hunter2');
    host.log.info('hunter2 hun\u001b[1mter2');
    host.log.error('x', { file: 'hunter2' });
    await host.log.group('hunter2', async () => {});
    expect(lines).toEqual(['*** ***', 'error: ***: x', '***']);
    expect(host.hide('a hunter2')).toBe('a ***');
  });

  it('keeps standard output for results', async () => {
    const script = startScript(`
      import { createTerminalHost } from '${source('hosts/terminal.ts')}';
      const { log } = createTerminalHost();
      log.info('message');
      await log.group('title', async () => log.error('failure'));
    `);
    expect(await script.ended).toEqual({
      status: 0,
      signal: null,
      stdout: '',
      stderr: 'message\ntitle\nerror: failure\n',
    });
  });
});
