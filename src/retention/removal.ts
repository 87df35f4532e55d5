import { toLine } from '../core/printable.ts';
import { isRegistryError } from '../errors.ts';
import { type Removal, spent } from './store.ts';

/** What became of a deletion in a registry, with the codes of its refusal. */
export type RegistryRemoval = Removal & { readonly codes: readonly string[] };

/**
 * Deletes, and tells what came of it. A refusal is about one manifest; a registry that is gone is an error, and so is one that
 * wants no more requests: BuildOnceError `RETENTION_SPENT`.
 */
export async function removalOf(work: () => Promise<boolean>): Promise<RegistryRemoval> {
  try {
    return { outcome: (await work()) ? 'deleted' : 'gone', codes: [] };
  } catch (error) {
    if (!isRegistryError(error) || error.status === undefined) throw error;
    if (error.status === 429) throw spent(error.message);
    const codes = error.entries.map(({ code }) => code);
    return { outcome: 'refused', reason: toLine(error.message, 500), isFinal: error.code === 'UNSUPPORTED', codes };
  }
}
