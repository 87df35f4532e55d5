import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LayeredMap } from '../../src/core/layered-map.ts';

const key = fc.constantFrom('a', 'b', 'c', 'd', 'toString');
const entries = fc.array(fc.tuple(key, fc.option(fc.nat(9), { nil: undefined })), { maxLength: 3 });

describe('a layered map', () => {
  it('holds what a copy with the same changes would, in each of its versions', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(entries, fc.nat()), { maxLength: 30 }), (changes) => {
        const versions = [{ layered: new LayeredMap<number | undefined>(), copied: new Map<string, unknown>() }];
        for (const [change, pick] of changes) {
          const from = versions[pick % versions.length];
          if (from === undefined) continue;
          versions.push({ layered: from.layered.with(change), copied: new Map([...from.copied, ...change]) });
        }
        for (const { layered, copied } of versions) {
          for (const name of ['a', 'b', 'c', 'd', 'toString', 'constructor']) {
            expect([layered.has(name), layered.get(name)]).toEqual([copied.has(name), copied.get(name)]);
          }
        }
      }),
    );
  });

  it('is changed 300,000 times, and asked each time', () => {
    let map = new LayeredMap<number>();
    let sum = 0;
    for (let index = 0; index < 300_000; index += 1) {
      map = map.with([[`key${index}`, index]]);
      sum += map.get(`key${index >> 1}`) ?? 0;
    }
    expect(sum).toBe(22_499_850_000);
    expect(map.has('key300000')).toBe(false);
  });
});
