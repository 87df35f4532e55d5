import { parseJson, textAt } from '../core/json.ts';
import { BuildOnceError } from '../errors.ts';
import type { Host } from '../host.ts';
import type { TransportSettings } from '../registry/transport.ts';
import { COSIGN_RELEASES } from './cosign-checksums.ts';
import { type FoundProgram, findPinned, type PinnedRelease, type ProgramFailures } from './pinned-program.ts';

/** A cosign that this run may use. */
export type Cosign = FoundProgram;

export interface CosignFinding {
  /** What stands before `/v3.0.6/cosign-…`; GitHub's releases when absent. */
  readonly downloadUrl?: string;
  /** Proxies, certificates and the signal of the run. */
  readonly transport: TransportSettings;
  /** What may be downloaded; the committed table when absent. */
  readonly releases?: readonly PinnedRelease[];
}

/** Where the releases are, in folders named after their tags. */
export const COSIGN_GITHUB_RELEASES = 'https://github.com/sigstore/cosign/releases/download';

/** What cosign's own variables begin with; it takes every option from one. */
export const COSIGN_VARIABLES = 'COSIGN_';

/** What a build says that was not told its version: Debian's, for one. */
const UNVERSIONED = 'devel';
const PLATFORMS = ['darwin/amd64', 'darwin/arm64', 'linux/amd64', 'linux/arm64'];

/**
 * Finds cosign: on the PATH when it is 3.0.6 or a newer 3.x, or a build without a version that can do what is needed; then in
 * the tool cache; else it downloads the program whose checksum is committed here, and keeps it in the tool cache.
 * BuildOnceError `COSIGN_MISSING`, `COSIGN_DOWNLOAD_FAILED`, `COSIGN_TAMPERED`.
 */
export function findCosign(host: Host, finding: CosignFinding): Promise<Cosign> {
  const pinned = {
    title: 'cosign',
    command: 'cosign',
    variables: COSIGN_VARIABLES,
    releases: finding.releases ?? COSIGN_RELEASES,
    fileNames: cosignFileNames,
    isArchive: false,
    ask: askCosign,
    accepts: (version: string) => version === UNVERSIONED,
    failures: FAILURES,
  };
  const { downloadUrl: baseUrl = COSIGN_GITHUB_RELEASES, transport } = finding;
  return findPinned(host, pinned, { version: undefined, baseUrl, transport });
}

/** What every release calls its programs, by platform. */
export function cosignFileNames(): ReadonlyMap<string, string> {
  return new Map(PLATFORMS.map((platform) => [platform, `cosign-${platform.replace('/', '-')}`]));
}

/** What a cosign says that it is, without a `v`; nothing for a build without a version that lacks what is needed here. */
async function askCosign(run: (args: readonly string[]) => Promise<string | undefined>): Promise<string | undefined> {
  const said = textAt(parseJson((await run(['version', '--json'])) ?? ''), 'gitVersion')?.replace(/^v/, '');
  if (said !== UNVERSIONED) return said;
  const help = (await run(['attest-blob', '--help'])) ?? '';
  return ['--statement=', '--signing-config='].every((flag) => help.includes(flag)) ? UNVERSIONED : undefined;
}

const FAILURES: ProgramFailures = {
  missing: (message, exitCode) =>
    new BuildOnceError('COSIGN_MISSING', message, exitCode, {
      hint: 'Install cosign 3 in an earlier step, or sign without a key.',
    }),
  notDownloaded: (message, cause) =>
    new BuildOnceError('COSIGN_DOWNLOAD_FAILED', message, 1, {
      hint: 'Let this machine reach that address, or install cosign 3 in an earlier step.',
      cause,
    }),
  unusable: (message) =>
    new BuildOnceError('COSIGN_DOWNLOAD_FAILED', message, 1, {
      hint: 'Install a cosign that works on this machine in an earlier step.',
    }),
  tampered: (message, cause) =>
    new BuildOnceError('COSIGN_TAMPERED', message, 1, {
      hint: 'Find out who altered it: a proxy, or the release itself.',
      cause,
    }),
};
