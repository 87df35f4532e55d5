import { type Parsed, parsed, unparsable } from './parsed.ts';

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
  const [beforeFragment = ''] = splitOnce(source, '#');
  const [address = ''] = splitOnce(beforeFragment, '?');
  if (!/^\.\.?\//.test(source) && isGitAddress(address)) return 'git';
  return /^https?:\/\//.test(source) ? 'http' : 'local';
}

/** A directory by its path, blanks around it dropped. A URL may hold a token, so that the problem does not show it. */
export function parseLocalDirectory(text: string): Parsed<string> {
  const directory = text.trim();
  if (!isRemoteSource(directory)) return parsed(directory);
  return unparsable('is a URL; a directory is allowed (check the repository out first)');
}

/**
 * True when a source that is a git repository names the commit itself: `#<commit>`, or `ref`, `commit` or `checksum` in the
 * query. What it brings never changes.
 */
export function namesCommit(source: string): boolean {
  const [beforeFragment = '', fragment = ''] = splitOnce(source, '#');
  const [address = '', query = ''] = splitOnce(beforeFragment, '?');
  if (!isGitAddress(address)) return false;
  const [ref = ''] = fragment.split(':', 1);
  const parameters = new URLSearchParams(query);
  const pins = ['checksum', 'commit', 'ref'].map((name) => parameters.get(name) ?? '');
  return [ref, ...pins].some((pin) => COMMIT.test(pin));
}

/** Over http(s), only what ends in `.git` is a repository. */
function isGitAddress(address: string): boolean {
  if (/^https?:\/\//i.test(address)) return /^https?:\/\/[^/]*\/.*\.git$/is.test(address);
  return isRemoteSource(address);
}

function splitOnce(text: string, separator: string): readonly string[] {
  const index = text.indexOf(separator);
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)];
}
