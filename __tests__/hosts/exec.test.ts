import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Command, CommandResult } from '../../src/host.ts';
import { type ExecContext, execCommand } from '../../src/hosts/exec.ts';
import { source, startScript } from './script.ts';

const NODE = process.execPath;
let root: string;

beforeAll(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'exec-test-'));
});
afterAll(() => fs.rmSync(root, { recursive: true }));

function exec(command: Command, context: Partial<ExecContext> = {}): Promise<CommandResult> {
  const env = { PATH: process.env['PATH'] };
  return execCommand(command, { env, cwd: root, signal: new AbortController().signal, ...context });
}

function node(script: string, ...args: string[]): Command {
  return { argv: [NODE, '-e', script, ...args] };
}

describe('a program', () => {
  it('gives its exit code and what it wrote', async () => {
    const script = 'process.stdout.write("out\\n"); process.stderr.write("err"); process.exitCode = 3';
    expect(await exec(node(script))).toEqual({ status: 3, stdout: 'out\n', stderr: 'err' });
  });

  it('gets its arguments to the letter', async () => {
    const args = [
      'a b',
      '',
      '"',
      "'",
      '\\',
      '\\"',
      '$HOME',
      '`id`',
      '*',
      'x\ny',
      '--',
      'ä😀',
      '%PATH%',
      ' lead ',
      '"q"',
    ];
    const { stdout } = await exec(node('process.stdout.write(JSON.stringify(process.argv.slice(1)))', '--', ...args));
    expect(JSON.parse(stdout)).toEqual(args);
  });

  it.each(['with blanks', 'with "quotes"', "with 'quotes'", 'with\\backslash', 'with\\\\two', '-dash', 'ünï'])(
    'is found in a directory %s',
    async (name) => {
      const directory = path.join(root, name);
      fs.mkdirSync(directory, { recursive: true });
      fs.writeFileSync(path.join(directory, 'program'), '#!/bin/sh\necho "$1"\n', { mode: 0o755 });
      expect((await exec({ argv: [path.join(directory, 'program'), 'x'] })).stdout).toBe('x\n');
      expect((await exec({ argv: ['program', 'y'] }, { env: { PATH: directory } })).stdout).toBe('y\n');
    },
  );

  it('is looked for on the PATH that it is given, past what is no program', async () => {
    for (const name of ['1', '2', '3']) fs.mkdirSync(path.join(root, name), { recursive: true });
    fs.mkdirSync(path.join(root, '1/tool'), { recursive: true });
    fs.writeFileSync(path.join(root, '2/tool'), 'not executable');
    fs.writeFileSync(path.join(root, '3/tool'), '#!/bin/sh\necho found\n', { mode: 0o755 });
    const PATH = ['1', '2', '3'].map((name) => path.join(root, name)).join(':');
    expect((await exec({ argv: ['tool'] }, { env: { PATH } })).stdout).toBe('found\n');
  });

  it('runs in the given directory', async () => {
    const script = 'process.stdout.write(process.cwd())';
    expect((await exec(node(script))).stdout).toBe(fs.realpathSync(root));
    expect((await exec({ ...node(script), cwd: '/' })).stdout).toBe('/');
  });

  it('has the given environment and no other', async () => {
    const command = {
      ...node('process.stdout.write(JSON.stringify(process.env))'),
      env: { ADDED: 'a\nb', CHANGED: 'new' },
    };
    const { stdout } = await exec(command, { env: { KEPT: '1', CHANGED: 'old', ABSENT: undefined } });
    expect(JSON.parse(stdout)).toEqual({ KEPT: '1', CHANGED: 'new', ADDED: 'a\nb' });
  });

  it('reads what it is sent, to the end', async () => {
    const stdin = 'ä'.repeat(500_000);
    const { stdout } = await exec({ argv: ['cat'], stdin });
    expect(stdout === stdin).toBe(true);
  });

  it('that reads and is sent nothing does not wait', async () => {
    expect(await exec({ argv: ['cat'] })).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  it('need not read what it is sent', async () => {
    expect((await exec({ argv: ['true'], stdin: 'x'.repeat(5_000_000) })).status).toBe(0);
  });

  it('that a signal ended has the status that a shell gives', async () => {
    expect((await exec(node('process.kill(process.pid, "SIGKILL")'))).status).toBe(137);
  });

  it('runs when its start is told', async () => {
    const file = path.join(root, 'started');
    const script = 'until [ -e "$0" ]; do sleep 0.01; done';
    const onStart = (): void => fs.writeFileSync(file, '');
    expect((await exec({ argv: ['sh', '-c', script, file], timeoutMs: 10_000, onStart })).status).toBe(0);
  });

  it('writes megabytes', async () => {
    const { stdout } = await exec(node('process.stdout.write("x".repeat(3_000_000))'));
    expect(stdout).toHaveLength(3_000_000);
  });
});

describe('the lines of a program', () => {
  async function linesOf(script: string): Promise<string[]> {
    const lines: string[] = [];
    await exec({ ...node(script), onLine: (line) => lines.push(line) });
    return lines;
  }

  it('come from both streams, the last one without its line feed as well', async () => {
    const lines = await linesOf('console.log("a\\r\\n\\nb"); process.stderr.write("c\\nd")');
    expect(lines.toSorted()).toEqual(['', 'a', 'b', 'c', 'd']);
  });

  it('are whole where a character or a line comes in two pieces', async () => {
    const script = `
      const bytes = Buffer.from('x€y\\nz\\n');
      process.stdout.write(bytes.subarray(0, 2));
      setTimeout(() => process.stdout.write(bytes.subarray(2)), 50)`;
    expect(await linesOf(script)).toEqual(['x€y', 'z']);
  });

  it('may be long, and many', async () => {
    expect(await linesOf('process.stdout.write("x".repeat(2_000_000))')).toEqual(['x'.repeat(2_000_000)]);
    expect(await linesOf('process.stdout.write("\\n".repeat(200_000))')).toHaveLength(200_000);
  });
});

describe('a program that cannot start', () => {
  it.each<[string, Command['argv'], object]>([
    ['is not on the PATH', ['no-such-program'], {}],
    ['is not where it should be', ['/no/such/program'], {}],
    ['is a directory', [os.tmpdir()], {}],
    ['has an empty PATH', ['ls'], { env: { PATH: '' } }],
    ['has no PATH', ['ls'], { env: {} }],
    ['has no directory to run in', ['ls'], { cwd: '/no/such/directory' }],
  ])('is a CommandError: %s', async (_, argv, context) => {
    await expect(exec({ argv }, context)).rejects.toMatchObject({
      name: 'CommandError',
      code: 'COMMAND_NOT_STARTED',
      command: argv[0],
      message: expect.stringContaining(`"${argv[0]}" could not be started: `),
      hint: expect.stringContaining('PATH'),
    });
  });

  it.each<[string, Command['argv'], object, string]>([
    ['a NUL character', ['ls', 'a\0b'], {}, 'hold a NUL character'],
    ['one in a variable', ['ls'], { env: { A: '\0' } }, 'hold a NUL character'],
    ['a text longer than the system takes', ['ls', 'x'.repeat(131_072)], {}, 'are longer than the system allows'],
    ['a variable that long', ['ls'], { env: { A: 'x'.repeat(131_070) } }, 'are longer than the system allows'],
    [
      'more texts than the system takes',
      ['ls', ...Array.from({ length: 3000 }, () => 'x'.repeat(1000))],
      {},
      'are longer than the system allows',
    ],
  ])('is refused before it is tried: %s', async (_, argv, context, why) => {
    await expect(exec({ argv }, context)).rejects.toMatchObject({
      name: 'CommandError',
      code: 'COMMAND_REFUSED',
      message: `the arguments and variables of "ls" ${why}`,
      hint: expect.stringContaining('Shorten'),
    });
  });

  it('takes what the system takes', async () => {
    expect((await exec({ argv: ['true', 'x'.repeat(131_071)] })).status).toBe(0);
  });

  it('is named in printable text, without its arguments and its input', async () => {
    const command: Command = {
      argv: ['\u001b[31m\n::x', '--password=hunter2'],
      stdin: 'hunter2',
      env: { S: 'hunter2' },
    };
    const error = await exec(command).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      message: expect.stringContaining('"::x"'),
      hint: expect.not.stringMatching(/\p{Cc}/u),
    });
    expect(JSON.stringify(error)).not.toContain('hunter2');
  });
});

describe('an abort', () => {
  it('before the start starts nothing', async () => {
    const marker = path.join(root, 'marker');
    await expect(exec({ argv: ['touch', marker] }, { signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow(
      'stop',
    );
    expect(fs.existsSync(marker)).toBe(false);
  });

  it('right after the call ends the program as it starts', async () => {
    const controller = new AbortController();
    const running = exec({ argv: ['sleep', '60'] }, { signal: controller.signal });
    controller.abort(new Error('stop'));
    await expect(running).rejects.toThrow('stop');
  });

  it('ends the program, and no other one that is the same', async () => {
    const script =
      'process.on("SIGTERM", () => { console.log("asked to end"); process.exit(0) }); console.log("ready"); setTimeout(() => {}, 60_000)';
    const [first, second] = [new AbortController(), new AbortController()];
    const lines: string[] = [];
    const start = (controller: AbortController, name: string): Promise<unknown> =>
      new Promise((ready, fail) => {
        const running = exec(
          {
            ...node(script),
            onLine: (line) => (lines.push(`${name} ${line}`), line === 'ready' ? ready([running]) : undefined),
          },
          { signal: controller.signal },
        );
        running.catch(fail);
        ended.push(running.catch((error: unknown) => error));
      });
    const ended: Promise<unknown>[] = [];
    await Promise.all([start(first, 'first'), start(second, 'second')].map((one) => one.catch(() => {})));
    first.abort(new Error('stop'));
    expect(await ended[0]).toMatchObject({ message: 'stop' });
    expect(lines).toEqual(expect.arrayContaining(['first ready', 'second ready', 'first asked to end']));
    expect(lines).not.toContain('second asked to end');
    second.abort(new Error('stop'));
    await ended[1];
    expect(lines).toContain('second asked to end');
  });

  it('ends a program that does not want to', async () => {
    const controller = new AbortController();
    const script = 'process.on("SIGTERM", () => console.log("no")); console.log("ready"); setInterval(() => {}, 1000)';
    const lines: string[] = [];
    const running = exec(
      {
        ...node(script),
        onLine: (line) => {
          lines.push(line);
          if (line === 'ready') controller.abort(new Error('stop'));
        },
      },
      { signal: controller.signal },
    );
    await expect(running).rejects.toThrow('stop');
    expect(lines).toEqual(['ready', 'no']);
  });

  it('after the end does nothing', async () => {
    const controller = new AbortController();
    const result = await exec({ argv: ['true'] }, { signal: controller.signal });
    controller.abort();
    expect(result.status).toBe(0);
  });
});

describe('a bound', () => {
  it('on its time ends a program that takes longer', async () => {
    await expect(exec({ argv: ['sleep', '600'], timeoutMs: 50 })).rejects.toMatchObject({
      name: 'CommandError',
      code: 'COMMAND_TIMED_OUT',
      message: '"sleep" was ended: it took more than 0.05 s',
    });
  });

  it.each([
    ['in lines', 'exec yes'],
    ['in one line', 'exec tr "\\0" x </dev/zero'],
    ['to its other stream', 'exec yes >&2'],
    ['by a child that outlives it', 'yes & wait'],
  ])('on its output ends a program that writes without end %s', async (_, script) => {
    let sizeBytes = 0;
    const onLine = (line: string): void => void (sizeBytes += line.length);
    await expect(exec({ argv: ['sh', '-c', script], maxOutputBytes: 100_000, onLine })).rejects.toMatchObject({
      code: 'COMMAND_TOO_LOUD',
      message: '"sh" was ended: it wrote more than 100000 bytes',
    });
    expect(sizeBytes).toBeLessThan(100_001);
  });

  it('leaves alone what stays within it', async () => {
    const command = { ...node('process.stdout.write("x".repeat(1000))'), timeoutMs: 60_000, maxOutputBytes: 1000 };
    expect((await exec(command)).stdout).toHaveLength(1000);
  });

  it('gives way to an interruption', async () => {
    const controller = new AbortController();
    const running = exec({ argv: ['sleep', '60'], timeoutMs: 60_000 }, { signal: controller.signal });
    controller.abort(new Error('stop'));
    await expect(running).rejects.toThrow('stop');
  });
});

it('nothing reaches our own output', async () => {
  const script = startScript(`
    import { execCommand } from '${source('hosts/exec.ts')}';
    const context = { env: process.env, cwd: '/', signal: new AbortController().signal };
    const { stdout } = await execCommand({ argv: ['sh', '-c', 'echo out; echo err >&2; exit 1'] }, context);
    await execCommand({ argv: ['no-such-program'] }, context).catch(() => {});
    process.exitCode = stdout === 'out\\n' ? 0 : 1;
  `);
  expect(await script.ended).toEqual({ status: 0, signal: null, stdout: '', stderr: '' });
});
