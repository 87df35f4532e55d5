import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';
import { isRepositoryPath, namesRegistry, parseRegistryHost, type RepositoryName } from './reference.ts';

/** An entry of `trusted-registries`: a registry, or what lies below one path in it. */
export interface TrustedRegistry {
  /** As in {@link RepositoryName}. */
  readonly registry: string;
  /** `undefined` for all that the registry has. */
  readonly path: string | undefined;
}

/**
 * Parses one entry of `trusted-registries`: `ghcr.io`, `ghcr.io/acme`, `library/node` for Docker Hub's. Upper case is taken
 * for lower case: no registry tells them apart in its host, nor has it in a path, and `github.repository_owner` may hold it.
 */
export function parseTrustedRegistry(text: string): Parsed<TrustedRegistry> {
  const entry = text.toLowerCase().replace(/\/$/, '');
  const slash = entry.indexOf('/');
  const first = slash < 0 ? entry : entry.slice(0, slash);
  const isHosted = namesRegistry(first);
  const host = isHosted ? parseRegistryHost(first) : parsed('docker.io');
  const path = !isHosted ? entry : slash < 0 ? undefined : entry.slice(slash + 1);
  const isBareWord = !isHosted && slash < 0;
  if (host.ok && !isBareWord && (path === undefined || isRepositoryPath(path))) {
    return parsed({ registry: host.value, path });
  }
  return unparsable(
    `${quote(text)} is no registry and no path in one: ghcr.io, ghcr.io/acme and docker.io/library are allowed, without scheme, tag and wildcard`,
  );
}

/** Whether an entry covers the repository. A path ends where a segment does: `ghcr.io/acme` is not `ghcr.io/acme-evil`. */
export function isTrusted(name: RepositoryName, trusted: readonly TrustedRegistry[]): boolean {
  return trusted.some(
    ({ registry, path }) =>
      registry === name.registry && (path === undefined || `${name.path}/`.startsWith(`${path}/`)),
  );
}

/** The entry in its one spelling: `ghcr.io/acme`. */
export function formatTrustedRegistry({ registry, path }: TrustedRegistry): string {
  return path === undefined ? registry : `${registry}/${path}`;
}
