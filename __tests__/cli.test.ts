import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listen } from './support/listen.ts';
import { CHECKOUT, NODE_DIRECTORY, run } from './support/programs.ts';

const CLI = [join(NODE_DIRECTORY, 'node'), join(CHECKOUT, 'src/cli.ts')] as const;
const ENV = { PATH: '/nonexistent', DOCKER_CONFIG: '/nonexistent' };

function workspaceWith(dockerfile: string): string {
  const workspace = mkdtempSync(join(tmpdir(), 'cli-'));
  onTestFinished(() => rmSync(workspace, { recursive: true }));
  writeFileSync(join(workspace, 'Dockerfile'), dockerfile);
  return workspace;
}

describe('with --json, standard output has failure.code', () => {
  it.each([
    ['an input that is bad', ['build', '--json', '--images=ghcr.io/acme/app:1'], 2, 'BAD_INPUT', 'carries a tag'],
    ['a command that is unknown', ['biuld', '--json'], 2, 'BAD_INPUT', 'did you mean build'],
    ['a run that fails', ['build', '--json', '--images=127.0.0.1:1/a', '--load'], 1, 'DOCKER_MISSING', 'no docker'],
  ])('for %s', async (_, args, status, code, message) => {
    const cwd = workspaceWith('FROM scratch\n');
    const ended = await run([...CLI, ...args], { cwd, env: ENV });
    expect(JSON.parse(ended.stdout)).toMatchObject({
      status: 'failed',
      failure: { code, message: expect.stringContaining(message) },
    });
    expect([ended.status, ended.stderr]).toEqual([status, expect.stringContaining(`error: ${code}: `)]);
  });
});

it('a request that SIGINT cuts is an interruption, with what to do', async () => {
  const server = createServer((request) => void request.resume());
  const host = await listen(server);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const [node, ...script] = CLI;
  const cwd = workspaceWith(`FROM ${host}/base\n`);
  const child = spawn(node, [...script, 'hash', '--json'], { cwd, env: ENV, stdio: ['ignore', 'pipe', 'ignore'] });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  await once(server, 'request');
  child.kill('SIGINT');
  const [status]: unknown[] = await once(child, 'close');
  expect(status).toBe(130);
  expect(JSON.parse(stdout)).toMatchObject({
    failure: {
      code: 'INTERRUPTED',
      message: 'interrupted by SIGINT',
      hint: 'Run it again: it goes on where this run stopped.',
    },
  });
});
