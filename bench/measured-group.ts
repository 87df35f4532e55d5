import type { Group } from './groups.ts';
import { currentLoad } from './machine.ts';
import { interleave } from './measure.ts';
import { compared, counted, type Place, type Result, type Session } from './results.ts';
import type { Scenes } from './scenes.ts';

/** What a group is measured with. */
export interface Conditions {
  readonly scenes: Scenes;
  readonly circumstances: Omit<Session, 'id' | 'measuredAt' | 'load'>;
  readonly signal: AbortSignal;
  /** Takes the name of what is measured next. */
  readonly say: (line: string) => void;
}

/** What came of it. */
export interface MeasuredGroup {
  readonly session: Session;
  readonly rows: readonly Result[];
  /** Why a row is not there, a text for each. */
  readonly failures: readonly string[];
}

/**
 * Measures the facts and the rows of a group in order. One that ends with an error is a failure, and the others go on; those
 * after an interruption are not begun.
 */
export async function measureGroup(
  { name: group, facts, rows }: Group,
  { scenes, circumstances, signal, say }: Conditions,
): Promise<MeasuredGroup> {
  const measuredAt = new Date().toISOString().replace(/\.[0-9]+Z$/, 'Z');
  const before = currentLoad();
  const place: Place = { group, session: `${measuredAt} ${group}` };
  const results: Result[] = [];
  const failures: string[] = [];
  const attempt = async (id: string, measure: () => Promise<Result>): Promise<void> => {
    if (signal.aborted) return;
    say(`${id} …`);
    try {
      results.push(await measure());
    } catch (error) {
      if (!signal.aborted) failures.push(`${id} failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  for (const fact of facts) {
    await attempt(fact.name, async () => {
      const value = await fact.count(scenes);
      if (!Number.isFinite(value)) throw new Error('nobody can tell that here');
      return counted(fact, value, place);
    });
  }
  for (const row of rows) {
    const pairs = Math.max(1, Math.round(circumstances.rounds * row.pairs));
    await attempt(row.name, async () => compared(row, await interleave(await row.open(scenes), pairs, signal), place));
  }
  const session = { id: place.session, measuredAt, ...circumstances, load: { before, after: currentLoad() } };
  return { session, rows: results, failures };
}
