import { rmSync } from 'node:fs';
import type { Undo } from '../host.ts';

/** Undoes one thing; called at the end of the run, or by the post step of a run that was killed. Never throws. */
export type UndoIt = (undo: Undo) => Promise<void>;

/** The work to undo at the end of the run, newest first. `remember` is told of each change, to write it down. */
export class Cleanups {
  readonly #pending = new Set<Undo>();
  readonly #undoIt: UndoIt;
  readonly #remember: (pending: readonly Undo[]) => void;

  constructor(undoIt: UndoIt, remember: (pending: readonly Undo[]) => void = () => {}) {
    this.#undoIt = undoIt;
    this.#remember = remember;
  }

  /** See `Host.cleanup`. */
  add(undo: Undo): () => Promise<void> {
    this.#pending.add(undo);
    this.#remember([...this.#pending]);
    return () => this.#run(undo);
  }

  /** Undoes everything that is left, newest first. */
  async runAll(): Promise<void> {
    for (const undo of [...this.#pending].reverse()) await this.#run(undo);
  }

  /** Removes what is left of files and folders without waiting, before the process is ended. */
  removeAtOnce(): void {
    for (const undo of [...this.#pending].reverse()) if (undo.kind === 'remove') void this.#run(undo);
  }

  async #run(undo: Undo): Promise<void> {
    if (!this.#pending.delete(undo)) return;
    await this.#undoIt(undo);
    this.#remember([...this.#pending]);
  }
}

/** Removes a file or folder of ours, also a half-written one. */
export function removePath(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 3 });
}
