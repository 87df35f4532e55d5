import type { PackageStore, Version } from './store.ts';

/** What a user of a package would notice: tags whose pull fails by now, signatures that are gone, garbage that is left. */
export interface PackageIntegrity {
  readonly versions: number;
  readonly tags: number;
  /** Indexes of images. */
  readonly taggedImages: number;
  readonly untaggedImages: number;
  readonly deletedVersions: number;
  /** Tags that lead to something that was deleted; what was missing from the beginning does not count. */
  readonly brokenTags: readonly { readonly tag: string; readonly missing: readonly string[] }[];
  readonly lostSignatures: readonly { readonly subject: string; readonly deleted: string; readonly kind: string }[];
  /** Digests of what is about a manifest that is gone. */
  readonly orphanReferrers: readonly string[];
  /** Digests of platforms and attestations that no index names. */
  readonly orphanChildren: readonly string[];
}

/** An index may be in an index; no deeper than this. */
const MAX_DEPTH = 8;

export function inspect(store: PackageStore): PackageIntegrity {
  const present = [...store.byDigest.values()];
  const indexes = present.filter(({ kind }) => kind === 'index');
  const named = new Set(present.flatMap(({ children }) => children));
  return {
    versions: present.length,
    tags: store.tags.size,
    taggedImages: indexes.filter(({ tags }) => tags.length > 0).length,
    untaggedImages: indexes.filter(({ tags }) => tags.length === 0).length,
    deletedVersions: store.lost.size,
    brokenTags: [...store.tags].flatMap(([tag, digest]) => {
      const missing = deletedBelow(store, digest);
      return missing.length === 0 ? [] : [{ tag, missing }];
    }),
    lostSignatures: [...store.lost.values()].flatMap((version) => {
      const subject = subjectOf(version);
      if (subject === undefined || !store.byDigest.has(subject)) return [];
      return [{ subject, deleted: version.digest, kind: version.kind }];
    }),
    orphanReferrers: present.flatMap((version) => {
      const subject = subjectOf(version);
      return subject === undefined || store.byDigest.has(subject) ? [] : [version.digest];
    }),
    orphanChildren: present.flatMap(({ kind, digest }) =>
      ['platform', 'buildx-attestation'].includes(kind) && !named.has(digest) ? [digest] : [],
    ),
  };
}

function deletedBelow(store: PackageStore, digest: string, depth = 0): readonly string[] {
  const lost = store.byDigest.has(digest) ? undefined : store.lost.get(digest);
  const version = store.byDigest.get(digest) ?? lost;
  const below =
    depth > MAX_DEPTH ? [] : (version?.children ?? []).flatMap((one) => deletedBelow(store, one, depth + 1));
  return [...new Set([...(lost === undefined ? [] : [digest]), ...below])];
}

function subjectOf({ subject, kind, tags }: Version): string | undefined {
  if (subject !== undefined || !['cosign-sig', 'referrers-index'].includes(kind)) return subject;
  const [hex] = tags.flatMap((tag) => /^sha256-([0-9a-f]{64})/.exec(tag)?.[1] ?? []);
  return hex && `sha256:${hex}`;
}
