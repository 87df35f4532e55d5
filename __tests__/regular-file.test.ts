import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTerminalHost } from '../src/hosts/terminal.ts';
import { readDockerConfigFile } from '../src/registry/docker-config-file.ts';
import { openTrust } from '../src/registry/trust.ts';
import { readAuthorities } from '../src/registry-authorities.ts';
import { readRegularFile, whyUnreadable } from '../src/regular-file.ts';

let root: string;
const at = (name: string): string => join(root, name);

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'regular-file-test-'));
  execFileSync('mkfifo', [at('pipe'), at('config.json')]);
  writeFileSync(at('file'), 'text');
  symlinkSync('file', at('link'));
  symlinkSync('pipe', at('link-to-pipe'));
  writeFileSync(at('huge'), '');
  // Takes no room on the disk.
  truncateSync(at('huge'), 2 ** 30);
});

afterAll(() => rmSync(root, { recursive: true }));

const problemOf = (name: string, limitBytes = 1 << 20): string => {
  try {
    return `is ${JSON.stringify(readRegularFile(name, limitBytes))}`;
  } catch (error) {
    return whyUnreadable(error);
  }
};

it.each([
  ['file', 'is "text"'],
  ['link', 'is "text"'],
  ['pipe', 'is a pipe, not a file'],
  ['link-to-pipe', 'is a pipe, not a file'],
  ['.', 'is a directory, not a file'],
  ['huge', 'is larger than 1 MiB'],
  ['nowhere', 'cannot be read (ENOENT)'],
])('of what somebody names only files are read: %s', (name, expected) => {
  expect(problemOf(at(name))).toBe(expected);
});

it.runIf(process.platform === 'linux').each([
  ['/dev/zero', 'is a device, not a file'],
  ['/dev/null', 'is ""'],
  ['/proc/sys/kernel/ostype', 'is "Linux\\n"'],
])('of the system: %s', (name, expected) => {
  expect(problemOf(name)).toBe(expected);
});

it('a file of exactly the limit is taken', () => {
  expect([problemOf(at('file'), 4), problemOf(at('file'), 3)]).toEqual([
    'is "text"',
    expect.stringContaining('larger'),
  ]);
});

it.each([
  ['pipe', '"pipe" is a pipe, not a file: the path of a PEM file is allowed'],
  ['huge', '"huge" is larger than 1 MiB: the path of a PEM file is allowed'],
])('registry-ca refuses a %s', (name, message) => {
  const { files } = createTerminalHost({ env: {}, cwd: root, write: () => {} });
  expect(readAuthorities(files, name)).toEqual({ text: undefined, problems: [{ input: 'registry-ca', message }] });
});

it('SSL_CERT_FILE that names a pipe is an error', () => {
  const trust = openTrust({ env: { SSL_CERT_FILE: at('pipe') } });
  expect(() => trust.contextFor(new URL('https://registry.test'))).toThrow(
    expect.objectContaining({
      code: 'CERTIFICATES_INVALID',
      message: expect.stringMatching(/^SSL_CERT_FILE .* a pipe/),
    }),
  );
});

it("a pipe for Docker's config.json is an error", () => {
  expect(() => readDockerConfigFile(root)).toThrow(
    expect.objectContaining({ code: 'DOCKER_CONFIG_INVALID', message: expect.stringContaining('it is a pipe, not a') }),
  );
});
