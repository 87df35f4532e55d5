import { formatRepositoryName, type RepositoryName } from './core/reference.ts';
import { isRegistryError } from './errors.ts';
import type { Host } from './host.ts';

/**
 * Writes the record of an image's inputs; `undefined` where that fails, since the image is as good without: a warning says
 * what it costs. Throws what is no answer of a registry, an interruption among it.
 */
export async function orWithoutRecord<T>(
  { log, signal }: Pick<Host, 'log' | 'signal'>,
  repository: RepositoryName,
  write: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await write();
  } catch (error) {
    if (signal.aborted || !isRegistryError(error)) throw error;
    const where = formatRepositoryName(repository);
    const cost = 'later runs cannot say what has changed since this image, nor how long its build took';
    log.warning(`the input manifest is not attached in ${where}, so ${cost}: ${error.code}: ${error.message}`);
    return undefined;
  }
}
