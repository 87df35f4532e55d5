import { parseJson, textAt } from '../core/json.ts';
import { quote } from '../core/printable.ts';
import { HIJACKED_TRIVY } from '../core/scan-options.ts';
import { parseVersion } from '../core/version.ts';
import { PolicyError, type Problem } from '../errors.ts';
import { versionsOf } from './pinned-program.ts';
import { TRIVY_RELEASES } from './trivy-checksums.ts';

/** Where the releases are, in folders named after their tags. */
export const GITHUB_RELEASES = 'https://github.com/aquasecurity/trivy/releases/download';

/** Names in the file names of the releases, by `os/architecture`. */
const ARCHIVE_NAMES: Readonly<Record<string, string>> = {
  'darwin/amd64': 'macOS-64bit',
  'darwin/arm64': 'macOS-ARM64',
  'linux/amd64': 'Linux-64bit',
  'linux/arm64': 'Linux-ARM64',
};

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

/** The file names of all archives of a version, by platform. */
export function archiveNames(version: string): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(ARCHIVE_NAMES).map(([platform, name]) => [platform, `trivy_${version}_${name}.tar.gz`]),
  );
}

/** What a Trivy says that it is, without a `v`. */
export async function askTrivy(
  run: (args: readonly string[]) => Promise<string | undefined>,
  os: string,
): Promise<string | undefined> {
  // A `trivy.yaml` in the current directory would be read, and a broken one would pass for a broken Trivy.
  const nothing = os === 'windows' ? 'NUL' : '/dev/null';
  const stdout = await run(['version', `--config=${nothing}`, '--format', 'json']);
  return textAt(parseJson(stdout ?? ''), 'Version')?.replace(/^v/, '');
}

function downloadable(): string {
  return versionsOf(TRIVY_RELEASES);
}
