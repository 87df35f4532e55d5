import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { isDoubtful, textOfBytes } from '../core/byte-text.ts';
import type { FileEntry, Files } from '../host.ts';
import { readRegularFile } from '../regular-file.ts';
import { writing } from '../unwritable-file.ts';
import { createDigest, onDisk, readDigested } from './file-digest.ts';
import { createReadAhead } from './read-ahead.ts';

const PIECE_BYTES = 1 << 20;
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
  // Most paths are whole, and there are many.
  const inFull = (file: string): string => (path.isAbsolute(file) ? file : path.resolve(cwd, file));
  const ahead = createReadAhead(createDigest());
  return {
    path,
    resolve: at,
    read: (file) => orAbsent(() => readBytes(at(file))),
    pieces: (file) => piecesOf(at(file)),
    readDigested: (file) => orAbsent(() => readDigested(at(file))),
    readText: (file) => orAbsent(() => fs.readFileSync(at(file), 'utf8')),
    readRegular: (file, limitBytes) => orAbsent(() => readRegularFile(at(file), limitBytes)),
    digest: (file) => ahead.digest(inFull(file)),
    readingAhead: (given, work) => ahead.readingAhead(given, work),
    list: (directory) => orAbsent(() => listDirectory(onDisk(inFull(directory)))),
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

async function* piecesOf(file: string): AsyncGenerator<Uint8Array> {
  if (!fs.statSync(file).isFile()) throw Object.assign(new Error('it is no file'), { code: 'ESPIPE' });
  for await (const piece of fs.createReadStream(file, { highWaterMark: PIECE_BYTES }))
    if (piece instanceof Uint8Array) yield piece;
}

/** A device may never end. */
function readBytes(file: string): Uint8Array {
  const stats = fs.statSync(file);
  if (stats.isCharacterDevice() || stats.isBlockDevice())
    throw Object.assign(new Error('it is a device'), { code: 'ESPIPE' });
  return fs.readFileSync(file);
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
