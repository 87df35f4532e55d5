import type { Digest } from '../core/digest.ts';
import { valueAt } from '../core/json.ts';
import { quote } from '../core/printable.ts';

/** One image that the build names, and the digest that was hashed for it. */
export interface Pin {
  /** As it stands in the Dockerfile after expansion: `node:22`, `index.docker.io/acme/base`, `GHCR.io/acme/app:1`. */
  readonly reference: string;
  readonly digest: Digest;
}

const IMAGE = 'docker-image://';

/**
 * The identifier under which BuildKit looks this reference up in a source policy, or `undefined` when the reference names a
 * digest and needs no pin. The spelling is that of distribution/reference v0.6 (`ParseNormalizedNamed`, `TagNameOnly`):
 * Docker Hub's default host and `library/` are written out, `index.docker.io` is `docker.io`, other hosts stay as written,
 * upper case and Docker Hub's other names too.
 */
export function sourceIdentifier(reference: string): string | undefined {
  if (reference.includes('@')) return undefined;
  const slash = reference.indexOf('/');
  const first = slash < 0 ? '' : reference.slice(0, slash);
  const namesHost = first === 'localhost' || /[.:]/.test(first) || first !== first.toLowerCase();
  const host = !namesHost || first === 'index.docker.io' ? 'docker.io' : first;
  const rest = namesHost ? reference.slice(slash + 1) : reference;
  const path = host === 'docker.io' && !rest.includes('/') ? `library/${rest}` : rest;
  const tagged = path.lastIndexOf(':') > path.lastIndexOf('/') ? path : `${path}:latest`;
  return `${IMAGE}${host}/${tagged}`;
}

/**
 * A source policy in which each of these images is what was hashed, whatever its tag points at by now. `own` is the user's
 * policy: its rules come after, so that it may still deny. Format: moby/buildkit v0.27 sourcepolicy/pb/policy.proto.
 */
export function sourcePolicy(pins: readonly Pin[], own?: unknown): string {
  const rules = new Map<string, unknown>();
  for (const { reference, digest } of pins) {
    const identifier = sourceIdentifier(reference);
    if (identifier === undefined) continue;
    rules.set(identifier, {
      action: 'CONVERT',
      selector: { identifier, matchType: 'EXACT' },
      updates: { identifier: `${identifier}@${digest}` },
    });
  }
  const ownRules = valueAt(own, 'rules');
  return JSON.stringify({ version: 1, rules: [...rules.values(), ...(Array.isArray(ownRules) ? ownRules : [])] });
}

/** The pins of several builds that one policy holds for. Two digests for one image are an error of the caller's. */
export function unitePins(lists: readonly (readonly Pin[])[]): readonly Pin[] {
  const united = new Map<string, Pin>();
  for (const pin of lists.flat()) {
    const identifier = sourceIdentifier(pin.reference);
    if (identifier === undefined) continue;
    const known = united.get(identifier);
    if (known !== undefined && known.digest !== pin.digest) {
      throw new Error(`${quote(pin.reference)} is pinned to ${known.digest} and to ${pin.digest}`);
    }
    united.set(identifier, pin);
  }
  return [...united.values()];
}
