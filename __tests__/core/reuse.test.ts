import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { INPUTS_ANNOTATION } from '../../src/core/labels.ts';
import { findUnfit, type Wanted } from '../../src/core/reuse.ts';
import { type Descriptor, type Index, type Manifest, MEDIA_TYPES, type Platform } from '../../src/oci/types.ts';

const HASH = 'ab'.repeat(32);
const CREATED = 'org.opencontainers.image.created';
const NOW_MS = Date.UTC(2026, 10, 21);
const DAY_MS = 86_400_000;
const amd64: Platform = { os: 'linux', architecture: 'amd64' };
const arm64: Platform = { os: 'linux', architecture: 'arm64' };

function descriptor(platform?: Platform): Descriptor {
  const common = { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf(JSON.stringify(platform ?? '')), sizeBytes: 1 };
  return platform === undefined ? common : { ...common, platform };
}

const attestation = {
  ...descriptor({ os: 'unknown', architecture: 'unknown' }),
  annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
};

function index(
  platforms: readonly (Platform | undefined)[],
  annotations: Readonly<Record<string, string>> = {},
): Index {
  return {
    kind: 'index',
    mediaType: MEDIA_TYPES.ociIndex,
    manifests: [...platforms.map(descriptor), attestation],
    annotations: { [INPUTS_ANNOTATION]: HASH, ...annotations },
  };
}

const manifest: Manifest = {
  kind: 'manifest',
  mediaType: MEDIA_TYPES.ociManifest,
  config: descriptor(),
  layers: [],
  annotations: { [INPUTS_ANNOTATION]: HASH },
};

function wanted(changes: Partial<Wanted> = {}): Wanted {
  return { hash: HASH, platforms: [amd64], maxAgeMs: undefined, nowMs: NOW_MS, ...changes };
}

function ago(days: number): Readonly<Record<string, string>> {
  return { [CREATED]: new Date(NOW_MS - days * DAY_MS).toISOString() };
}

describe('an image stands in for a build', () => {
  it.each<[string, Index, Wanted]>([
    ['with the hash and the platform', index([amd64]), wanted()],
    ['with more platforms than wanted', index([arm64, amd64]), wanted()],
    ['with every platform wanted', index([amd64, arm64]), wanted({ platforms: [arm64, amd64] })],
    [
      'that spells a variant that goes without saying',
      index([{ ...arm64, variant: 'v8' }]),
      wanted({ platforms: [arm64] }),
    ],
    [
      'that leaves a variant unsaid',
      index([{ os: 'linux', architecture: 'arm' }]),
      wanted({ platforms: [{ os: 'linux', architecture: 'arm', variant: 'v7' }] }),
    ],
    ['without attestations', { ...index([amd64]), manifests: [descriptor(amd64)] }, wanted()],
    ['of any age when none is given', index([amd64], ago(10_000)), wanted()],
    ['exactly as old as it may be', index([amd64], ago(30)), wanted({ maxAgeMs: 30 * DAY_MS })],
    ["made in the future of this machine's clock", index([amd64], ago(-1)), wanted({ maxAgeMs: DAY_MS })],
  ])('%s', (_, image, want) => {
    expect(findUnfit(image, want)).toBeUndefined();
  });
});

describe('an image does not stand in for a build', () => {
  it.each<[string, Index | Manifest, Wanted, string, string]>([
    ['without a hash', { ...index([amd64]), annotations: {} }, wanted(), 'mismatch', 'it carries no content hash'],
    [
      'with another hash',
      index([amd64], { [INPUTS_ANNOTATION]: 'cd' }),
      wanted(),
      'mismatch',
      'it carries the content hash cd',
    ],
    [
      'with the hash in upper case',
      index([amd64], { [INPUTS_ANNOTATION]: HASH.toUpperCase() }),
      wanted(),
      'mismatch',
      HASH.toUpperCase(),
    ],
    [
      'with a shortened hash',
      index([amd64], { [INPUTS_ANNOTATION]: HASH.slice(0, 32) }),
      wanted(),
      'mismatch',
      HASH.slice(0, 32),
    ],
    ['that is no index', manifest, wanted(), 'incomplete', 'it is no index and names no platform'],
    ['without a platform', index([amd64]), wanted({ platforms: [amd64, arm64] }), 'incomplete', 'it lacks linux/arm64'],
    ['of another variant', index([{ ...amd64, variant: 'v2' }]), wanted(), 'incomplete', 'it lacks linux/amd64'],
    [
      'without the variant',
      index([amd64]),
      wanted({ platforms: [{ ...amd64, variant: 'v3' }] }),
      'incomplete',
      'it lacks linux/amd64/v3',
    ],
    ['with attestations only', index([]), wanted(), 'incomplete', 'it lacks linux/amd64'],
    ['with nameless manifests', index([undefined]), wanted(), 'incomplete', 'it lacks linux/amd64'],
    [
      'of another system',
      index([{ os: 'freebsd', architecture: 'amd64' }]),
      wanted(),
      'incomplete',
      'it lacks linux/amd64',
    ],
    [
      'too old',
      index([amd64], ago(31)),
      wanted({ maxAgeMs: 30 * DAY_MS }),
      'expired',
      'it is 31 d old, max-age is 30 d',
    ],
    ['of unknown age', index([amd64]), wanted({ maxAgeMs: DAY_MS }), 'expired', 'it does not say when it was made'],
    [
      'with an age that is no time',
      index([amd64], { [CREATED]: 'today' }),
      wanted({ maxAgeMs: DAY_MS }),
      'expired',
      'it does not say when it was made',
    ],
    [
      'with another hash and too old: the hash comes first',
      { ...index([], ago(99)), annotations: {} },
      wanted({ maxAgeMs: 1 }),
      'mismatch',
      'no content hash',
    ],
  ])('%s', (_, image, want, reason, detail) => {
    expect(findUnfit(image, want)).toEqual({ reason, detail: expect.stringContaining(detail) });
  });

  it('and what it carries is shown in a short printable line', () => {
    const hostile = `\u001b[31m\n::add-mask::x${'x'.repeat(1_000_000)}`;
    const detail = findUnfit(index([amd64], { [INPUTS_ANNOTATION]: hostile }), wanted())?.detail ?? '';
    expect(detail.length).toBeLessThan(120);
    expect(detail).not.toMatch(/\p{Cc}/u);
  });
});
