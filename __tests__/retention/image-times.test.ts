import { expect, test } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { ImageTimes } from '../../src/retention/image-times.ts';

const digests = Array.from({ length: 20_000 }, (_, position) => digestOf(`link ${position}`));

test('is found at the end of a chain of 20,000 manifests, and is the newest of several owners', async () => {
  const [first, second] = digests;
  if (first === undefined || second === undefined) throw new Error('there is no chain');
  const chain = digests.map((digest, position) => ({
    digest,
    own: position < 2 ? { madeAtMs: 1000 + position } : undefined,
    owners: new Set(position === 2 ? [first, second] : digests.slice(Math.max(0, position - 1), position)),
  }));
  const times = await new ImageTimes({ fetch: async () => undefined }).of(chain);
  expect(times.size).toBe(digests.length);
  expect([...new Set(times.values())]).toEqual([1000, 1001]);
  expect(times.get(digests.at(-1) ?? first)).toBe(1001);
});
