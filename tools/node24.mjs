/**
 * `node tools/node24.mjs SCRIPT ...`: runs a script on the Node 24 of this checkout, whatever Node this is. npm makes no
 * node_modules/.bin/node when packages of two platforms want that name (npm 10), so it is found by its package. Plain
 * JavaScript that runs on Node 20. Programs that the script starts find the same Node first.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const WANTED = 24;
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const own = join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
const node = existsSync(own) ? own : process.execPath;

if (node === own || Number.parseInt(process.versions.node, 10) >= WANTED) {
  const env = { ...process.env, PATH: [dirname(node), process.env.PATH ?? ''].join(delimiter) };
  const child = spawn(node, process.argv.slice(2), { stdio: 'inherit', env });
  // A terminal tells the whole group of Ctrl+C; the others come to this process alone.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (status, signal) => {
    process.exitCode = status ?? 128 + constants.signals[signal];
  });
} else {
  const problem = `this needs Node ${WANTED} or newer, and this is ${process.versions.node}`;
  process.stderr.write(`${problem}: npm ci brings one for Linux on x64 and arm64; elsewhere install it\n`);
  process.exitCode = 1;
}
