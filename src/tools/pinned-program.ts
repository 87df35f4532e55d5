import path from 'node:path';
import { quote, toLine } from '../core/printable.ts';
import { parseVersion } from '../core/version.ts';
import { type BuildOnceError, type ExitCode, isBuildOnceError } from '../errors.ts';
import type { Host } from '../host.ts';
import { fetchFile } from '../registry/fetch-file.ts';
import type { TransportSettings } from '../registry/transport.ts';
import { cacheDirectory, fillDirectory, writableOr } from './cache-directory.ts';
import { putProgram, unpack } from './unpack.ts';

/** The files of one version of a program, by `os/architecture` in the words of the image specification. */
export interface PinnedRelease {
  readonly version: string;
  /** Who says so: how each of the checksums came to be known. */
  readonly source: string;
  readonly sha256: Readonly<Record<string, string>>;
}

/** A program that is used when it is there, and else downloaded, when its checksum is committed here. */
export interface PinnedProgram {
  /** As people call it: `Trivy`. */
  readonly title: string;
  /** As the command is called, and the file in an archive: `trivy`. */
  readonly command: string;
  /** What its own variables begin with, which it is not asked with: `TRIVY_`. */
  readonly variables: string;
  /** The version that is taken when none is asked for first. */
  readonly releases: readonly PinnedRelease[];
  /** What a release calls its files, by platform. */
  readonly fileNames: (version: string) => ReadonlyMap<string, string>;
  /** Whether that file is a gzipped tar archive that the program is in, not the program itself. */
  readonly isArchive: boolean;
  /** What it says that it is. `run` answers its standard output, `undefined` when it failed. */
  readonly ask: (run: (args: readonly string[]) => Promise<string | undefined>) => Promise<string | undefined>;
  /** Whether what it says on the PATH will do, though it is no newer version of the pinned one's line. */
  readonly accepts?: (version: string) => boolean;
  /** Rejects for a program that must not be started. */
  readonly inspect?: (host: Host, file: string) => Promise<void>;
  /** Throws for a version that must not be used; `origin` says where it was met. */
  readonly refuse?: (version: string, origin: string) => void;
  readonly failures: ProgramFailures;
}

/** Makes the errors of one program, with its codes and hints. */
export interface ProgramFailures {
  readonly missing: (message: string, exitCode: ExitCode) => BuildOnceError;
  readonly notDownloaded: (message: string, cause: Error) => BuildOnceError;
  readonly unusable: (message: string) => BuildOnceError;
  readonly tampered: (message: string, cause: Error) => BuildOnceError;
}

/** A program that this run may use. */
export interface FoundProgram {
  readonly host: Host;
  /** A name on the PATH, or an absolute path. */
  readonly program: string;
  readonly version: string;
}

export interface ProgramWish {
  /** This version and no other; `undefined` for the pinned one, or a newer one of its major version that is on the PATH. */
  readonly version: string | undefined;
  /** What stands before `/v0.70.0/FILE`, without a slash at its end. */
  readonly baseUrl: string;
  /** Proxies, certificates and the signal of the run. */
  readonly transport: TransportSettings;
}

/** One file to download. */
export interface PinnedFile {
  readonly version: string;
  readonly name: string;
  readonly sha256: string;
}

/** The archives and programs of 2026 have 50 to 160 MB. */
const MAX_DOWNLOAD_BYTES = 512 << 20;
const VERSION_TIMEOUT_MS = 60_000;
const MAX_VERSION_BYTES = 1 << 20;
/** What @actions/tool-cache calls the architectures, so that one cache serves both. */
const TOOL_CACHE_ARCHITECTURES: Readonly<Record<string, string>> = { amd64: 'x64', '386': 'ia32' };

/**
 * Finds a program: on the PATH when its version is allowed, then in the tool cache, else it downloads the file whose checksum
 * is committed here, and keeps it in the tool cache. Throws what `failures` makes, `inspect` and `refuse` throw.
 */
export async function findPinned(host: Host, pinned: PinnedProgram, wish: ProgramWish): Promise<FoundProgram> {
  const installed = await findInstalled(host, pinned, wish.version);
  if (installed !== undefined) return installed;
  const version = versionFor(pinned, wish.version);
  const directory = toolDirectory(host, pinned, version);
  const file = pinnedFile(pinned, version, `${host.os}/${host.architecture}`);
  if (file === undefined) throw missing(host, pinned, version);
  return install(host, pinned, { file, directory, wish });
}

/** The program that {@link findPinned} would take without a download. Throws what `inspect` and `refuse` throw. */
export async function findInstalled(
  host: Host,
  pinned: PinnedProgram,
  wanted: string | undefined,
): Promise<FoundProgram | undefined> {
  const onPath = await findOnPath(host, pinned, wanted);
  if (onPath !== undefined) return onPath;
  const version = versionFor(pinned, wanted);
  return findInToolCache(host, pinned, { directory: toolDirectory(host, pinned, version), version });
}

function versionFor({ releases }: PinnedProgram, wanted: string | undefined): string {
  return wanted ?? releases[0]?.version ?? '';
}

/** The file of a version for a platform; `undefined` when there is no checksum for it here. */
export function pinnedFile(
  { releases, fileNames }: Pick<PinnedProgram, 'releases' | 'fileNames'>,
  version: string,
  platform: string,
): PinnedFile | undefined {
  const sha256 = releases.find((release) => release.version === version)?.sha256[platform];
  const name = fileNames(version).get(platform);
  return sha256 === undefined || name === undefined ? undefined : { version, name, sha256 };
}

/** The versions that have checksums here, for messages. */
export function versionsOf(releases: readonly PinnedRelease[]): string {
  return releases.map(({ version }) => version).join(', ');
}

/**
 * Some programs take every option from a variable as well, and would do something else than they are told; an empty one
 * counts as none. What they are told is told by argument.
 */
export function withoutVariables({ env }: Pick<Host, 'env'>, prefix: string): Readonly<Record<string, string>> {
  const names = Object.keys(env).filter((name) => name.startsWith(prefix));
  return Object.fromEntries(names.map((name) => [name, '']));
}

async function findOnPath(
  host: Host,
  pinned: PinnedProgram,
  wanted: string | undefined,
): Promise<FoundProgram | undefined> {
  const { command, title, releases } = pinned;
  // Asking a malicious one for its version would run it.
  for (const file of programsOnPath(host, command)) await pinned.inspect?.(host, file);
  const version = await versionOf(host, pinned, command);
  if (version === undefined) return undefined;
  pinned.refuse?.(version, 'on the PATH');
  if (isAllowed(pinned, version, wanted)) return { host, program: command, version };
  const why = wanted === undefined ? `${versionsOf(releases)} or newer is needed` : `${wanted} is asked for`;
  host.log.info(`${title} ${toLine(version, 40)} on the PATH is not used: ${why}`);
  return undefined;
}

/** The one that was asked for; or else the pinned one, or a newer one of the same major version. */
function isAllowed({ releases, accepts }: PinnedProgram, version: string, wanted: string | undefined): boolean {
  if (wanted !== undefined) return version === wanted;
  const [found, least] = [parseVersion(version), parseVersion(releases[0]?.version ?? '')];
  if (found === undefined || least === undefined) return accepts?.(version) === true;
  const [major, minor = 0, patch = 0] = found.release;
  const [leastMajor, leastMinor = 0, leastPatch = 0] = least.release;
  const isNewer = minor > leastMinor || (minor === leastMinor && patch >= leastPatch);
  return major === leastMajor && found.stable && isNewer;
}

function programsOnPath({ env, files }: Host, command: string): readonly string[] {
  const directories = (env['PATH'] ?? '').split(files.path.delimiter).filter((directory) => directory !== '');
  const programs = directories.flatMap((directory) =>
    [command, `${command}.exe`].map((name) => path.join(directory, name)),
  );
  return programs.filter((file) => ['file', 'symlink'].includes(files.kindOf(file) ?? ''));
}

function toolDirectory(host: Host, { command }: PinnedProgram, version: string): string {
  const tools = host.env['RUNNER_TOOL_CACHE'] || path.join(cacheDirectory(host), 'tools');
  return path.join(tools, command, version, TOOL_CACHE_ARCHITECTURES[host.architecture] ?? host.architecture);
}

async function findInToolCache(
  host: Host,
  pinned: PinnedProgram,
  { directory, version }: { readonly directory: string; readonly version: string },
): Promise<FoundProgram | undefined> {
  const program = path.join(directory, pinned.command);
  if (host.files.kindOf(`${directory}.complete`) !== 'file' || host.files.kindOf(program) !== 'file') return undefined;
  await pinned.inspect?.(host, program);
  const found = await versionOf(host, pinned, program);
  if (found !== undefined) pinned.refuse?.(found, program);
  if (found === version) return { host, program, version };
  host.log.warning(`${quote(program)} is not ${pinned.title} ${version}, and is replaced`);
  return undefined;
}

/** What the program says that it is; `undefined` when there is none, or none that works. */
function versionOf(host: Host, { ask, variables }: PinnedProgram, program: string): Promise<string | undefined> {
  return ask(async (args) => {
    try {
      const { status, stdout } = await host.exec({
        argv: [program, ...args],
        env: withoutVariables(host, variables),
        timeoutMs: VERSION_TIMEOUT_MS,
        maxOutputBytes: MAX_VERSION_BYTES,
      });
      return status === 0 ? stdout : undefined;
    } catch (error) {
      host.signal.throwIfAborted();
      if (isBuildOnceError(error) && error.code.startsWith('COMMAND_')) return undefined;
      throw error;
    }
  });
}

interface Installation {
  readonly file: PinnedFile;
  readonly directory: string;
  readonly wish: ProgramWish;
}

async function install(host: Host, pinned: PinnedProgram, installation: Installation): Promise<FoundProgram> {
  const { title, command, isArchive } = pinned;
  const { version } = installation.file;
  const downloaded = await download(host, pinned, installation);
  const directory = await usableDirectory(host, installation);
  await fillDirectory(host, directory, async (staging) => {
    const program = path.join(staging, command);
    if (isArchive) await unpack(host, downloaded, { directory: staging, members: [command] });
    else await putProgram(host, downloaded, program);
    const found = await versionOf(host, pinned, program);
    if (found !== version) throw unusable(pinned, installation.file, found);
    await makePlace(host, pinned, { directory, version });
  });
  host.log.info(`${title} ${version} is installed in ${directory}`);
  return { host, program: path.join(directory, command), version };
}

/** Where nothing can be written, the program lives as long as the run. */
async function usableDirectory(host: Host, { directory }: Installation): Promise<string> {
  return path.join(await writableOr(host, path.dirname(directory)), path.basename(directory));
}

async function download(host: Host, pinned: PinnedProgram, { file, wish }: Installation): Promise<string> {
  const { version, name, sha256 } = file;
  const { title, command, failures } = pinned;
  const url = new URL(`${wish.baseUrl}/v${version}/${name}`);
  host.log.info(`downloading ${title} ${version} from ${url.href}`);
  const directory = host.files.makeTemporaryDirectory(`build-once-${command}-`);
  const plainRegistries = [...(wish.transport.plainRegistries ?? []), ...(url.protocol === 'http:' ? [url.host] : [])];
  try {
    const wanted = { url, sha256, maxBytes: MAX_DOWNLOAD_BYTES };
    return await fetchFile(wanted, directory, { ...wish.transport, plainRegistries });
  } catch (cause) {
    if (!isBuildOnceError(cause) || cause.code === 'UNWRITABLE_FILE' || host.signal.aborted) throw cause;
    if (cause.code !== 'DIGEST_INVALID')
      throw failures.notDownloaded(`${title} ${version} could not be downloaded: ${cause.message}`, cause);
    const problem = `what is at ${url.href} is not ${title} ${version}: its checksum is another one; nothing of it was run`;
    throw failures.tampered(problem, cause);
  }
}

/**
 * Makes way for the directory that is to be renamed to this one. The mark comes first, as nothing is seen before the directory
 * is there as well: two jobs at once are no harm.
 */
async function makePlace(
  host: Host,
  pinned: PinnedProgram,
  { directory, version }: { readonly directory: string; readonly version: string },
): Promise<void> {
  const mark = `${directory}.complete`;
  const isMarked = host.files.kindOf(mark) === 'file';
  // What is there is half of what another program wrote, or no good; or what another job has just put there.
  if (!isMarked || (await versionOf(host, pinned, path.join(directory, pinned.command))) !== version)
    await host.cleanup({ kind: 'remove', path: directory })();
  host.files.write(mark, '');
}

function unusable({ title, failures }: PinnedProgram, file: PinnedFile, found: string | undefined): BuildOnceError {
  const { name, version } = file;
  const what = found === undefined ? 'holds a program that does not work here' : `holds ${title} ${toLine(found, 40)}`;
  return failures.unusable(`${name} was to be ${title} ${version}, but ${what}`);
}

function missing(host: Host, { title, releases, failures }: PinnedProgram, version: string): BuildOnceError {
  const known = releases.find((release) => release.version === version);
  const platform = `${toLine(host.os, 20)}/${toLine(host.architecture, 20)}`;
  const why =
    known === undefined
      ? `no checksum of ${title} ${toLine(version, 40)} is known here: ${versionsOf(releases)} can be downloaded`
      : `no ${title} ${version} for ${platform} is known here: ${Object.keys(known.sha256).join(', ')} can be downloaded`;
  return failures.missing(why, known === undefined ? 2 : 1);
}
