import { createHash, hash as digestOfBytes } from 'node:crypto';
import fs from 'node:fs';
import { bytesOfText, holdsBytes } from '../core/byte-text.ts';
import { isLfsPointer } from '../core/lfs-pointer.ts';
import { type DigestedFile, FILE_CHANGED, type FileDigest } from '../host.ts';

const PIECE_BYTES = 1 << 20;
const OWNER_MAY_EXECUTE = 0o100;
/** What was a file when it was listed may be a pipe by now, and opening one would wait for its writer. */
const READ_WITHOUT_WAITING = fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0);

/** A function that reads files as `Files.digest` has it, by absolute paths, through one buffer. */
export function createDigest(): (file: string) => FileDigest {
  const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  return (file) => {
    const descriptor = fs.openSync(onDisk(file), READ_WITHOUT_WAITING);
    try {
      return digestOf(descriptor, piece);
    } finally {
      fs.closeSync(descriptor);
    }
  };
}

/** Reads a file whole, as `Files.readDigested` has it, by its absolute path. */
export function readDigested(file: string): DigestedFile {
  const descriptor = fs.openSync(onDisk(file), READ_WITHOUT_WAITING);
  try {
    const { mode } = regularStats(descriptor);
    const bytes = fs.readFileSync(descriptor);
    const sha256 = digestOfBytes('sha256', bytes, 'hex');
    const digest = { sha256, executable: isExecutable(mode), sizeBytes: bytes.length };
    return { bytes, digest: { ...digest, isLfsPointer: isLfsPointer(bytes) } };
  } finally {
    fs.closeSync(descriptor);
  }
}

/** An error with the code ESPIPE for what may never end; reading a directory fails by itself. */
function regularStats(descriptor: number): fs.Stats {
  const stats = fs.fstatSync(descriptor);
  if (stats.isFile() || stats.isDirectory()) return stats;
  throw Object.assign(new Error('not a file'), { code: 'ESPIPE' });
}

function digestOf(descriptor: number, piece: Buffer): FileDigest {
  const stats = regularStats(descriptor);
  const { mode, size } = stats;
  const executable = isExecutable(mode);
  let count = fs.readSync(descriptor, piece, 0, PIECE_BYTES, null);
  // Most files: one read, and no hash object. A file that grew meanwhile is caught when the context is read again.
  if (count === size) {
    const bytes = piece.subarray(0, count);
    const sha256 = digestOfBytes('sha256', bytes, 'hex');
    return { sha256, executable, sizeBytes: size, isLfsPointer: isLfsPointer(bytes) };
  }
  const hash = createHash('sha256');
  for (; count > 0; count = fs.readSync(descriptor, piece, 0, PIECE_BYTES, null)) hash.update(piece.subarray(0, count));
  const after = fs.fstatSync(descriptor);
  if (after.size !== size || after.mtimeMs !== stats.mtimeMs)
    throw Object.assign(new Error('it changed while it was read'), { code: FILE_CHANGED });
  return { sha256: hash.digest('hex'), executable, sizeBytes: size, isLfsPointer: false };
}

/** What the system knows a path by: bytes where a name in it is no UTF-8. */
export function onDisk(file: string): string | Buffer {
  return holdsBytes(file) ? Buffer.from(bytesOfText(file)) : file;
}

/** Windows has no such bit: there every file counts as executable, as BuildKit's client sends it. */
function isExecutable(mode: number): boolean {
  return process.platform === 'win32' || (mode & OWNER_MAY_EXECUTE) !== 0;
}
