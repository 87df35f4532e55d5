import { formatPlatform } from './core/platform.ts';
import { type Problem, UsageError } from './errors.ts';
import type { Host } from './host.ts';
import { orInterruption } from './interruption.ts';
import { findLocalNameProblems } from './local-names.ts';
import type { OptionName } from './option-table.ts';
import { type Options, parseOptions, type RawOptions } from './options.ts';
import { describeProxy } from './registry/failure.ts';
import { openRegistries, type RegistriesSettings } from './registry/open.ts';
import { readProxies } from './registry/proxies.ts';
import { readAuthorities } from './registry-authorities.ts';
import { type Report, reportOf } from './report/report.ts';
import { saidOnce } from './said-once.ts';
import { type Run, type RunnableStage, runnable } from './stage.ts';
import { attachStage } from './stages/attach.ts';
import { buildStage } from './stages/build.ts';
import { engineStage } from './stages/engine.ts';
import { readEvent } from './stages/event.ts';
import { pinGitContexts } from './stages/git-contexts.ts';
import { findContextProblems, hashStage } from './stages/hash.ts';
import { loadStage } from './stages/load.ts';
import { lookupStage } from './stages/lookup.ts';
import { tellSaved } from './stages/saved.ts';
import { tagStage } from './stages/tag.ts';
import { prepareTags } from './stages/tags.ts';
import { coverTriggers, foreseeTriggers } from './stages/triggers.ts';
import { findSecretProblems } from './tools/build-secrets.ts';
import { withoutMissingSecrets } from './untrusted.ts';

/** A command: what it needs, and the stages it runs, in order. */
interface Command {
  readonly required: readonly OptionName[];
  /** It may call buildx, so that secrets must be there. */
  readonly builds: boolean;
  readonly stages: readonly RunnableStage[];
}

const COMMANDS = {
  build: {
    required: ['images'],
    builds: true,
    stages: [
      pinGitContexts,
      runnable(hashStage),
      runnable(engineStage),
      runnable(lookupStage),
      coverTriggers({ hash: runnable(hashStage), lookup: [runnable(engineStage), runnable(lookupStage)] }),
      runnable(buildStage),
      runnable(attachStage),
      runnable(tagStage),
      runnable(loadStage),
      tellSaved,
    ],
  },
  hash: {
    required: [],
    builds: false,
    stages: [pinGitContexts, runnable(hashStage), foreseeTriggers(runnable(hashStage))],
  },
} as const satisfies Record<string, Command>;

export type CommandName = keyof typeof COMMANDS;

/** How a run ended: what happened up to there, and the error that ended it. */
export interface Finished {
  readonly report: Report;
  readonly options: Options;
  readonly error: Error | undefined;
}

/**
 * Runs a command. Bad input is a UsageError with every problem, thrown before any request or write; a failure after that
 * comes back as `error`, with the report of what had happened. `found`: problems that the caller has seen already, to be
 * told together.
 */
export async function runCommand(
  name: CommandName,
  raw: RawOptions,
  host: Host,
  found: readonly Problem[] = [],
): Promise<Finished> {
  const command: Command = COMMANDS[name];
  const startedAt = host.now();
  const { authorities, ...prepared } = prepare(raw, command, host, found);
  const { options } = prepared;
  for (const secret of [options.password, options.githubToken, ...options.secrets.map(({ value }) => value)]) {
    if (secret !== undefined) host.log.mask(secret);
  }
  const registries = openRegistries({ ...registrySettings(options, host), authorities });
  const stages = isIdle(command, prepared) ? [] : command.stages;
  const talking = { ...host, log: saidOnce(host.log) };
  let run: Run = { ...prepared, host: talking, registries, startedAt, results: {}, journal: [] };
  try {
    for (const stage of stages) run = await stage(run);
    return { report: reportOf(run, elapsed(host, startedAt)), options, error: undefined };
  } catch (thrown) {
    const cause = orInterruption(thrown, host.signal);
    const error = cause instanceof Error ? cause : new Error('something was thrown that is no error', { cause });
    return { report: reportOf(run, elapsed(host, startedAt), error), options, error };
  } finally {
    registries.close();
  }
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

type Prepared = Pick<Run, 'options' | 'platforms' | 'event' | 'tags'> & Pick<RegistriesSettings, 'authorities'>;

/** Everything that can be decided, and be wrong, before the first request: values, files, event, tags; problems all at once. */
function prepare(raw: RawOptions, command: Command, host: Host, found: readonly Problem[]): Prepared {
  const seen = readEvent(host);
  const given = seen.untrusted === undefined ? { raw, missing: [] } : withoutMissingSecrets(raw);
  const { options, problems, fromEnvironment } = parseOptions(given.raw, host.env, command.required);
  const event = { ...seen, push: seen.push && options.push };
  const tags = prepareTags(options, event.git);
  const authorities = readAuthorities(host.files, options.registryCa);
  const all = [
    ...found,
    ...problems,
    ...findContextProblems(options, host.files),
    ...authorities.problems,
    ...readProxies(host.env).problems,
    ...(command.builds ? [...findSecretProblems(host, options), ...findLocalNameProblems(options)] : []),
    ...(tags.ok ? [] : tags.problems),
  ];
  if (all.length > 0 || !tags.ok) throw new UsageError(all);
  for (const sentence of [...fromEnvironment, ...tags.plan.notices]) host.log.notice(sentence);
  if (isIdle(command, { event })) host.log.notice(`nothing is built: ${event.deleted}`);
  else if (event.untrusted !== undefined && options.push) host.log.notice(`nothing is pushed: ${event.untrusted}`);
  if (given.missing.length > 0) host.log.notice(`this run gets no secrets; left out: ${given.missing.join(', ')}`);
  const own = [{ os: 'linux', architecture: host.architecture }];
  const asked = new Map(options.platforms.map((platform) => [formatPlatform(platform), platform]));
  const platforms = asked.size > 0 ? [...asked.values()] : own;
  const plan = command.builds ? tags.plan : { ...tags.plan, candidates: [] };
  return { options, platforms, event, tags: plan, authorities: authorities.text };
}

/** Nothing was pushed to where the run is: it must not move that branch's tags, nor build on its behalf. */
function isIdle(command: Command, { event }: Pick<Run, 'event'>): boolean {
  return command.builds && event.deleted !== undefined;
}

function elapsed(host: Host, since: Date): number {
  return host.now().getTime() - since.getTime();
}
