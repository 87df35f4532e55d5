import fs from 'node:fs';
import { devNull } from 'node:os';
import { textAt } from './core/json.ts';

const MEBIBYTE = 1 << 20;
/** Of a file with certificates: Mozilla's whole list has a quarter of it. */
export const MAX_CERTIFICATES_BYTES = MEBIBYTE;
/** Of Docker's `config.json`. */
export const MAX_DOCKER_CONFIG_BYTES = 4 * MEBIBYTE;
const PIECE_BYTES = 64 * 1024;
const UNFIT = 'UNFIT_FILE';

/**
 * The text of a file that somebody names, links followed. Never waits: a pipe, a device or a directory is an error, as is a
 * file of more than `limitBytes`, the null device is empty. Else the error is the system's.
 */
export function readRegularFile(path: string, limitBytes: number): string {
  // Without O_NONBLOCK the opening of a pipe waits for its writer; Windows has no such pipes.
  const descriptor = fs.openSync(path, fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0));
  try {
    const stats = fs.fstatSync(descriptor);
    if (!stats.isFile()) {
      if (isNullDevice(stats)) return '';
      throw unfit(`is ${kindOf(stats)}, not a file`);
    }
    return readUpTo(descriptor, limitBytes).toString('utf8');
  } finally {
    fs.closeSync(descriptor);
  }
}

/** What to say after the name of a file that `readRegularFile` could not read. */
export function whyUnreadable(error: unknown): string {
  const code = textAt(error, 'code');
  if (code === UNFIT && error instanceof Error) return error.message;
  return `cannot be read (${code ?? 'unknown reason'})`;
}

/** True for a file that is there and is nothing to be read. */
export function isUnfit(error: unknown): boolean {
  return textAt(error, 'code') === UNFIT;
}

/** The size that the system gives is none for some files, as those in /proc. */
function readUpTo(descriptor: number, limitBytes: number): Buffer {
  const pieces: Buffer[] = [];
  for (let sizeBytes = 0; ; ) {
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    const count = fs.readSync(descriptor, piece, 0, PIECE_BYTES, null);
    if (count === 0) return Buffer.concat(pieces);
    pieces.push(piece.subarray(0, count));
    sizeBytes += count;
    if (sizeBytes > limitBytes) throw unfit(`is larger than ${limitBytes / MEBIBYTE} MiB`);
  }
}

function isNullDevice(stats: fs.Stats): boolean {
  return stats.isCharacterDevice() && stats.rdev === fs.statSync(devNull).rdev;
}

function kindOf(stats: fs.Stats): string {
  if (stats.isDirectory()) return 'a directory';
  return stats.isFIFO() ? 'a pipe' : 'a device';
}

function unfit(problem: string): Error {
  return Object.assign(new Error(problem), { code: UNFIT });
}
