import type { PathUse } from '../core/bake/image-inputs.ts';
import { quote } from '../core/printable.ts';
import { splitOnce } from '../core/split-once.ts';
import type { Host } from '../host.ts';
import { MAX_LINKS } from '../inside.ts';

const EVERYTHING = '*';
/** What a builder must be asked for besides paths. */
const BUILDER_ENTITLEMENTS = /^(?:network\.host|security\.insecure|device(?:=.*)?)$/;

/** What a target wants to use. */
export interface Wishes {
  readonly paths: readonly PathUse[];
  readonly usesAgent: boolean;
  /** Of the builder: `network.host`. */
  readonly entitlements: readonly string[];
}

/**
 * What a target wants that the input `allow` does not grant, as `docker buildx bake --allow` has it: paths outside of the
 * workspace, links followed, need `fs=PATH`, `fs.read=PATH`, `fs.write=PATH` or `fs=*`; the SSH agent needs `ssh`; an
 * entitlement itself. A bake file is part of the pull request that brings it, `allow` is part of the workflow.
 */
export function refusals(
  { paths, usesAgent, entitlements }: Wishes,
  allow: readonly string[],
  host: Host,
): readonly string[] {
  const refused: PathUse[] = [];
  const roots = { read: grantedRoots(allow, 'read', host), write: grantedRoots(allow, 'write', host) };
  const messages = paths.flatMap((use) => {
    const { what, path, access } = use;
    const at = resolveLinks(host, path);
    const isGranted = (root: string): boolean => root === EVERYTHING || (at !== undefined && isInside(host, root, at));
    if (roots[access].some(isGranted)) return [];
    // The Dockerfile of a context that is refused is not worth a word of its own.
    const isSaid = refused.some((other) => path.startsWith(`${other.path}/`));
    refused.push(use);
    const where = at === undefined ? 'goes over too many links' : 'lies outside of the workspace';
    return isSaid
      ? []
      : [`${what} ${quote(path)} ${where}; only the workflow may grant that: allow: fs.${access}=${path}`];
  });
  const agent =
    usesAgent && !allow.includes('ssh')
      ? ['it asks for the SSH agent; only the workflow may grant that: allow: ssh']
      : [];
  const missing = entitlements.filter((one) => !isEntitled(one, allow));
  return [
    ...new Set([...messages, ...agent]),
    ...missing.map(
      (one) => `it asks for the entitlement ${quote(one)}; only the workflow may grant that: allow: ${one}`,
    ),
  ];
}

function isEntitled(entitlement: string, allow: readonly string[]): boolean {
  const [kind] = splitOnce(entitlement, '=');
  return (
    allow.some((one) => one.split(',').includes(entitlement) || (kind === 'device' && one === kind)) &&
    BUILDER_ENTITLEMENTS.test(entitlement)
  );
}

function grantedRoots(allow: readonly string[], access: PathUse['access'], host: Host): readonly string[] {
  const granted = allow.flatMap((one) => {
    const [key, path = ''] = splitOnce(one, '=');
    return key === 'fs' || key === `fs.${access}` ? [path] : [];
  });
  return ['', ...granted].flatMap((path) => (path === EVERYTHING ? [path] : (resolveLinks(host, path) ?? [])));
}

function isInside({ files: { path } }: Host, root: string, at: string): boolean {
  const relative = path.relative(root, at);
  return relative === '' || !(relative === '..' || relative.startsWith(`..${path.sep}`) || path.isAbsolute(relative));
}

/** Where a path leads on this machine; what is not there yet counts as it is written. `undefined` for too many links. */
function resolveLinks({ files }: Host, given: string): string | undefined {
  const { path } = files;
  const split = (text: string): string[] =>
    text.split(path.sep === '\\' ? /[\\/]/ : '/').filter((name) => name !== '' && name !== '.');
  const absolute = files.resolve(given === '' ? '.' : given);
  const { root } = path.parse(absolute);
  const left = split(absolute.slice(root.length));
  let at = root;
  let links = 0;
  for (let name = left.shift(); name !== undefined; name = left.shift()) {
    if (name === '..') {
      at = path.dirname(at);
      continue;
    }
    const next = path.join(at, name);
    if (kindOf(files, next) !== 'symlink') {
      at = next;
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) return undefined;
    const target = files.readLink(next);
    if (path.isAbsolute(target)) at = path.parse(target).root;
    left.unshift(...split(path.isAbsolute(target) ? target.slice(path.parse(target).root.length) : target));
  }
  return at;
}

/** What may not be looked at is nobody's link to follow. */
function kindOf(files: Host['files'], at: string): ReturnType<Host['files']['kindOf']> {
  try {
    return files.kindOf(at);
  } catch {
    return 'other';
  }
}

/** Those of the files that lie in the workspace, and lead out of it over links that the workflow does not allow. */
export function refusedLinks(given: readonly string[], allow: readonly string[], host: Host): readonly string[] {
  const { files } = host;
  const own = given.filter((file) => isInside(host, files.resolve('.'), files.resolve(files.path.normalize(file))));
  const paths = own.map((file): PathUse => ({ what: 'the file', path: file, access: 'read' }));
  return refusals({ paths, usesAgent: false, entitlements: [] }, allow, host);
}
