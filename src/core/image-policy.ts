import { quote, toLine } from './printable.ts';
import { formatRepositoryName, parseReference } from './reference.ts';
import { formatTrustedRegistry, isTrusted, type TrustedRegistry } from './trusted-registry.ts';

/** What a build may read and where it may write; the options of the same names. */
export interface ImagePolicy {
  /** None: any registry. */
  readonly trustedRegistries: readonly TrustedRegistry[];
  /** Each image that is read must be named with its digest. */
  readonly requireDigestPins: boolean;
}

export const NO_IMAGE_POLICY: ImagePolicy = { trustedRegistries: [], requireDigestPins: false };

export function hasImagePolicy({ trustedRegistries, requireDigestPins }: ImagePolicy): boolean {
  return trustedRegistries.length > 0 || requireDigestPins;
}

/** What `trusted-registries` says against an image or a repository, as it is named: `node:22`. */
export function findUntrusted(reference: string, { trustedRegistries }: ImagePolicy): string | undefined {
  if (trustedRegistries.length === 0) return undefined;
  const read = parseReference(reference);
  if (!read.ok) return read.problem;
  const { repository } = read.value;
  if (isTrusted(repository, trustedRegistries)) return undefined;
  const name = formatRepositoryName(repository);
  const full = reference.startsWith(name) ? '' : ` (${toLine(name)})`;
  const allowed = trustedRegistries.map(formatTrustedRegistry).join(', ');
  return `${quote(reference)}${full} is not trusted: trusted-registries allows ${allowed} only`;
}

/** All that the policies say against an image that a build reads. */
export function findImageViolations(reference: string, policy: ImagePolicy): readonly string[] {
  return [findUntrusted(reference, policy), findUnpinned(reference, policy)].flatMap((problem) => problem ?? []);
}

function findUnpinned(reference: string, { requireDigestPins }: ImagePolicy): string | undefined {
  const read = parseReference(reference);
  if (!requireDigestPins || (read.ok && read.value.digest !== undefined)) return undefined;
  return `${quote(reference)} carries no digest, and require-digest-pins wants one: NAME@sha256:… is allowed`;
}
