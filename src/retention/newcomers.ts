import type { Digest } from '../core/digest.ts';
import type { InventoryEntry } from '../core/retention/inventory.ts';
import { parseLinkTag } from '../core/retention/link-tag.ts';
import type { ImageStore } from './store.ts';

/**
 * What is needed by manifests that came, or got other tags, since the repository was listed: by digest, or by `linkName` where
 * a tag of theirs says what they belong to, who needs it. `undefined` when one of them cannot be read: then nobody knows.
 */
export async function claimedBy(
  store: ImageStore,
  newcomers: readonly InventoryEntry[],
): Promise<ReadonlyMap<string, string> | undefined> {
  const claimed = new Map<string, string>();
  for (const tag of newcomers.flatMap(({ tags }) => tags)) {
    const link = parseLinkTag(tag);
    if (link !== undefined) claimed.set(link.subject, tag);
  }
  const read = new Set<Digest>();
  const ahead = newcomers.map(({ digest, tags }): [Digest, string] => [digest, tags[0] ?? digest]);
  for (let next = ahead.pop(); next !== undefined; next = ahead.pop()) {
    const [digest, by] = next;
    if (read.has(digest)) continue;
    read.add(digest);
    claimed.set(digest, by);
    const facts = await store.read(digest);
    if (facts.kind === 'unreadable') return undefined;
    if (facts.subject !== undefined) claimed.set(facts.subject, by);
    if (facts.kind !== 'index') continue;
    for (const child of facts.children) {
      if (child.type === 'unknown') ahead.push([child.digest, by]);
      else claimed.set(child.digest, by);
    }
  }
  return claimed;
}
