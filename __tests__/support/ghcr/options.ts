/** What one package holds in the beginning, and how it behaves. */
export interface PackageShape {
  /** In a public one versions with more than 5,000 downloads cannot be deleted. */
  visibility: 'private' | 'public';
  /**
   * What the token may do here. `write`: deleting answers 404, as it does where the repository is no admin of the package;
   * `hidden`: the package answers 404; `none`: 403.
   */
  access: 'admin' | 'write' | 'hidden' | 'none';
  /** About how many versions, those of platforms, attestations and signatures counted; 0: none at all. */
  versions: number;
  /** Manifests of platforms in each index. */
  platforms: number;
  /** BuildKit's attestation for each platform, in the index. */
  attest: boolean;
  /** `gh`: an index behind `sha256-HEX` and a bundle; `cosign`: `sha256-HEX.sig`; `oci11`: a subject only. */
  referrers: 'none' | 'gh' | 'cosign' | 'oci11';
  /** Signs each platform's manifest too. */
  signPlatforms: boolean;
  /** Every so many images, one has lost its tag; 0: none. */
  untaggedEvery: number;
  /** Every so many images, one has the tag of a version; 0: none. */
  semverEvery: number;
  /** Every so many images, one shares the first platform with the image before; 0: none. */
  shareChildEvery: number;
  /** The oldest so many images have lost all children. */
  ghost: number;
  /** The next so many images have lost one child. */
  partial: number;
  /** The next so many images with a tag have 6,000 downloads. */
  popular: number;
  /** The oldest so many versions are listed, but answer 404 to DELETE and GET. */
  stale404: number;
  /** The newest so many images are an index in an index: the outer one has the tag, the inner one none. */
  nested: number;
  /** The children of an image are there, whose index comes with `pushAfterLists`. */
  halfPush: boolean;
  /** Between two images. */
  stepMinutes: number;
  seed: number;
}

/** Something that goes wrong. */
export interface GhcrFault {
  readonly on: 'package' | 'list' | 'version' | 'delete' | 'restore' | 'repo' | 'manifest' | 'token';
  /**
   * A status; `cut` ends the connection; `html` is a page with status 200; `truncated` is half of the true answer, `damaged`
   * one with another byte in it (both for manifests only).
   */
  readonly answer: number | 'cut' | 'html' | 'truncated' | 'damaged';
  /** 1 when absent. */
  readonly probability?: number;
  /** How often at most. */
  readonly times?: number;
  /** Of a path with its query, whether it is hit. */
  readonly matches?: (path: string) => boolean;
}

/** What GitHub tells of the git repository: plain data, answered as it is, a hundred a page. */
export interface RepoData {
  readonly releases?: readonly unknown[];
  readonly pulls?: readonly unknown[];
  readonly branches?: readonly unknown[];
  /** Of `tags`. */
  readonly tags?: readonly unknown[];
  readonly deployments?: readonly unknown[];
}

export interface GhcrSettings {
  owner: string;
  ownerType: 'Organization' | 'User';
  /** Instead of the whole shape, for each package what differs from it; one that is called `app` when absent. */
  packages: Readonly<Record<string, Partial<PackageShape>>>;
  /** By `owner/name` in lower case; 404 for others. */
  repos: Readonly<Record<string, RepoData>>;
  /** The scopes of a classic token; `undefined` for a token that has none, as GITHUB_TOKEN. */
  scopes: string | undefined;
  /** The only token that is let in; any when absent. */
  token: string | undefined;
  /** Its time, in milliseconds since 1970: ages, limits and the header `Date` are counted by it. */
  now: () => number;
  tls: { readonly key: string; readonly cert: string } | undefined;

  /** Before every answer. */
  latencyMs: number;
  /** Up to so much more, by chance: pages that were asked at once are answered in any order. */
  jitterMs: number;
  listLatencyMs: number;
  deleteLatencyMs: number;

  /** After so many listings were answered, an image is pushed as `raced`; 0: never. */
  pushAfterLists: number;
  /** Lists show tags as they were so long ago. */
  listLagMs: number;
  faults: readonly GhcrFault[];
  /** Called before a request is answered, with its route and how often that was asked, from 1: for what happens meanwhile. */
  onRequest: ((route: string, count: number) => void) | undefined;

  /** Keeps GitHub's documented limits. */
  rateLimit: boolean;
  /** Requests an hour; 0: 5,000, for `ghs_` 1,000. */
  primary: number;
  primaryWindowMs: number;
  /** A minute: a GET takes 1, a write 5. */
  points: number;
  contentPerMinute: number;
  contentPerHour: number;
  maxConcurrent: number;
  windowMs: number;
  /** 0: the answer of the secondary limit has no such header. */
  retryAfterS: number;
  /** Of the registry; 0: any number. */
  registryPerSecond: number;
  registryTokenTtlS: number;

  /** The registry deletes too, as others do. */
  ociDelete: boolean;
  referrersApi: boolean;
  /** The last version with a tag cannot be deleted. */
  lastTaggedRule: boolean;
}

export type GhcrOptions = Partial<GhcrSettings & PackageShape>;

export const DEFAULT_SHAPE: PackageShape = {
  visibility: 'private',
  access: 'admin',
  versions: 100,
  platforms: 2,
  attest: true,
  referrers: 'none',
  signPlatforms: false,
  untaggedEvery: 10,
  semverEvery: 5,
  shareChildEvery: 0,
  ghost: 0,
  partial: 0,
  popular: 0,
  stale404: 0,
  nested: 0,
  halfPush: false,
  stepMinutes: 60,
  seed: 1,
};

export const DEFAULT_SETTINGS: GhcrSettings = {
  owner: 'acme',
  ownerType: 'Organization',
  packages: { app: {} },
  repos: {},
  scopes: 'delete:packages, read:packages, write:packages',
  token: undefined,
  now: () => Date.now(),
  tls: undefined,
  latencyMs: 0,
  jitterMs: 0,
  listLatencyMs: 0,
  deleteLatencyMs: 0,
  pushAfterLists: 0,
  listLagMs: 0,
  faults: [],
  onRequest: undefined,
  rateLimit: false,
  primary: 0,
  primaryWindowMs: 3_600_000,
  points: 900,
  contentPerMinute: 80,
  contentPerHour: 500,
  maxConcurrent: 100,
  windowMs: 60_000,
  retryAfterS: 60,
  registryPerSecond: 0,
  registryTokenTtlS: 300,
  ociDelete: false,
  referrersApi: false,
  lastTaggedRule: true,
};
