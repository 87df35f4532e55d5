import { type Digest, parseDigest } from './digest.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';

/** Where images of one name live. Docker Hub is always `docker.io`, and its official images `library/NAME`. */
export interface RepositoryName {
  /** `host` or `host:port`, lower case. */
  readonly registry: string;
  /** The path inside the registry: `acme/app`. */
  readonly path: string;
}

/** `registry/path[:tag][@digest]`. */
export interface Reference {
  readonly repository: RepositoryName;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

const DOCKER_HUB = 'docker.io';
/** Where Docker Hub answers. */
const DOCKER_HUB_HOST = 'registry-1.docker.io';
const DOCKER_HUB_ALIASES = new Set([DOCKER_HUB, 'index.docker.io', DOCKER_HUB_HOST, 'registry.hub.docker.com']);

/** A path of the distribution specification v1.1.1, "Pulling manifests". */
const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const HOST =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]{1,5})?$/;
/** 127.0.0.0/8 and ::1, which may be written with all its zeros. */
const LOOPBACK_ADDRESS = /^(?:127(?:\.(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}|\[::1\]|\[(?:0{1,4}:){7}0{0,3}1\])$/;
const MAX_NAME_LENGTH = 255;

export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** True for what may stand after the host of a registry: `acme/app`. */
export function isRepositoryPath(text: string): boolean {
  return PATH.test(text);
}

/** True when what stands before the first slash of a name is meant for a host; else the name is Docker Hub's. */
export function namesRegistry(first: string): boolean {
  return first === 'localhost' || /[.:]/.test(first);
}

/** Parses the host of a registry, in its one spelling: `ghcr.io`, `localhost:5000`; `docker.io` for Docker Hub's. */
export function parseRegistryHost(text: string): Parsed<string> {
  if (isHost(text)) return parsed(canonicalRegistry(text));
  return unparsable(`${quote(text)} is not a registry: a host is allowed, as in ghcr.io or localhost:5000`);
}

/** True for the names under which Docker Hub's registry is known; exact, so that `evildocker.io` is not one. */
export function isDockerHub(registry: string): boolean {
  return DOCKER_HUB_ALIASES.has(registry.toLowerCase());
}

/** `docker.io` for every alias of Docker Hub, else the host in lower case. */
export function canonicalRegistry(host: string): string {
  return isDockerHub(host) ? DOCKER_HUB : host.toLowerCase();
}

/** The host that a registry answers at: its own, but for Docker Hub. */
export function registryAddress(registry: string): string {
  return isDockerHub(registry) ? DOCKER_HUB_HOST : registry;
}

/** True when the host is this machine: plain http may be spoken to it. `x.localhost` is what the name server says it is. */
export function isLoopback(registry: string): boolean {
  const host = registry.replace(/:[0-9]+$/, '');
  return host === 'localhost' || LOOPBACK_ADDRESS.test(host);
}

/**
 * Parses what `docker pull` would take: `node`, `node:22`, `ghcr.io/acme/app@sha256:…`, `127.0.0.1:5000/app:1`.
 * Upper case in the path is a problem here; inputs lower-case before they parse, Dockerfiles do not.
 */
export function parseReference(text: string): Parsed<Reference> {
  const at = text.indexOf('@');
  const named = at < 0 ? text : text.slice(0, at);
  const digest = at < 0 ? undefined : parseDigest(text.slice(at + 1));
  if (at >= 0 && digest === undefined) {
    return unparsable(`${quote(text)} has a malformed digest: sha256: and 64 hexadecimal digits are allowed`);
  }
  const colon = named.lastIndexOf(':');
  const hasTag = colon > named.lastIndexOf('/');
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  if (tag !== undefined && !isTag(tag)) {
    return unparsable(
      `${quote(text)} has a malformed tag: letters, digits, "_", "." and "-" are allowed, 128 at most, the first not "." or "-"`,
    );
  }
  const repository = parseRepositoryName(hasTag ? named.slice(0, colon) : named);
  return repository.ok ? parsed({ repository: repository.value, tag, digest }) : repository;
}

/** As {@link parseReference}, for what must stay the image that it is: without a digest it is a problem. */
export function parsePinnedReference(text: string): Parsed<Reference> {
  const reference = parseReference(text.trim());
  if (!reference.ok || reference.value.digest !== undefined) return reference;
  return unparsable(`${quote(text)} carries no digest, and a tag may move: NAME@sha256:… is allowed`);
}

/**
 * Parses a repository without tag and digest: `acme/app`, `ghcr.io/acme/app`, `localhost:5000/app`. `Acme/app` is refused,
 * though Docker takes it for a host: it is a user's name in almost every case, and `acme/app` is another repository.
 */
export function parseRepositoryName(text: string): Parsed<RepositoryName> {
  const slash = text.indexOf('/');
  const first = slash < 0 ? '' : text.slice(0, slash);
  const namesHost = namesRegistry(first);
  const registry = canonicalRegistry(namesHost ? first : DOCKER_HUB);
  const rest = namesHost ? text.slice(slash + 1) : text;
  const path = registry === DOCKER_HUB && !rest.includes('/') ? `library/${rest}` : rest;
  if (namesHost && !isHost(first)) return unparsable(`${quote(text)} names no valid registry host: ${quote(first)}`);
  if (!PATH.test(path)) {
    const why =
      path !== path.toLowerCase()
        ? 'upper-case letters are not allowed'
        : 'a-z, 0-9, ".", "_", "-" between them and "/" are allowed';
    return unparsable(`${quote(text)} is not a repository name: ${why}`);
  }
  if (registry.length + 1 + path.length > MAX_NAME_LENGTH) {
    return unparsable(`${quote(text)} is longer than ${MAX_NAME_LENGTH} characters`);
  }
  return parsed({ registry, path });
}

/** What a URL can carry, too: ports to 65535, numbers only where they make an address. */
function isHost(text: string): boolean {
  return HOST.test(text) && URL.canParse(`https://${text}/`);
}

/** `docker.io/library/node`, `ghcr.io/acme/app`: one spelling for one repository. */
export function formatRepositoryName(name: RepositoryName): string {
  return `${name.registry}/${name.path}`;
}

/** The full spelling, with the tag and the digest where there are. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${formatRepositoryName(reference.repository)}${tag}${digest}`;
}

/**
 * True for a name without registry and owner: `myapp`. Docker reads it as `docker.io/library/myapp`, where only Docker's
 * official images are, so that it means an image of the local engine.
 */
export function isLocalName({ registry, path }: RepositoryName): boolean {
  return registry === DOCKER_HUB && path.startsWith('library/');
}

/** A full spelling as people type it for Docker: `myapp:1`, `acme/app:1`, `ghcr.io/acme/app:1`. */
export function familiarName(reference: string): string {
  return reference.replace(/^docker\.io\/(?:library\/)?/, '');
}

export function sameRepository(a: RepositoryName, b: RepositoryName): boolean {
  return a.registry === b.registry && a.path === b.path;
}
