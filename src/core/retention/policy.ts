/**
 * What the input `retention` says, parsed: rules that vote about tags, names that are protected, limits. The grammar is in
 * docs/retention.md.
 */
export interface RetentionPolicy {
  /** The policy in one form, whatever spelling it was written in: the plan carries it. */
  readonly text: string;
  readonly protect: readonly ProtectItem[];
  /** In the order in which they were written: the first one that matches a tag is the tag's. */
  readonly rules: readonly RetentionRule[];
  readonly limits: RetentionLimits;
}

/** Policies for several repositories: one for a repository by its name, else the general one, else none. */
export interface RetentionPolicies {
  /** `undefined` where the input names policies for some images only. */
  readonly general: RetentionPolicy | undefined;
  /** By the full name of a repository: `ghcr.io/acme/app`. */
  readonly byImage: ReadonlyMap<string, RetentionPolicy>;
}

/** Picks tags: globs and regular expressions, `nightly-* | /^n\d+$/ except nightly-keep`. */
export interface TagSelector {
  /** As it was written. */
  readonly text: string;
  /**
   * `undefined` when the tag is not picked. Else what stands for the part that varies: the first group of a regular expression,
   * what the first `*` of a glob took up to its end, else the whole tag.
   */
  match(tag: string): { readonly variable: string } | undefined;
  /** What stands after `except`: `match` leaves it out. One without `?` that picks no tag at all is a mistake of the user. */
  readonly exceptions?: readonly TagException[];
}

export interface TagException {
  readonly selector: TagSelector;
  /** Marked `?`: it may match nothing. */
  readonly optional: boolean;
}

/**
 * What a rule speaks of: tags; roots without a tag; referrers whose subject is gone; roots with parts that are missing. The
 * two lanes of the short forms speak of roots: those with a version among their tags, and all others, untagged ones too.
 */
export type RuleSubject =
  | { readonly kind: 'tags'; readonly selector: TagSelector }
  | { readonly kind: 'untagged' | 'orphans' | 'broken' | 'versions' | 'others' };

/** What a rule does with what it speaks of: let its clauses decide, keep all, delete all, keep and tell. */
export type RuleAction = 'vote' | 'keep' | 'delete' | 'report';

/** One rule: a tag expires when no clause keeps it. */
export interface RetentionRule {
  /** The rule in one line, as the plan and the summary name it: `sha-*: keep 20, for 14d`. */
  readonly text: string;
  readonly subject: RuleSubject;
  readonly action: RuleAction;
  /** Any of them keeps; empty unless the action is `vote`. */
  readonly clauses: readonly KeepClause[];
}

export type KeepOrder = 'pushed' | 'updated' | 'semver' | 'image-created';
export type SemverLevel = 'majors' | 'minors' | 'patches' | 'prereleases';
export type CalendarPeriod = 'hourly' | 'daily' | 'weekly' | 'monthly' | 'yearly';
/** What must still be there for `while`: an open pull request, a branch, a git tag. */
export type WhileState = 'open' | 'branch' | 'tag';

export type KeepClause =
  | { readonly kind: 'keep'; readonly count: number; readonly by: KeepOrder }
  | { readonly kind: 'for'; readonly ageMs: number; readonly since: 'pushed' | 'updated' }
  /** Pulled within this time, where the registry tells. */
  | { readonly kind: 'used'; readonly ageMs: number }
  | { readonly kind: 'semver'; readonly levels: readonly SemverKeep[] }
  | { readonly kind: 'calendar'; readonly period: CalendarPeriod; readonly count: number }
  | { readonly kind: 'while'; readonly state: WhileState };

/** `3 minors`: of each kept major the three highest minors. `prereleases 5 for 30d`: at most five, and none older. */
export interface SemverKeep {
  readonly level: SemverLevel;
  readonly count: number;
  readonly ageMs: number | undefined;
}

/** What is never deleted, in the user's words. */
export type ProtectItem = {
  /** As it was written, without the `?`. */
  readonly text: string;
  /** Marked `?`: it may match nothing. */
  readonly optional: boolean;
} & (
  | { readonly kind: 'tags'; readonly selector: TagSelector }
  | { readonly kind: 'digest'; readonly digest: string }
  | { readonly kind: 'source'; readonly source: ProtectSource; readonly argument: string | undefined }
);

/**
 * `@releases`: GitHub's releases. `@git-tags`. `@in-use`: what clusters, files of the repository, deployments and containers
 * name; `@in-use(kubectl)`, `@in-use(docker)`, `@in-use(files)`, `@in-use(deployments)`: one of them, which must be readable.
 * `@file(PATH)`: a list of references.
 */
export type ProtectSource = 'releases' | 'git-tags' | 'in-use' | 'file';

export interface RetentionLimits {
  /** More deleted roots than this stop the plan: a number, or a share of the tagged roots. */
  readonly maxDelete:
    | { readonly kind: 'count'; readonly count: number }
    /** `atLeast`: fewer are never too many. */
    | { readonly kind: 'percent'; readonly percent: number; readonly atLeast: number };
  /** Fewer roots left than this stop the plan. */
  readonly minKeep: number;
  /** How long deleting may take; what is left is done by the next run. */
  readonly maxTimeMs: number | undefined;
  /** Nothing younger is deleted. */
  readonly grace: { readonly taggedMs: number; readonly untaggedMs: number };
  /** How many requests of the hour's allowance are left to others. */
  readonly reserve: number;
  /** Where days, weeks and months begin: an IANA name. */
  readonly timeZone: string;
  /** Of a root that stays, whether expired tags are taken off it, where the registry can delete a tag alone. */
  readonly untag: 'off' | 'safe';
}

const HOUR_MS = 3_600_000;

/** The limits where none are written. */
export const DEFAULT_LIMITS: RetentionLimits = {
  maxDelete: { kind: 'percent', percent: 50, atLeast: 10 },
  minKeep: 0,
  maxTimeMs: undefined,
  grace: { taggedMs: 2 * HOUR_MS, untaggedMs: 24 * HOUR_MS },
  reserve: 100,
  timeZone: 'UTC',
  untag: 'off',
};
