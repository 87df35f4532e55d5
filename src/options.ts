import { provenance, sbom } from './core/attestation.ts';
import {
  parseBuildContext,
  parseCacheEntry,
  parseSecret,
  parseSecretEnv,
  parseSecretFile,
} from './core/build-options.ts';
import { parseContext } from './core/git-source.ts';
import {
  anyText,
  assignment,
  choice,
  duration,
  flag,
  listOf,
  optional,
  optionalText,
  type Parse,
  secretText,
} from './core/kinds.ts';
import { nearest } from './core/nearest.ts';
import { lowerOwnName } from './core/own-name.ts';
import { parsed, unparsable } from './core/parsed.ts';
import { parsePlatform } from './core/platform.ts';
import { parseTagPattern } from './core/policy.ts';
import { quote, toLine } from './core/printable.ts';
import { parseReference, parseRegistryHost, type RepositoryName } from './core/reference.ts';
import { parseTagLines } from './core/tag-rules.ts';
import type { Problem } from './errors.ts';

/** One input of the action and flag of the CLI; `action.yml`, the help and the README's tables are made from these. */
export interface Option<T> {
  readonly group: 'what' | 'build' | 'tags' | 'hash' | 'reuse' | 'registry' | 'report';
  /** One sentence of Markdown. */
  readonly about: string;
  /** The text that stands in when none is given. */
  readonly default: string;
  readonly parse: Parse<T>;
  /** A list may be given as several flags of the CLI; a switch needs no value there. */
  readonly shape: 'text' | 'list' | 'switch';
  /** The default in `action.yml`, where it differs. */
  readonly actionDefault?: string;
  /** An environment variable that stands in when the input is empty. */
  readonly variable?: string;
  readonly secret?: true;
}

type About = Pick<Option<unknown>, 'group' | 'about'> &
  Partial<Pick<Option<unknown>, 'actionDefault' | 'variable' | 'secret'>>;

function text<T>(parse: Parse<T>, about: About, standIn = ''): Option<T> {
  return { ...about, parse, default: standIn, shape: 'text' };
}

function list<T>(parse: Parse<readonly T[]>, about: About, standIn = ''): Option<readonly T[]> {
  return { ...about, parse, default: standIn, shape: 'list' };
}

function toggle(about: About, standIn: boolean): Option<boolean> {
  return { ...about, parse: flag, default: String(standIn), shape: 'switch' };
}

const imageName: Parse<RepositoryName> = (given) => {
  const reference = parseReference(given);
  if (!reference.ok) return reference;
  const { repository, tag, digest } = reference.value;
  if (tag === undefined && digest === undefined) return parsed(repository);
  return unparsable(
    `${quote(given)} carries a ${digest === undefined ? 'tag' : 'digest'}: a repository is allowed; tags go into the input tags`,
  );
};

const registryHost = optional<string>((given) => parseRegistryHost(given.trim()));

/** Text that has a default, so that it is never blank. */
const requiredText: Parse<string> = (given) => parsed(given.trim());

/** Not comma-separated where values hold commas, as docker/build-push-action reads them. */
const lines = listOf(anyText);
const words = listOf(anyText, { commas: true });

/** The one table of inputs: their names, meaning, defaults and parsers. */
export const OPTION_TABLE = {
  images: list(listOf(imageName, { commas: true }), {
    group: 'what',
    about:
      'Repositories to push to, one a line: `ghcr.io/acme/app`. The name of this GitHub repository is lower-cased; a tag or digest in one is an error.',
  }),
  context: text(parseContext, { group: 'what', about: 'A directory, or `https://…/app.git#ref:directory`.' }, '.'),
  file: text(optionalText, { group: 'what', about: 'The Dockerfile. Default: `Dockerfile` in the context.' }),
  target: text(optionalText, { group: 'what', about: 'The build stage to build. Default: the last one.' }),
  platforms: list(listOf(parsePlatform, { commas: true }), {
    group: 'what',
    about: 'Platforms to build: `linux/amd64,linux/arm64`. Default: `linux/` and the architecture of this machine.',
  }),
  'build-args': list(listOf(assignment('build arg', { bare: true })), {
    group: 'build',
    about: 'Build args, one `KEY=VALUE` a line. Never a place for secrets: the image keeps them.',
  }),
  'build-contexts': list(listOf(parseBuildContext), {
    group: 'build',
    about: 'Named contexts, one `NAME=PATH` or `NAME=docker-image://REFERENCE` a line.',
  }),
  secrets: list(listOf(parseSecret), {
    group: 'build',
    about: 'Secrets for `RUN --mount=type=secret`, one `ID=VALUE` a line; a value of several lines in double quotes.',
    secret: true,
  }),
  'secret-envs': list(listOf(parseSecretEnv, { commas: true }), {
    group: 'build',
    about: 'Secrets from environment variables, one `ID=VARIABLE` a line.',
  }),
  'secret-files': list(listOf(parseSecretFile), {
    group: 'build',
    about: 'Secrets from files, one `ID=PATH` a line.',
  }),
  ssh: list(words, { group: 'build', about: 'SSH agent sockets or keys for `RUN --mount=type=ssh`: `default`.' }),
  labels: list(listOf(assignment('label')), { group: 'build', about: 'Labels to add, one `KEY=VALUE` a line.' }),
  annotations: list(listOf(assignment('annotation')), {
    group: 'build',
    about:
      'Annotations to add, one `KEY=VALUE` a line, for the index and every platform; `index:KEY=VALUE` for one level.',
  }),
  'add-hosts': list(words, { group: 'build', about: 'Extra lines of `/etc/hosts` while building: `HOST:IP`.' }),
  allow: list(words, { group: 'build', about: 'Entitlements to grant: `network.host`, `security.insecure`.' }),
  network: text(optional(choice('default', 'none', 'host')), {
    group: 'build',
    about: 'The network of `RUN`: `default`, `none` or `host`.',
  }),
  'no-cache': toggle(
    { group: 'build', about: "Build without the builder's cache. Does not force a build: see `force`." },
    false,
  ),
  'no-cache-filters': list(words, { group: 'build', about: 'Build stages to build without cache.' }),
  pull: toggle({ group: 'build', about: 'Ask the registry for newer base images than the builder has.' }, false),
  'shm-size': text(optionalText, { group: 'build', about: 'Size of `/dev/shm` while building: `2gb`.' }),
  ulimit: list(lines, { group: 'build', about: 'Ulimits while building: `nofile=1024:1024`.' }),
  'cgroup-parent': text(optionalText, { group: 'build', about: 'The parent cgroup of `RUN`.' }),
  provenance: text(provenance, {
    group: 'build',
    about:
      'Provenance attestation: `true`, `false` or `mode=max`. Default: `mode=max` in public repositories, else `mode=min`.',
  }),
  sbom: text(sbom, {
    group: 'build',
    about: 'SBOM attestation: `true`, `false` or `generator=IMAGE`. Default: none.',
  }),
  attests: list(lines, { group: 'build', about: "Attestations in buildx's own form: `type=sbom,generator=IMAGE`." }),
  'cache-from': list(listOf(parseCacheEntry), {
    group: 'build',
    about: 'Caches to read: `type=registry,ref=ghcr.io/acme/app:cache`.',
  }),
  'cache-to': list(listOf(parseCacheEntry), { group: 'build', about: 'Caches to write, in the same form.' }),
  cache: text(
    choice('none', 'gha', 'registry'),
    {
      group: 'build',
      about: '`gha` or `registry` (the tag `buildcache` of the first image). Pull requests read it and never write it.',
    },
    'none',
  ),
  builder: text(optionalText, {
    group: 'build',
    about: 'The buildx builder. Default: the current one, or one made for this run where that cannot do what is asked.',
  }),
  push: toggle({ group: 'build', about: 'Push the image and its tags. `false` builds and stops there.' }, true),
  tags: list(parseTagLines, {
    group: 'tags',
    about:
      "Tags, one a line: plain, full references, or the rules of docker/metadata-action. Default: the version set on a version tag, the branch's name on a branch, `pr-N` on a pull request.",
  }),
  version: text(optionalText, { group: 'tags', about: 'The version. Default: the git tag less `tag-prefix`.' }),
  'tag-prefix': text(
    requiredText,
    {
      group: 'tags',
      about: 'What stands before the version in a git tag: `v`, or `app/v` for a component of a monorepo.',
    },
    'v',
  ),
  flavor: list(
    parseTagLines,
    {
      group: 'tags',
      about:
        '`latest=auto|true|false`, `prefix=TEXT`, `suffix=TEXT`, one a line. `auto`: `latest` goes with the highest release only.',
    },
    'latest=auto',
  ),
  'immutable-tags': text(optionalText, {
    group: 'tags',
    about: 'Tags that are created and never moved, as a regular expression. Default: full versions.',
  }),
  'forbid-tags': list(listOf(parseTagPattern, { commas: true }), {
    group: 'tags',
    about: 'Tags that must never be pushed: names, or patterns with `*`.',
  }),
  'hash-files': list(lines, {
    group: 'hash',
    about: 'More files or directories that count, relative to the workspace.',
  }),
  'hash-ignore': list(lines, {
    group: 'hash',
    about: 'Context files that do not count, as `.dockerignore` patterns. The build still gets them.',
  }),
  'hash-salt': text(optionalText, { group: 'hash', about: 'Any text that counts: change it to rebuild.' }),
  force: toggle(
    {
      group: 'reuse',
      about: 'Build even when the registry has the image.',
      variable: 'BUTLER_FORCE_REBUILD',
      // The runner fills defaults in as if they were given, and nothing could stand in any more.
      actionDefault: '',
    },
    false,
  ),
  'max-age': text(duration, { group: 'reuse', about: 'Rebuild an image older than this: `30d`.' }),
  registry: text(registryHost, {
    group: 'registry',
    about: "The registry that `username` and `password` are for. Others come from Docker's config.",
  }),
  username: text(optionalText, { group: 'registry', about: 'The user at `registry`.' }),
  password: text(secretText, { group: 'registry', about: 'The password or token at `registry`.', secret: true }),
  'github-token': text(secretText, {
    group: 'registry',
    about: "For GitHub's API, and for ghcr.io when nothing else has credentials for it.",
    actionDefault: '${{ github.token }}',
    secret: true,
  }),
  summary: toggle({ group: 'report', about: 'Write a job summary.' }, true),
} as const;

export type OptionName = keyof typeof OPTION_TABLE;

type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;
type ValueOf<Entry> = Entry extends Option<infer T> ? T : never;

/** Every option with its value: what the stages read. */
export type Options = { readonly [Name in OptionName as CamelCase<Name>]: ValueOf<(typeof OPTION_TABLE)[Name]> };

/** What a person wrote, by option name; an absent or empty text means the default. */
export type RawOptions = Readonly<Record<string, string | undefined>>;

/** What the texts say. Where a text is bad its problem is listed, and the default stands in so that checks can go on. */
export interface ParsedOptions {
  readonly options: Options;
  readonly problems: readonly Problem[];
  /** What was taken from the environment: sentences for the log. */
  readonly fromEnvironment: readonly string[];
}

/** Options that hold names of repositories. */
const REPOSITORY_OPTIONS: ReadonlySet<string> = new Set(['images', 'tags', 'cache-from', 'cache-to']);

export const OPTION_NAMES: readonly OptionName[] = Object.keys(OPTION_TABLE).filter(isOptionName);

export function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(OPTION_TABLE, name);
}

/**
 * Turns texts into values. Pure. Every problem is listed: unknown names (with the nearest known one), bad values, missing
 * values (`required`), and options that do not go together.
 */
export function parseOptions(
  raw: RawOptions,
  env: RawOptions = {},
  required: readonly OptionName[] = [],
): ParsedOptions {
  const problems: Problem[] = [];
  const values: Record<string, unknown> = {};
  const fromEnvironment: string[] = [];
  const own = { repository: env['GITHUB_REPOSITORY'] ?? '', owner: env['GITHUB_REPOSITORY_OWNER'] ?? '' };
  for (const [name, value] of Object.entries(raw)) {
    if (value !== undefined && !isOptionName(name))
      problems.push({ input: toLine(name, 40), message: unknownName(name) });
  }
  for (const name of OPTION_NAMES) {
    const option: Option<unknown> = OPTION_TABLE[name];
    const given = REPOSITORY_OPTIONS.has(name) ? lowerOwnName(raw[name] ?? '', own) : (raw[name] ?? '');
    const standIn = option.variable === undefined ? '' : (env[option.variable] ?? '');
    const origin = isBlank(given) && !isBlank(standIn) ? `, from ${option.variable}` : '';
    if (origin !== '') fromEnvironment.push(`${name} is ${quote(standIn)}${origin}`);
    const text = [given, standIn].find((candidate) => !isBlank(candidate)) ?? option.default;
    const result = option.parse(text);
    const value = result.ok ? result : option.parse(option.default);
    if (!result.ok) problems.push({ input: name, message: `${result.problem}${origin}` });
    else if (required.includes(name) && isNothing(result.value)) problems.push({ input: name, message: 'is required' });
    if (value.ok) values[camelCase(name)] = value.value;
  }
  if (!isComplete(values)) throw new TypeError('the default of an option does not parse');
  return { options: values, problems: [...problems, ...contradictions(values)], fromEnvironment };
}

function contradictions(options: Options): Problem[] {
  const problems: Problem[] = [];
  const { username, password, registry, images } = options;
  if ((username === undefined) !== (password === undefined)) {
    const missing = username === undefined ? 'username' : 'password';
    const given = username === undefined ? 'password' : 'username';
    problems.push({ input: missing, message: `is required, because ${given} is given` });
  }
  if (registry !== undefined && username === undefined) {
    problems.push({
      input: 'registry',
      message: `${quote(registry)} needs username and password; without them leave it out`,
    });
  }
  const registries = new Set(images.map((image) => image.registry));
  if (username !== undefined && registry === undefined && registries.size > 1) {
    problems.push({
      input: 'registry',
      message: `is required: images name several registries (${[...registries].join(', ')})`,
    });
  }
  return problems;
}

function isBlank(text: string): boolean {
  return text.trim() === '';
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
}

function isComplete(values: Record<string, unknown>): values is Options {
  return OPTION_NAMES.every((name) => Object.hasOwn(values, camelCase(name)));
}

function unknownName(name: string): string {
  const near = nearest(name, OPTION_NAMES);
  return `is not a known input${near === undefined ? '' : `; did you mean ${near}?`}`;
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
