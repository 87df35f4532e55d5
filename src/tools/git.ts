import path from 'node:path';
import { commitOf, findCommit, type GitSource } from '../core/git-source.ts';
import { toLine } from '../core/printable.ts';
import { BuildOnceError, CommandError, isBuildOnceError } from '../errors.ts';
import type { CommandResult, Host } from '../host.ts';

/** How git asks for one repository. */
export interface GitAccess {
  readonly source: GitSource;
  /** The value of the `Authorization` header, where there is one. */
  readonly authorization: string | undefined;
}

/** A commit as files. */
export interface GitCheckout {
  readonly commit: string;
  /** The whole repository, without `.git` at its root. */
  readonly directory: string;
}

/** Where git works: never in a repository of this machine, whose settings, an `Authorization` among them, would count. */
interface Workplace {
  readonly host: Host;
  readonly access: GitAccess;
  readonly gitDirectory: string;
  readonly workTree: string;
}

/**
 * What no user's configuration may change, as in BuildKit: the builder does not have it either. No hooks and filters, bytes
 * as they are in the repository, no question to anybody, and no protocol that runs programs or reads this machine's files.
 */
const ISOLATION = {
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_PARAMETERS: '',
  GIT_TEMPLATE_DIR: '',
  GIT_TERMINAL_PROMPT: '0',
  GIT_ASKPASS: '',
  SSH_ASKPASS: '',
  GIT_ALLOW_PROTOCOL: 'http:https:git:ssh',
  LC_ALL: 'C',
};
const OWN_SETTINGS = [['core.hooksPath', '/dev/null']] as const;
/** Servers that give no single commit, or no shallow one, as BuildKit tells them. */
const REFUSES_ONE_COMMIT = /not our ref|unadvertised object|shallow|--depth/;
const NEEDS_LOGIN = /could not read Username|Authentication failed|terminal prompts disabled|returned error: 40[13]/;

/** The commit that the source names or that its ref points to now. BuildOnceError `GIT_FAILED`, `GIT_MISSING`. */
export async function resolveCommit(host: Host, access: GitAccess): Promise<string> {
  const { source } = access;
  const named = commitOf(source);
  if (named !== undefined) return named;
  const ref = source.ref ?? 'HEAD';
  const place = await openWorkplace(host, access);
  const args = ['ls-remote', '--', source.remote, ref, `${ref}^{}`];
  const { stdout } = await mustRunGit(place, 'look up the ref in', args);
  const found = findCommit(source, stdout);
  if (found.ok) return found.value;
  throw new BuildOnceError('GIT_FAILED', `${toLine(source.remote)}: ${found.problem}`, 1, {
    hint: 'Name a branch, a tag, or a commit with all of its digits; a shortened commit cannot be asked for.',
  });
}

/** The files of one commit and of its submodules, in a directory that goes with the run. Errors as of `resolveCommit`. */
export async function checkOut(host: Host, access: GitAccess, commit: string): Promise<GitCheckout> {
  const { source } = access;
  const place = await openWorkplace(host, access, commit.length === 64 ? 'sha256' : 'sha1');
  // Relative addresses of submodules start from its address.
  await mustRunGit(place, 'set up', ['remote', 'add', 'origin', source.remote]);
  await fetchCommit(place, commit);
  await mustRunGit(place, 'check out', ['checkout', '--quiet', '--force', '--detach', commit, '--']);
  if (source.submodules && host.files.kindOf(path.join(place.workTree, '.gitmodules')) !== undefined) {
    const args = ['submodule', '--quiet', 'update', '--init', '--recursive', '--depth=1'];
    await mustRunGit(place, 'fetch the submodules of', args);
  }
  return { commit, directory: place.workTree };
}

async function openWorkplace(host: Host, access: GitAccess, format?: 'sha1' | 'sha256'): Promise<Workplace> {
  const workTree = host.files.makeTemporaryDirectory('build-once-git-');
  // Apart from the files: the builder does not have it in the context either.
  const gitDirectory = host.files.makeTemporaryDirectory('build-once-git-');
  const place = { host, access, gitDirectory, workTree };
  // Older versions of git do not know the argument.
  await mustRunGit(place, 'set up', ['init', '--quiet', ...(format === 'sha256' ? ['--object-format=sha256'] : [])]);
  return place;
}

/** One commit without its history, or, where the server does not give that, all there is. */
async function fetchCommit(place: Workplace, commit: string): Promise<void> {
  const alone = await runGit(place, ['fetch', '--quiet', '--no-tags', '--depth=1', 'origin', commit]);
  if (alone.status === 0) return;
  if (!REFUSES_ONE_COMMIT.test(alone.stderr)) throw failure(place, 'fetch', alone);
  await mustRunGit(place, 'fetch', ['fetch', '--quiet', '--tags', 'origin']);
}

/** `aim` says what git is to do, in words that go before the repository's address. */
async function mustRunGit(place: Workplace, aim: string, args: readonly string[]): Promise<CommandResult> {
  const result = await runGit(place, args);
  if (result.status === 0) return result;
  throw failure(place, aim, result);
}

async function runGit(place: Workplace, args: readonly string[]): Promise<CommandResult> {
  const { host, access, gitDirectory, workTree } = place;
  const env = {
    ...ISOLATION,
    GIT_SSH_COMMAND: host.env['GIT_SSH_COMMAND'] || 'ssh -o BatchMode=yes',
    GIT_DIR: gitDirectory,
    GIT_WORK_TREE: workTree,
    GIT_INDEX_FILE: path.join(gitDirectory, 'index'),
    GIT_OBJECT_DIRECTORY: path.join(gitDirectory, 'objects'),
    ...settingsVariables(access),
  };
  try {
    const result = await host.exec({ argv: ['git', ...args], env, cwd: workTree });
    host.signal.throwIfAborted();
    return result;
  } catch (cause) {
    if (!isBuildOnceError(cause) || cause.code !== 'COMMAND_NOT_STARTED') throw cause;
    throw new CommandError('GIT_MISSING', 'a git repository is to be read, and there is no git program here', {
      command: 'git',
      hint: 'Install git, or check the repository out in an earlier step and name its directory.',
      cause,
    });
  }
}

/** Configuration by the environment, which other users of the machine cannot read. */
function settingsVariables({ source, authorization }: GitAccess): Readonly<Record<string, string>> {
  const header = authorization === undefined ? [] : [[`http.${tokenScope(source.remote)}.extraHeader`, authorization]];
  const settings = [...OWN_SETTINGS, ...header.map(([key = '', value]) => [key, `Authorization: ${value}`] as const)];
  return {
    GIT_CONFIG_COUNT: String(settings.length),
    ...Object.fromEntries(
      settings.flatMap(([key, value], index) => [
        [`GIT_CONFIG_KEY_${index}`, key],
        [`GIT_CONFIG_VALUE_${index}`, value],
      ]),
    ),
  };
}

/** Where a repository's credentials go: to it alone, on github.com to its submodules there as well, as BuildKit has it. */
function tokenScope(remote: string): string {
  const [github] = /^https:\/\/(?:www\.)?github\.com\//.exec(remote) ?? [];
  return github ?? remote;
}

function failure({ access }: Workplace, aim: string, { status, stderr }: CommandResult): BuildOnceError {
  const said = /^(?:fatal|error): .+/m.exec(stderr)?.[0] ?? stderr.trim().split('\n').at(-1);
  const reason = toLine(said || 'it gave no reason', 300);
  return new CommandError('GIT_FAILED', `git could not ${aim} ${toLine(access.source.remote)}: ${reason}`, {
    command: 'git',
    status,
    stderrTail: reason,
    hint: NEEDS_LOGIN.test(stderr)
      ? 'The repository is private or not there: give the secret GIT_AUTH_TOKEN, a token that may read it.'
      : 'Check the address and the ref, and that this machine reaches the host; a private repository needs the secret GIT_AUTH_TOKEN.',
  });
}
