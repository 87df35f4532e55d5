import { type ImageChoice, parseImageChoice } from './core/image-choice.ts';
import { isPattern } from './core/image-name.ts';
import { NO_IMAGE_POLICY } from './core/image-policy.ts';
import { type Parsed, parsed } from './core/parsed.ts';
import { formatPlatform } from './core/platform.ts';
import { quote } from './core/printable.ts';
import { familiarName, formatRepositoryName, isLocalName } from './core/reference.ts';
import { distrustOf } from './distrust.ts';
import { type Problem, UsageError } from './errors.ts';
import type { Host } from './host.ts';
import { findPolicyProblems } from './image-policies.ts';
import { orInterruption } from './interruption.ts';
import { loadPrune } from './load-prune.ts';
import { findLocalNameProblems } from './local-names.ts';
import type { OptionName } from './option-table.ts';
import { type Options, parseOptions, type RawOptions } from './options.ts';
import { describeProxy } from './registry/failure.ts';
import { openRegistries, type RegistriesSettings } from './registry/open.ts';
import { readProxies } from './registry/proxies.ts';
import { readAuthorities } from './registry-authorities.ts';
import { type Report, reportOf } from './report/report.ts';
import { saidOnce } from './said-once.ts';
import { findScanProblems } from './scan-problems.ts';
import { decideSigning, findVerifyProblems } from './signing-rules.ts';
import { type PruneCall, type Run, type RunnableStage, runnable } from './stage.ts';
import { attachStage } from './stages/attach.ts';
import { buildStage } from './stages/build.ts';
import { chooseStage } from './stages/choose.ts';
import { engineStage } from './stages/engine.ts';
import { readEvent } from './stages/event.ts';
import { explainStage } from './stages/explain.ts';
import { passGate } from './stages/gate.ts';
import { pinGitContexts } from './stages/git-contexts.ts';
import { findContextProblems, hashStage } from './stages/hash.ts';
import { loadStage } from './stages/load.ts';
import { lookupStage } from './stages/lookup.ts';
import { judgePrune, pruneStage } from './stages/prune.ts';
import { pushStage } from './stages/push.ts';
import { readyScanner } from './stages/ready.ts';
import { tellSaved } from './stages/saved.ts';
import { scanStage } from './stages/scan.ts';
import { signStage } from './stages/sign.ts';
import { tagStage } from './stages/tag.ts';
import { prepareTags } from './stages/tags.ts';
import { coverTriggers, foreseeTriggers } from './stages/triggers.ts';
import { judgeUndo, undoStage } from './stages/undo.ts';
import { verdictStage } from './stages/verdict.ts';
import { refuseUnverified, verifyStage } from './stages/verify.ts';
import { findSecretProblems } from './tools/build-secrets.ts';
import { withoutMissingSecrets } from './untrusted.ts';

/** A command: what it needs, and the stages it runs, in order. */
interface Command {
  readonly required: readonly OptionName[];
  /** It may call buildx, so that secrets must be there. */
  readonly builds: boolean;
  /** It takes the name of an image in a registry. */
  readonly takesImage?: boolean;
  /** It has to know whose signatures count. */
  readonly verifies?: true;
  /** It reads no files of a build. */
  readonly hasNoContext?: true;
  /** It deletes images, or brings them back; a build does so too where it is told what to keep. */
  readonly prunes?: true;
  /** Whether Trivy may be needed. */
  readonly scans?: (options: Options) => boolean;
  readonly stages: readonly RunnableStage[];
}

const COMMANDS = {
  build: {
    required: ['images'],
    builds: true,
    scans: ({ scan }) => scan,
    stages: [
      pinGitContexts,
      runnable(hashStage),
      runnable(engineStage),
      runnable(lookupStage),
      coverTriggers({ hash: runnable(hashStage), lookup: [runnable(engineStage), runnable(lookupStage)] }),
      runnable(explainStage),
      readyScanner,
      runnable(buildStage),
      runnable(scanStage),
      passGate,
      runnable(pushStage),
      runnable(attachStage),
      runnable(verdictStage),
      runnable(signStage),
      runnable(tagStage),
      runnable(loadStage),
      tellSaved,
      runnable(pruneStage),
      judgePrune,
    ],
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

/** What a caller adds to the inputs of a command. */
export interface CommandCall {
  /** Problems that the caller has seen already, to be told together with those of the inputs. */
  readonly found?: readonly Problem[];
  /**
   * The image that `explain` compares with, or that `scan` looks at: a tag or digest of the first of `images`, or a full
   * reference.
   */
  readonly reference?: string | undefined;
  /** How `prune` is to go about it. */
  readonly prune?: PruneCall;
  /** The journal that `undo` reads. */
  readonly journal?: string | undefined;
}

/** How a run ended: what happened up to there, and the error that ended it. */
export interface Finished {
  readonly report: Report;
  /** What was hashed, as canonical JSON: the content hash is its sha256. `undefined` when the run did not come so far. */
  readonly manifest: string | undefined;
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
  const startedAt = host.now();
  const findPruneProblems = await pruneRules(raw, command, host);
  const { authorities, ...prepared } = prepare(raw, { command, findPruneProblems }, host, call);
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
  const access = { ...registrySettings(options, host), authorities };
  const registries = openRegistries(access);
  const stages = isIdle(command, prepared) ? [] : command.stages;
  const talking = { ...host, log: saidOnce(host.log) };
  const findDistrust = distrustOf({ ...prepared, host: talking, access });
  const scene = { host: talking, registries, access, findDistrust, startedAt };
  const { prune, journal: journalPath } = call;
  let run: Run = { ...prepared, ...scene, command: name, prune, journalPath, results: {}, journal: [] };
  try {
    for (const stage of stages) run = await stage(run);
    return { ...finished(run, elapsed(host, startedAt)), error: undefined };
  } catch (thrown) {
    const cause = orInterruption(thrown, host.signal);
    const error = cause instanceof Error ? cause : new Error('something was thrown that is no error', { cause });
    return { ...finished(run, elapsed(host, startedAt), error), error };
  } finally {
    await run.scanner?.stop();
    registries.close();
  }
}

type FindPruneProblems = (options: Options, command: Pick<Command, 'prunes'>) => readonly Problem[];

/** What reads `retention` is loaded by those who have some. */
async function pruneRules(raw: RawOptions, { prunes }: Command, { env }: Host): Promise<FindPruneProblems> {
  const text = raw['retention'] || env['BUTLER_IMAGE_KEEP_COUNT'] || '';
  if (prunes !== true && text.trim() === '') return () => [];
  return (await loadPrune()).findPruneProblems;
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

type Prepared = Pick<Run, 'options' | 'platforms' | 'event' | 'tags' | 'named' | 'signing' | 'trust'> &
  Pick<RegistriesSettings, 'authorities'>;

/** Everything that can be decided, and be wrong, before the first request: values, files, event, tags; problems all at once. */
function prepare(
  raw: RawOptions,
  { command, findPruneProblems }: { readonly command: Command; readonly findPruneProblems: FindPruneProblems },
  host: Host,
  { found = [], reference }: CommandCall,
): Prepared {
  const seen = readEvent(host);
  const given = seen.untrusted === undefined ? { raw, missing: [] } : withoutMissingSecrets(raw);
  const choice = chooseImage(command, reference);
  const chosen = choice.ok ? choice.value : undefined;
  const required = chosen?.repository === undefined ? command.required : [];
  const { options, problems, fromEnvironment } = parseOptions(given.raw, host.env, required);
  const event = { ...seen, push: seen.push && options.push };
  const tags = prepareTags(options, event.git);
  const signing = decideSigning(host, options, { event, tags: tags.ok ? tags.plan : undefined });
  const authorities = readAuthorities(host.files, options.registryCa);
  const platforms = platformsOf(options, host);
  const policies = command.builds ? findPolicyProblems({ options, platforms, host }) : { problems: [] };
  const all = [
    ...found,
    ...problems,
    ...(command.hasNoContext === true ? [] : findContextProblems(options, host.files)),
    ...(choice.ok ? findLocalProblems(command, chosen, options) : [{ input: 'REF', message: choice.problem }]),
    ...authorities.problems,
    ...readProxies(host.env).problems,
    ...(command.scans?.(options) === true ? findScanProblems(options, host.files) : []),
    ...(command.builds ? [...findSecretProblems(host, options), ...findLocalNameProblems(options)] : []),
    ...(tags.ok ? [] : tags.problems),
    ...policies.problems,
    ...(command.builds ? signing.problems : []),
    ...findPruneProblems(options, command),
    ...(command.prunes === true ? [] : findPatternProblems(options)),
    ...(command.verifies === true ? findVerifyProblems(host, options, event) : []),
  ];
  if (all.length > 0 || !tags.ok) throw new UsageError(all, policies.at === undefined ? {} : { at: policies.at });
  for (const sentence of [...fromEnvironment, ...tags.plan.notices]) host.log.notice(sentence);
  if (isIdle(command, { event })) host.log.notice(`nothing is built: ${event.deleted}`);
  else if (event.untrusted !== undefined && options.push) host.log.notice(`nothing is pushed: ${event.untrusted}`);
  if (signing.unsigned !== undefined && command.builds && !isIdle(command, { event }))
    host.log[signing.unsigned.isLoud ? 'warning' : 'notice'](signing.unsigned.message);
  if (given.missing.length > 0) host.log.notice(`this run gets no secrets; left out: ${given.missing.join(', ')}`);
  const plan = command.builds ? tags.plan : { ...tags.plan, candidates: [] };
  return {
    options: command.builds ? options : { ...options, ...NO_IMAGE_POLICY },
    platforms,
    event,
    tags: plan,
    signing: signing.mode,
    trust: signing.trust,
    authorities: authorities.text,
    ...(chosen === undefined ? {} : { named: chosen }),
  };
}

function findPatternProblems({ images }: Options): readonly Problem[] {
  return images.filter(isPattern).map((name) => ({
    input: 'images',
    message: `${quote(familiarName(formatRepositoryName(name)))} stands for several repositories: only prune takes that`,
  }));
}

function platformsOf({ platforms }: Options, host: Host): Run['platforms'] {
  const asked = new Map(platforms.map((platform) => [formatPlatform(platform), platform]));
  return asked.size > 0 ? [...asked.values()] : [{ os: 'linux', architecture: host.architecture }];
}

/** The image that the command is about. */
function chooseImage({ takesImage }: Command, reference: string | undefined): Parsed<ImageChoice | undefined> {
  return takesImage !== true || reference === undefined ? parsed(undefined) : parseImageChoice(reference);
}

/** Of the local engine's images, nothing is known but what the engine says. */
function findLocalProblems(
  { takesImage }: Command,
  image: ImageChoice | undefined,
  { images }: Options,
): readonly Problem[] {
  const [first] = images;
  if (takesImage !== true || image?.repository !== undefined || first === undefined || !isLocalName(first)) return [];
  const name = quote(familiarName(formatRepositoryName(first)));
  return [{ input: 'images', message: `${name} names no registry, and only images in registries can be named here` }];
}

/** Nothing was pushed to where the run is: it must not move that branch's tags, nor build on its behalf. */
function isIdle(command: Command, { event }: Pick<Run, 'event'>): boolean {
  return command.builds && event.deleted !== undefined;
}

function elapsed(host: Host, since: Date): number {
  return host.now().getTime() - since.getTime();
}
