import { missText } from './clause-text.ts';
import type { InventoryEntry } from './inventory.ts';
import { imageTags } from './link-tag.ts';
import type { RetentionPolicy, RetentionRule, RuleSubject } from './policy.ts';
import { type TagVersion, versionOfTag } from './tag-version.ts';
import { castVotes, type Voter, type VoteSetting } from './votes.ts';

/** What is decided on: a root, a referrer of something that is gone, a root with parts that are missing. */
export interface Unit {
  readonly entry: InventoryEntry;
  readonly kind: 'image' | 'orphan' | 'broken';
}

/** What a rule says of a tag of a unit, or of the unit. */
export interface Opinion {
  /** `undefined`: no rule matches. */
  readonly rule: RetentionRule | undefined;
  readonly tag: string | undefined;
  /** What keeps it; `undefined`: it expires. */
  readonly keptBy: string | undefined;
}

export interface Ballot {
  /** In the order of the units; each has at least one opinion. */
  readonly opinions: readonly (readonly Opinion[])[];
  /** Sentences. */
  readonly warnings: readonly string[];
}

export interface BallotSetting extends VoteSetting {
  readonly policy: RetentionPolicy;
  readonly floats: (tag: string) => boolean;
}

interface Seat {
  readonly unit: number;
  readonly voter: Voter;
}

/** Asks the first rule that matches each tag, or each unit where rules speak of units. */
export function holdBallot(units: readonly Unit[], setting: BallotSetting): Ballot {
  const seats = new Map<RetentionRule, Seat[]>();
  const none: Opinion[] = [];
  const opinions: Opinion[][] = units.map(() => none);
  const say = (unit: number, opinion: Opinion): void => {
    const others = opinions[unit];
    // Most have one; an empty list that grows takes room for many.
    if (others === undefined || others === none) opinions[unit] = [opinion];
    else others.push(opinion);
  };
  for (const [unit, one] of units.entries()) {
    for (const { rule, voter } of votersOf(one, setting)) {
      if (rule === undefined) say(unit, { rule, tag: voter.tag, keptBy: 'no rule' });
      else if (seats.has(rule)) seats.get(rule)?.push({ unit, voter });
      else seats.set(rule, [{ unit, voter }]);
    }
  }
  const warnings: string[] = [];
  for (const [rule, all] of seats) {
    const votes = castVotes(
      rule,
      all.map(({ voter }) => voter),
      setting,
    );
    warnings.push(...votes.warnings);
    for (const [at, { unit, voter }] of all.entries()) {
      // The short forms say nothing of `latest`, which people pull without a word.
      const isLatest = voter.tag === undefined && voter.entry.tags.includes('latest');
      say(unit, { rule, tag: voter.tag, keptBy: isLatest ? 'latest' : verdictOf(rule, votes.keptBy[at]) });
    }
  }
  return { opinions, warnings };
}

/** Why the rules let a unit go: half a sentence. */
export function expiryReason(rules: readonly RetentionRule[]): string {
  return rules
    .map(({ action, clauses }) => (action === 'delete' ? 'the rule deletes it' : clauses.map(missText).join(', ')))
    .join('; ');
}

/** The rule that a tag takes: the first that matches it. */
export function ruleOfTag(policy: RetentionPolicy, tag: string): RetentionRule | undefined {
  return policy.rules.find(({ subject }) => subject.kind === 'tags' && subject.selector.match(tag) !== undefined);
}

function verdictOf({ action }: RetentionRule, keptBy: string | undefined): string | undefined {
  switch (action) {
    case 'vote':
      return keptBy;
    case 'keep':
      return 'keep all';
    case 'report':
      return 'report';
    case 'delete':
      return undefined;
  }
}

interface Assigned {
  readonly rule: RetentionRule | undefined;
  readonly voter: Voter;
}

function votersOf({ entry, kind }: Unit, { policy, floats }: BallotSetting): readonly Assigned[] {
  const ruleFor = (...kinds: readonly RuleSubject['kind'][]): RetentionRule | undefined =>
    policy.rules.find(({ subject }) => kinds.includes(subject.kind));
  if (kind !== 'image') return [{ rule: ruleFor(kind === 'orphan' ? 'orphans' : 'broken'), voter: whole(entry) }];
  const tags = imageTags(entry.tags);
  if (tags.length === 0) return [{ rule: ruleFor('untagged', 'others'), voter: whole(entry) }];
  const assigned = tags.map((tag) => assignTag(tag, entry, { policy, floats }));
  if (assigned.some(({ rule }) => rule !== undefined)) return assigned;
  const version = highestOf(tags);
  const lane = ruleFor(version === undefined ? 'others' : 'versions');
  if (lane === undefined) return assigned;
  return [{ rule: lane, voter: { ...whole(entry), version, floats: tags.every(floats) } }];
}

function whole(entry: InventoryEntry): Voter {
  return { entry, tag: undefined, variable: '', version: undefined, floats: false };
}

function assignTag(
  tag: string,
  entry: InventoryEntry,
  { policy, floats }: Pick<BallotSetting, 'policy' | 'floats'>,
): Assigned {
  for (const rule of policy.rules) {
    const match = rule.subject.kind === 'tags' ? rule.subject.selector.match(tag) : undefined;
    if (match === undefined) continue;
    const { variable } = match;
    return { rule, voter: { entry, tag, variable, version: versionOfTag(tag, variable), floats: floats(tag) } };
  }
  return { rule: undefined, voter: { ...whole(entry), tag } };
}

function highestOf(tags: readonly string[]): TagVersion | undefined {
  return tags
    .flatMap((tag) => versionOfTag(tag) ?? [])
    .reduce<TagVersion | undefined>(
      (most, one) => (most === undefined || one.compare(most) > 0 ? one : most),
      undefined,
    );
}
