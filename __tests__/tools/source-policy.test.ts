import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { sourceIdentifier, sourcePolicy } from '../../src/tools/source-policy.ts';

const digest = digestOf('an index');

describe('BuildKit knows', () => {
  it.each([
    ['node', 'docker.io/library/node:latest'],
    ['node:22', 'docker.io/library/node:22'],
    ['docker.io/node:22', 'docker.io/library/node:22'],
    ['docker.io/library/node:22', 'docker.io/library/node:22'],
    ['index.docker.io/node', 'docker.io/library/node:latest'],
    ['acme/app:1', 'docker.io/acme/app:1'],
    ['localhost/app', 'localhost/app:latest'],
    ['127.0.0.1:5000/a/b', '127.0.0.1:5000/a/b:latest'],
    ['127.0.0.1:5000/a/b:c', '127.0.0.1:5000/a/b:c'],
    ['GHCR.io/acme/app:1', 'GHCR.io/acme/app:1'],
    ['registry-1.docker.io/library/node:22', 'registry-1.docker.io/library/node:22'],
  ])('%s as %s', (reference, identifier) => {
    expect(sourceIdentifier(reference)).toBe(`docker-image://${identifier}`);
  });

  it.each([`node@${digest}`, `node:22@${digest}`, `localhost:5000/a:1@${digest}`])(
    '%s by its digest, so no pin is needed',
    (reference) => {
      expect(sourceIdentifier(reference)).toBeUndefined();
    },
  );
});

it('converts each image to the digest that was hashed, once', () => {
  const pins = [
    { reference: 'node:22', digest },
    { reference: 'docker.io/library/node:22', digest },
    { reference: `alpine@${digest}`, digest },
  ];
  expect(JSON.parse(sourcePolicy(pins))).toEqual({
    version: 1,
    rules: [
      {
        action: 'CONVERT',
        selector: { identifier: 'docker-image://docker.io/library/node:22', matchType: 'EXACT' },
        updates: { identifier: `docker-image://docker.io/library/node:22@${digest}` },
      },
    ],
  });
});

it("keeps the user's own rules, after the pins", () => {
  const deny = { action: 'DENY', selector: { identifier: 'https://*' } };
  const policy = JSON.parse(sourcePolicy([{ reference: 'node:22', digest }], { version: 1, rules: [deny] }));
  expect(policy.rules).toHaveLength(2);
  expect(policy.rules[1]).toEqual(deny);
});

it.each([undefined, null, 'text', { rules: 'none' }])('takes %j as a policy without rules', (own) => {
  expect(JSON.parse(sourcePolicy([], own)).rules).toEqual([]);
});
