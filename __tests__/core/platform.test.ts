import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  architectureOfNode,
  closestPlatform,
  formatPlatform,
  normalizePlatform,
  osOfNode,
  parsePlatform,
} from '../../src/core/platform.ts';

function spelled(text: string): string {
  const platform = parsePlatform(text);
  return platform.ok ? formatPlatform(platform.value) : platform.problem;
}

describe('a platform', () => {
  it.each([
    ['linux/amd64', 'linux/amd64'],
    ['linux/x86_64', 'linux/amd64'],
    ['linux/x86-64', 'linux/amd64'],
    ['Linux/AMD64', 'linux/amd64'],
    ['linux/amd64/v1', 'linux/amd64'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['linux/arm64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/arm64/8', 'linux/arm64'],
    ['linux/arm64/v9', 'linux/arm64/v9'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/arm/7', 'linux/arm/v7'],
    ['linux/arm/v6', 'linux/arm/v6'],
    ['linux/armhf', 'linux/arm/v7'],
    ['linux/armel', 'linux/arm/v6'],
    ['linux/i386', 'linux/386'],
    ['linux/riscv64', 'linux/riscv64'],
    ['wasi/wasm', 'wasi/wasm'],
  ])('%s is %s (containerd/platforms v1.0)', (text, full) => {
    expect(spelled(text)).toBe(full);
  });

  it.each([
    '',
    'linux',
    'linux/',
    '/amd64',
    'linux/amd64/v1/x',
    'linux/amd46',
    'lniux/amd64',
    'linux amd64',
    'linux/amd64\n',
    'linux/amd64/v\u00b2',
    'linux/constructor',
    'linux/__proto__',
    'hasOwnProperty/amd64',
  ])('%j is refused', (text) => {
    expect(parsePlatform(text)).toMatchObject({ ok: false });
    expect(spelled(text)).toContain('is not a platform');
  });

  it.each(['/', 'linux/', '\u001b[31m', '1'])('of 1 MB of %j is refused in a short line', (piece) => {
    expect(spelled(`linux/amd64/v${piece.repeat(1_000_000)}`)).toContain('is not a platform');
    expect(spelled(piece.repeat(1_000_000)).length).toBeLessThan(400);
  });

  it.each([
    ['windows/amd64', 'Windows containers are not supported; Linux images are, as linux/amd64'],
    ['Windows/x86_64', 'Windows containers are not supported; Linux images are, as linux/amd64'],
    ['darwin/arm64', 'containers of macOS are not supported; Linux images are, as linux/arm64'],
  ])('%s is refused, and the one that is meant is named', (text, reason) => {
    expect(spelled(text)).toBe(`"${text}": ${reason}`);
  });

  it('has one spelling, whatever it is read from', () => {
    const text = fc.tuple(
      fc.constantFrom('linux', 'LINUX', 'freebsd'),
      fc.constantFrom('amd64', 'x86_64', 'arm', 'armel', 'armhf', 'arm64', 'aarch64', 's390x'),
      fc.constantFrom('', '/v1', '/v6', '/v7', '/8', '/v8'),
    );
    fc.assert(
      fc.property(text, (parts) => {
        const first = parsePlatform(`${parts[0]}/${parts[1]}${parts[2]}`);
        expect(first.ok).toBe(true);
        if (!first.ok) return;
        expect(parsePlatform(formatPlatform(first.value))).toEqual(first);
        expect(normalizePlatform(first.value)).toEqual(first.value);
      }),
    );
  });

  it('from an index is compared without what it leaves unsaid', () => {
    expect(formatPlatform({ os: 'linux', architecture: 'arm' })).toBe('linux/arm/v7');
    expect(formatPlatform({ os: 'linux', architecture: 'arm64', variant: 'v8' })).toBe('linux/arm64');
    expect(normalizePlatform({ os: 'linux', architecture: 'amd64', osVersion: '1' })).toEqual({
      os: 'linux',
      architecture: 'amd64',
    });
  });
});

it.each([
  ['x64', 'amd64'],
  ['ia32', '386'],
  ['arm64', 'arm64'],
  ['constructor', 'constructor'],
])('the architecture %s of Node is %s', (node, image) => {
  expect(architectureOfNode(node)).toBe(image);
});

it.each([
  ['linux', 'linux'],
  ['darwin', 'darwin'],
  ['win32', 'windows'],
])('says for %s of Node %s', (node, image) => {
  expect(osOfNode(node)).toBe(image);
});

it.each([
  ['linux/amd64', 'linux/arm64,linux/amd64', 'linux/amd64'],
  ['linux/arm64', 'linux/amd64,linux/arm64/v8', 'linux/arm64'],
  ['linux/amd64', 'linux/arm64,linux/amd64/v3', 'linux/amd64/v3'],
  ['linux/amd64', 'linux/arm64,linux/s390x', 'linux/arm64'],
  ['linux/arm', 'linux/arm/v6,linux/arm/v7', 'linux/arm/v7'],
])('a machine of %s runs best, of %s: %s', (own, names, best) => {
  const read = (name: string) => {
    const platform = parsePlatform(name);
    if (!platform.ok) throw new Error(platform.problem);
    return platform.value;
  };
  expect(closestPlatform(names.split(',').map(read), read(own))).toEqual(read(best));
  expect(closestPlatform([], read(own))).toBeUndefined();
});
