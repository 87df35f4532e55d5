/** What a request is about; requests are counted by it. */
export type RequestKind =
  | 'base'
  | 'catalog'
  | 'tags'
  | 'manifest'
  | 'referrers'
  | 'blob'
  | 'upload'
  | 'token'
  | 'other';

export interface Route {
  readonly kind: RequestKind;
  /** The repository, not checked; empty where there is none. */
  readonly name: string;
  /** A tag, digest or upload id, not checked; empty where there is none. */
  readonly reference: string;
}

/** Names hold slashes and words like `blobs`, so paths are read from their end. Uploads come first: `uploads` is no digest. */
const PATTERNS: readonly (readonly [kind: RequestKind, pattern: RegExp])[] = [
  ['base', /^\/v2\/?$/],
  ['token', /^\/token$/],
  ['catalog', /^\/v2\/_catalog$/],
  ['upload', /^\/v2\/(?<name>.+)\/blobs\/uploads\/?$/s],
  ['upload', /^\/v2\/(?<name>.+)\/blobs\/uploads\/(?<reference>[^/]+)$/s],
  ['tags', /^\/v2\/(?<name>.+)\/tags\/list$/s],
  ['manifest', /^\/v2\/(?<name>.+)\/manifests\/(?<reference>[^/]+)$/s],
  ['blob', /^\/v2\/(?<name>.+)\/blobs\/(?<reference>[^/]+)$/s],
  ['referrers', /^\/v2\/(?<name>.+)\/referrers\/(?<reference>[^/]+)$/s],
];

/** Endpoints: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#endpoints */
export function parseRoute(path: string): Route {
  const decoded = decode(path);
  for (const [kind, pattern] of PATTERNS) {
    const found = pattern.exec(decoded);
    if (found !== null)
      return { kind, name: found.groups?.['name'] ?? '', reference: found.groups?.['reference'] ?? '' };
  }
  return { kind: 'other', name: '', reference: '' };
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return '';
  }
}
