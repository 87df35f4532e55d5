import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** One call of the stub: what every user of a machine could see of it, and what only the child gets. */
interface StubCall {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface StubDocker {
  /** A directory for the front of the PATH. */
  readonly directory: string;
  calls(): readonly StubCall[];
  remove(): void;
}

/**
 * A real program named docker that writes its calls down. `answers` is the body of a JavaScript function of `args` (after
 * `docker`), `out(text)`, `err(text)` and `write(file, text)`, which answers the exit code.
 */
export function installStubDocker(answers: string): StubDocker {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'stub-docker-'));
  const log = path.join(directory, 'calls.jsonl');
  const script = `#!${process.execPath}
const fs = require('node:fs');
const args = process.argv.slice(2);
fs.appendFileSync(${JSON.stringify(log)}, JSON.stringify({ argv: args, env: process.env }) + '\\n');
const out = (text) => process.stdout.write(text + '\\n');
const err = (text) => process.stderr.write(text + '\\n');
// Whole or not there: a test that waits for the file may kill this program as soon as it sees it.
const write = (file, text) => {
  const part = '${directory}/part' + process.pid;
  fs.writeFileSync(part, text);
  fs.renameSync(part, file);
};
process.exitCode = (() => { ${answers} })() ?? 0;
`;
  // A package.json of somebody else further up, in /tmp say, would decide how Node reads the program.
  fs.writeFileSync(path.join(directory, 'package.json'), '{"type":"commonjs"}');
  fs.writeFileSync(path.join(directory, 'docker'), script, { mode: 0o755 });
  return {
    directory,
    calls() {
      if (!fs.existsSync(log)) return [];
      return fs
        .readFileSync(log, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
    },
    remove: () => fs.rmSync(directory, { recursive: true }),
  };
}
