import { expect, it } from 'vitest';
import { digestOf } from '../../../src/core/digest.ts';
import { mayDelete } from '../../../src/core/retention/may-delete.ts';
import { parseRetention } from '../../../src/core/retention/parse-policies.ts';

const NOW_MS = Date.parse('2026-11-21T00:00:00Z');
const DAY_MS = 86_400_000;

/** Of so many images, all but one are a day old. */
function mayGo(count: number, oldAt: number, rule: string): boolean {
  const parsed = parseRetention(rule);
  if (!parsed.ok || parsed.value === 'off' || parsed.value.general === undefined)
    throw new TypeError('the rule is wrong');
  const entries = Array.from({ length: count }, (_, at) => {
    const pushedAtMs = NOW_MS - (at === oldAt ? 100 : 1) * DAY_MS;
    return {
      id: String(count - at),
      digest: digestOf(String(at)),
      tags: [`t${at}`],
      pushedAtMs,
      updatedAtMs: pushedAtMs,
    };
  });
  return mayDelete({
    inventory: { repository: 'r', listedAtMs: NOW_MS, entries, isComplete: true },
    policy: parsed.value.general,
    protections: [],
    git: { pullRequests: undefined, branches: undefined, gitTags: undefined },
    abilities: { listsUntagged: true, deletesTags: false, reportsPulls: false, keepsLastTagged: true },
  });
}

it.each([
  ['the oldest is the last', 2500, 2499, true],
  ['the oldest is in the middle', 2500, 1000, true],
  ['the oldest is the first', 2500, 0, true],
  ['there is none so old', 2500, -1, false],
])('in a long list, where %s', (_, count, oldAt, expected) => {
  expect(mayGo(count, oldAt, '* : for 30d')).toBe(expected);
});

it('counts all of a long list, not only those that are looked at first', () => {
  expect(mayGo(2500, -1, '* : keep 2500')).toBe(false);
  expect(mayGo(2500, -1, '* : keep 2499')).toBe(true);
});
