import { counted } from '../counted.ts';
import { quote, toLine } from '../printable.ts';
import type { Ballot, Unit } from './ballot.ts';
import type { InventoryEntry } from './inventory.ts';
import type { PlanRequest } from './plan.ts';

/** How many of a kind are named. */
const MAX_NAMED = 10;
/** It begins with an address. */
const MAX_REASON_LENGTH = 500;

interface Judged {
  readonly units: readonly Unit[];
  readonly ballot: Ballot;
}

/** What a person should look at: sentences. */
export function warningsOf({ inventory, manifests }: PlanRequest, { units, ballot }: Judged): readonly string[] {
  const unreadable = inventory.entries.flatMap((entry) => {
    const facts = manifests.get(entry.digest);
    if (facts?.kind !== 'unreadable') return [];
    return [
      `${nameOf(entry)} could not be read (${toLine(facts.reason, MAX_REASON_LENGTH)}): while that is so, nothing is deleted here`,
    ];
  });
  const incomplete = 'the list of this repository is not complete: nothing is deleted here this time';
  return [
    ...some(unreadable, 'manifests that could not be read'),
    ...(inventory.isComplete ? [] : [incomplete]),
    ...some(brokenOf(units, ballot), 'images with parts that are missing'),
    ...reported(units, ballot),
  ];
}

function brokenOf(units: readonly Unit[], { opinions }: Ballot): readonly string[] {
  return units.flatMap(({ entry, kind }, at) => {
    if (kind !== 'broken' || (opinions[at] ?? []).every(({ keptBy }) => keptBy === undefined)) return [];
    return [`${nameOf(entry)} names manifests that are not there: build it again, or delete it with a rule for broken`];
  });
}

function reported(units: readonly Unit[], { opinions }: Ballot): readonly string[] {
  const found = new Map<string, InventoryEntry[]>();
  for (const [at, { entry, kind }] of units.entries()) {
    for (const { rule } of opinions[at] ?? []) {
      if (rule?.action !== 'report' || kind === 'broken') continue;
      const entries = found.get(rule.text);
      if (entries === undefined) found.set(rule.text, [entry]);
      else entries.push(entry);
    }
  }
  return [...found].map(([text, entries]) => {
    const names = [...new Set(entries)].slice(0, MAX_NAMED).map(nameOf).join(', ');
    return `the rule ${quote(text)} reports ${counted(new Set(entries).size, 'image')}: ${names}`;
  });
}

function some(sentences: readonly string[], many: string): readonly string[] {
  const left = sentences.length - MAX_NAMED;
  return left > 0 ? [...sentences.slice(0, MAX_NAMED), `and ${left} more ${many}`] : sentences;
}

function nameOf({ tags, digest }: InventoryEntry): string {
  const [tag] = tags;
  return tag === undefined ? digest : `${toLine(tag)} (${digest})`;
}
