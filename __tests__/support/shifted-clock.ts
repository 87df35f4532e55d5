import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Answers the NODE_OPTIONS with which a program of Node.js lives so many milliseconds later; earlier when negative. */
export function shiftedClock(directory: string, laterMs: number): string {
  const file = join(directory, `clock${laterMs}.mjs`);
  const script = `const now = Date.now;
globalThis.Date = class extends Date {
  constructor(...given) { given.length === 0 ? super(now() + ${laterMs}) : super(...given); }
  static now() { return now() + ${laterMs}; }
};
`;
  writeFileSync(file, script);
  return `--import=${file}`;
}
