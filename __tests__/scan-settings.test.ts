import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createTerminalHost } from '../src/hosts/terminal.ts';
import { parseOptions, type RawOptions } from '../src/options.ts';
import { findScanProblems } from '../src/scan-problems.ts';
import { readScanOrder, type ScanOrder } from '../src/scan-settings.ts';
import { writeTree } from './support/write-tree.ts';

interface Read extends ScanOrder {
  readonly lines: readonly string[];
}

/** Reads the inputs in a workspace that holds these files. */
function read(files: Readonly<Record<string, string>>, inputs: RawOptions = {}): Read {
  const cwd = mkdtempSync(`${tmpdir()}/scan-settings-`);
  onTestFinished(() => rmSync(cwd, { recursive: true }));
  writeTree(cwd, files);
  const lines: string[] = [];
  const host = createTerminalHost({ cwd, env: {}, write: (line) => void lines.push(line) });
  const { options, problems } = parseOptions(inputs);
  expect([...problems, ...findScanProblems(options, host.files)]).toEqual([]);
  return { ...readScanOrder(host, options), lines };
}

const digest = (files: Readonly<Record<string, string>>, inputs: RawOptions = {}): string => read(files, inputs).digest;

describe('the ignore file', () => {
  const both = { '.trivyignore': 'CVE-1\n', '.trivyignore.yaml': 'vulnerabilities: []\n' };

  it.each([
    ['a device that never ends', '/dev/zero', 'is a device, not a file'],
    ['a folder', '.', 'is a directory, not a file'],
    ['a link to nothing', 'nowhere', 'is not there'],
  ])('is refused when it is %s', (_, target, problem) => {
    const cwd = mkdtempSync(`${tmpdir()}/scan-settings-`);
    onTestFinished(() => rmSync(cwd, { recursive: true }));
    symlinkSync(target, `${cwd}/.trivyignore`);
    const host = createTerminalHost({ cwd, env: {}, write: () => {} });
    expect(() => readScanOrder(host, parseOptions({}).options)).toThrow(
      `scan-ignore-file: ".trivyignore" ${problem}: a file is needed`,
    );
  });

  it.each<[string, Readonly<Record<string, string>>, RawOptions, string | undefined]>([
    ['is none', {}, {}, undefined],
    ['is .trivyignore', { '.trivyignore': '' }, {}, '.trivyignore'],
    ['is .trivyignore.yaml', { '.trivyignore.yaml': '' }, {}, '.trivyignore.yaml'],
    ['is the one that is named', { ...both, 'ci/ignore': '' }, { 'scan-ignore-file': 'ci/ignore' }, 'ci/ignore'],
  ])('%s', (_, files, inputs, file) => {
    const { settings, lines } = read(files, inputs);
    expect(settings.ignoreFile).toBe(file);
    expect(lines).toEqual([]);
  });

  it('is the first of two, which a notice says', () => {
    const { settings, lines } = read(both);
    expect(settings.ignoreFile).toBe('.trivyignore');
    expect(lines).toEqual([expect.stringContaining('of .trivyignore and .trivyignore.yaml the first one counts')]);
  });
});

describe('the digest of the settings', () => {
  const files = { '.trivyignore': 'CVE-1\n', 'a.json': '{"a":1}', 'b.json': '{"b":1}', ignored: 'CVE-1\n' };
  const usual = { 'scan-vex': 'a.json\nb.json' };

  it.each<[string, Readonly<Record<string, string>>, RawOptions]>([
    ['the ignore file is called', { ...files, '.trivyignore': 'CVE-2\n' }, { ...usual, 'scan-ignore-file': 'ignored' }],
    ['VEX files are called, and their order', { ...files, 'c.json': '{"a":1}' }, { 'scan-vex': 'b.json\nc.json' }],
    ['the gate says', files, { ...usual, 'scan-fail-on': 'any', 'scan-severity': 'LOW', 'scan-budget': 'LOW=0' }],
    ['is written', files, { ...usual, 'scan-format': 'json' }],
    ['it may take', files, { ...usual, 'scan-timeout': '1h', 'rescan-after': '1h' }],
    ['the database comes from', files, { ...usual, 'scan-db-repository': 'mirror.example/trivy-db' }],
    ['Trivy comes from', files, { ...usual, 'trivy-download-url': 'https://mirror.example' }],
  ])('is the same whatever %s', (_, own, inputs) => {
    expect(digest(own, inputs)).toBe(digest(files, usual));
  });

  it('is another one for everything that decides what is found', () => {
    const all = [
      digest(files, usual),
      digest({ ...files, '.trivyignore': 'CVE-2\n' }, usual),
      digest({ ...files, 'a.json': '{}' }, usual),
      digest({ ...files, '.trivyignore': '' }, usual),
      digest({ 'a.json': files['a.json'], 'b.json': files['b.json'] }, usual),
      digest(files, { 'scan-vex': 'a.json' }),
      digest(files, { 'scan-vex': 'a.json\nrepo' }),
      digest(files, { 'scan-vex': 'a.json\noci' }),
      digest(files, { ...usual, 'scan-scanners': 'vuln' }),
      digest(files, { ...usual, 'scan-pkg-types': 'os' }),
      digest(files, { ...usual, 'scan-skip-dirs': 'x' }),
      digest(files, { ...usual, 'scan-skip-files': 'x' }),
      digest(files, { ...usual, 'trivy-version': '0.70.0' }),
    ];
    expect(new Set(all).size).toBe(all.length);
  });
});
