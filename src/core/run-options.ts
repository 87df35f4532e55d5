import { nearest } from './nearest.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';

/** https://github.com/docker/go-units/blob/v0.5.0/ulimit.go */
const ULIMITS = 'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(
  ' ',
);
const MAX_INT64 = 2n ** 63n - 1n;
/** As go-units v0.5.0 reads it: a number of Go, at most one blank, a unit; hexadecimal floats of Go as well. */
const SIZE =
  /^(?:[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|\+?0x[0-9a-f_.]+p[+-]?[0-9]+) ?(?:b|[kmgtp](?:i?b)?)?$/i;
/** https://github.com/moby/buildkit/blob/v0.29.0/util/entitlements/entitlements.go */
const ENTITLEMENTS = ['network.host', 'security.insecure', 'device'];
/** What a bake file may reach for on this machine, as of `docker buildx bake --allow`; no builder knows them. */
const GRANTS = /^(?:ssh|fs(?:\.read|\.write)?=.+)$/s;
const HOST_GATEWAY = 'host-gateway';
const IPV4 = /^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}$/;

/** An SSH agent or keys for the build: `ID`, `ID=SOCKET` or `ID=KEY,KEY`. */
export interface SshAgent {
  readonly id: string;
  /** Absolute, or relative to the host's `cwd`; empty for the agent in SSH_AUTH_SOCK. */
  readonly paths: readonly string[];
}

/** Parses one item of `ulimit`, `NAME=SOFT[:HARD]`, as go-units v0.5.0 does for buildx. */
export function parseUlimit(text: string): Parsed<string> {
  const [name, limits] = cut(text, '=');
  if (limits === undefined) return unparsable(`${quote(text)} is no ulimit: NAME=SOFT or NAME=SOFT:HARD is allowed`);
  if (!ULIMITS.includes(name)) {
    const near = nearest(name, ULIMITS);
    const hint = near === undefined ? `${ULIMITS.join(', ')} are` : `did you mean ${near}?`;
    return unparsable(`${quote(name)} is the name of no ulimit; ${hint}`);
  }
  const [soft, hard, ...more] = limits.split(':').map(parseInt64);
  if (soft === undefined || (limits.includes(':') && hard === undefined) || more.length > 0) {
    return unparsable(`${quote(text)}: a whole number, or two with a colon, is allowed after the "="; -1 is no limit`);
  }
  if (hard === undefined || hard === -1n || (soft !== -1n && soft <= hard)) return parsed(text);
  return unparsable(`${quote(text)}: the first limit, the soft one, may not be above the second`);
}

/** Parses `shm-size`: bytes, or a number with `b`, `k`, `m`, `g`, `t` or `p`, as go-units v0.5.0 does for buildx. */
export function parseShmSize(given: string): Parsed<string> {
  const text = given.trim();
  const isNegative = text.startsWith('-') && /[1-9]/.test(text.replace(/e.*$/i, ''));
  if (SIZE.test(text) && !isNegative) return parsed(text);
  return unparsable(`${quote(text)} is no size: a number of bytes, or one with a unit is allowed, as in 64m or 2gb`);
}

/** Parses one item of `add-hosts`: `HOST:IP` or `HOST=IP`; the address may stand in brackets, or be `host-gateway`. */
export function parseExtraHost(text: string): Parsed<string> {
  const [host, addresses] = cut(text, text.includes('=') ? '=' : ':');
  if (host === '' || addresses === undefined || addresses === '') {
    return unparsable(`${quote(text)} is no host with its address: HOST:IP is allowed`);
  }
  // Several addresses are for one host, in quotes.
  const bad = addresses.split(',').find((address) => !isAddress(address));
  if (bad === undefined || addresses === HOST_GATEWAY) return parsed(text);
  return unparsable(`${quote(text)}: ${quote(bad)} is no address: an IP or ${HOST_GATEWAY} is allowed`);
}

/** True for an item of `allow` that is for a builder: the others are for bake files, see {@link parseEntitlement}. */
export function isBuilderEntitlement(text: string): boolean {
  return !GRANTS.test(text);
}

/**
 * Parses one item of `allow`: an entitlement of BuildKit, where `device` may name one; or what a bake file may use outside of
 * the workspace, `fs=PATH`, `fs.read=PATH`, `fs.write=PATH`, `fs=*` and `ssh`.
 */
export function parseEntitlement(text: string): Parsed<string> {
  if (GRANTS.test(text)) return parsed(text);
  // An older buildx takes several in one text.
  const bad = text.startsWith('device=') ? undefined : text.split(',').find((one) => !ENTITLEMENTS.includes(one));
  if (bad === undefined) return parsed(text);
  const near = nearest(bad, ENTITLEMENTS);
  const hint = near === undefined ? '' : `; did you mean ${near}?`;
  return unparsable(
    `${quote(bad)} is no entitlement: ${ENTITLEMENTS.join(', ')}, device=NAME are, and for bake files ssh, fs=PATH${hint}`,
  );
}

/** Parses `cgroup-parent`, which means something to the builder's machine only. */
export function parseCgroupParent(given: string): Parsed<string> {
  const text = given.trim();
  if (!/\p{Cc}/u.test(text)) return parsed(text);
  return unparsable(`${quote(text)} holds control characters: a path or the name of a slice is allowed`);
}

/** One item of `ssh`. Total: buildx takes every text. */
export function readSshAgent(text: string): SshAgent {
  const [id, paths = ''] = cut(text, '=');
  return { id: id === '' ? 'default' : id, paths: paths.split(',').filter((path) => path !== '') };
}

function cut(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function parseInt64(text: string): bigint | undefined {
  if (!/^[+-]?[0-9]{1,40}$/.test(text)) return undefined;
  const value = BigInt(text.replace(/^\+/, ''));
  return value > MAX_INT64 || value < -MAX_INT64 - 1n ? undefined : value;
}

function isAddress(text: string): boolean {
  const bare = /^\[(.+)\]$/.exec(text)?.[1] ?? text;
  return IPV4.test(bare) || (/^[0-9a-f:.]+$/i.test(bare) && bare.includes(':') && URL.canParse(`http://[${bare}]/`));
}
