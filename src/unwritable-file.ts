import { textAt } from './core/json.ts';
import { quote } from './core/printable.ts';
import { BuildOnceError } from './errors.ts';

/**
 * Does what writes to a file or a folder; when the system refuses, BuildOnceError `UNWRITABLE_FILE` that names the place.
 * Full disks, read-only ones and folders of another user are nothing unusual on a machine of one's own.
 */
export function writing<T>(place: string, write: () => T): T {
  try {
    return write();
  } catch (cause) {
    throw unwritable(place, cause);
  }
}

/** As `writing`, for what takes its time. */
export async function writingTo<T>(place: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    // What the system says has one; our own errors and the network's are told by themselves.
    throw textAt(error, 'syscall') === undefined ? error : unwritable(place, error);
  }
}

/** The error for a place where nothing can be written. */
export function unwritable(place: string, cause: unknown): BuildOnceError {
  const why = textAt(cause, 'code') ?? String(cause);
  return new BuildOnceError('UNWRITABLE_FILE', `${quote(place)} cannot be written: ${why}`, 1, {
    hint: 'Free some space there, make it writable, or set TMPDIR (RUNNER_TEMP on a runner) to another folder.',
    cause,
  });
}
