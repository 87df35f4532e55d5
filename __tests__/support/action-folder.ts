import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHECKOUT } from './programs.ts';
import type { Toolchain } from './toolchain.ts';
import { NO_MIRROR, seedDatabase } from './trivy-database.ts';

/** What a workflow that act runs finds on its machine. */
export interface ActionFolder {
  /** `action.yml` and `dist/`, as a release has them. */
  readonly action: string;
  /** For the steps: a cache with a small database for Trivy. */
  readonly env: Readonly<Record<string, string>>;
  remove(): void;
}

export async function openActionFolder(toolchain: Toolchain): Promise<ActionFolder> {
  const cache = mkdtempSync(join(tmpdir(), 'build-once-cache-'));
  const action = mkdtempSync(join(tmpdir(), 'build-once-action-'));
  await seedDatabase(toolchain, cache);
  for (const part of ['action.yml', 'dist']) cpSync(join(CHECKOUT, part), join(action, part), { recursive: true });
  return {
    action,
    env: { XDG_CACHE_HOME: cache, ...NO_MIRROR },
    remove() {
      for (const directory of [action, cache]) rmSync(directory, { recursive: true });
    },
  };
}
