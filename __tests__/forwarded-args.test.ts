import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { forwardedArgs } from '../src/forwarded-args.ts';
import { createTerminalHost } from '../src/hosts/terminal.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forwarded-args-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
});

const args = (): ReadonlyMap<string, string> =>
  forwardedArgs(createTerminalHost({ cwd: folder, env: { DOCKER_CONFIG: folder }, write: () => {} }));

test("are the proxies of Docker's configuration, in both spellings", () => {
  writeFileSync(join(folder, 'config.json'), '{"proxies":{"default":{"httpProxy":"http://p:1"}}}');
  expect([...args()]).toEqual([
    ['HTTP_PROXY', 'http://p:1'],
    ['http_proxy', 'http://p:1'],
  ]);
});

test('are none where that is not JSON', () => {
  writeFileSync(join(folder, 'config.json'), '{');
  expect([...args()]).toEqual([]);
});

test('are none where it cannot be read: whoever uses it says so', () => {
  mkdirSync(join(folder, 'config.json'));
  expect([...args()]).toEqual([]);
});
