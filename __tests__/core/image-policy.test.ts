import { describe, expect, it } from 'vitest';
import { findImageViolations, hasImagePolicy, type ImagePolicy, NO_IMAGE_POLICY } from '../../src/core/image-policy.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const ACME: ImagePolicy = { trustedRegistries: [{ registry: 'ghcr.io', path: 'acme' }], requireDigestPins: false };
const PINNED: ImagePolicy = { trustedRegistries: [], requireDigestPins: true };
const BOTH: ImagePolicy = {
  trustedRegistries: [...ACME.trustedRegistries, { registry: 'quay.io', path: undefined }],
  requireDigestPins: true,
};

describe('an image that a build reads', () => {
  it.each([
    ['node:22', NO_IMAGE_POLICY, []],
    ['ghcr.io/acme/app', ACME, []],
    [`node@${DIGEST}`, PINNED, []],
    [`node:22@${DIGEST}`, PINNED, []],
    [`quay.io/x@${DIGEST}`, BOTH, []],
    [
      'ghcr.io/acme-evil/app:1',
      ACME,
      ['"ghcr.io/acme-evil/app:1" is not trusted: trusted-registries allows ghcr.io/acme only'],
    ],
    [
      'node:22',
      BOTH,
      [
        '"node:22" (docker.io/library/node) is not trusted: trusted-registries allows ghcr.io/acme, quay.io only',
        '"node:22" carries no digest, and require-digest-pins wants one: NAME@sha256:… is allowed',
      ],
    ],
  ])('%s', (reference, policy, expected) => {
    expect(findImageViolations(reference, policy)).toEqual(expected);
  });

  it.each([ACME, PINNED])('is refused when it is no reference, printable: %#', (policy) => {
    const [problem] = findImageViolations(`\u001b[31m\n${'x'.repeat(1_000_000)}`, policy);
    expect(problem?.length).toBeLessThan(400);
    expect(problem).not.toMatch(/\p{Cc}/u);
  });
});

it.each([
  [NO_IMAGE_POLICY, false],
  [ACME, true],
  [PINNED, true],
])('whether anything is asked for: %#', (policy, expected) => {
  expect(hasImagePolicy(policy)).toBe(expected);
});
