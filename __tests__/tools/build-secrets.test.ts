import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { findSecretProblems, secretTexts } from '../../src/tools/build-secrets.ts';

const cwd = fs.mkdtempSync(path.join(os.tmpdir(), 'secrets-test-'));
fs.writeFileSync(path.join(cwd, 'netrc'), 'machine');
const host = createTerminalHost({ cwd, env: { TOKEN: 'abcd', EMPTY: '' }, write: () => {} });

afterAll(() => fs.rmSync(cwd, { recursive: true }));

it('names each variable and file that is not there', () => {
  const secretEnvs = ['TOKEN', 'EMPTY', 'NOT_SET'].map((env) => ({ id: 'x', env }));
  const secretFiles = ['netrc', 'nope'].map((file) => ({ id: 'x', path: file }));
  expect(findSecretProblems(host, { secretEnvs, secretFiles, ssh: [] })).toEqual([
    { input: 'secret-envs', message: 'the environment variable "EMPTY" is not set' },
    { input: 'secret-envs', message: 'the environment variable "NOT_SET" is not set' },
    { input: 'secret-files', message: 'there is no file "nope"' },
  ]);
});

it('names each SSH key that is not there, and each id that is there twice', () => {
  const ssh = ['default', 'a=netrc,nope', 'b=nope2,raw=true', 'default=netrc', '/c'];
  expect(findSecretProblems(host, { secretEnvs: [], secretFiles: [], ssh })).toEqual([
    { input: 'ssh', message: '"default" is there twice; several keys: "ID=KEY,KEY"' },
    { input: 'ssh', message: 'there is no socket or key at "nope"' },
    { input: 'ssh', message: 'there is no socket or key at "nope2"' },
  ]);
});

it('hides values and their lines, the longest first', () => {
  const secrets = [
    { id: 'a', value: 'first line\r\n}\nlast line of all' },
    { id: 'b', value: 'x' },
    { id: 'c', value: ' ' },
  ];
  const secretEnvs = [
    { id: 'd', env: 'TOKEN' },
    { id: 'e', env: 'NOT_SET' },
  ];
  expect(secretTexts(host, { secrets, secretEnvs })).toEqual([
    'first line\r\n}\nlast line of all',
    'last line of all',
    'first line',
    'abcd',
    'x',
  ]);
});
