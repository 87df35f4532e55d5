import { BuildOnceError, type Problem, UsageError } from '../errors.ts';
import type { Host } from '../host.ts';
import type { TransportSettings } from '../registry/transport.ts';
import {
  type FoundProgram,
  findInstalled,
  findPinned,
  type PinnedProgram,
  type PinnedRelease,
  type ProgramFailures,
} from './pinned-program.ts';
import { TRIVY_RELEASES } from './trivy-checksums.ts';
import { archiveNames, askTrivy, GITHUB_RELEASES, parseTrivyVersion, refuseHijacked } from './trivy-release.ts';

/** A Trivy that this run may use. */
export type Trivy = FoundProgram;

export interface TrivyFinding {
  /** The input `trivy-version`; `undefined` for the pinned one, or a newer one that is on the PATH. */
  readonly version: string | undefined;
  /** The input `trivy-download-url`: what stands before `/v0.70.0/trivy_….tar.gz`. */
  readonly downloadUrl: string | undefined;
  /** Proxies, certificates and the signal of the run. */
  readonly transport: TransportSettings;
  /** What may be downloaded; the committed table when absent. */
  readonly releases?: readonly PinnedRelease[];
}

/** What Trivy's own variables begin with. */
export const TRIVY_VARIABLES = 'TRIVY_';

const BUILT_VERSION = '/pkg/version/app.ver=';
const MAX_VERSION_BYTES = 20;

/**
 * Finds Trivy: on the PATH when its version is allowed, then in the tool cache, else it downloads the archive whose checksum is
 * committed here, and keeps it in the tool cache. UsageError for settings that make no sense; PolicyError `TRIVY_HIJACKED`;
 * BuildOnceError `TRIVY_MISSING`, `TRIVY_DOWNLOAD_FAILED`, `TRIVY_TAMPERED`.
 */
export async function findTrivy(host: Host, finding: TrivyFinding): Promise<Trivy> {
  const { version, baseUrl } = readSettings(finding);
  return findPinned(host, pinnedTrivy(host, finding.releases), { version, baseUrl, transport: finding.transport });
}

/** The Trivy that {@link findTrivy} would take without a download; PolicyError `TRIVY_HIJACKED`. */
export function findInstalledTrivy(host: Host): Promise<Trivy | undefined> {
  return findInstalled(host, pinnedTrivy(host), undefined);
}

function pinnedTrivy({ os }: Pick<Host, 'os'>, releases = TRIVY_RELEASES): PinnedProgram {
  return {
    title: 'Trivy',
    command: 'trivy',
    variables: TRIVY_VARIABLES,
    releases,
    fileNames: archiveNames,
    isArchive: true,
    ask: (run) => askTrivy(run, os),
    inspect: async (where, file) => refuseHijacked((await builtVersion(where, file)) ?? '', file),
    refuse: refuseHijacked,
    failures: FAILURES,
  };
}

function readSettings({ version, downloadUrl = GITHUB_RELEASES }: TrivyFinding): {
  readonly version: string | undefined;
  readonly baseUrl: string;
} {
  const parsed = version === undefined ? undefined : parseTrivyVersion(version);
  const problems: Problem[] = parsed !== undefined && 'input' in parsed ? [parsed] : [];
  const url = URL.canParse(downloadUrl) ? new URL(downloadUrl) : undefined;
  const isPlain =
    url !== undefined && /^https?:$/.test(url.protocol) && url.username + url.password + url.search === '';
  // Not quoted: there may be a password in it.
  if (!isPlain)
    problems.push({
      input: 'trivy-download-url',
      message: 'https://HOST/PATH is allowed, without user, password and query',
    });
  if (problems.length > 0) throw new UsageError(problems);
  const named = parsed !== undefined && 'version' in parsed ? parsed.version : undefined;
  if (named !== undefined) refuseHijacked(named, 'the input trivy-version');
  return { version: named, baseUrl: downloadUrl.replace(/\/+$/, '') };
}

/** What the release's own build wrote into it: `go version -m` shows it. Read beside other work: it has some 150 MB. */
async function builtVersion({ files }: Host, file: string): Promise<string | undefined> {
  const reach = BUILT_VERSION.length + MAX_VERSION_BYTES;
  let end = Buffer.alloc(0);
  try {
    for await (const { buffer, byteOffset, byteLength } of files.pieces(file)) {
      const piece = Buffer.from(buffer, byteOffset, byteLength);
      const seam = Buffer.concat([end, piece.subarray(0, reach)]);
      // What may be cut where a piece ends is looked for in the next seam.
      for (const bytes of [seam, piece]) {
        const at = bytes.indexOf(BUILT_VERSION);
        if (at >= 0 && at + reach <= bytes.length) return versionAt(bytes, at);
      }
      end = Buffer.from(piece.length < reach ? seam.subarray(-reach) : piece.subarray(-reach));
    }
  } catch {
    // A directory, or a program that may be run and not read.
    return undefined;
  }
  const at = end.indexOf(BUILT_VERSION);
  return at < 0 ? undefined : versionAt(end, at);
}

function versionAt(bytes: Buffer, at: number): string | undefined {
  const start = at + BUILT_VERSION.length;
  return /^[0-9.]+/.exec(bytes.toString('latin1', start, start + MAX_VERSION_BYTES))?.[0];
}

const FAILURES: ProgramFailures = {
  missing: (message, exitCode) =>
    new BuildOnceError('TRIVY_MISSING', message, exitCode, {
      hint: 'Install the version that you want in an earlier step, or set scan to false.',
    }),
  notDownloaded: (message, cause) =>
    new BuildOnceError('TRIVY_DOWNLOAD_FAILED', message, 1, {
      hint: 'Let this machine reach that address, name a mirror in trivy-download-url, or install Trivy in an earlier step.',
      cause,
    }),
  unusable: (message) =>
    new BuildOnceError('TRIVY_DOWNLOAD_FAILED', message, 1, {
      hint: 'Install a Trivy that works on this machine in an earlier step.',
    }),
  tampered: (message, cause) =>
    new BuildOnceError('TRIVY_TAMPERED', message, 1, {
      hint: 'Find out who altered it: the mirror, a proxy, or the release itself.',
      cause,
    }),
};
