import { parseAttest, provenance, sbom } from './core/attestation.ts';
import {
  parseBuildContexts,
  parseCacheEntry,
  parseSecret,
  parseSecretEnv,
  parseSecretFile,
} from './core/build-options.ts';
import { parseContext } from './core/git-source.ts';
import { parseImageName } from './core/image-name.ts';
import {
  anyText,
  assignment,
  choice,
  duration,
  listOf,
  optional,
  optionalText,
  type Parse,
  secretText,
} from './core/kinds.ts';
import { parsed } from './core/parsed.ts';
import { parsePlainRegistry } from './core/plain-registry.ts';
import { parsePlatform } from './core/platform.ts';
import { parseTagPattern } from './core/policy.ts';
import { parsePinnedReference, parseRegistryHost } from './core/reference.ts';
import { parseCgroupParent, parseEntitlement, parseExtraHost, parseShmSize, parseUlimit } from './core/run-options.ts';
import { parseTagLines } from './core/tag-rules.ts';
import { parseTrustedRegistry } from './core/trusted-registry.ts';
import { MANY_OPTIONS } from './many-option-table.ts';
import { list, text, toggle } from './option.ts';
import { PRUNE_OPTIONS } from './prune-option-table.ts';
import { SCAN_OPTIONS } from './scan-option-table.ts';
import { SIGN_OPTIONS, TRUST_OPTIONS } from './sign-option-table.ts';

const registryHost = optional<string>((given) => parseRegistryHost(given.trim()));

/** Text that has a default, so that it is never blank. */
const requiredText: Parse<string> = (given) => parsed(given.trim());

/** Not comma-separated where values hold commas, as docker/build-push-action reads them. */
const lines = listOf(anyText);
const words = listOf(anyText, { commas: true });

/** The one table of inputs: their names, meaning, defaults and parsers. */
export const OPTION_TABLE = {
  command: text(
    choice('build', 'plan', 'prune'),
    {
      group: 'what',
      about:
        '`build`; `plan`: say which of the images of `files` are missing; `prune`: delete what `retention` does not keep.',
    },
    'build',
  ),
  images: list(listOf(parseImageName, { commas: true }), {
    group: 'what',
    about:
      'Repositories to push to, or to prune, one a line: `ghcr.io/acme/app`. The name of this GitHub repository is lower-cased; a tag or digest in one is an error. `myapp` alone means the local engine.',
  }),
  ...MANY_OPTIONS,
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
  'build-contexts': list(parseBuildContexts, {
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
  'add-hosts': list(listOf(parseExtraHost, { commas: true }), {
    group: 'build',
    about: 'Extra lines of `/etc/hosts` while building: `HOST:IP`.',
  }),
  allow: list(listOf(parseEntitlement, { commas: true }), {
    group: 'build',
    about:
      'Entitlements to grant: `network.host`, `security.insecure`; to what `files` name also `fs=PATH`, `fs.read=PATH`, `fs.write=PATH` and `ssh`.',
  }),
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
  'shm-size': text(optional(parseShmSize), { group: 'build', about: 'Size of `/dev/shm` while building: `2gb`.' }),
  ulimit: list(listOf(parseUlimit), { group: 'build', about: 'Ulimits while building: `nofile=1024:1024`.' }),
  'cgroup-parent': text(optional(parseCgroupParent), { group: 'build', about: 'The parent cgroup of `RUN`.' }),
  provenance: text(provenance, {
    group: 'build',
    about:
      'Provenance attestation: `true`, `false` or `mode=max`. Default: `mode=max` in public repositories, else `mode=min`.',
  }),
  sbom: text(sbom, {
    group: 'build',
    about: 'SBOM attestation: `true`, `false` or `generator=IMAGE`. Default: none.',
  }),
  attests: list(listOf(parseAttest), {
    group: 'build',
    about: "Attestations in buildx's own form: `type=sbom,generator=IMAGE`.",
  }),
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
  emulation: text(
    choice('auto', 'off'),
    {
      group: 'build',
      about: '`auto` registers QEMU on the machine when the builder cannot run a platform. `off`: that is an error.',
    },
    'auto',
  ),
  'binfmt-image': text(
    parsePinnedReference,
    {
      group: 'build',
      about: 'The image that registers QEMU, by digest: it runs as a privileged container. A mirror may stand here.',
    },
    'tonistiigi/binfmt:qemu-v10.2.3@sha256:400a4873b838d1b89194d982c45e5fb3cda4593fbfd7e08a02e76b03b21166f0',
  ),
  push: toggle({ group: 'build', about: 'Push the image and its tags. `false` builds and stops there.' }, true),
  load: toggle({ group: 'build', about: 'Put the image into the local Docker engine, on a hit as well.' }, false),
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
  'trusted-registries': list(listOf(parseTrustedRegistry, { commas: true }), {
    group: 'tags',
    about:
      'Registries, `ghcr.io`, or paths in them, `ghcr.io/acme`: all that is pushed to, and every image that the build reads, must be in one. Default: any.',
    variable: 'TRUSTED_REGISTRIES',
  }),
  'require-digest-pins': toggle(
    { group: 'tags', about: 'Every image that the build reads must be named with its digest.' },
    false,
  ),
  'hash-files': list(lines, {
    group: 'hash',
    about: 'More files or directories that count, relative to the workspace.',
  }),
  'hash-ignore': list(lines, {
    group: 'hash',
    about: 'Context files that do not count, as `.dockerignore` patterns. The build still gets them.',
  }),
  'hash-salt': text(optionalText, { group: 'hash', about: 'Any text that counts: change it to rebuild.' }),
  'hash-scope': text(
    choice('inputs', 'manifests'),
    {
      group: 'hash',
      about:
        'What counts of the files that the build reads: all (`inputs`), or only package manifests and lock files (`manifests`), for an image of dependencies. Version tags then need a Dockerfile that reads nothing else.',
    },
    'inputs',
  ),
  base: text(
    choice('digest', 'tag'),
    {
      group: 'hash',
      about:
        'What of a base image counts: the `digest` behind its tag, asked for in every run, or the `tag` as written, without a request.',
    },
    'digest',
  ),
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
  ...TRUST_OPTIONS,
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
  'registry-ca': text(optionalText, {
    group: 'registry',
    about: "A PEM file with your own authorities, trusted besides the usual ones for every registry's certificate.",
  }),
  'registry-insecure': list(listOf(parsePlainRegistry, { commas: true }), {
    group: 'registry',
    about: 'Registries that may be spoken to over plain http: `registry.lan:5000`. This machine always may.',
  }),
  ...SCAN_OPTIONS,
  ...SIGN_OPTIONS,
  ...PRUNE_OPTIONS,
  summary: toggle({ group: 'report', about: 'Write a job summary.' }, true),
} as const;

export type OptionName = keyof typeof OPTION_TABLE;

export const OPTION_NAMES: readonly OptionName[] = Object.keys(OPTION_TABLE).filter(isOptionName);

export function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(OPTION_TABLE, name);
}
