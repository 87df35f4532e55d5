import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CHECKOUT } from '../support/programs.ts';

// The cases that retention was specified by, 1 to 70: each is in the name of a test that shows it, as in "case 23: …",
// "… (case 23)" or "… (cases 33 and 35)".

const CASES = Array.from({ length: 70 }, (_, index) => index + 1);

/** By number, why there is no test of it. */
const WITHOUT_TEST: Readonly<Record<number, string>> = {
  68: 'the memory and the time of 100,000 versions are measured by bench/prune.ts: a test asserts no time',
};

const HERE = join(CHECKOUT, '__tests__');
const NAMES = /\bcases? (\d+(?:(?:, | and )\d+)*)(?=[:),])/g;

/** By number, the files with a test of that name. */
function filesByCase(): ReadonlyMap<number, ReadonlySet<string>> {
  const found = new Map<number, Set<string>>();
  for (const file of readdirSync(HERE, { recursive: true, encoding: 'utf8' })) {
    if (!/(?:retention|prune|cleanup)/.test(file) || !file.endsWith('.test.ts')) continue;
    const lines = readFileSync(join(HERE, file), 'utf8').split('\n');
    const named = lines.filter((line) => /['"`]/.test(line) && !/^\s*\/\//.test(line)).join('\n');
    for (const [, numbers = ''] of named.matchAll(NAMES)) {
      for (const number of numbers.split(/\D+/)) {
        const files = found.get(Number(number)) ?? new Set();
        found.set(Number(number), files.add(file));
      }
    }
  }
  return found;
}

describe('of the 70 cases', () => {
  const files = filesByCase();

  it.each(CASES.filter((number) => WITHOUT_TEST[number] === undefined))('%i has a test of its name', (number) => {
    expect([...(files.get(number) ?? [])]).not.toEqual([]);
  });

  it('those without a test are told with the reason, and have none', () => {
    for (const [number, reason] of Object.entries(WITHOUT_TEST)) {
      expect(reason).toMatch(/\w+ \w+/);
      expect([...(files.get(Number(number)) ?? [])]).toEqual([]);
    }
  });

  it('no test names another number', () => {
    expect([...files.keys()].filter((number) => !CASES.includes(number))).toEqual([]);
  });
});
