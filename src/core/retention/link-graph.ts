import { bothWays, type Edges } from './edges.ts';
import type { InventoryEntry, KnownManifests } from './inventory.ts';
import { imageTags, type LinkTag, linkName, parseLinkTag } from './link-tag.ts';

/** How the manifests of a repository hang together. Its nodes are the positions of the entries. */
export interface LinkGraph {
  readonly entries: readonly InventoryEntry[];
  /** From an index to what it names. */
  readonly children: Edges;
  readonly parents: Edges;
  /** From a manifest to what belongs to it: by `subject`, by the index under its fallback tag, by cosign's tags. */
  readonly referrers: Edges;
  readonly subjects: Edges;
  /** A root: no other manifest holds it, and it is no mere referrer. */
  isRoot(node: number): boolean;
  /** A mere referrer, the topmost of its kind, of something that is not there. */
  isOrphan(node: number): boolean;
  /** It belongs to something. */
  isReferrer(node: number): boolean;
  /** An index of referrers, under a fallback tag. */
  isFallbackIndex(node: number): boolean;
  /** It or an index below it names a manifest that is not there. */
  isBroken(node: number): boolean;
  /** It was read, or an index says of it that it names no other manifest. */
  isKnown(node: number): boolean;
  /** All of them are known, and none is unreadable. */
  readonly isReadable: boolean;
}

/**
 * The links between manifests, as far as `manifests` tell. What an index names as a manifest belongs to
 * that index: a subject of its own counts only when it is tagged, so that such manifests need not be read, or when the registry
 * lists it as a referrer. What holds its own subject belongs to nothing.
 */
export function linkGraph(entries: readonly InventoryEntry[], manifests: KnownManifests): LinkGraph {
  const nodeOf = new Map<string, number>();
  for (const [node, { digest }] of entries.entries()) nodeOf.set(digest, node);
  const held = childLinks(entries, manifests, nodeOf);
  const children = bothWays(entries.length, held.pairs);
  const belonging = subjectLinks({ entries, manifests, nodeOf, isLeaf: held.isLeaf, children: children.forward });
  const subjects = bothWays(entries.length, belonging.pairs);
  const isBroken = brokenMarks(held.incomplete, children.backward);
  const { isReferrer, fallbacks, linked } = belonging;
  const isHeld = (node: number): boolean => children.backward.of(node).some((parent) => !linked.has(parent));
  const isTagged = (node: number): boolean => imageTags(entries[node]?.tags ?? []).length > 0;
  const isKnown = (node: number): boolean => {
    const entry = entries[node];
    return held.isLeaf[node] === 1 || (entry !== undefined && manifests.has(entry.digest));
  };
  return {
    entries,
    children: children.forward,
    parents: children.backward,
    referrers: subjects.backward,
    subjects: subjects.forward,
    isRoot: (node) => !isHeld(node) && (isReferrer[node] !== 1 || isTagged(node)),
    isOrphan: (node) =>
      isReferrer[node] === 1 &&
      !isTagged(node) &&
      children.backward.of(node).length === 0 &&
      subjects.forward.of(node).length === 0,
    isReferrer: (node) => isReferrer[node] === 1,
    isFallbackIndex: (node) => fallbacks.has(node),
    isBroken: (node) => isBroken.has(node),
    isKnown,
    isReadable: entries.every(({ digest }, node) => isKnown(node) && manifests.get(digest)?.kind !== 'unreadable'),
  };
}

interface ChildLinks {
  readonly pairs: readonly number[];
  /** Named by an index as what names no other manifest. */
  readonly isLeaf: Uint8Array;
  /** Indexes that name a manifest that is not there. */
  readonly incomplete: readonly number[];
}

function childLinks(
  entries: readonly InventoryEntry[],
  manifests: KnownManifests,
  nodeOf: ReadonlyMap<string, number>,
): ChildLinks {
  const pairs: number[] = [];
  const isLeaf = new Uint8Array(entries.length);
  const incomplete: number[] = [];
  for (const [node, { digest }] of entries.entries()) {
    const facts = manifests.get(digest);
    if (facts?.kind !== 'index') continue;
    for (const child of facts.children) {
      const at = nodeOf.get(child.digest);
      if (at === undefined) {
        if (child.type !== 'blob' && incomplete.at(-1) !== node) incomplete.push(node);
      } else if (at !== node) {
        pairs.push(node, at);
        if (child.type === 'manifest') isLeaf[at] = 1;
      }
    }
  }
  return { pairs, isLeaf, incomplete };
}

interface SubjectLinks {
  /** From referrer to subject. */
  readonly pairs: readonly number[];
  readonly isReferrer: Uint8Array;
  readonly fallbacks: ReadonlySet<number>;
  /** Those with no tags but links, one of them a fallback tag: what they name is not theirs. */
  readonly linked: ReadonlySet<number>;
}

interface SubjectSources {
  readonly entries: readonly InventoryEntry[];
  readonly manifests: KnownManifests;
  readonly nodeOf: ReadonlyMap<string, number>;
  readonly isLeaf: Uint8Array;
  readonly children: Edges;
}

function subjectLinks({ entries, manifests, nodeOf, isLeaf, children }: SubjectSources): SubjectLinks {
  const pairs: number[] = [];
  const isReferrer = new Uint8Array(entries.length);
  const fallbacks = new Set<number>();
  const linked = new Set<number>();
  const find = subjectFinder(entries, nodeOf);
  const link = (referrer: number, subject: number | undefined): void => {
    if (referrer === subject) return;
    isReferrer[referrer] = 1;
    if (subject !== undefined) pairs.push(referrer, subject);
  };
  for (const [node, { digest, tags, subject: listed }] of entries.entries()) {
    const facts = manifests.get(digest);
    const said = facts === undefined || facts.kind === 'unreadable' ? undefined : facts.subject;
    const own = listed ?? (tags.length > 0 || isLeaf[node] !== 1 ? said : undefined);
    if (own !== undefined) {
      const subject = nodeOf.get(own);
      if (subject === undefined || !children.of(node).includes(subject)) link(node, subject);
    }
    const links = tags.flatMap((tag) => parseLinkTag(tag) ?? []);
    if (links.length === tags.length && links.some(({ isFallback }) => isFallback)) linked.add(node);
    for (const one of links) {
      const subject = find(one);
      link(node, subject);
      if (!one.isFallback) continue;
      if (facts?.kind === 'index') fallbacks.add(node);
      for (const referrer of children.of(node)) link(referrer, subject);
    }
  }
  return { pairs, isReferrer, fallbacks, linked };
}

function subjectFinder(
  entries: readonly InventoryEntry[],
  nodeOf: ReadonlyMap<string, number>,
): (link: LinkTag) => number | undefined {
  const long = new Map<string, number>();
  for (const [node, { digest }] of entries.entries())
    if (digest.startsWith('sha512:')) long.set(linkName(digest), node);
  return ({ subject }) => nodeOf.get(subject.replace('-', ':')) ?? long.get(subject);
}

function brokenMarks(incomplete: readonly number[], parents: Edges): ReadonlySet<number> {
  const broken = new Set(incomplete);
  for (const node of broken) for (const parent of parents.of(node)) broken.add(parent);
  return broken;
}
