import type { ImagePipeline } from './bake/image-pipeline.ts';
import type { Command, CommandCall } from './command.ts';
import { distrustOf } from './distrust.ts';
import type { Host } from './host.ts';
import {
  checkMayPush,
  destinationOf,
  findProblems,
  openWorkbench,
  originOf,
  planBaseBuild,
  planImageBuild,
  refuseChangedContext,
  takeBuilt,
} from './image-build.ts';
import { errorThrown } from './interruption.ts';
import { loadMany } from './load-many.ts';
import { isGiven, type Options, parseOptions, type RawOptions } from './options.ts';
import { isIdle, type Prepared, prepare, pruneRules } from './prepare.ts';
import { describeProxy } from './registry/failure.ts';
import { openRegistries, type Registries, type RegistriesSettings } from './registry/open.ts';
import { renderMarkdown } from './report/render.ts';
import { failureOf, type Report, reportOf } from './report/report.ts';
import { saidOnce } from './said-once.ts';
import { type Run, type RunnableStage, runnable } from './stage.ts';
import { attachStage } from './stages/attach.ts';
import { buildStage } from './stages/build.ts';
import { chooseStage } from './stages/choose.ts';
import { engineStage } from './stages/engine.ts';
import { explainStage } from './stages/explain.ts';
import { passGate } from './stages/gate.ts';
import { pinGitContexts } from './stages/git-contexts.ts';
import { greetRegistries } from './stages/greet.ts';
import { hashStage } from './stages/hash.ts';
import { loadStage } from './stages/load.ts';
import { lookupStage } from './stages/lookup.ts';
import { judgePrune, pruneStage } from './stages/prune.ts';
import { pushStage } from './stages/push.ts';
import { openReadyScanner, readyScanner } from './stages/ready.ts';
import { tellSaved } from './stages/saved.ts';
import { scanStage } from './stages/scan.ts';
import { signStage } from './stages/sign.ts';
import { tagStage } from './stages/tag.ts';
import { coverTriggers, coverTriggersUnasked, foreseeTriggers } from './stages/triggers.ts';
import { judgeUndo, undoStage } from './stages/undo.ts';
import { verdictStage } from './stages/verdict.ts';
import { refuseUnverified, verifyStage } from './stages/verify.ts';

export type { CommandCall } from './command.ts';

/** Up to where it is known whether the image is there, and why not. */
const LOOK = [
  pinGitContexts,
  greetRegistries,
  runnable(hashStage),
  runnable(engineStage),
  runnable(lookupStage),
  coverTriggers({ hash: runnable(hashStage), lookup: [runnable(engineStage), runnable(lookupStage)] }),
  runnable(explainStage),
];
const LOAD = runnable(loadStage);
const PRUNE = runnable(pruneStage);
/** What follows the build, or stands for it. */
const FINISH = [
  runnable(scanStage),
  passGate,
  runnable(pushStage),
  runnable(attachStage),
  runnable(verdictStage),
  runnable(signStage),
  runnable(tagStage),
  LOAD,
  tellSaved,
  PRUNE,
  judgePrune,
];

const COMMANDS = {
  build: {
    required: ['images'],
    builds: true,
    takesFiles: true,
    scans: ({ scan }) => scan,
    stages: [...LOOK, readyScanner, runnable(buildStage), ...FINISH],
  },
  plan: {
    required: ['images'],
    builds: true,
    takesFiles: true,
    plans: true,
    stages: LOOK,
  },
  hash: {
    required: [],
    builds: false,
    stages: [pinGitContexts, runnable(hashStage), foreseeTriggers(runnable(hashStage))],
  },
  explain: {
    required: ['images'],
    builds: false,
    takesImage: true,
    stages: [
      pinGitContexts,
      runnable(hashStage),
      foreseeTriggers(runnable(hashStage), { asBuild: true }),
      runnable(explainStage),
    ],
  },
  scan: {
    required: ['images'],
    builds: false,
    takesImage: true,
    hasNoContext: true,
    scans: () => true,
    stages: [runnable(chooseStage), runnable(scanStage), passGate],
  },
  verify: {
    required: ['images'],
    builds: false,
    takesImage: true,
    hasNoContext: true,
    verifies: true,
    stages: [runnable(chooseStage), runnable(verifyStage), refuseUnverified],
  },
  prune: {
    required: [],
    builds: false,
    hasNoContext: true,
    prunes: true,
    stages: [runnable(pruneStage), judgePrune],
  },
  undo: {
    required: [],
    builds: false,
    hasNoContext: true,
    stages: [runnable(undoStage), judgeUndo],
  },
} as const satisfies Record<string, Command>;

export type CommandName = keyof typeof COMMANDS;

/** Whether a word is the name of a command of this pipeline. */
export function isCommandName(word: string): word is CommandName {
  return Object.hasOwn(COMMANDS, word);
}

/** How a run ended: what happened up to there, and the error that ended it. */
export interface Finished {
  readonly report: Report;
  /** What was hashed, as canonical JSON: the content hash is its sha256. `undefined` when the run did not come so far. */
  readonly manifest: (() => string) | undefined;
  readonly options: Options;
  readonly error: Error | undefined;
}

/**
 * Runs a command. Bad input is a UsageError with every problem, thrown before any request or write; a failure after that
 * comes back as `error`, with the report of what had happened.
 */
export async function runCommand(
  name: CommandName,
  raw: RawOptions,
  host: Host,
  call: CommandCall = {},
): Promise<Finished> {
  const command: Command = COMMANDS[name];
  if ((name === 'plan' || name === 'build') && (name === 'plan' || namesFiles(raw))) {
    const { runMany } = await loadMany();
    return runMany({ command: name, raw, host, call }, imagePipeline(name, call));
  }
  const asked = { name, command, host, call, startedAt: host.now() };
  const prepared = await prepareCommand(raw, asked);
  const run = openRun(prepared, asked);
  return finishRun(run, isIdle(command, prepared) ? [] : command.stages);
}

/** Several images are asked for. */
function namesFiles({ files = '', entry = '' }: RawOptions): boolean {
  return files.trim() !== '' || entry.trim() !== '';
}

interface Asked {
  readonly name: CommandName;
  readonly command: Command;
  readonly host: Host;
  readonly call: CommandCall;
  readonly startedAt: Date;
}

async function prepareCommand(raw: RawOptions, { command, host, call }: Asked): Promise<Prepared> {
  const findPruneProblems = await pruneRules(raw, command, host);
  const prepared = prepare(raw, { command, findPruneProblems }, host, call);
  const { options } = prepared;
  for (const secret of [
    options.password,
    options.githubToken,
    options.signKeyPassword,
    keyText(options),
    ...options.secrets.map(({ value }) => value),
  ]) {
    if (secret !== undefined) host.log.mask(secret);
  }
  return prepared;
}

function openRun(
  { authorities, ...prepared }: Prepared,
  { name, host, call, startedAt }: Asked,
  open: typeof openRegistries = openRegistries,
): Run {
  const access = { ...registrySettings(prepared.options, host), authorities };
  const talking = { ...host, log: saidOnce(host.log) };
  const findDistrust = distrustOf({ ...prepared, host: talking, access });
  const scene = { host: talking, registries: open(access), access, findDistrust, startedAt };
  const { prune, journal: journalPath } = call;
  return { ...prepared, ...scene, command: name, prune, journalPath, results: {}, journal: [] };
}

async function finishRun(begun: Run, stages: readonly RunnableStage[]): Promise<Finished> {
  let run = begun;
  const { host, startedAt, registries } = begun;
  try {
    for (const stage of stages) run = await stage(run);
    return { ...finished(run, elapsed(host, startedAt)), error: undefined };
  } catch (thrown) {
    const error = errorThrown(thrown, host.signal);
    return { ...finished(run, elapsed(host, startedAt), error), error };
  } finally {
    await run.scanner?.stop();
    registries.close();
  }
}

/** The same stages for each of several images, with one set of connections. */
function imagePipeline(name: 'build' | 'plan', call: CommandCall): ImagePipeline {
  const opened = new Map<string, Registries>();
  const open = (access: RegistriesSettings): Registries => {
    const key = access.explicit?.registry ?? '';
    const registries = opened.get(key) ?? openRegistries(access);
    opened.set(key, registries);
    return registries;
  };
  const command: Command = COMMANDS[name];
  return {
    parseOptions,
    isGiven,
    async prepare(raw, host, isRequested) {
      const one = isRequested ? command : { ...command, required: [] };
      const asked = { name, command: one, host, call: { ...call, found: [] }, startedAt: host.now() };
      return openRun(await prepareCommand(raw, asked), asked, open);
    },
    isIdle: (run) => isIdle(command, run),
    look: LOOK,
    hashOnly: [pinGitContexts, runnable(hashStage), coverTriggersUnasked(runnable(hashStage))],
    openScanner: openReadyScanner,
    build: {
      plan: planImageBuild,
      planBase: planBaseBuild,
      checkMayPush,
      open: openWorkbench,
      destinationOf,
      originOf,
      findProblems,
      refuseChangedContext,
      take: takeBuilt,
    },
    finish: FINISH,
    inTurn: new Set([LOAD, PRUNE]),
    report: { of: reportOf, failureOf, markdown: renderMarkdown },
    close() {
      for (const registries of opened.values()) registries.close();
    },
  };
}

function keyText({ signKey }: Options): string | undefined {
  return signKey?.kind === 'text' ? signKey.pem : undefined;
}

function finished(run: Run, durationMs: number, error?: Error): Omit<Finished, 'error'> {
  return { report: reportOf(run, durationMs, error), manifest: run.results.hash?.text, options: run.options };
}

function registrySettings(
  { images, registry, username, password, githubToken, registryInsecure }: Options,
  host: Host,
): RegistriesSettings {
  const explicit =
    username === undefined || password === undefined
      ? undefined
      : { registry: registry ?? images[0]?.registry ?? '', username, password };
  return {
    env: host.env,
    signal: host.signal,
    explicit,
    githubToken,
    plainRegistries: registryInsecure,
    onProxy: (proxy) => host.log.info(`requests go through the proxy ${describeProxy(proxy)}`),
    onRetry: ({ waitMs, reason, attempt }) =>
      host.log.info(`attempt ${attempt} failed, the next one is in ${Math.ceil(waitMs / 1000)} s: ${reason}`),
  };
}

function elapsed(host: Host, since: Date): number {
  return host.now().getTime() - since.getTime();
}
