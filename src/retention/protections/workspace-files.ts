import type { Files } from '../../host.ts';

/** A file that may name images. */
export interface CandidateFile {
  /** Relative to the workspace, with slashes. */
  readonly path: string;
  readonly kind: 'yaml' | 'dockerfile' | 'other';
}

export interface CandidateFiles {
  readonly files: readonly CandidateFile[];
  /** There were more than are looked at. */
  readonly isCut: boolean;
  /** There was no file of any kind. */
  readonly isEmpty: boolean;
  /** Directories that this user may not read. */
  readonly closed: readonly string[];
}

const SKIPPED = new Set(['.git', 'node_modules', 'vendor']);
const MAX_FILES = 20_000;
const MAX_ENTRIES = 1_000_000;
const YAML = /\.ya?ml$/i;
const DOCKERFILE = /^(?:Dockerfile|Containerfile)(?:[.-].+)?$|\.(?:Dockerfile|Containerfile)$/i;
/** Terraform's, development containers', Kubernetes' in JSON, and the variables of compose files. */
const OTHER = /\.(?:tf|tfvars|json)$|^\.env(?:\..+)?$|\.env$/i;

/**
 * The files of a directory and those below it that may name images, sorted by their paths. No link is followed: what one leads
 * to inside is met by its own path.
 */
export function candidateFiles(files: Files, directory: string): CandidateFiles {
  const found: CandidateFile[] = [];
  const ahead = [''];
  let entries = 0;
  let isEmpty = true;
  let isCut = false;
  const closed: string[] = [];
  for (let next = ahead.shift(); next !== undefined && !isCut; next = ahead.shift()) {
    const listed = listedIn(files, files.path.join(directory, next));
    if (listed === undefined) closed.push(next);
    for (const { name, kind } of [...(listed ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = next === '' ? name : `${next}/${name}`;
      entries += 1;
      if (kind === 'directory' && !SKIPPED.has(name)) ahead.push(path);
      if (kind !== 'file') continue;
      isEmpty = false;
      const type = typeOf(name);
      if (type !== undefined) found.push({ path, kind: type });
    }
    isCut = found.length > MAX_FILES || entries > MAX_ENTRIES;
  }
  return { files: found.slice(0, MAX_FILES), isCut, isEmpty, closed };
}

function typeOf(name: string): CandidateFile['kind'] | undefined {
  if (YAML.test(name)) return 'yaml';
  if (DOCKERFILE.test(name)) return 'dockerfile';
  return OTHER.test(name) ? 'other' : undefined;
}

/** Nothing for a directory that is not there; `undefined` for one that cannot be read. */
function listedIn(files: Files, directory: string): ReturnType<Files['list']> {
  try {
    return files.list(directory) ?? [];
  } catch {
    return undefined;
  }
}
