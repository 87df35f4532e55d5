import type { Command, CommandCall } from './command.ts';
import { type ImageChoice, parseImageChoice } from './core/image-choice.ts';
import { isPattern } from './core/image-name.ts';
import { NO_IMAGE_POLICY } from './core/image-policy.ts';
import { type Parsed, parsed } from './core/parsed.ts';
import { formatPlatform } from './core/platform.ts';
import { quote } from './core/printable.ts';
import { familiarName, formatRepositoryName, isLocalName } from './core/reference.ts';
import { type Problem, UsageError } from './errors.ts';
import type { Host } from './host.ts';
import { findPolicyProblems } from './image-policies.ts';
import { loadPrune } from './load-prune.ts';
import { findLocalNameProblems } from './local-names.ts';
import { type Options, parseOptions, type RawOptions } from './options.ts';
import type { RegistriesSettings } from './registry/open.ts';
import { readProxies } from './registry/proxies.ts';
import { readAuthorities } from './registry-authorities.ts';
import { findScanProblems } from './scan-problems.ts';
import { decideSigning, findVerifyProblems } from './signing-rules.ts';
import type { Run } from './stage.ts';
import { readEvent } from './stages/event.ts';
import { findContextProblems } from './stages/hash.ts';
import { prepareTags } from './stages/tags.ts';
import { findSecretProblems } from './tools/build-secrets.ts';
import { withoutMissingSecrets } from './untrusted.ts';

export type FindPruneProblems = (
  options: Options,
  command: { readonly prunes: boolean; readonly hasPlan: boolean },
) => readonly Problem[];

/** What reads `retention` is loaded by those who have some. */
export async function pruneRules(raw: RawOptions, { prunes }: Command, { env }: Host): Promise<FindPruneProblems> {
  const text = raw['retention'] || env['BUTLER_IMAGE_KEEP_COUNT'] || '';
  if (prunes !== true && text.trim() === '') return () => [];
  return (await loadPrune()).findPruneProblems;
}

export type Prepared = Pick<Run, 'options' | 'platforms' | 'event' | 'tags' | 'named' | 'signing' | 'trust'> &
  Pick<RegistriesSettings, 'authorities'>;

/** Everything that can be decided, and be wrong, before the first request: values, files, event, tags; problems all at once. */
export function prepare(
  raw: RawOptions,
  { command, findPruneProblems }: { readonly command: Command; readonly findPruneProblems: FindPruneProblems },
  host: Host,
  { found = [], reference, prune }: CommandCall,
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
    ...(command.builds && command.plans !== true ? findSecretProblems(host, options) : []),
    ...(command.builds ? findLocalNameProblems(options) : []),
    ...(command.takesFiles === true ? [] : findFileProblems(options)),
    ...(tags.ok ? [] : tags.problems),
    ...policies.problems,
    ...(command.builds ? signing.problems : []),
    // A name that is none was left out, but is not missing.
    ...findPruneProblems(options, { prunes: command.prunes === true, hasPlan: prune?.planFile !== undefined }).filter(
      ({ input }) => problems.every((earlier) => earlier.input !== input),
    ),
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

/** Several images go with commands that take them. */
function findFileProblems({ files, targets, entry }: Options): readonly Problem[] {
  const given = { files: files.length > 0, targets: targets.length > 0, entry: entry !== undefined };
  return Object.entries(given).flatMap(([input, isGiven]) =>
    isGiven ? [{ input, message: 'goes with plan and build' }] : [],
  );
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
export function isIdle(command: Command, { event }: Pick<Run, 'event'>): boolean {
  return command.builds && event.deleted !== undefined;
}
