import { CASE_FACTS } from './case-facts.ts';
import { CACHED_ROWS, MISS_ROWS } from './docker-rows.ts';
import { HASH_FACTS, HASH_ROWS } from './hash-rows.ts';
import { HIT_FACTS, HIT_ROWS, START_FACTS, START_ROWS } from './hit-rows.ts';
import { MANY_FACTS, MANY_ROWS } from './many-rows.ts';
import { PRUNE_FACTS } from './prune-facts.ts';
import { PUSH_FACTS, PUSH_ROWS } from './push-rows.ts';
import type { Fact, Row } from './rows.ts';
import { SCAN_ROWS } from './scan-rows.ts';
import { SIGN_ROWS } from './sign-rows.ts';

/** What is measured together, and shown in one table. */
export interface Group {
  /** For `--only`, and for the page's template. */
  readonly name: string;
  readonly title: string;
  readonly facts: readonly Fact[];
  readonly rows: readonly Row[];
}

/** All that the bench measures, in the order in which it is measured and shown. */
export const GROUPS: readonly Group[] = [
  { name: 'start', title: 'Size and start', facts: START_FACTS, rows: START_ROWS },
  { name: 'hit', title: 'A hit', facts: HIT_FACTS, rows: [...HIT_ROWS, ...CACHED_ROWS] },
  { name: 'miss', title: 'A miss', facts: [], rows: MISS_ROWS },
  { name: 'hash', title: 'Hashing many files', facts: HASH_FACTS, rows: HASH_ROWS },
  { name: 'many', title: 'Many images', facts: MANY_FACTS, rows: MANY_ROWS },
  { name: 'cases', title: 'The content hash by its cases', facts: CASE_FACTS, rows: [] },
  { name: 'scan', title: 'A scan', facts: [], rows: SCAN_ROWS },
  { name: 'sign', title: 'Signing', facts: [], rows: SIGN_ROWS },
  { name: 'push', title: 'A push', facts: PUSH_FACTS, rows: PUSH_ROWS },
  { name: 'prune', title: 'Pruning', facts: PRUNE_FACTS, rows: [] },
];

/** A row or a fact, as far as its place goes. */
export type Measurable = Pick<Row | Fact, 'name' | 'needs' | 'slow'>;

/** The facts of a group, then its rows. */
export function measurablesOf({ facts, rows }: Pick<Group, 'facts' | 'rows'>): readonly Measurable[] {
  return [...facts, ...rows];
}

/** The ids of all that is measured, in order. */
export function idsOf(groups: readonly Group[]): readonly string[] {
  return groups.flatMap((group) => measurablesOf(group).map(({ name }) => name));
}
