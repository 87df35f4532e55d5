import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setUp, type Work } from './measure.ts';

/** Writes a line whenever a thread of the process opens a file; at once, since nobody waits for a thread's end. */
const HOOK = `
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
const { openSync, writeSync } = fs;
const descriptor = openSync(FILE, 'a');
const note = (path) => {
  if (typeof path === 'string' || path instanceof URL || Buffer.isBuffer(path)) writeSync(descriptor, JSON.stringify(String(path)) + '\\n');
};
let isInside = false; // one of these may call another
for (const [holder, names] of [[fs, ['openSync', 'open', 'readFileSync', 'readFile']], [fs.promises, ['open', 'readFile']]]) {
  for (const name of names) {
    const original = holder[name];
    holder[name] = (path, ...rest) => {
      if (isInside) return original.call(holder, path, ...rest);
      note(path);
      isInside = true;
      try { return original.call(holder, path, ...rest); } finally { isInside = false; }
    };
  }
}
syncBuiltinESMExports();`;

/**
 * How often the first process of the work opened each file below the folder, by its path, whatever it did with it; Node only.
 * Error when it opened none.
 */
export async function countReads(
  { steps: [step], ...work }: Work,
  below: string,
): Promise<ReadonlyMap<string, number>> {
  if (step === undefined) throw new TypeError('there is no process to look at');
  const directory = mkdtempSync(join(tmpdir(), 'build-once-reads-'));
  try {
    const file = join(directory, 'reads');
    const hook = HOOK.replace('FILE', JSON.stringify(file));
    const [program, ...rest] = step.argv;
    const hooked = [program, '--import', `data:text/javascript,${encodeURIComponent(hook)}`, ...rest] as const;
    await setUp({ ...work, steps: [{ ...step, argv: hooked }] });
    const counts = readCounts(readFileSync(file, 'utf8'), below);
    if (counts.size === 0) throw new Error(`nothing was read below ${below}`);
    return counts;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function readCounts(lines: string, below: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const line of lines.split('\n').filter((one) => one !== '')) {
    const path: string = JSON.parse(line);
    const name = path.replace(/^file:\/\//, '');
    // What is opened relative to the working directory, which is the folder, is below it too.
    if (!name.startsWith('/') || name.startsWith(`${below}/`)) {
      const key = name.replace(`${below}/`, '');
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  return counts;
}
