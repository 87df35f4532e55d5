import { cleanPath } from './clean-path.ts';
import { parseGoBoolean } from './go-boolean.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';
import { isCommit, isRemoteSource } from './remote-source.ts';
import { splitOnce } from './split-once.ts';

/** A git repository as a build context, in the words of BuildKit. */
export interface GitSource {
  /** The repository's address as git takes it: no ref, no query, no credentials. Never begins with a dash. */
  readonly remote: string;
  /** A branch, a tag, a full name or a commit; `undefined` is the default branch. */
  readonly ref: string | undefined;
  /** How the commit, or the tag that stands for it, must begin. */
  readonly checksum: string | undefined;
  /** The directory inside that is the context, with slashes between; empty is the whole repository. */
  readonly directory: string;
  readonly submodules: boolean;
  /** The builder puts `.git` into the context. */
  readonly keepsGitDirectory: boolean;
}

const ADDRESS = /^(https?|git|ssh):\/\/([^/]*)(\/.*)?$/is;
const SCP_ADDRESS = /^[a-z0-9_][a-z0-9_-]*@[a-z0-9][a-z0-9.-]*:[^-].*$/i;
const HOST = /^(?:[a-z0-9_][a-z0-9_.-]*|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;
const USER = /^[a-z0-9_][a-z0-9_.-]*$/i;
/** What git allows in no name (git-check-ref-format), and what it would take for an option. */
const NO_REF = /^[-/]|[\p{Cc}\s~^:?*[\\]|\.\.|@\{|\/$/u;
const QUERY_KEYS = ['ref', 'tag', 'branch', 'commit', 'checksum', 'subdir', 'submodules', 'keep-git-dir'];
const SWITCHES = ['submodules', 'keep-git-dir'];

/** The build context: a directory, blanks around it dropped, or a git repository. A URL may hold a token: none is shown. */
export function parseContext(text: string): Parsed<string> {
  const context = text.trim();
  if (context === '-')
    return unparsable('"-" is a context from standard input; a directory or a git repository is allowed');
  if (!isRemoteSource(context)) return parsed(context);
  const source = parseGitSource(context);
  return source.ok ? parsed(context) : source;
}

/**
 * Reads BuildKit's forms (v0.29, frontend/dockerfile/dfgitutil): `https://HOST/PATH.git#REF:DIRECTORY`, the same with
 * `http`, `git`, `ssh` or as `user@host:path`, and `?ref=…&subdir=…` instead of the fragment. A problem shows no address.
 */
export function parseGitSource(text: string): Parsed<GitSource> {
  if (/[\p{Cc}\s]/u.test(text)) return unparsable('is a URL with blanks or control characters');
  const [beforeFragment = '', fragment] = splitOnce(text, '#');
  const [address = '', query = ''] = splitOnce(beforeFragment, '?');
  const remote = parseAddress(address);
  if (!remote.ok) return remote;
  const decoded = isUrl(address) ? decode(fragment ?? '') : (fragment ?? '');
  if (decoded === undefined) return unparsable('is a URL whose fragment is not percent-encoded UTF-8');
  const [ref = '', directory = ''] = splitOnce(decoded, ':');
  const parameters = parseQuery(query);
  if (!parameters.ok) return parameters;
  return assemble(remote.value, { ref, directory }, parameters.value);
}

/** The source as the builder is to get it: of this commit, whatever its ref points to by then. */
export function pinnedSource(source: GitSource, commit: string): string {
  const { remote, directory, submodules, keepsGitDirectory } = source;
  const query = [...(submodules ? [] : ['submodules=false']), ...(keepsGitDirectory ? ['keep-git-dir=true'] : [])];
  const inside = isUrl(remote) ? directory.split('/').map(encodeURIComponent).join('/') : directory;
  return `${remote}${query.length > 0 ? `?${query.join('&')}` : ''}#${commit}${inside === '' ? '' : `:${inside}`}`;
}

/** The commit that the source names itself: its ref is one. */
export function commitOf({ ref }: GitSource): string | undefined {
  return ref !== undefined && isCommit(ref) ? ref : undefined;
}

/**
 * The commit behind a ref, from what `git ls-remote` printed. As BuildKit has it: `refs/REF` before the branch before the
 * tag of that name; an annotated tag stands for its commit. Problems: there is none, or not the one that `checksum` asks for.
 */
export function findCommit({ ref, checksum }: GitSource, listing: string): Parsed<string> {
  const refs = new Map(
    listing.split('\n').map((line) => {
      const [id = '', name = ''] = line.trim().split('\t');
      return [name, id];
    }),
  );
  const names =
    ref === undefined
      ? ['HEAD']
      : ['', 'heads/', 'tags/'].map((kind) => `refs/${kind}${ref.replace(new RegExp(`^refs/${kind}`), '')}`);
  const name = names.find((candidate) => refs.has(candidate)) ?? '';
  const [own = '', commit = own] = [refs.get(name), refs.get(`${name}^{}`)];
  if (!isCommit(commit)) {
    return unparsable(ref === undefined ? 'it has no default branch' : `it has no branch and no tag ${quote(ref)}`);
  }
  if (checksum === undefined || [own, commit].some((id) => id.startsWith(checksum))) return parsed(commit);
  return unparsable(`${ref === undefined ? 'its default branch' : quote(ref)} is ${commit}, not ${checksum}`);
}

/**
 * What BuildKit refuses of a git repository that ADD names, `keepGitDirectory` and `checksum` being its flags (BuildKit
 * v0.29, dfgitutil): a query with unknown, repeated, empty or contradicting members.
 */
export function findGitAddProblem(
  source: string,
  flags: { readonly keepGitDirectory: string | undefined; readonly checksum: string },
): string | undefined {
  const [beforeFragment = '', fragment = ''] = splitOnce(source, '#');
  const [, query = ''] = splitOnce(beforeFragment, '?');
  const found = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(query.split('&').filter(isQueryMember).join('&'))) {
    if (found.has(key)) return `its query gives ${quote(key)} twice`;
    if (value === '' && !SWITCHES.includes(key)) return `its query gives ${quote(key)} no value`;
    if (key === 'mtime' ? !/^(?:checkout|commit)$/.test(value) : !QUERY_KEYS.includes(key)) {
      return `its query has ${quote(key)}: ${QUERY_KEYS.join(', ')} are allowed`;
    }
    if (SWITCHES.includes(key) && value !== '' && parseGoBoolean(value) === undefined) {
      return `its query has ${key}=${quote(value)}: true and false are allowed`;
    }
    found.set(key, value);
  }
  const keep = found.get('keep-git-dir');
  const keeps = keep === undefined ? undefined : (parseGoBoolean(keep || 'true') ?? true);
  if (flags.keepGitDirectory !== undefined && keeps !== undefined && flags.keepGitDirectory !== String(keeps)) {
    return 'its query and --keep-git-dir contradict each other';
  }
  const checksum = found.get('checksum') ?? found.get('commit') ?? '';
  if (flags.checksum !== '' && checksum !== '' && flags.checksum !== checksum) {
    return 'its query and --checksum name different commits';
  }
  const [ref = '', directory = ''] = splitOnce(decode(fragment) ?? fragment, ':');
  return findContradiction(found, ref, cleanPath(`/${directory}`).slice(1));
}

/** Go leaves out what is not percent-encoded properly or holds a semicolon. */
function isQueryMember(member: string): boolean {
  return member !== '' && !member.includes(';') && decode(member) !== undefined;
}

function findContradiction(query: Parameters, ref: string, directory: string): string | undefined {
  const subdir = query.get('subdir');
  if (directory !== '' && subdir !== undefined && directory !== subdir) return 'it names two directories';
  if (query.has('tag') && query.has('branch')) return 'its query names a tag and a branch';
  const full = (kind: string, name: string | undefined) =>
    name === undefined || name.startsWith(kind) ? name : `${kind}${name}`;
  const refs = [ref, query.get('ref'), full('refs/tags/', query.get('tag')), full('refs/heads/', query.get('branch'))];
  return new Set(refs.filter((one) => one !== undefined && one !== '')).size > 1 ? 'it names two refs' : undefined;
}

function parseAddress(address: string): Parsed<string> {
  if (SCP_ADDRESS.test(address)) return parsed(address);
  const [, scheme = '', authority = '', path = ''] = ADDRESS.exec(address) ?? [];
  const name = scheme.toLowerCase();
  const at = authority.lastIndexOf('@');
  const user = at < 0 ? undefined : authority.slice(0, at);
  if (user !== undefined && (name !== 'ssh' || !USER.test(user))) {
    return unparsable(
      'is a URL with credentials in it, which every log would show; give them as the secret GIT_AUTH_TOKEN',
    );
  }
  if (!HOST.test(authority.slice(at + 1))) return unparsable('is a URL without a proper host');
  if (path === '' || path === '/') return unparsable('is a URL without the path of a repository');
  if (name.startsWith('http') && !path.endsWith('.git')) {
    return unparsable(
      'is a URL that does not end in .git; a directory or a git repository is allowed (unpack an archive in an earlier step)',
    );
  }
  return parsed(`${name}://${authority}${path}`);
}

type Parameters = ReadonlyMap<string, string>;

function parseQuery(query: string): Parsed<Parameters> {
  const found = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(query)) {
    if (!QUERY_KEYS.includes(key)) {
      return unparsable(`is a URL with ${quote(key)} in its query: ${QUERY_KEYS.join(', ')} are allowed`);
    }
    if (found.has(key)) return unparsable(`is a URL that gives ${key} twice`);
    if (value === '' && !SWITCHES.includes(key)) return unparsable(`is a URL that gives ${key} no value`);
    found.set(key, value);
  }
  for (const key of SWITCHES) {
    const value = found.get(key) ?? '';
    if (value !== '' && parseGoBoolean(value) === undefined)
      return unparsable(`is a URL with ${key}=${quote(value)}: true or false are allowed`);
  }
  return parsed(found);
}

function assemble(
  remote: string,
  fragment: { readonly ref: string; readonly directory: string },
  query: Parameters,
): Parsed<GitSource> {
  const full = (kind: string, name: string | undefined): string | undefined =>
    name === undefined || name.startsWith(kind) ? name : `${kind}${name}`;
  const refs = [
    fragment.ref || undefined,
    query.get('ref'),
    full('refs/tags/', query.get('tag')),
    full('refs/heads/', query.get('branch')),
  ].filter((ref) => ref !== undefined);
  if (new Set(refs).size > 1) return unparsable(`is a URL that names several refs: ${refs.map(quote).join(', ')}`);
  const directories = [fragment.directory, query.get('subdir') ?? ''].map(cleanDirectory).filter((one) => one !== '');
  if (new Set(directories).size > 1)
    return unparsable(`is a URL that names several directories: ${directories.map(quote).join(', ')}`);
  const [ref] = refs;
  const [directory = ''] = directories;
  const checksum = query.get('checksum') ?? query.get('commit');
  if (ref !== undefined && NO_REF.test(ref)) return unparsable(`is a URL whose ref ${quote(ref)} cannot be one`);
  if (directory.split('/').includes('..'))
    return unparsable(`is a URL whose directory ${quote(directory)} leads outside`);
  if (checksum !== undefined && !/^[0-9a-f]{7,64}$/.test(checksum))
    return unparsable(`is a URL whose checksum ${quote(checksum)} is not the id of a commit`);
  if (checksum !== undefined && ref !== undefined && isCommit(ref) && !ref.startsWith(checksum))
    return unparsable('is a URL that names one commit and the checksum of another');
  return parsed({
    remote,
    ref,
    checksum,
    directory,
    submodules: parseGoBoolean(query.get('submodules') || 'true') ?? true,
    keepsGitDirectory: query.has('keep-git-dir') && (parseGoBoolean(query.get('keep-git-dir') || 'true') ?? true),
  });
}

/** Without empty segments and those that stay where they are. */
function cleanDirectory(directory: string): string {
  return directory
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.')
    .join('/');
}

function isUrl(address: string): boolean {
  return address.includes('://');
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
