import type { PlatformScan } from './core/findings.ts';
import { formatPlatform } from './core/platform.ts';
import { formatRepositoryName } from './core/reference.ts';
import { parseTrivyReport } from './core/trivy-report.ts';
import { BuildOnceError } from './errors.ts';
import type { Host } from './host.ts';
import { doJointly } from './joint-work.ts';
import { parseImageConfig } from './oci/parse.ts';
import { type Descriptor, isIndexMediaType, isManifestMediaType, type Manifest, MEDIA_TYPES } from './oci/types.ts';
import { type FoundImage, fetchImage } from './registry/image.ts';
import type { Repository } from './registry/repository.ts';
import type { Run } from './stage.ts';
import { loadTrivy, openCache } from './tools/load.ts';
import type { ScanReport, ScanSettings } from './tools/trivy.ts';
import type { TrivyDatabase } from './tools/trivy-database.ts';
import type { Trivy } from './tools/trivy-install.ts';

/** One platform of an image. */
export interface Member {
  /** `linux/arm64` */
  readonly platform: string;
  readonly descriptor: Descriptor;
}

/**
 * The platforms of an image, attestations left out. One request where it has no index. Engines also run what an index names
 * without a platform, so that its own configuration is asked for one. BuildOnceError `SCAN_FAILED` for an index in an index.
 */
export async function findMembers(repository: Repository, image: FoundImage): Promise<readonly Member[]> {
  const { manifest, descriptor } = image;
  if (manifest.kind === 'manifest') return [{ platform: await readPlatform(repository, manifest), descriptor }];
  const members: Member[] = [];
  for (const member of manifest.manifests) {
    if (isIndexMediaType(member.mediaType)) throw unscannable(image, `${member.digest} in its index is an index`);
    if (member.platform?.os === 'unknown') continue;
    const platform = member.platform && formatPlatform(member.platform);
    const name = platform ?? (await ownPlatform(repository, image, member));
    if (name !== undefined) members.push({ platform: name, descriptor: member });
  }
  return members;
}

/** `undefined` for what is no image, as a signature. */
async function ownPlatform(repository: Repository, image: FoundImage, member: Descriptor): Promise<string | undefined> {
  if (!isManifestMediaType(member.mediaType)) return undefined;
  const found = await fetchImage(repository, { digest: member.digest });
  if (found === undefined) throw unscannable(image, `${member.digest} of its index is not there`);
  const { manifest } = found;
  if (manifest.kind !== 'manifest') return undefined;
  const platform = await readPlatform(repository, manifest);
  return platform === 'unknown' && !CONFIGURATIONS.has(manifest.config.mediaType) ? undefined : platform;
}

const CONFIGURATIONS: ReadonlySet<string> = new Set([
  MEDIA_TYPES.ociConfig,
  'application/vnd.docker.container.image.v1+json',
]);

function unscannable({ repository, descriptor }: FoundImage, problem: string): BuildOnceError {
  const name = `${formatRepositoryName(repository)}@${descriptor.digest}`;
  return new BuildOnceError('SCAN_FAILED', `${name} could not be scanned: ${problem}`, 1, {
    hint: 'Push an index that names the manifest of each platform.',
  });
}

async function readPlatform(repository: Repository, { config }: Manifest): Promise<string> {
  const content = await repository.fetch(config);
  const parsed = content === undefined ? undefined : parseImageConfig(await content.bytes());
  return parsed?.ok === true ? formatPlatform(parsed.value.platform) : 'unknown';
}

/** Trivy, and what it looks things up in: one database for all scans of a run. */
export interface Scanner {
  readonly trivy: Trivy;
  /** `undefined` where nothing is looked up. */
  readonly database: TrivyDatabase | undefined;
}

/** Makes Trivy and its database ready. The errors of `findTrivy` and `prepareDatabase`. */
export async function openScanner(run: Run): Promise<Scanner> {
  const { findTrivy } = await loadTrivy();
  const { trivyVersion: version, trivyDownloadUrl: downloadUrl } = run.options;
  const [trivy, database] = await doJointly(run.host, (host) => {
    const transport = { ...run.access, signal: host.signal };
    return [findTrivy(host, { version, downloadUrl, transport }), openDatabase({ ...run, host, access: transport })];
  });
  return { trivy, database };
}

async function openDatabase({ host, options, access }: Run): Promise<TrivyDatabase | undefined> {
  const { needsDatabase, prepareDatabase } = await loadTrivy();
  if (!needsDatabase({ scanners: options.scanScanners })) return undefined;
  return prepareDatabase(host, {
    repositories: options.scanDbRepository,
    javaRepositories: options.scanJavaDbRepository,
    registries: access,
    cache: await openCache(host, 'trivy'),
  });
}

/** Where the bytes of an image are: in a layout, or else in the registry. */
export interface ScanSource {
  readonly image: FoundImage;
  readonly layoutPath: string | undefined;
}

/** What Trivy said of one platform. */
export interface ScannedMember extends Member {
  readonly report: ScanReport;
  readonly scan: PlatformScan;
}

/** Of Trivy, with the database of today, each takes half a gigabyte. */
const MAX_AT_ONCE = 3;

/** Scans platforms of an image, some at the same time. The errors of `scanImage`; BuildOnceError `SCAN_INVALID`. */
export async function scanMembers(
  { trivy, database }: Scanner,
  run: Run,
  { image, layoutPath }: ScanSource,
  { members, settings }: { readonly members: readonly Member[]; readonly settings: ScanSettings },
): Promise<readonly ScannedMember[]> {
  const { NO_ACCESS, openScanAccess, scanImage } = await loadTrivy();
  const { options, host, registries } = run;
  const access =
    layoutPath === undefined
      ? await openScanAccess(host, image.repository, {
          registries,
          authorities: run.access.authorities,
          plainRegistries: options.registryInsecure,
        })
      : NO_ACCESS;
  return inParallel(members, trivy.host, async (member, own) => {
    const { platform, descriptor } = member;
    const target =
      layoutPath === undefined
        ? ({ kind: 'registry', repository: image.repository, digest: descriptor.digest } as const)
        : ({ kind: 'layout', path: layoutPath, manifest: descriptor } as const);
    const report = await scanImage({ ...trivy, host: own }, database, { target, settings, access });
    const scan = parseTrivyReport(report.json, platform);
    if (scan.ok) return { ...member, report, scan: scan.value };
    const where = `${formatRepositoryName(image.repository)}@${descriptor.digest}`;
    throw new BuildOnceError('SCAN_INVALID', `the report on ${where} cannot be read: ${scan.problem}`, 1, {
      hint: 'This Trivy may be too new: trivy-version names the one that is known to work.',
    });
  });
}

/** Some at the same time; the first that fails ends the others. */
async function inParallel<T, R>(
  items: readonly T[],
  host: Host,
  work: (item: T, host: Host) => Promise<R>,
): Promise<readonly R[]> {
  const results = new Map<T, R>();
  const waiting = [...items];
  await doJointly(host, (own) => {
    const worker = async (): Promise<void> => {
      for (let item = waiting.shift(); item !== undefined && !own.signal.aborted; item = waiting.shift())
        results.set(item, await work(item, own));
    };
    return Array.from({ length: MAX_AT_ONCE }, worker);
  });
  return items.flatMap((item) => results.get(item) ?? []);
}
