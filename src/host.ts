import type { PlatformPath } from 'node:path';

/**
 * The port to the world: stages and tools reach time, files, processes and the log through it only. `hosts/actions.ts` is
 * the GitHub runner, `hosts/terminal.ts` everything else.
 */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where relative paths start; absolute. */
  readonly cwd: string;
  /** This machine in the words of the image specification. */
  readonly os: string;
  readonly architecture: string;
  readonly files: Files;
  readonly log: Log;
  /** Aborts when the run is interrupted: children are ended, requests cut. */
  readonly signal: AbortSignal;
  now(): Date;
  /** 32 random hexadecimal characters. */
  randomId(): string;
  sleep(durationMs: number): Promise<void>;
  /**
   * Runs a program without a shell. Resolves with its exit code; rejects with CommandError only when it cannot start, or
   * goes beyond what the command allows it.
   */
  exec(command: Command): Promise<CommandResult>;
  /**
   * Registers work to undo at the end of the run, whatever its end. `undo` is also written down as data, so that the
   * action's post step does it when this process was killed. Returns a function that does it now, once.
   */
  cleanup(undo: Undo): () => Promise<void>;
}

/** Something to undo; data, so that it can outlive the process. */
export type Undo =
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'command'; readonly argv: readonly string[]; readonly env?: Readonly<Record<string, string>> };

export interface Command {
  readonly argv: readonly [program: string, ...rest: string[]];
  readonly cwd?: string;
  /** Added to the environment of this process. Secrets travel here, never in `argv`. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** How long it may take; when it takes longer it is ended, and CommandError `COMMAND_TIMED_OUT` thrown. */
  readonly timeoutMs?: number;
  /** How much it may write to its two streams together; with more it is ended, and `COMMAND_TOO_LOUD` thrown. */
  readonly maxOutputBytes?: number;
  /** Ends it, as the signal of the run does. */
  readonly signal?: AbortSignal;
  /** Called with each line as it is written, to show progress. */
  readonly onLine?: (line: string) => void;
  /** Called when it runs: what is done from here on is done beside it. */
  readonly onStart?: () => void;
}

export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A place in a file of the workspace that a message is about. */
export interface Location {
  /** Relative to the workspace. */
  readonly file: string;
  readonly line?: number;
}

/** Messages for a person. Every text is made printable and harmless to the runner by the host. */
export interface Log {
  debug(message: string): void;
  info(message: string): void;
  notice(message: string, at?: Location): void;
  warning(message: string, at?: Location): void;
  error(message: string, at?: Location): void;
  /** Runs `work` inside a foldable group. */
  group<T>(title: string, work: () => Promise<T>): Promise<T>;
  /** Keeps this text out of everything printed from now on. */
  mask(secret: string): void;
}

export interface FileEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'symlink' | 'other';
}

/** The `code` of what `Files.digest` throws for a file that changed meanwhile. */
export const FILE_CHANGED = 'FILE_CHANGED';

export interface FileDigest {
  /** In hex. */
  readonly sha256: string;
  /** Whether its owner may execute it. */
  readonly executable: boolean;
  readonly sizeBytes: number;
  /** It is what git LFS leaves in place of a file that was not fetched. */
  readonly isLfsPointer: boolean;
}

/** A file that was read once for both. */
export interface DigestedFile {
  readonly bytes: Uint8Array;
  readonly digest: FileDigest;
}

/** Files that are about to be read. */
export interface FilesToRead {
  readonly count: number;
  /** Absolute; the same text that `digest` is asked for. */
  readonly pathAt: (position: number) => string;
}

/** Synchronous on purpose but for `pieces`: one promise a file is two to five times slower. Paths are absolute, or relative to `cwd`. */
export interface Files {
  /** How paths are spelled where these files are. */
  readonly path: PlatformPath;
  /** The absolute path of this one. */
  resolve(path: string): string;
  /** `undefined` when there is no such file. An error for a device, which may never end. */
  read(path: string): Uint8Array | undefined;
  /** The bytes of a large file, piece by piece, while other work goes on. An error for what is no regular file, and for nothing. */
  pieces(path: string): AsyncIterable<Uint8Array>;
  /** The same with its digest. An error for what is no regular file. */
  readDigested(path: string): DigestedFile | undefined;
  readText(path: string): string | undefined;
  /** As `readRegularFile`, with its errors; `undefined` when there is no such file. */
  readRegular(path: string, limitBytes: number): string | undefined;
  /** sha256 in hex of a file's bytes, read in pieces, and what was seen on the way. An error with the code {@link FILE_CHANGED}. */
  digest(path: string): FileDigest;
  /** Does work that reads these files by `digest`, in this order; until it ends, they may be read ahead. */
  readingAhead<T>(files: FilesToRead, work: () => T): T;
  /**
   * The entries of a directory, unsorted; `undefined` when there is none. Bytes of a name that are no UTF-8 are halves of
   * surrogate pairs, U+DC80 to U+DCFF; the other functions take such names.
   */
  list(path: string): readonly FileEntry[] | undefined;
  /** What the path is, links not followed; `undefined` when nothing is there. */
  kindOf(path: string): FileEntry['kind'] | undefined;
  readLink(path: string): string;
  /** Writes with mode 0600, making directories as needed; a large text in pieces. */
  write(path: string, content: string | Uint8Array | Iterable<string>): void;
  /** Adds to the end of a file, made with mode 0600 as needed. What was added is on the disk when this returns. */
  append(path: string, content: string): void;
  /** Renames on the same disk, whole or not at all; `false` when something is there already. */
  move(from: string, to: string): boolean;
  /** Makes the path lead to a directory. */
  linkDirectory(directory: string, path: string): void;
  /** A fresh private directory for this run, removed at its end; in `parent`, made as needed, where one is named. */
  makeTemporaryDirectory(prefix: string, parent?: string): string;
}
