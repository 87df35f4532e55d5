import { counted } from '../counted.ts';
import { quote } from '../printable.ts';
import { someOf } from '../some-of.ts';
import { keptByCalendar } from './calendar-slots.ts';
import { clauseText } from './clause-text.ts';
import type { GitState, InventoryEntry } from './inventory.ts';
import { compareIds, compareNewest, descending } from './newest-first.ts';
import type { KeepClause, RetentionRule } from './policy.ts';
import { keptBySemver } from './semver-slots.ts';
import type { TagVersion } from './tag-version.ts';
import { keptWhile } from './while-kept.ts';

/** What a rule decides on: a tag of a root, or, where it speaks of roots, a root. */
export interface Voter {
  readonly entry: InventoryEntry;
  readonly tag: string | undefined;
  /** What the rule's selector says that varies; empty for roots. */
  readonly variable: string;
  readonly version: TagVersion | undefined;
  /** It takes no slot: it stays with the others of its root in this rule, and where there are none it is kept. */
  readonly floats: boolean;
}

export interface VoteSetting {
  /** When the repository was listed: ages count from here. */
  readonly nowMs: number;
  readonly timeZone: string;
  readonly git: GitState;
}

export interface Votes {
  /** For each voter the clause that keeps it, `undefined` for none: it expires. */
  readonly keptBy: readonly (string | undefined)[];
  /** Sentences. */
  readonly warnings: readonly string[];
}

/** The largest time of a Date, ECMA-262 §21.4.1.1. */
const MAX_TIME_MS = 8.64e15;
const MAX_NAMED = 3;

/**
 * What the clauses of a rule say of all that it decides on: any clause keeps. Whatever a clause would have to know and nobody
 * knows, as a date, keeps too, and takes no slot. Fewer voters never make one expire that was kept among more.
 */
export function castVotes(rule: RetentionRule, voters: readonly Voter[], setting: VoteSetting): Votes {
  const keptBy: (string | undefined)[] = voters.map(() => undefined);
  const warnings: string[] = [];
  const firm = voters.filter(({ floats }) => !floats);
  for (const clause of rule.clauses) {
    const text = clauseText(clause);
    const kept = keptByClause(clause, firm, { ...setting, rule, warnings });
    let at = 0;
    for (const [position, { floats }] of voters.entries()) {
      if (floats) continue;
      if (kept[at]) keptBy[position] ??= text;
      at += 1;
    }
  }
  return { keptBy: withFloating(voters, keptBy), warnings };
}

/** Floating tags stay with the others of their root in this rule; alone they stay in any case. */
function withFloating(
  voters: readonly Voter[],
  keptBy: readonly (string | undefined)[],
): readonly (string | undefined)[] {
  if (!voters.some(({ floats }) => floats)) return keptBy;
  const ofRoot = new Map<InventoryEntry, string | undefined>();
  for (const [position, { entry, floats }] of voters.entries()) {
    if (!floats) ofRoot.set(entry, ofRoot.get(entry) ?? keptBy[position]);
  }
  return voters.map(({ entry, floats }, position) => {
    if (!floats) return keptBy[position];
    return ofRoot.has(entry) ? ofRoot.get(entry) : 'a moving tag';
  });
}

interface ClauseSetting extends VoteSetting {
  readonly rule: RetentionRule;
  readonly warnings: string[];
}

function keptByClause(clause: KeepClause, voters: readonly Voter[], setting: ClauseSetting): readonly boolean[] {
  const age = (timeMs: number | undefined): number | undefined => ageOf(timeMs, setting.nowMs);
  switch (clause.kind) {
    case 'keep':
      return keptByCount(clause, voters, setting);
    case 'for':
      return voters.map(({ entry }) =>
        isWithin(age(clause.since === 'updated' ? entry.updatedAtMs : entry.pushedAtMs), clause.ageMs),
      );
    case 'used':
      return voters.map(({ entry: { usedAtMs, pushedAtMs } }) =>
        isWithin(age(laterOf(usedAtMs ?? Number.NEGATIVE_INFINITY, pushedAtMs)), clause.ageMs),
      );
    case 'semver':
      return keptByVersion(clause, voters, setting);
    case 'calendar':
      return keptByPeriod(clause, voters, setting);
    case 'while':
      return keptWhile(clause.state, voters, setting);
  }
}

/** `undefined` when nobody knows. */
export function ageOf(timeMs: number | undefined, nowMs: number): number | undefined {
  return isTime(timeMs) ? nowMs - timeMs : undefined;
}

function isTime(timeMs: number | undefined): timeMs is number {
  return timeMs !== undefined && Math.abs(timeMs) <= MAX_TIME_MS;
}

/** An age that is not known is within any limit; exactly the limit is within it. */
export function isWithin(ageMs: number | undefined, limitMs: number): boolean {
  return ageMs === undefined || ageMs <= limitMs;
}

/** `undefined` unless both are known. */
export function laterOf(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : Math.max(a, b);
}

function keptByCount(
  { count, by }: KeepClause & { readonly kind: 'keep' },
  voters: readonly Voter[],
  setting: ClauseSetting,
): readonly boolean[] {
  const best = new Map<InventoryEntry, Voter>();
  const isRanked = ({ entry, version }: Voter): boolean =>
    by === 'semver' ? version !== undefined : isTime(timeBy(by, entry));
  for (const voter of voters) {
    const other = best.get(voter.entry);
    if (isRanked(voter) && (other === undefined || compareBy(by, voter, other) < 0)) best.set(voter.entry, voter);
  }
  const ranked = [...best.values()].sort((a, b) => compareBy(by, a, b));
  const kept = new Set(ranked.slice(0, count).map(({ entry }) => entry));
  if (by === 'semver') warnUnversioned(voters, setting);
  return voters.map((voter) => !isRanked(voter) || kept.has(voter.entry));
}

type KeepOrder = (KeepClause & { readonly kind: 'keep' })['by'];

function compareBy(by: KeepOrder, a: Voter, b: Voter): number {
  if (by !== 'semver') {
    const [one, other] = [timeBy(by, a.entry), timeBy(by, b.entry)];
    return (
      descending(one ?? Number.POSITIVE_INFINITY, other ?? Number.POSITIVE_INFINITY) || compareIds(a.entry, b.entry)
    );
  }
  const order = a.version === undefined || b.version === undefined ? 0 : b.version.compare(a.version);
  return order || compareNewest(a.entry, b.entry);
}

function timeBy(by: Exclude<KeepOrder, 'semver'>, entry: InventoryEntry): number | undefined {
  switch (by) {
    case 'pushed':
      return entry.pushedAtMs;
    case 'updated':
      return entry.updatedAtMs;
    case 'image-created':
      return entry.createdAtMs;
  }
}

function keptByVersion(
  { levels }: KeepClause & { readonly kind: 'semver' },
  voters: readonly Voter[],
  setting: ClauseSetting,
): readonly boolean[] {
  warnUnversioned(voters, setting);
  const dated = voters.flatMap(({ version, entry }) =>
    version === undefined ? [] : [{ version, ageMs: ageOf(entry.pushedAtMs, setting.nowMs) }],
  );
  const kept = keptBySemver(levels, dated).values();
  return voters.map(({ version }) => version === undefined || kept.next().value === true);
}

function warnUnversioned(voters: readonly Voter[], { rule, warnings }: ClauseSetting): void {
  const names = [
    ...new Set(voters.flatMap(({ tag, version }) => (version === undefined && tag !== undefined ? tag : []))),
  ];
  if (names.length === 0) return;
  const shown = someOf(names, MAX_NAMED, quote);
  warnings.push(
    `${counted(names.length, 'tag')} of the rule ${quote(rule.text)} stay, since they are no semantic versions: ${shown}; for such tags use keep or for`,
  );
}

function keptByPeriod(
  { period, count }: KeepClause & { readonly kind: 'calendar' },
  voters: readonly Voter[],
  { timeZone }: ClauseSetting,
): readonly boolean[] {
  const roots = [...new Set(voters.map(({ entry }) => entry))].sort(compareNewest);
  const dated = roots.flatMap((entry) => (isTime(entry.pushedAtMs) ? [{ entry, timeMs: entry.pushedAtMs }] : []));
  const isKept = keptByCalendar(
    dated.map(({ timeMs }) => timeMs),
    { period, count, timeZone },
  );
  const gone = new Set(dated.filter((_, at) => isKept[at] === false).map(({ entry }) => entry));
  return voters.map(({ entry }) => !gone.has(entry));
}
