import type { CaseCounts } from './cases.ts';
import type { Fact } from './rows.ts';

function fact(name: string, what: string, key: keyof CaseCounts, target?: number): Fact {
  return { name, what, unit: 'cases', target, needs: [], count: async (scenes) => (await scenes.cases())[key] };
}

/** Of the acceptance cases of the content hash. */
export const CASE_FACTS: readonly Fact[] = [
  fact('cases', 'acceptance cases of the content hash', 'cases'),
  fact('cases-stale', 'of them stale: the content changed and the hash did not', 'stale', 0),
  fact('cases-wasted', 'of them wasted: the hash changed and the content did not', 'wasted', 0),
  fact('cases-unhashed', 'of them without a hash', 'unhashed', 0),
];
