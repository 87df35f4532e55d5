import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHECKOUT, mustRun } from './programs.ts';
import { type ActionResult, type ActionRun, runAction } from './runner.ts';
import { type AuthRegistry, makeDockerConfig, type Toolchain } from './toolchain.ts';
import { writeTree } from './write-tree.ts';

/** A small two-platform application whose Dockerfile starts from the toolchain's base image. */
export const SAMPLE: Readonly<Record<string, string>> = {
  Dockerfile: [
    'ARG BASE',
    'FROM $BASE AS deps',
    'ARG GREETING=hello',
    'WORKDIR /app',
    'COPY package-lock.json ./',
    'RUN uname -m > arch && echo "$GREETING" > greeting',
    'FROM $BASE',
    'COPY --from=deps /app /app',
    'COPY src /app/src',
    'CMD ["cat", "/app/arch"]',
    '',
  ].join('\n'),
  '.dockerignore': '.git\n*.md\n',
  'README.md': 'not copied\n',
  'package-lock.json': '{ "lockfileVersion": 3 }\n',
  'src/main.js': 'console.log(1)\n',
};

/** A checkout on a runner with the real toolchain, in which steps run one after another. */
export interface Job {
  readonly workspace: string;
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  write(files: Readonly<Record<string, string>>): void;
  /** Runs the step `uses: build-once/build-once@v1`: the bundle in dist/. */
  step(inputs: Readonly<Record<string, string>>, more?: Partial<ActionRun>): Promise<ActionResult>;
  /** Runs a program of the toolchain and gives what it printed; fails the test when it fails. */
  run(...argv: [string, ...string[]]): Promise<string>;
  remove(): void;
}

export function openJob(toolchain: Toolchain, files = SAMPLE, logins: readonly AuthRegistry[] = []): Job {
  const directory = mkdtempSync(join(tmpdir(), 'build-once-job-'));
  const workspace = join(directory, 'workspace');
  const env = { ...toolchain.env, HOME: directory, DOCKER_CONFIG: makeDockerConfig(toolchain, directory, logins) };
  const write: Job['write'] = (changes) => writeTree(workspace, changes);
  write(files);
  return {
    workspace,
    directory,
    env,
    write,
    step: (inputs, more = {}) =>
      runAction({ action: CHECKOUT, workspace, ...more, with: inputs, env: { ...env, ...more.env } }),
    run: (...argv) => mustRun(argv, { env: { ...process.env, ...env }, cwd: workspace }),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** Programs that were spawned, with their arguments; `path` is the PATH of the job that sees it. */
export interface Spy {
  readonly path: string;
  calls(): string[];
}

/** A `docker` that writes its arguments to a file and goes on to the real one: shows what was spawned, and with what. */
export function spyOnDocker(job: Job, real: string): Spy {
  return spyOn(job, { docker: real });
}

/** The same of several programs, by name. */
export function spyOn(job: Job, programs: Readonly<Record<string, string>>): Spy {
  const directory = join(job.directory, 'spy');
  const log = join(directory, 'calls');
  mkdirSync(directory, { recursive: true });
  writeFileSync(log, '');
  for (const [name, real] of Object.entries(programs)) {
    const script = `#!/bin/sh\nprintf '%s\\n' "$*" >> '${log}'\nexec '${real}' "$@"\n`;
    writeFileSync(join(directory, name), script, { mode: 0o755 });
  }
  return {
    path: `${directory}:${job.env['PATH'] ?? ''}`,
    calls: () =>
      readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
  };
}
