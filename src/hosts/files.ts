import { createHash, hash as digestOfBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { bytesOfText, holdsBytes, isDoubtful, textOfBytes } from '../core/byte-text.ts';
import { isLfsPointer } from '../core/lfs-pointer.ts';
import { FILE_CHANGED, type FileEntry, type Files } from '../host.ts';
import { readRegularFile } from '../regular-file.ts';
import { writing } from '../unwritable-file.ts';

const PIECE_BYTES = 1 << 20;
const OWNER_MAY_EXECUTE = 0o100;
const OWNER_ONLY = 0o600;
/** Errors that mean: there cannot be such a file. */
const ABSENT: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'ERR_INVALID_ARG_VALUE']);
/** Errors that mean: something is there already. Windows knows one only for all that it refuses. */
const TAKEN: ReadonlySet<unknown> = new Set([
  'EEXIST',
  'ENOTEMPTY',
  'ENOTDIR',
  'EISDIR',
  ...(process.platform === 'win32' ? ['EPERM'] : []),
]);

/**
 * The real file system; see `Files`. `own` is told of every temporary directory, to remove it at the end; they are made in
 * `temporary`. BuildOnceError `UNWRITABLE_FILE` for what cannot be written.
 */
export function createFiles(cwd: string, own: (directory: string) => void, temporary = os.tmpdir()): Files {
  const at = (file: string): string => path.resolve(cwd, file);
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  return {
    path,
    resolve: at,
    read: (file) => orAbsent(() => fs.readFileSync(at(file))),
    readText: (file) => orAbsent(() => fs.readFileSync(at(file), 'utf8')),
    readRegular: (file, limitBytes) => orAbsent(() => readRegularFile(at(file), limitBytes)),
    digest(file) {
      // What was a file when it was listed may be a pipe by now, and opening one would wait for its writer.
      const descriptor = fs.openSync(onDisk(at(file)), fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0));
      try {
        const stats = fs.fstatSync(descriptor);
        const { mode, size } = stats;
        if (!stats.isFile() && !stats.isDirectory()) throw Object.assign(new Error('not a file'), { code: 'ESPIPE' });
        const executable = isExecutable(mode);
        let count = fs.readSync(descriptor, piece, 0, PIECE_BYTES, null);
        // Most files: one read, and no hash object. A file that grew meanwhile is caught when the context is read again.
        if (count === size) {
          const bytes = piece.subarray(0, count);
          const sha256 = digestOfBytes('sha256', bytes, 'hex');
          return { sha256, executable, sizeBytes: size, isLfsPointer: isLfsPointer(bytes) };
        }
        const hash = createHash('sha256');
        for (; count > 0; count = fs.readSync(descriptor, piece, 0, PIECE_BYTES, null))
          hash.update(piece.subarray(0, count));
        const after = fs.fstatSync(descriptor);
        if (after.size !== size || after.mtimeMs !== stats.mtimeMs)
          throw Object.assign(new Error('it changed while it was read'), { code: FILE_CHANGED });
        return { sha256: hash.digest('hex'), executable, sizeBytes: size, isLfsPointer: false };
      } finally {
        fs.closeSync(descriptor);
      }
    },
    list: (directory) => orAbsent(() => listDirectory(onDisk(at(directory)))),
    kindOf(file) {
      const stats = orAbsent(() => fs.lstatSync(onDisk(at(file))));
      return stats === undefined ? undefined : kindOf(stats);
    },
    readLink: (file) => readLink(onDisk(at(file))),
    write: (file, content) => writing(at(file), () => writePrivate(at(file), content)),
    append: (file, content) => writing(at(file), () => appendPrivate(at(file), content)),
    move: (from, to) => writing(at(to), () => moved(at(from), at(to))),
    // A junction needs no privilege on Windows; elsewhere the word means nothing.
    linkDirectory: (directory, file) => writing(at(file), () => fs.symlinkSync(at(directory), at(file), 'junction')),
    makeTemporaryDirectory(prefix, parent) {
      if (parent !== undefined) writing(at(parent), () => fs.mkdirSync(at(parent), { recursive: true }));
      const place = at(parent ?? temporary);
      const directory = writing(place, () => fs.mkdtempSync(path.join(place, prefix)));
      own(directory);
      return directory;
    },
  };
}

/** What the system knows a path by: bytes where a name in it is no UTF-8. */
function onDisk(file: string): string | Buffer {
  return holdsBytes(file) ? Buffer.from(bytesOfText(file)) : file;
}

function listDirectory(directory: string | Buffer): readonly FileEntry[] {
  const entries = fs.readdirSync(directory, { withFileTypes: true });
  if (!entries.some(({ name }) => isDoubtful(name)))
    return entries.map((one) => ({ name: one.name, kind: kindOf(one) }));
  const exact = fs.readdirSync(directory, { withFileTypes: true, encoding: 'buffer' });
  return exact.map((entry) => ({ name: textOfBytes(entry.name), kind: kindOf(entry) }));
}

function readLink(file: string | Buffer): string {
  const target = fs.readlinkSync(file);
  return isDoubtful(target) ? textOfBytes(fs.readlinkSync(file, { encoding: 'buffer' })) : target;
}

function writePrivate(file: string, content: string | Uint8Array | Iterable<string>): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const descriptor = fs.openSync(file, 'w', OWNER_ONLY);
  try {
    // The mode above is for a new file; one that is there keeps its own.
    fs.fchmodSync(descriptor, OWNER_ONLY);
    if (typeof content === 'string' || content instanceof Uint8Array) fs.writeFileSync(descriptor, content);
    else for (const piece of inBlocks(content)) fs.writeFileSync(descriptor, piece);
  } finally {
    fs.closeSync(descriptor);
  }
}

function* inBlocks(pieces: Iterable<string>): Generator<string> {
  let block = '';
  for (const piece of pieces) {
    block += piece;
    if (block.length < PIECE_BYTES) continue;
    yield block;
    block = '';
  }
  yield block;
}

function appendPrivate(file: string, content: string): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const descriptor = fs.openSync(file, 'a', OWNER_ONLY);
  try {
    fs.writeFileSync(descriptor, content);
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Of two that move something to the same place at the same time, one is told `false`. */
function moved(from: string, to: string): boolean {
  try {
    fs.mkdirSync(path.dirname(to), { recursive: true });
    fs.renameSync(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && TAKEN.has(error.code)) return false;
    throw error;
  }
}

/** Windows has no such bit: there every file counts as executable, as BuildKit's client sends it. */
function isExecutable(mode: number): boolean {
  return process.platform === 'win32' || (mode & OWNER_MAY_EXECUTE) !== 0;
}

function kindOf(entry: Pick<fs.Stats, 'isFile' | 'isDirectory' | 'isSymbolicLink'>): FileEntry['kind'] {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'directory';
  return entry.isSymbolicLink() ? 'symlink' : 'other';
}

function orAbsent<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && 'code' in error && ABSENT.has(error.code)) return undefined;
    throw error;
  }
}
