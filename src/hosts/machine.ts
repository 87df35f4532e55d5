import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { architectureOfNode, osOfNode } from '../core/platform.ts';
import type { Host, Log, Undo } from '../host.ts';
import { Cleanups, removePath } from './cleanups.ts';
import { createFiles } from './files.ts';
import type { Masker } from './masker.ts';

export interface MachineSettings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** What `log.mask` fills. */
  readonly masker: Masker;
  /** Where temporary directories are made; the system's own place when absent. */
  readonly temporary?: string | undefined;
  /** Told of everything that is still to undo, each time that changes. */
  readonly remember?: (pending: readonly Undo[]) => void;
}

/** A host on this machine; `finish` undoes what the run left, and is to be called whatever the run's end. */
export interface Machine extends Host {
  /** The text without the secrets that were masked: for what is shown but not logged. Before it is cut or escaped. */
  readonly hide: (text: string) => string;
  finish(): Promise<void>;
  /** Removes the run's files and folders before this returns; for the moment before the process is ended. */
  removeAtOnce(): void;
}

/** The parts that every host shares: files, processes, time, cleaning up. */
export function createMachine(settings: MachineSettings): Machine {
  const { env, cwd, log, signal, masker } = settings;
  const exec: Host['exec'] = async (command) => {
    const { execCommand } = await import(/* webpackIgnore: true */ './exec.ts');
    return execCommand(command, { env, cwd, signal });
  };
  const cleanups = new Cleanups(async (undo) => {
    try {
      if (undo.kind === 'remove') removePath(undo.path);
      else await runUndo(undo, env, cwd);
    } catch (error) {
      log.warning(`cleaning up failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }, settings.remember);
  return {
    env,
    cwd,
    os: osOfNode(process.platform),
    architecture: architectureOfNode(process.arch),
    files: createFiles(cwd, (path) => cleanups.add({ kind: 'remove', path }), settings.temporary),
    log,
    signal,
    now: () => new Date(),
    randomId: () => randomBytes(16).toString('hex'),
    async sleep(durationMs) {
      try {
        await wait(durationMs, undefined, { signal });
      } catch (error) {
        signal.throwIfAborted();
        throw error;
      }
    },
    exec,
    cleanup: (undo) => cleanups.add(undo),
    finish: () => cleanups.runAll(),
    removeAtOnce: () => cleanups.removeAtOnce(),
    hide: (text) => masker.hide(text),
  };
}

/** With a signal of its own: what undoes a run must work also when the run was interrupted. */
async function runUndo(
  undo: Extract<Undo, { kind: 'command' }>,
  env: MachineSettings['env'],
  cwd: string,
): Promise<void> {
  const [program, ...rest] = undo.argv;
  if (program === undefined) return;
  const { execCommand } = await import(/* webpackIgnore: true */ './exec.ts');
  const command = { argv: [program, ...rest] as const, ...(undo.env === undefined ? {} : { env: undo.env }) };
  await execCommand(command, { env, cwd, signal: new AbortController().signal });
}
