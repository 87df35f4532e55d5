import { readdirSync } from 'node:fs';
import { textAt } from '../core/json.ts';

const ABSENT: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM']);

/**
 * The names in a folder that most machines lack; none where there is no such folder, or where another user's may not be looked
 * into. Else the error is the system's.
 */
export function listOptionalFolder(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (ABSENT.has(textAt(error, 'code'))) return [];
    throw error;
  }
}
