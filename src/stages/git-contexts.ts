import path from 'node:path';
import { findDockerfile } from '../context.ts';
import type { BuildSecret, NamedContext } from '../core/build-options.ts';
import { commitOf, type GitSource, parseGitSource, pinnedSource } from '../core/git-source.ts';
import { parseGoBoolean } from '../core/go-boolean.ts';
import { quote, toLine } from '../core/printable.ts';
import { isGitSource } from '../core/remote-source.ts';
import { readDockerfile } from '../dockerfile-inputs.ts';
import { UsageError } from '../errors.ts';
import { gitAuthorization, type OwnRepository, ownTokenSecret } from '../git-credentials.ts';
import { resolveInside } from '../inside.ts';
import type { Run, RunnableStage } from '../stage.ts';
import type { GitAccess } from '../tools/git.ts';
import { loadGit } from '../tools/load.ts';

/** What became of the git repositories among a run's contexts. */
export interface GitContexts {
  /** The build context, where it is one. */
  readonly main: MainContext | undefined;
  /** What the builder needs to fetch them, besides the secrets that were given. */
  readonly secrets: readonly BuildSecret[];
}

/** A build context that is a git repository. `options.context` is its checkout, `options.file` the Dockerfile in there. */
export interface MainContext {
  /** For the builder: the repository at the commit that was hashed. */
  readonly pinned: string;
  readonly remote: string;
  readonly commit: string;
  /** The Dockerfile, relative to the context. */
  readonly file: string;
  /** `.git` is in the context, so that every commit is other content. */
  readonly keepsGitDirectory: boolean;
}

const KEEP_GIT = /^BUILDKIT_CONTEXT_KEEP_GIT_DIR=(.*)$/s;

/**
 * Before the hash: resolves every context that is a git repository to a commit, named ones where the target reads them. The
 * build context is checked out, and the stages after this one read it as a directory; named contexts count by their commit.
 */
export const pinGitContexts: RunnableStage = async (run) => {
  const { options, host } = run;
  const isGit = isGitSource(options.context);
  if (!isGit && !options.buildContexts.some(({ value }) => isGitSource(value))) return run;
  return host.log.group('Look up git contexts', async () => {
    const source = isGit ? sourceOf(options.context) : undefined;
    const { main, ...opened } = source === undefined ? { main: undefined } : await openMain(run, source);
    const here = { ...run, options: { ...options, ...opened } };
    const reached = new Set(reachedContexts(here));
    const buildContexts = await Promise.all(options.buildContexts.map((named) => pinNamed(run, named, reached)));
    const ownSecrets = source === undefined ? [] : builderSecrets(run, source);
    const secrets = new Map(
      [...buildContexts.flatMap((one) => one.secrets), ...ownSecrets].map((one) => [one.id, one]),
    );
    return {
      ...here,
      options: { ...here.options, buildContexts: buildContexts.map(({ named }) => named) },
      git: { main, secrets: [...secrets.values()] },
    };
  });
};

/** The names of those that the target reads, as far as the Dockerfile alone tells. */
function reachedContexts(run: Run): readonly string[] {
  const { context, file } = run.options;
  const dockerfile = findDockerfile(run.host.files, context, file);
  return dockerfile === undefined ? [] : readDockerfile(dockerfile, run).contexts.map(({ name }) => name);
}

async function openMain(
  run: Run,
  source: GitSource,
): Promise<{ readonly main: MainContext; readonly context: string; readonly file: string }> {
  const { host, options } = run;
  const { checkOut } = await loadGit();
  const commit = await resolve(run, source);
  const { directory } = await checkOut(host, accessTo(run, source), commit);
  const refuse = (input: string, what: string): never => {
    throw new UsageError([{ input, message: `${toLine(source.remote)} has ${what} at ${commit}` }]);
  };
  const context = path.join(directory, ...source.directory.split('/'));
  if (!isPlainDirectory(run, directory, source.directory)) {
    refuse('context', `no directory ${quote(source.directory)}`);
  }
  const given = options.file === undefined ? undefined : path.join(context, options.file);
  const found = findDockerfile(host.files, context, given);
  const file = found === undefined ? undefined : resolveInside(host.files, context, path.relative(context, found));
  if (found === undefined || file === undefined || host.files.kindOf(file) !== 'file') {
    return refuse('file', `no Dockerfile ${quote(path.posix.join(source.directory, options.file ?? 'Dockerfile'))}`);
  }
  const keepsGitDirectory = source.directory === '' && (source.keepsGitDirectory || asksForGitDirectory(run));
  const main = {
    pinned: pinnedSource(source, commit),
    remote: source.remote,
    commit,
    file: path.relative(context, found).split(path.sep).join('/'),
    keepsGitDirectory,
  };
  return { main, context, file };
}

async function pinNamed(
  run: Run,
  named: NamedContext,
  reached: ReadonlySet<string>,
): Promise<{ readonly named: NamedContext; readonly secrets: readonly BuildSecret[] }> {
  if (!reached.has(named.name) || !isGitSource(named.value)) return { named, secrets: [] };
  const source = sourceOf(named.value);
  const commit = await resolve(run, source);
  return { named: { ...named, value: pinnedSource(source, commit) }, secrets: builderSecrets(run, source) };
}

async function resolve(run: Run, source: GitSource): Promise<string> {
  const { resolveCommit } = await loadGit();
  const commit = await resolveCommit(run.host, accessTo(run, source));
  if (commitOf(source) === undefined)
    run.host.log.info(`${toLine(source.remote)}: ${toLine(source.ref ?? 'the default branch')} is ${commit}`);
  return commit;
}

function accessTo(run: Run, source: GitSource): GitAccess {
  const { host, options } = run;
  const authorization = gitAuthorization(source, { host, given: options, own: ownRepository(run) });
  const [, credentials] = authorization?.split(' ') ?? [];
  if (credentials !== undefined) host.log.mask(credentials);
  return { source, authorization };
}

/** What a stranger's Dockerfile is built from gets no token: it could mount the secret. */
function builderSecrets(run: Run, source: GitSource): readonly BuildSecret[] {
  return run.event.untrusted === undefined ? ownTokenSecret(source, run.options, ownRepository(run)) : [];
}

function ownRepository({ event, options }: Run): OwnRepository | undefined {
  const { repository } = event;
  if (repository === undefined || options.githubToken === undefined) return undefined;
  return { url: repository.url, token: options.githubToken };
}

/** The options hold what has been read as a source already. */
function sourceOf(text: string): GitSource {
  const source = parseGitSource(text);
  if (source.ok) return source.value;
  throw new UsageError([{ input: 'context', message: source.problem }]);
}

/** As BuildKit has it: a link on the way is none. */
function isPlainDirectory({ host }: Run, root: string, inside: string): boolean {
  const segments = inside.split('/').filter((segment) => segment !== '');
  return segments.every(
    (_, index) => host.files.kindOf(path.join(root, ...segments.slice(0, index + 1))) === 'directory',
  );
}

/** The last one given wins. */
function asksForGitDirectory({ options }: Run): boolean {
  const values = options.buildArgs.flatMap((arg) => KEEP_GIT.exec(arg)?.[1] ?? []);
  return parseGoBoolean(values.at(-1) ?? '') ?? false;
}
