import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ActionManifest, evaluateDefault, readActionManifest } from './action-manifest.ts';
import {
  type ArtifactSubject,
  FileCommandError,
  parseArtifacts,
  parsePairs,
  parsePathLines,
  readSummary,
} from './file-commands.ts';
import { NODE_DIRECTORY } from './programs.ts';
import { type RunnerEvent, runnerEnvironment } from './runner-environment.ts';
import { type Annotation, StepLog } from './workflow-commands.ts';

/** A step `uses: ./action` in an emulated job on GitHub's runner. */
export interface ActionRun {
  /** The folder of `action.yml`. */
  readonly action: string;
  /** The step's `with:`. A name that `action.yml` does not declare is an error here. Nothing is scanned or signed unless it asks for it. */
  readonly with?: Readonly<Record<string, string>>;
  /** Names that the action does not know: the runner passes them on and warns. */
  readonly undeclared?: Readonly<Record<string, string>>;
  /** The checkout of the job; the step starts in it. */
  readonly workspace: string;
  readonly event?: RunnerEvent;
  /** Added to what the runner sets: PATH, HOME, DOCKER_HOST … HOME is an empty folder otherwise. */
  readonly env?: Readonly<Record<string, string>>;
  /** RUNNER_TEMP, to look at or to share between runs; a fresh one that is removed otherwise. */
  readonly runnerTemp?: string;
  /** Subjects that earlier steps of the job wrote to GITHUB_ARTIFACTS. */
  readonly artifacts?: readonly ArtifactSubject[];
  /** Sends a signal while the main part runs. */
  readonly interrupt?: Interrupt;
  /** Ends a part that hangs; 120 s when absent. */
  readonly timeoutMs?: number;
}

/** SIGKILL goes to the step and all its children, as when a machine is lost; other signals to the step alone, as on cancel. */
interface Interrupt {
  readonly signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL';
  /** Asked again and again, with the log so far, until it is true. */
  readonly when: (log: string) => boolean | Promise<boolean>;
}

interface StepResult {
  readonly status: 'success' | 'failure';
  /** `undefined` when a signal ended the process. */
  readonly exitCode: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  readonly outputs: Readonly<Record<string, string>>;
  readonly state: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  readonly path: readonly string[];
  readonly summary: string;
  readonly annotations: readonly Annotation[];
  readonly groups: readonly string[];
  readonly artifacts: readonly ArtifactSubject[];
  /** Rules of the runner that the step broke. */
  readonly problems: readonly string[];
  readonly stdout: string;
  readonly stderr: string;
  /** What the log page shows: both streams, masked. */
  readonly log: string;
}

/** The main part, and the post part where the action has one: it runs after a failure as well, with the saved state. */
export interface ActionResult extends StepResult {
  readonly post: StepResult | undefined;
}

const FILES = {
  output: 'GITHUB_OUTPUT',
  state: 'GITHUB_STATE',
  summary: 'GITHUB_STEP_SUMMARY',
  env: 'GITHUB_ENV',
  path: 'GITHUB_PATH',
  artifacts: 'GITHUB_ARTIFACTS',
} as const;
const POLL_MS = 5;
const ORPHAN_GRACE_MS = 5000;

/** Runs an action as the runner would (actions/runner v2.336), and reports what the runner would make of it. */
export async function runAction(options: ActionRun): Promise<ActionResult> {
  const manifest = readActionManifest(options.action);
  if (manifest.using !== 'node24') throw new Error(`the emulator runs node24 actions, not ${manifest.using}`);
  const directory = mkdtempSync(join(tmpdir(), 'runner-'));
  try {
    const temp = options.runnerTemp ?? join(directory, 'temp');
    for (const path of [temp, join(directory, 'home'), join(directory, 'tools')]) mkdirSync(path, { recursive: true });
    const base = {
      ...runnerEnvironment({ directory, temp, workspace: options.workspace, action: options.action }, options.event),
      PATH: `${NODE_DIRECTORY}:/usr/local/bin:/usr/bin:/bin`,
      HOME: join(directory, 'home'),
      ...options.env,
    };
    const inputs = inputEnvironment(manifest, options, base);
    const main = await runPart(
      join(options.action, manifest.main),
      { ...base, ...inputs.env },
      options,
      inputs.warnings,
    );
    if (manifest.post === undefined) return { ...main, post: undefined };
    const { interrupt: _, ...rest } = options;
    const post = await runPart(join(options.action, manifest.post), postEnvironment(base, inputs.env, main), {
      ...rest,
      artifacts: main.artifacts,
    });
    return { ...main, status: post.status === 'success' ? main.status : 'failure', post };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Inputs {
  readonly env: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

/** Most tests are about something else, and machines without Trivy and its database run them. */
const PLAIN = { scan: 'false', sign: 'none' };

function inputEnvironment(
  manifest: ActionManifest,
  options: ActionRun,
  base: Readonly<Record<string, string>>,
): Inputs {
  const given = options.with ?? {};
  const undeclared = options.undeclared ?? {};
  const declared = Object.keys(manifest.inputs);
  const unknown = Object.keys(given).filter((name) => !declared.includes(name));
  if (unknown.length > 0) throw new Error(`action.yml declares no input ${unknown.join(', ')}`);
  const github = {
    token: base['EMULATED_GITHUB_TOKEN'] ?? '',
    repository: base['GITHUB_REPOSITORY'] ?? '',
    workspace: options.workspace,
    actor: base['GITHUB_ACTOR'] ?? '',
  };
  const defaults = Object.entries(manifest.inputs).map(([name, value]) => [name, evaluateDefault(value, github)]);
  const values = {
    ...Object.fromEntries(defaults),
    ...(declared.includes('scan') ? PLAIN : {}),
    ...given,
    ...undeclared,
  };
  const names = Object.keys(undeclared);
  return {
    env: Object.fromEntries(Object.entries(values).map(([name, value]) => [inputVariable(name), String(value)])),
    warnings:
      names.length === 0
        ? []
        : [`Unexpected input(s) '${names.join("', '")}', valid inputs are ['${declared.join("', '")}']`],
  };
}

function inputVariable(name: string): string {
  return `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`;
}

function postEnvironment(
  base: Readonly<Record<string, string>>,
  inputs: Readonly<Record<string, string>>,
  main: StepResult,
): Record<string, string> {
  const state = Object.fromEntries(Object.entries(main.state).map(([name, value]) => [`STATE_${name}`, value]));
  const path = [...main.path.toReversed(), base['PATH'] ?? ''].join(':');
  return { ...base, ...main.env, PATH: path, ...inputs, ...state };
}

/** One process of the action: main or post, each with file-command files of its own. */
async function runPart(
  script: string,
  environment: Readonly<Record<string, string>>,
  options: ActionRun,
  warnings: readonly string[] = [],
): Promise<StepResult> {
  const { EMULATED_GITHUB_TOKEN: token = '', ...env } = environment;
  const directory = mkdtempSync(join(tmpdir(), 'runner-step-'));
  try {
    const files = Object.fromEntries(Object.values(FILES).map((name) => [name, join(directory, name)]));
    for (const file of Object.values(files)) writeFileSync(file, '');
    const list = join(directory, 'GITHUB_ARTIFACTS_LIST');
    writeFileSync(list, JSON.stringify({ version: 1, subjects: options.artifacts ?? [] }));
    const log = new StepLog([token]);
    for (const warning of warnings) log.read(`::warning::${warning}`);
    const ended = await runProcess(script, { ...env, ...files, GITHUB_ARTIFACTS_LIST: list }, options, log);
    return judge(ended, log, directory, options);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Ended {
  readonly exitCode: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

function runProcess(
  script: string,
  env: Readonly<Record<string, string>>,
  options: ActionRun,
  log: StepLog,
): Promise<Ended> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [script], {
      cwd: options.workspace,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a process group of its own, so that children can be killed with it
    });
    const stdout = readLines(child.stdout, log);
    const stderr = readLines(child.stderr, log);
    const send = (signal: NodeJS.Signals): void => {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
      process.kill(signal === 'SIGKILL' ? -child.pid : child.pid, signal);
    };
    const timer = setTimeout(() => send('SIGKILL'), options.timeoutMs ?? 120_000);
    const interrupted = interrupt(
      options.interrupt,
      log,
      send,
      () => child.exitCode !== null || child.signalCode !== null,
    );
    interrupted.catch(() => send('SIGKILL'));
    child.on('error', fail);
    let orphans: NodeJS.Timeout | undefined;
    child.on('exit', () => {
      orphans = setTimeout(() => killGroup(child.pid), ORPHAN_GRACE_MS);
    });
    child.on('close', (exitCode, signal) => {
      clearTimeout(timer);
      clearTimeout(orphans);
      interrupted.then(
        () =>
          done({ exitCode: exitCode ?? undefined, signal: signal ?? undefined, stdout: stdout(), stderr: stderr() }),
        fail,
      );
    });
  });
}

/** Children that outlive the step and still hold its streams: the runner waits a little, then ends them. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // nobody is left
  }
}

/** Feeds the log with whole lines; the function answers all text so far, and ends a last line without a line feed. */
function readLines(stream: NodeJS.ReadableStream, log: StepLog): () => string {
  let text = '';
  let read = 0;
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    text += chunk;
    for (let end = text.indexOf('\n', read); end >= 0; end = text.indexOf('\n', read)) {
      log.read(text.slice(read, end).replace(/\r$/, ''));
      read = end + 1;
    }
  });
  return () => {
    if (read < text.length) log.read(text.slice(read));
    read = text.length;
    return text;
  };
}

async function interrupt(
  wanted: Interrupt | undefined,
  log: StepLog,
  send: (signal: NodeJS.Signals) => void,
  isOver: () => boolean,
): Promise<void> {
  if (wanted === undefined) return;
  while (!isOver()) {
    if (await wanted.when(log.lines.join('\n'))) {
      send(wanted.signal);
      return;
    }
    await new Promise((next) => setTimeout(next, POLL_MS));
  }
}

/** What the runner makes of a process that has ended: its exit code, its commands and the files that it wrote. */
function judge(
  ended: Ended,
  log: StepLog,
  directory: string,
  { artifacts: earlier = [], workspace }: ActionRun,
): StepResult {
  const bytes = (name: string): Buffer =>
    existsSync(join(directory, name)) ? readFileSync(join(directory, name)) : Buffer.alloc(0);
  const problems = [...log.problems];
  const read = <T>(name: string, parse: (content: string) => T, otherwise: T): T => {
    try {
      return parse(bytes(name).toString('utf8'));
    } catch (error) {
      if (!(error instanceof FileCommandError)) throw error;
      problems.push(`Unable to process file command '${name}' successfully. ${error.message}`);
      return otherwise;
    }
  };
  const { NODE_OPTIONS: blocked, ...env } = read(FILES.env, parsePairs, {});
  if (blocked !== undefined)
    log.read("::error::Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command.");
  const outputs = { ...log.outputs, ...read(FILES.output, parsePairs, {}) };
  const state = { ...log.state, ...read(FILES.state, parsePairs, {}) };
  const path = read(FILES.path, parsePathLines, []);
  const artifacts = read(FILES.artifacts, (content) => parseArtifacts(content, earlier, workspace), [...earlier]);
  const { summary, problem } = readSummary(bytes(FILES.summary));
  if (problem !== undefined) log.read(`::error::${problem}`);
  for (const text of problems) log.read(`::error::${text.replaceAll('%', '%25').replaceAll('\n', '%0A')}`);
  return {
    ...ended,
    status: ended.exitCode === 0 && problems.length === 0 ? 'success' : 'failure',
    outputs,
    state,
    env,
    path,
    summary: log.mask(summary),
    annotations: log.annotations,
    groups: log.groups,
    artifacts,
    problems,
    log: log.lines.join('\n'),
  };
}
