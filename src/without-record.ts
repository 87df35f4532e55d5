import { formatRepositoryName, type RepositoryName } from './core/reference.ts';
import { isRegistryError } from './errors.ts';
import type { Host } from './host.ts';

/** What is attached to an image, and what a run that does without it has to pay. */
export interface AttachedRecord {
  readonly what: string;
  readonly cost: string;
}

export const INPUTS_RECORD: AttachedRecord = {
  what: 'the input manifest',
  cost: 'later runs cannot say what has changed since this image, nor how long its build took',
};

export const SCAN_RECORD: AttachedRecord = {
  what: 'the result of the scan',
  cost: 'the next run that reuses this image scans it again',
};

/**
 * Writes a record of an image; `undefined` where that fails, since the image is as good without: a warning says what it costs.
 * Throws what is no answer of a registry, an interruption among it.
 */
export async function orWithoutRecord<T>(
  { log, signal }: Pick<Host, 'log' | 'signal'>,
  { what, cost, repository }: AttachedRecord & { readonly repository: RepositoryName },
  write: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await write();
  } catch (error) {
    if (signal.aborted || !isRegistryError(error)) throw error;
    const where = formatRepositoryName(repository);
    log.warning(`${what} is not attached in ${where}, so ${cost}: ${error.code}: ${error.message}`);
    return undefined;
  }
}
