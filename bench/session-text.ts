import type { Machine, Session } from './results.ts';
import { formatNumber } from './table.ts';

/** When, of which commit, how often and at which load; without the machine. */
export function describeSession({ measuredAt, commit, isDirty, rounds, load, note }: Session): string {
  const of = `${commit}${isDirty ? ' with changes that no commit has' : ''}`;
  const text = `${measuredAt.slice(0, 10)}, commit ${of}, ${rounds} ${rounds === 1 ? 'round' : 'rounds'}, load ${load.before.toFixed(1)} → ${load.after.toFixed(1)}`;
  return note === undefined ? text : `${text}; ${note}`;
}

/** A machine and the versions on it, in words. */
export function describeMachine({ machine, versions }: Pick<Session, 'machine' | 'versions'>): string {
  const listed = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [...hardwareText(machine), ...listed].join(', ');
}

function hardwareText({ cpu, processors, memoryBytes, kernel }: Machine): readonly string[] {
  return [`${processors} × ${cpu}`, `${formatNumber(memoryBytes / 2 ** 30, 0)} GiB`, kernel];
}
