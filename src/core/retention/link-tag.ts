import type { Digest } from '../digest.ts';

/** A tag that says what a manifest belongs to, and names no image. */
export interface LinkTag {
  /** The subject by its {@link linkName}. */
  readonly subject: string;
  /** An index of referrers, as registries without the referrers API keep one; else a signature of cosign, or the like. */
  readonly isFallback: boolean;
}

const LINK_TAG = /^(sha256-[0-9a-f]{64}|sha512-[0-9a-f]{64}(?:[0-9a-f]{64})?)(\.(?:sig|att|sbom))?$/;
const NAME_LENGTH = 'sha256-'.length + 64;

/**
 * What a tag links to; `undefined` for the tags of images.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema and
 * https://github.com/sigstore/cosign/blob/v2.4.1/specs/SIGNATURE_SPEC.md#tag-based-discovery
 */
export function parseLinkTag(tag: string): LinkTag | undefined {
  const [, name, suffix] = LINK_TAG.exec(tag) ?? [];
  return name === undefined ? undefined : { subject: name.slice(0, NAME_LENGTH), isFallback: suffix === undefined };
}

/** What stands for a digest in link tags: no more than 64 digits of it. */
export function linkName(digest: Digest): string {
  return digest.replace(':', '-').slice(0, NAME_LENGTH);
}

/** The tags that name images. */
export function imageTags(tags: readonly string[]): readonly string[] {
  return tags.some((tag) => parseLinkTag(tag) !== undefined)
    ? tags.filter((tag) => parseLinkTag(tag) === undefined)
    : tags;
}
