import { quote } from '../core/printable.ts';
import { HIJACKED_TRIVY } from '../core/scan-options.ts';
import { parseVersion } from '../core/version.ts';
import { PolicyError, type Problem } from '../errors.ts';
import { TRIVY_RELEASES, type TrivyRelease } from './trivy-checksums.ts';

/** Where the releases are, in folders named after their tags. */
export const GITHUB_RELEASES = 'https://github.com/aquasecurity/trivy/releases/download';

/** Names in the file names of the releases, by `os/architecture`. */
const ARCHIVE_NAMES: Readonly<Record<string, string>> = {
  'darwin/amd64': 'macOS-64bit',
  'darwin/arm64': 'macOS-ARM64',
  'linux/amd64': 'Linux-64bit',
  'linux/arm64': 'Linux-ARM64',
};

/** One file to download. */
export interface TrivyArchive {
  readonly version: string;
  /** `trivy_0.70.0_Linux-64bit.tar.gz` */
  readonly name: string;
  readonly sha256: string;
}

/** The version without its `v`, or what is wrong with the input `trivy-version`. A hijacked one is refused by {@link refuseHijacked}. */
export function parseTrivyVersion(text: string): { readonly version: string } | Problem {
  const parsed = parseVersion(text.trim());
  if (parsed !== undefined) return { version: parsed.text };
  return { input: 'trivy-version', message: `${quote(text)} is no version: ${downloadable()} is allowed` };
}

/** PolicyError `TRIVY_HIJACKED` for a release that is known to be malicious; `origin` says where it was met. */
export function refuseHijacked(version: string, origin: string): void {
  if (!HIJACKED_TRIVY.has(version)) return;
  throw new PolicyError(
    'TRIVY_HIJACKED',
    `Trivy ${version} (${origin}) is one of the malicious releases of March 2026 (GHSA-69fq-xp46-6x23)`,
    {
      hint: `Remove it, treat every secret that it could read as stolen, and use Trivy ${downloadable()}.`,
    },
  );
}

/** Whether a Trivy that is there already may be used: the one that was asked for, or else the pinned one or a newer 0.x. */
export function isAllowed(version: string, wanted: string | undefined): boolean {
  if (wanted !== undefined) return version === wanted;
  const pinned = TRIVY_RELEASES[0]?.version ?? '';
  const [found, least] = [parseVersion(version), parseVersion(pinned)];
  if (found === undefined || least === undefined) return false;
  const [major, minor = 0, patch = 0] = found.release;
  const [, leastMinor = 0, leastPatch = 0] = least.release;
  return major === 0 && found.stable && (minor > leastMinor || (minor === leastMinor && patch >= leastPatch));
}

/** The archive of a version for a platform; `undefined` when there is no checksum for it here. */
export function archiveFor(
  version: string,
  platform: string,
  releases: readonly TrivyRelease[] = TRIVY_RELEASES,
): TrivyArchive | undefined {
  const sha256 = releases.find((release) => release.version === version)?.sha256[platform];
  const name = ARCHIVE_NAMES[platform];
  if (sha256 === undefined || name === undefined) return undefined;
  return { version, name: `trivy_${version}_${name}.tar.gz`, sha256 };
}

/** The file names of all archives of a version, by platform. */
export function archiveNames(version: string): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(ARCHIVE_NAMES).map(([platform, name]) => [platform, `trivy_${version}_${name}.tar.gz`]),
  );
}

/** The versions that have checksums here, for messages. */
export function downloadable(): string {
  return TRIVY_RELEASES.map(({ version }) => version).join(', ');
}
