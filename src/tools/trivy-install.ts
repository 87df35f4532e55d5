import path from 'node:path';
import { parseJson, textAt } from '../core/json.ts';
import { quote, toLine } from '../core/printable.ts';
import { BuildOnceError, isBuildOnceError, type Problem, UsageError } from '../errors.ts';
import type { Host } from '../host.ts';
import { fetchFile } from '../registry/fetch-file.ts';
import type { TransportSettings } from '../registry/transport.ts';
import { cacheDirectory, fillDirectory, writableOr } from './cache-directory.ts';
import { TRIVY_RELEASES, type TrivyRelease } from './trivy-checksums.ts';
import {
  archiveFor,
  downloadable,
  GITHUB_RELEASES,
  isAllowed,
  parseTrivyVersion,
  refuseHijacked,
  type TrivyArchive,
} from './trivy-release.ts';
import { unpack } from './unpack.ts';

/** A Trivy that this run may use. */
export interface Trivy {
  readonly host: Host;
  /** A name on the PATH, or an absolute path. */
  readonly program: string;
  readonly version: string;
}

export interface TrivyFinding {
  /** The input `trivy-version`; `undefined` for the pinned one, or a newer one that is on the PATH. */
  readonly version: string | undefined;
  /** The input `trivy-download-url`: what stands before `/v0.70.0/trivy_….tar.gz`. */
  readonly downloadUrl: string | undefined;
  /** Proxies, certificates and the signal of the run. */
  readonly transport: TransportSettings;
  /** What may be downloaded; the committed table when absent. */
  readonly releases?: readonly TrivyRelease[];
}

/** The archives of 2026 have 50 MB. */
const MAX_ARCHIVE_BYTES = 512 << 20;
const PROGRAM_NAMES = ['trivy', 'trivy.exe'];
const BUILT_VERSION = '/pkg/version/app.ver=';
const VERSION_TIMEOUT_MS = 60_000;
const MAX_VERSION_BYTES = 1 << 20;
/** What @actions/tool-cache calls the architectures, so that one cache serves both. */
const TOOL_CACHE_ARCHITECTURES: Readonly<Record<string, string>> = { amd64: 'x64', '386': 'ia32' };

/**
 * Finds Trivy: on the PATH when its version is allowed, then in the tool cache, else it downloads the archive whose checksum is
 * committed here, and keeps it in the tool cache. UsageError for settings that make no sense; PolicyError `TRIVY_HIJACKED`;
 * BuildOnceError `TRIVY_MISSING`, `TRIVY_DOWNLOAD_FAILED`, `TRIVY_TAMPERED`.
 */
export async function findTrivy(host: Host, finding: TrivyFinding): Promise<Trivy> {
  const { version: wanted, base } = readSettings(finding);
  const releases = finding.releases ?? TRIVY_RELEASES;
  const version = wanted ?? releases[0]?.version ?? '';
  const directory = toolDirectory(host, version);
  const installed = (await findOnPath(host, wanted)) ?? (await findInToolCache(host, directory, version));
  if (installed !== undefined) return installed;
  const archive = archiveFor(version, `${host.os}/${host.architecture}`, releases);
  if (archive === undefined) throw missing(host, version, releases);
  return install(host, { archive, base, directory, transport: finding.transport });
}

/** The Trivy that {@link findTrivy} would take without a download; PolicyError `TRIVY_HIJACKED`. */
export async function findInstalledTrivy(host: Host): Promise<Trivy | undefined> {
  const version = TRIVY_RELEASES[0]?.version ?? '';
  return (await findOnPath(host, undefined)) ?? findInToolCache(host, toolDirectory(host, version), version);
}

function readSettings({ version, downloadUrl = GITHUB_RELEASES }: TrivyFinding): {
  readonly version: string | undefined;
  readonly base: string;
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
  return { version: named, base: downloadUrl.replace(/\/+$/, '') };
}

async function findOnPath(host: Host, wanted: string | undefined): Promise<Trivy | undefined> {
  // Asking a malicious one for its version would run it.
  for (const file of programsOnPath(host)) refuseHijacked(builtVersion(host, file) ?? '', file);
  const version = await versionOf(host, 'trivy');
  if (version === undefined) return undefined;
  refuseHijacked(version, 'on the PATH');
  if (isAllowed(version, wanted)) return { host, program: 'trivy', version };
  const why = wanted === undefined ? `${downloadable()} or newer is needed` : `${wanted} is asked for`;
  host.log.info(`Trivy ${toLine(version, 40)} on the PATH is not used: ${why}`);
  return undefined;
}

function programsOnPath({ env, files }: Host): readonly string[] {
  const directories = (env['PATH'] ?? '').split(files.path.delimiter).filter((directory) => directory !== '');
  const programs = directories.flatMap((directory) => PROGRAM_NAMES.map((name) => path.join(directory, name)));
  return programs.filter((file) => ['file', 'symlink'].includes(files.kindOf(file) ?? ''));
}

/** What the release's own build wrote into it: `go version -m` shows it. */
function builtVersion({ files }: Host, file: string): string | undefined {
  try {
    const { buffer, byteOffset, byteLength } = files.read(file) ?? new Uint8Array();
    const bytes = Buffer.from(buffer, byteOffset, byteLength);
    const at = bytes.indexOf(BUILT_VERSION);
    const start = at + BUILT_VERSION.length;
    return at < 0 ? undefined : /^[0-9.]+/.exec(bytes.toString('latin1', start, start + 20))?.[0];
  } catch {
    // A directory, or a program that may be run and not read.
    return undefined;
  }
}

function toolDirectory(host: Host, version: string): string {
  const tools = host.env['RUNNER_TOOL_CACHE'] || path.join(cacheDirectory(host), 'tools');
  return path.join(tools, 'trivy', version, TOOL_CACHE_ARCHITECTURES[host.architecture] ?? host.architecture);
}

async function findInToolCache(host: Host, directory: string, version: string): Promise<Trivy | undefined> {
  const program = path.join(directory, 'trivy');
  if (host.files.kindOf(`${directory}.complete`) !== 'file' || host.files.kindOf(program) !== 'file') return undefined;
  refuseHijacked(builtVersion(host, program) ?? '', program);
  const found = await versionOf(host, program);
  if (found !== undefined) refuseHijacked(found, program);
  if (found === version) return { host, program, version };
  host.log.warning(`${quote(program)} is not Trivy ${version}, and is replaced`);
  return undefined;
}

/** What the program says that it is; `undefined` when there is none, or none that works. */
async function versionOf(host: Host, program: string): Promise<string | undefined> {
  try {
    const { status, stdout } = await host.exec({
      // A `trivy.yaml` in the current directory would be read, and a broken one would pass for a broken Trivy.
      argv: [program, 'version', `--config=${host.os === 'windows' ? 'NUL' : '/dev/null'}`, '--format', 'json'],
      env: withoutOwnVariables(host),
      timeoutMs: VERSION_TIMEOUT_MS,
      maxOutputBytes: MAX_VERSION_BYTES,
    });
    return status === 0 ? textAt(parseJson(stdout), 'Version')?.replace(/^v/, '') : undefined;
  } catch (error) {
    host.signal.throwIfAborted();
    if (isBuildOnceError(error) && error.code.startsWith('COMMAND_')) return undefined;
    throw error;
  }
}

/**
 * Trivy takes every option from a variable as well, and would filter what is to be a whole report; an empty one counts as
 * none. What it is told is told by argument.
 */
export function withoutOwnVariables({ env }: Pick<Host, 'env'>): Readonly<Record<string, string>> {
  const names = Object.keys(env).filter((name) => name.startsWith('TRIVY_'));
  return Object.fromEntries(names.map((name) => [name, '']));
}

interface Installation {
  readonly archive: TrivyArchive;
  readonly base: string;
  readonly directory: string;
  readonly transport: TransportSettings;
}

async function install(host: Host, installation: Installation): Promise<Trivy> {
  const { archive } = installation;
  const file = await download(host, installation);
  const directory = await usableDirectory(host, installation);
  await fillDirectory(host, directory, async (staging) => {
    await unpack(host, file, { directory: staging, members: ['trivy'] });
    const found = await versionOf(host, path.join(staging, 'trivy'));
    if (found !== archive.version) throw unusable(archive, found);
    await makePlace(host, directory, archive.version);
  });
  host.log.info(`Trivy ${archive.version} is installed in ${directory}`);
  return { host, program: path.join(directory, 'trivy'), version: archive.version };
}

/** Where nothing can be written, Trivy lives as long as the run. */
async function usableDirectory(host: Host, { directory }: Installation): Promise<string> {
  return path.join(await writableOr(host, path.dirname(directory)), path.basename(directory));
}

async function download(host: Host, { archive, base, transport }: Installation): Promise<string> {
  const url = new URL(`${base}/v${archive.version}/${archive.name}`);
  host.log.info(`downloading Trivy ${archive.version} from ${url.href}`);
  const directory = host.files.makeTemporaryDirectory('build-once-trivy-');
  const plainRegistries = [...(transport.plainRegistries ?? []), ...(url.protocol === 'http:' ? [url.host] : [])];
  try {
    const wanted = { url, sha256: archive.sha256, maxBytes: MAX_ARCHIVE_BYTES };
    return await fetchFile(wanted, directory, { ...transport, plainRegistries });
  } catch (cause) {
    if (!isBuildOnceError(cause) || cause.code === 'UNWRITABLE_FILE' || host.signal.aborted) throw cause;
    throw cause.code === 'DIGEST_INVALID' ? tampered(archive, url, cause) : notDownloaded(archive, cause);
  }
}

/**
 * Makes way for the directory that is to be renamed to this one. The mark comes first, as nothing is seen before the directory
 * is there as well: two jobs at once are no harm.
 */
async function makePlace(host: Host, directory: string, version: string): Promise<void> {
  const mark = `${directory}.complete`;
  const isMarked = host.files.kindOf(mark) === 'file';
  // What is there is half of what another program wrote, or no good; or what another job has just put there.
  if (!isMarked || (await versionOf(host, path.join(directory, 'trivy'))) !== version)
    await host.cleanup({ kind: 'remove', path: directory })();
  host.files.write(mark, '');
}

function tampered({ version }: TrivyArchive, url: URL, cause: unknown): BuildOnceError {
  const problem = `what is at ${url.href} is not Trivy ${version}: its checksum is another one; nothing of it was run`;
  return new BuildOnceError('TRIVY_TAMPERED', problem, 1, {
    hint: 'Find out who altered it: the mirror, a proxy, or the release itself.',
    cause,
  });
}

function notDownloaded({ version }: TrivyArchive, cause: Error): BuildOnceError {
  return new BuildOnceError('TRIVY_DOWNLOAD_FAILED', `Trivy ${version} could not be downloaded: ${cause.message}`, 1, {
    hint: 'Let this machine reach that address, name a mirror in trivy-download-url, or install Trivy in an earlier step.',
    cause,
  });
}

function unusable({ version, name }: TrivyArchive, found: string | undefined): BuildOnceError {
  const what = found === undefined ? 'holds a program that does not work here' : `holds Trivy ${toLine(found, 40)}`;
  return new BuildOnceError('TRIVY_DOWNLOAD_FAILED', `${name} was to be Trivy ${version}, but ${what}`, 1, {
    hint: 'Install a Trivy that works on this machine in an earlier step.',
  });
}

function missing(host: Host, version: string, releases: readonly TrivyRelease[]): BuildOnceError {
  const known = releases.find((release) => release.version === version);
  const platform = `${toLine(host.os, 20)}/${toLine(host.architecture, 20)}`;
  const why =
    known === undefined
      ? `no checksum of Trivy ${toLine(version, 40)} is known here: ${downloadable()} can be downloaded`
      : `no Trivy ${version} for ${platform} is known here: ${Object.keys(known.sha256).join(', ')} can be downloaded`;
  return new BuildOnceError('TRIVY_MISSING', why, known === undefined ? 2 : 1, {
    hint: 'Install the version that you want in an earlier step, or set scan to false.',
  });
}
