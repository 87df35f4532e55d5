import { quote } from '../printable.ts';
import type { InventoryEntry, Protection } from './inventory.ts';
import type { ProtectItem, RetentionPolicy, TagException } from './policy.ts';

/** Who needs which manifests of an inventory. */
export interface Protected {
  /** By the position of the entry: who needs it, in the order in which they were found. */
  readonly byEntry: ReadonlyMap<number, string>;
  readonly isProtectedTag: (tag: string) => boolean;
  /** Items that must match something, and do not: sentences. */
  readonly refusals: readonly string[];
}

/** Finds what the policy protects, and what others need. */
export function findProtected(
  entries: readonly InventoryEntry[],
  policy: RetentionPolicy,
  protections: readonly Protection[],
): Protected {
  const named = namesOf(protections);
  const matched = new Set<ProtectItem | string>();
  const byTag = (tag: string): string | undefined => {
    const items = policy.protect.filter((item) => item.kind === 'tags' && item.selector.match(tag) !== undefined);
    for (const item of items) matched.add(item);
    return items[0] === undefined ? named.byTag.get(tag) : `protect ${items[0].text}`;
  };
  const byEntry = new Map<number, string>();
  for (const [position, { digest, tags }] of entries.entries()) {
    const items = policy.protect.filter((item) => item.kind === 'digest' && item.digest === digest);
    for (const item of items) matched.add(item);
    const ofTags = tags.map(byTag).find((by) => by !== undefined);
    const by = ofTags ?? (items[0] === undefined ? named.byDigest.get(digest) : `protect ${items[0].text}`);
    if (by !== undefined) byEntry.set(position, by);
    for (const name of [digest, ...tags]) for (const source of named.sources.get(name) ?? []) matched.add(source);
  }
  const refusals = [
    ...policy.protect.flatMap((item) => (isUnmatched(item, matched) ? [refusalOf('protect', item.text)] : [])),
    ...idleExceptions(entries, policy).map(({ selector }) => refusalOf('except', selector.text)),
  ];
  return { byEntry, isProtectedTag: (tag) => byTag(tag) !== undefined, refusals };
}

interface Names {
  readonly byTag: ReadonlyMap<string, string>;
  readonly byDigest: ReadonlyMap<string, string>;
  /** Everybody who names a tag or digest. */
  readonly sources: ReadonlyMap<string, readonly string[]>;
}

function namesOf(protections: readonly Protection[]): Names {
  const byTag = new Map<string, string>();
  const byDigest = new Map<string, string>();
  const sources = new Map<string, string[]>();
  for (const { by, tags, digests } of protections) {
    for (const tag of tags) if (!byTag.has(tag)) byTag.set(tag, by);
    for (const digest of digests) if (!byDigest.has(digest)) byDigest.set(digest, by);
    for (const name of [...tags, ...digests]) {
      const known = sources.get(name);
      if (known === undefined) sources.set(name, [by]);
      else known.push(by);
    }
  }
  return { byTag, byDigest, sources };
}

/** What a source says comes under its name, or under its name and a place: `@in-use(kubectl): prod: pod shop/web`. */
function isUnmatched(item: ProtectItem, matched: ReadonlySet<ProtectItem | string>): boolean {
  if (item.optional) return false;
  if (item.kind !== 'source') return !matched.has(item);
  const { text } = item;
  return ![...matched].some((by) => typeof by === 'string' && (by === text || by.startsWith(`${text}: `)));
}

/** What rules and items leave out by a name that no tag has. */
function idleExceptions(entries: readonly InventoryEntry[], policy: RetentionPolicy): readonly TagException[] {
  const selectors = [...policy.protect, ...policy.rules.map(({ subject }) => subject)];
  const exceptions = selectors.flatMap((one) => (one.kind === 'tags' ? (one.selector.exceptions ?? []) : []));
  return exceptions.filter(
    ({ selector, optional }) => !optional && !entries.some(({ tags }) => tags.some((tag) => selector.match(tag))),
  );
}

function refusalOf(word: 'protect' | 'except', text: string): string {
  return `${word} ${quote(text)} matches nothing here: correct it, or write ${quote(`${text}?`)} when it may be missing`;
}
