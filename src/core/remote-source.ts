import { splitOnce } from './split-once.ts';

/** A commit id of git, as BuildKit tells it from a branch. */
const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const SCP_STYLE = /^[a-zA-Z0-9-_]+@[a-zA-Z0-9-.]+:/;

/** True when ADD fetches this from the network: http(s), `git://`, `ssh://` and `user@host:path` (BuildKit v0.29, gitutil). */
export function isRemoteSource(source: string): boolean {
  return /^(?:https?|git|ssh):\/\//i.test(source) || SCP_STYLE.test(source);
}

/**
 * What ADD makes of a source: a git repository, something to fetch, or a path of the context (BuildKit v0.29, dfgitutil).
 * Narrower than {@link isRemoteSource}: `HTTP://…` is a path.
 */
export function remoteKind(source: string): 'git' | 'http' | 'local' {
  if (isGitSource(source)) return 'git';
  return /^https?:\/\//.test(source) ? 'http' : 'local';
}

/** True for what is read as a git repository; over http(s), only what ends in `.git` is one. */
export function isGitSource(source: string): boolean {
  const [address = ''] = source.split(/[?#]/, 1);
  if (/^https?:/i.test(address)) return /^https?:\/\/[^/]*\/.*\.git$/is.test(address) && address.endsWith('.git');
  return isRemoteSource(address);
}

/** True for the id of a commit. */
export function isCommit(text: string): boolean {
  return COMMIT.test(text);
}

/**
 * True when a source that is a git repository names the commit itself: `#<commit>`, or `ref`, `commit` or `checksum` in the
 * query. What it brings never changes.
 */
export function namesCommit(source: string): boolean {
  const [beforeFragment = '', fragment = ''] = splitOnce(source, '#');
  const [address = '', query = ''] = splitOnce(beforeFragment, '?');
  if (!isGitSource(address)) return false;
  const [ref = ''] = fragment.split(':', 1);
  const parameters = new URLSearchParams(query);
  const pins = ['checksum', 'commit', 'ref'].map((name) => parameters.get(name) ?? '');
  return [ref, ...pins].some((pin) => COMMIT.test(pin));
}
