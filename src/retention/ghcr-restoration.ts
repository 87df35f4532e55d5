import { textAt } from '../core/json.ts';
import { quote } from '../core/printable.ts';
import type { InventoryEntry } from '../core/retention/inventory.ts';
import type { PlannedManifest } from '../core/retention/plan.ts';
import { isRegistryError } from '../errors.ts';
import type { Repository } from '../registry/repository.ts';
import type { GhcrPackage } from './ghcr-package.ts';
import type { Restoration } from './store.ts';

/**
 * Brings a version back, which GitHub can for 30 days, and looks whether it is there. Tags that GitHub has not brought back are
 * set again where nothing else has them by now.
 * https://docs.github.com/en/packages/learn-github-packages/deleting-and-restoring-a-package
 */
export async function restoreVersion(
  one: GhcrPackage,
  repository: Pick<Repository, 'resolve' | 'tag'>,
  manifest: PlannedManifest,
): Promise<Restoration> {
  const present = await one.version(manifest.id);
  if (present !== undefined) return settle(repository, manifest, { found: present, outcome: 'present' });
  const answer = await one.request('POST', manifest.id, '/restore');
  const found = await one.version(manifest.id);
  if (found !== undefined) return settle(repository, manifest, { found, outcome: 'restored' });
  const said = quote(textAt(answer.json, 'message') ?? '');
  const hint = answer.status === 403 ? `. ${one.accessHint('delete')}` : '; it keeps what is deleted for 30 days';
  return { outcome: 'lost', reason: `GitHub answered ${answer.status} to the restoration: ${said}${hint}` };
}

async function settle(
  repository: Pick<Repository, 'resolve' | 'tag'>,
  manifest: PlannedManifest,
  { found, outcome }: { readonly found: InventoryEntry; readonly outcome: 'present' | 'restored' },
): Promise<Restoration> {
  if (found.digest !== manifest.digest) {
    return { outcome: 'lost', reason: `its number is ${found.digest} by now` };
  }
  const tags: string[] = [];
  for (const tag of manifest.tags) if (await hasTag(repository, manifest, tag)) tags.push(tag);
  return { outcome, tags };
}

/** Sets the tag where it is free; true when it is on the manifest in the end. */
async function hasTag(
  repository: Pick<Repository, 'resolve' | 'tag'>,
  { digest }: PlannedManifest,
  tag: string,
): Promise<boolean> {
  try {
    const held = await repository.resolve({ tag });
    if (held !== undefined) return held.digest === digest;
    const descriptor = await repository.resolve({ digest });
    if (descriptor === undefined) return false;
    await repository.tag(descriptor, tag);
    return true;
  } catch (error) {
    // The manifest is back; who asked sees which tags are not.
    if (isRegistryError(error) && error.code !== 'ABORTED') return false;
    throw error;
  }
}
