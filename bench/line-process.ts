import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A program of this folder in a process of its own, which says a line when it is ready, and one for each that it is given. */
export interface LineProcess {
  /** What it said when it was ready. */
  readonly greeting: string;
  ask(): Promise<string>;
  close(): Promise<void>;
}

export async function startLineProcess(file: './registry.ts' | './ghcr.ts', ...args: string[]): Promise<LineProcess> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(file, import.meta.url)), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true || typeof value !== 'string') throw new Error(`${file} has ended`);
    return value;
  };
  return {
    greeting: await nextLine(),
    ask() {
      child.stdin.write('\n');
      return nextLine();
    },
    close: () =>
      new Promise((done) => {
        child.once('exit', () => done());
        child.stdin.end();
      }),
  };
}
