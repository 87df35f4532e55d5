import type { BuildSettings } from '../core/build-options.ts';
import { formatPlatform } from '../core/platform.ts';
import { quote } from '../core/printable.ts';
import { readSshAgent } from '../core/run-options.ts';
import type { Problem } from '../errors.ts';
import {
  type BuildOrigin,
  buildArgsOf,
  type Destination,
  outputAttributes,
  provenanceOf,
  secretRecords,
  withLevel,
} from './buildx-arguments.ts';

/** One of several images that are built in one call. */
export interface BakeImage {
  /** Unique in the call; any text. `target:NAME` in the named contexts of another image means this one. */
  readonly name: string;
  readonly settings: BuildSettings;
  /** `undefined` for one that only others are built on. */
  readonly destination: Destination | undefined;
  readonly origin: BuildOrigin | undefined;
}

/** An image with what bake calls it, and all that it is built on: directly, and through others. */
export interface BakeTarget extends BakeImage {
  /** `[a-zA-Z0-9_-]+`, unique in the call. */
  readonly target: string;
  /** How many values of secrets the images before it have. */
  readonly firstSecret: number;
  readonly bases: readonly BakeTarget[];
}

/** An attribute of a target; what is `undefined` is left out. */
type Attribute = string | boolean | readonly string[] | Readonly<Record<string, string>> | undefined;

type Environment = Readonly<Record<string, string | undefined>>;

/** A secret or an SSH agent of one image. */
interface Key {
  readonly id: string;
  /** As buildx takes it. */
  readonly record: string;
  /** The same for the same secret. */
  readonly source: string;
}

const MAX_NAME_LENGTH = 60;
const LINK = 'target:';

/** The images as targets of bake, in the same order. A link to an image that is not there is an error of the caller's. */
export function bakeTargets(images: readonly BakeImage[]): readonly BakeTarget[] {
  const byName = new Map(images.map((image) => [image.name, image]));
  if (byName.size < images.length) throw new Error('two images of one call have one name');
  const targets = new Map<string, BakeTarget>();
  const taken = new Set<string>();
  const firstSecrets = new Map<string, number>();
  let secrets = 0;
  for (const { name, settings } of images) {
    firstSecrets.set(name, secrets);
    secrets += settings.secrets.length;
  }
  const add = (name: string, path: readonly string[]): BakeTarget => {
    const known = targets.get(name);
    if (known !== undefined) return known;
    const image = byName.get(name);
    if (image === undefined)
      throw new Error(`${quote(name)}, which ${quote(path.at(-1) ?? '')} is built on, is missing`);
    if (path.includes(name)) throw new Error(`${quote(name)} is built on itself`);
    const direct = linksOf(image.settings).map((link) => add(link, [...path, name]));
    const bases = [...new Set(direct.flatMap((base) => [base, ...base.bases]))];
    const target = { ...image, target: freeName(name, taken), firstSecret: firstSecrets.get(name) ?? 0, bases };
    targets.set(name, target);
    return target;
  };
  return images.map(({ name }) => add(name, []));
}

/**
 * The definition for `docker buildx bake`, JSON, in which each target has what `docker buildx build` would be told for it.
 * Build args without a value take it from `env`. Values of secrets are not in it, see `secretVariables`. Format:
 * https://github.com/docker/buildx/blob/v0.29.1/docs/bake-reference.md
 */
export function bakeDefinition(targets: readonly BakeTarget[], env: Environment): string {
  const names = namesOf(targets);
  const blocks = targets.map((target) => [target.target, attributesOf(target, names, env)]);
  const definition = JSON.stringify({ target: Object.fromEntries(blocks) }, undefined, 2);
  // Bake takes every text for a template of HCL, names too. A brace of JSON itself never follows one of these.
  return `${definition.replace(/[$%](?=\{)/g, '$&$&')}\n`;
}

/**
 * What bake cannot do of this as `docker buildx build` does; empty when it can do it all. Bake knows no parent cgroup, and HCL
 * makes every text Unicode's normal form C. A step of a base may run with the secrets of an image that is built on it
 * (https://github.com/docker/buildx/issues/3056): each has those of its bases too, and one id must mean one secret.
 */
export function findBakeProblems(targets: readonly BakeTarget[], env: Environment): readonly Problem[] {
  const names = namesOf(targets);
  return targets.flatMap((target) => {
    const name = quote(target.name);
    const text = JSON.stringify(attributesOf(target, names, env));
    const cgroup = `docker buildx bake knows no parent cgroup, which ${name} asks for`;
    const letters = `docker buildx bake would change letters of ${name}: a text is not in Unicode's normal form C`;
    return [
      ...(target.settings.cgroupParent === undefined ? [] : [{ input: 'cgroup-parent', message: cgroup }]),
      ...(text.normalize('NFC') === text ? [] : [{ input: 'targets', message: letters }]),
      ...findMixedKeys(target, { input: 'secrets', kind: 'secret', keysOf: secretsOf }),
      ...findMixedKeys(target, { input: 'ssh', kind: 'SSH key', keysOf: agentsOf }),
    ];
  });
}

/** The entitlements that must be granted for the whole call. */
export function entitlementsOf(targets: readonly BakeTarget[]): readonly string[] {
  return [...new Set(targets.flatMap(ownEntitlements))].sort();
}

function attributesOf(
  target: BakeTarget,
  names: ReadonlyMap<string, string>,
  env: Environment,
): Readonly<Record<string, Attribute>> {
  const { settings, destination } = target;
  const attributes: Readonly<Record<string, Attribute>> = {
    context: settings.context,
    dockerfile: settings.file,
    target: settings.target,
    platforms: settings.platforms.map(formatPlatform),
    args: argsOf(settings, env),
    contexts: contextsOf(settings, names),
    labels: Object.fromEntries(settings.labels.map((label) => cutAt(label, '='))),
    annotations: settings.annotations.map(withLevel),
    secret: recordsOf(target, secretsOf),
    ssh: recordsOf(target, agentsOf),
    'extra-hosts': hostsOf(settings.addHosts),
    entitlements: [...new Set([target, ...target.bases].flatMap(ownEntitlements))],
    network: settings.network,
    'shm-size': settings.shmSize,
    ulimits: settings.ulimit,
    pull: settings.pull || undefined,
    'no-cache': settings.noCache || undefined,
    'no-cache-filter': settings.noCacheFilters,
    'cache-from': settings.cacheFrom,
    'cache-to': settings.cacheTo,
    attest: attestationsOf(target),
    // Without an output the docker driver would keep the image.
    output: [destination === undefined ? 'type=cacheonly' : outputAttributes(destination)],
  };
  const given = Object.entries(attributes).filter(([, value]) => value !== undefined && !isEmpty(value));
  return Object.fromEntries(given);
}

function namesOf(targets: readonly BakeTarget[]): ReadonlyMap<string, string> {
  return new Map(targets.map(({ name, target }) => [name, target]));
}

/** A name that bake takes, as near to this one as can be. */
function freeName(name: string, taken: Set<string>): string {
  const start =
    name
      .slice(0, MAX_NAME_LENGTH)
      .replace(/[^a-zA-Z0-9_-]+/g, '-')
      .replace(/^-+|-+$/g, '') || 'image';
  let free = start;
  for (let number = 2; taken.has(free); number += 1) free = `${start}-${number}`;
  taken.add(free);
  return free;
}

function linksOf({ buildContexts }: BuildSettings): readonly string[] {
  return buildContexts.filter(({ value }) => value.startsWith(LINK)).map(({ value }) => value.slice(LINK.length));
}

function contextsOf({ buildContexts }: BuildSettings, names: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries(
    buildContexts.map(({ name, value }) => {
      const link = value.startsWith(LINK) ? names.get(value.slice(LINK.length)) : undefined;
      return [name, link === undefined ? value : `${LINK}${link}`];
    }),
  );
}

/** As buildx reads its flag: a name alone has the value of the environment, and is left out where there is none. */
function argsOf(settings: BuildSettings, env: Environment): Record<string, string> {
  const args = buildArgsOf(settings).flatMap((text) => {
    const [name, given] = text.includes('=') ? cutAt(text, '=') : [text, env[text]];
    return given === undefined ? [] : [[name, given] as const];
  });
  return Object.fromEntries(args);
}

function hostsOf(addHosts: readonly string[]): Record<string, string> {
  const hosts = new Map<string, string>();
  for (const text of addHosts) {
    const [host, address] = cutAt(text, text.includes('=') ? '=' : ':');
    const known = hosts.get(host);
    hosts.set(host, known === undefined ? address : `${known},${address}`);
  }
  return Object.fromEntries(hosts);
}

function ownEntitlements({ settings }: BakeTarget): readonly string[] {
  const asked = settings.allow.flatMap((text) => (text.startsWith('device=') ? [text] : text.split(',')));
  // `docker buildx build` grants this by itself.
  return settings.network === 'host' ? [...asked, 'network.host'] : asked;
}

function attestationsOf({ settings, origin }: BakeTarget): readonly string[] {
  const asked = (type: string, value: string | undefined): readonly string[] =>
    value === undefined || value === '' ? [] : [`type=${type},${switchOf(value) ?? value}`];
  return [...settings.attests, ...asked('provenance', provenanceOf(settings, origin)), ...asked('sbom', settings.sbom)];
}

/** What buildx makes of a flag that says yes or no. */
function switchOf(value: string): string | undefined {
  if (/^(?:1|t|T|TRUE|true|True)$/.test(value)) return 'disabled=false';
  return /^(?:0|f|F|FALSE|false|False)$/.test(value) ? 'disabled=true' : undefined;
}

function secretsOf({ settings, firstSecret }: BakeTarget): readonly Key[] {
  const { secrets, secretEnvs, secretFiles } = settings;
  const sources = [
    ...secrets.map(({ id, value }) => ({ id, source: `value ${value}` })),
    ...secretEnvs.map(({ id, env }) => ({ id, source: `env ${env}` })),
    ...secretFiles.map(({ id, path }) => ({ id, source: `file ${path}` })),
  ];
  const records = secretRecords(settings, firstSecret);
  return sources.map((secret, index) => ({ ...secret, record: records[index] ?? '' }));
}

function agentsOf({ settings }: BakeTarget): readonly Key[] {
  return settings.ssh.map((record) => {
    const { id, paths } = readSshAgent(record);
    return { id, record, source: paths.join(',') };
  });
}

/** The target's own, and those of its bases that it has none for. */
function recordsOf(target: BakeTarget, keysOf: (target: BakeTarget) => readonly Key[]): readonly string[] {
  const own = keysOf(target);
  const inherited = new Map(
    target.bases
      .flatMap(keysOf)
      .filter(({ id }) => !own.some((key) => key.id === id))
      .map(({ id, record }) => [id, record]),
  );
  return [...own.map(({ record }) => record), ...inherited.values()];
}

function findMixedKeys(
  target: BakeTarget,
  about: { input: string; kind: string; keysOf: (target: BakeTarget) => readonly Key[] },
): readonly Problem[] {
  const own = [target, ...target.bases].map((one) => ({
    name: one.name,
    keys: new Map(about.keysOf(one).map(({ id, source }) => [id, source])),
  }));
  const first = new Map<string, { readonly source: string; readonly name: string }>();
  const problems: Problem[] = [];
  for (const { name, keys } of own) {
    for (const [id, source] of keys) {
      const known = first.get(id) ?? { source, name };
      first.set(id, known);
      if (known.source === source) continue;
      const which = `the ${about.kind} ${quote(id)} of ${quote(known.name)} and the one of ${quote(name)} differ`;
      problems.push({ input: about.input, message: `${which}; ${quote(target.name)} is built with both in one call` });
    }
  }
  return problems;
}

function cutAt(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}

function isEmpty(value: Exclude<Attribute, undefined>): boolean {
  return typeof value === 'object' && Object.keys(value).length === 0;
}
