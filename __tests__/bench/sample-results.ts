import type { Compared, Counted, Session } from '../../bench/results.ts';

/** A comparison of the group `hit` that reaches its target. */
export function comparedRow(values: Partial<Compared> = {}): Compared {
  return {
    id: 'fast',
    group: 'hit',
    session: 'first',
    comparison: 'faster',
    ours: { what: '`ours`', medianMs: 100 },
    theirs: { what: 'theirs', medianMs: 1250, notes: ['8 steps CACHED'] },
    spread: { median: 12.5, lowest: 11, highest: 14 },
    pairs: 7,
    target: 8,
    ...values,
  };
}

/** A count of the group `hit` that misses its target. */
export function countedRow(values: Partial<Counted> = {}): Counted {
  return {
    id: 'requests',
    group: 'hit',
    session: 'first',
    what: 'requests of a hit',
    unit: 'requests',
    value: 4,
    target: 3,
    ...values,
  };
}

/** Circumstances of the day before. */
export function session(values: Partial<Session> = {}): Session {
  return {
    id: 'first',
    measuredAt: '2026-11-21T10:00:00Z',
    commit: '0123456789ab',
    isDirty: false,
    rounds: 7,
    load: { before: 0.5, after: 2 },
    machine: { cpu: 'Abacus', processors: 2, memoryBytes: 2 ** 33, kernel: 'Linux 6.18' },
    versions: { 'build-once': '0.1.0', Node: '24.21.0' },
    ...values,
  };
}
