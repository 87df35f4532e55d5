import type { Measured } from './measure.ts';
import type { Fact, Row } from './rows.ts';
import { type Comparison, comparePairs, reaches, type Spread, spreadOf } from './statistics.ts';

/**
 * What was measured, as it is kept in bench/results.json; docs/performance.md and its chart are made from that and from nothing
 * else. Parts of it may be of different days.
 */
export interface Results {
  /** The newest last; each has a row. */
  readonly sessions: readonly Session[];
  /** In the order of the groups. */
  readonly rows: readonly Result[];
}

/** The circumstances in which rows of one group were measured. */
export interface Session {
  readonly id: string;
  /** ISO 8601, UTC: when the first row began. */
  readonly measuredAt: string;
  /** The first twelve digits. */
  readonly commit: string;
  /** Whether the work tree held what no commit has. */
  readonly isDirty: boolean;
  readonly rounds: number;
  /** Processes that wanted a processor in the last minute, on average. */
  readonly load: { readonly before: number; readonly after: number };
  readonly machine: Machine;
  /** By the name of the program. */
  readonly versions: Readonly<Record<string, string>>;
  /** What a reader must know besides. */
  readonly note?: string;
}

export interface Machine {
  readonly cpu: string;
  readonly processors: number;
  readonly memoryBytes: number;
  readonly kernel: string;
}

export type Result = Compared | Counted;

interface Common {
  readonly id: string;
  readonly group: string;
  /** The id of a session. */
  readonly session: string;
  /** In the unit of the comparison, or that of the count. */
  readonly target?: number;
}

/** Ours against theirs. */
export interface Compared extends Common {
  readonly comparison: Comparison;
  readonly ours: Side;
  readonly theirs: Side;
  /** Of the comparisons within each pair. */
  readonly spread: Spread;
  readonly pairs: number;
  /** Pairs that were measured again since chance had spoilt them. */
  readonly repeats?: number;
}

export interface Side {
  readonly what: string;
  readonly medianMs: number;
  /** What the checks noted, such as cached steps. */
  readonly notes?: readonly string[];
}

export interface Counted extends Common {
  readonly what: string;
  readonly unit: Fact['unit'];
  readonly value: number;
}

/** Where a row belongs. */
export type Place = Pick<Common, 'group' | 'session'>;

export function isCompared(result: Result): result is Compared {
  return 'comparison' in result;
}

export function isCounted(result: Result): result is Counted {
  return !isCompared(result);
}

/** What the target says; `undefined` where there is none. */
export function isReached(result: Result): boolean | undefined {
  if (result.target === undefined) return undefined;
  if (isCompared(result)) return reaches(result.spread, result.comparison, result.target);
  return result.value <= result.target;
}

/** A comparison to be kept: its pairs in short. */
export function compared({ name, ours, theirs, comparison, target }: Row, measured: Measured, place: Place): Compared {
  const { pairs, notes, repeats } = measured;
  const { median, lowest, highest } = comparePairs(pairs, comparison);
  const side = (what: string, values: readonly number[], noted: readonly string[]): Side => ({
    what,
    medianMs: rounded(spreadOf(values).median, 1),
    ...(noted.length > 0 ? { notes: noted } : {}),
  });
  return {
    id: name,
    ...place,
    comparison,
    ours: side(
      ours,
      pairs.map(({ oursMs }) => oursMs),
      notes.ours,
    ),
    theirs: side(
      theirs,
      pairs.map(({ theirsMs }) => theirsMs),
      notes.theirs,
    ),
    spread: { median: rounded(median, 4), lowest: rounded(lowest, 4), highest: rounded(highest, 4) },
    pairs: pairs.length,
    ...(repeats > 0 ? { repeats } : {}),
    ...(target === undefined ? {} : { target }),
  };
}

/** A count to be kept. */
export function counted({ name, what, unit, target }: Fact, value: number, place: Place): Counted {
  return { id: name, ...place, what, unit, value: rounded(value, 4), ...(target === undefined ? {} : { target }) };
}

/**
 * The results with new rows of one session in the place of the old ones of the same ids. What is not in `ids`, all that the
 * bench knows in its order, is dropped, and so are sessions without a row.
 */
export function withSession(
  { sessions, rows }: Results,
  session: Session,
  measured: readonly Result[],
  ids: readonly string[],
): Results {
  const byId = new Map([...rows, ...measured].map((row) => [row.id, row]));
  const kept = ids.flatMap((id) => byId.get(id) ?? []);
  const used = new Set(kept.map((row) => row.session));
  const others = sessions.filter(({ id }) => id !== session.id);
  return { sessions: [...others, session].filter(({ id }) => used.has(id)), rows: kept };
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
