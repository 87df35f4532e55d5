import { cleanPath } from './clean-path.ts';
import { flagOf, flagsOf, type Instruction, sourcesOf } from './dockerfile.ts';
import { findGitAddProblem } from './git-source.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';
import { namesCommit, remoteKind } from './remote-source.ts';
import { type BoundMount, bindMount } from './run-mount.ts';
import type { EscapeCharacter } from './shell-words.ts';
import { type Environment, expandIn } from './stage-environment.ts';
import type { Source } from './stage-graph.ts';

/** Something that a build reads of a context. */
export interface ContextUse {
  /** `from`: a stage begins from the whole of a named context. */
  readonly op: 'copy' | 'add' | 'bind' | 'from';
  /** The named context, by the name it was given; `undefined` for the build's own. */
  readonly context: string | undefined;
  /** Begins with a slash, cleaned. For `copy` and `add` a glob. */
  readonly source: string;
  /** `--parents`: of the source, only what one of these patterns matches; names keep the path from there. */
  readonly include: readonly string[] | undefined;
  /** `--exclude`, as written. */
  readonly exclude: readonly string[];
  /** `--parents` without a glob: the path that must be there. */
  readonly required: string | undefined;
  readonly line: number;
}

/** What ADD fetches. */
export interface RemoteSource {
  /** As written. */
  readonly source: string;
  /** A checksum or a commit says what it brings. */
  readonly isPinned: boolean;
}

/** What an instruction reads of contexts and of the network. */
export interface InstructionReads {
  readonly uses: readonly ContextUse[];
  /** URLs and git repositories of ADD. */
  readonly remotes: readonly RemoteSource[];
  /** The stages and images whose content it takes. */
  readonly from: readonly Source[];
  /** What depends on variables that nobody told us. */
  readonly uncertain: readonly string[];
}

/** Where an instruction stands: its variables, and what was set before it. */
export interface Place {
  readonly environment: Environment;
  readonly escape: EscapeCharacter;
  /** `undefined` when it is not known. */
  readonly directory: string | undefined;
}

/** What COPY or ADD reads. `from`: what COPY copies from. A problem where BuildKit v0.29 refuses it (dispatchCopy). */
export function copyReads(instruction: Instruction, from: Source | undefined, place: Place): Parsed<InstructionReads> {
  const { name, line } = instruction;
  const expand = (word: string) => expandIn(place.environment, word, place.escape);
  const { paths, destination } = sourcesOf(instruction);
  const values = ['chown', 'chmod', 'checksum'].map((flag) => expand(flagOf(instruction, flag) ?? ''));
  const sources = paths.map((written) => ({ written, ...expand(written) }));
  const failed = [...sources, expand(destination), ...values].find((one) => one.text === undefined && one.certain);
  if (failed?.problem !== undefined) return unparsable(failed.problem);
  const [, chmod, checksum] = values;
  const problem =
    (chmod?.certain === true ? findModeProblem(chmod.text ?? '') : undefined) ??
    (checksum?.certain === true ? findChecksumProblem(checksum.text ?? '', sources) : undefined);
  if (problem !== undefined) return unparsable(`${name}: ${problem}`);
  const uses: ContextUse[] = [];
  const remotes: RemoteSource[] = [];
  const isChecked = checksum?.certain === true && (checksum.text ?? '') !== '';
  const uncertain: string[] = [];
  for (const { written, text, certain } of sources) {
    if (!certain || text === undefined) {
      uncertain.push(written);
    } else if (remoteKind(text) === 'local') {
      const use = from === undefined || from.kind === 'context' ? localUse(instruction, text, from) : undefined;
      if (use !== undefined) uses.push(use);
    } else if (name === 'COPY') {
      return unparsable(`COPY ${quote(text)}: a URL cannot be copied; ADD can fetch it`);
    } else {
      const flags = { keepGitDirectory: flagOf(instruction, 'keep-git-dir'), checksum: checksum?.text ?? '' };
      const found = remoteKind(text) === 'git' ? findGitAddProblem(text, flags) : undefined;
      if (found !== undefined) return unparsable(`ADD ${quote(written)}: ${found}`);
      remotes.push({ source: written, isPinned: isChecked || namesCommit(text) });
    }
  }
  const isElsewhere = from !== undefined && from.kind !== 'context';
  return parsed({
    uses,
    remotes,
    from: from === undefined || paths.length === 0 ? [] : [from],
    uncertain: isElsewhere ? [] : uncertain.map((word) => `${name} ${quote(word)} on line ${line}`),
  });
}

function localUse(instruction: Instruction, text: string, from: Source | undefined): ContextUse {
  const use = {
    op: instruction.name === 'ADD' ? 'add' : 'copy',
    context: from?.kind === 'context' ? from.name : undefined,
    exclude: flagsOf(instruction, 'exclude'),
    line: instruction.line,
  } as const;
  if (flagOf(instruction, 'parents') !== 'true') {
    return { ...use, source: cleanPath(`/${text}`), include: undefined, required: undefined };
  }
  const pivot = text.indexOf('/./');
  const parent = pivot < 0 ? '/' : text.slice(0, pivot);
  const rest = pivot < 0 ? text : text.slice(pivot + 3);
  // An absolute pattern is left as it is written, as in BuildKit.
  const pattern = rest.startsWith('/') ? rest : cleanPath(`/${rest}`);
  const isLiteral = !hasWildcards(parent) && !hasWildcards(pattern);
  return {
    ...use,
    source: cleanPath(`/${parent}`),
    include: [pattern.replace(/^\//, '')],
    required: isLiteral ? cleanPath(`/${parent}/${pattern}`) : undefined,
  };
}

/** True for what Go's filepath.Match would not take literally. */
export function hasWildcards(text: string): boolean {
  return /^(?:[^*?[\\]|\\.)*[*?[]/su.test(text);
}

/** Octal up to 07777, or the symbolic form of chmod(1). */
function findModeProblem(mode: string): string | undefined {
  if (mode === '') return undefined;
  const allowed = /^[0-7]+$/.test(mode)
    ? Number.parseInt(mode, 8) <= 0o7777
    : /^[ugoa]*(?:[-+=][rwxXstugo]*)+(?:,[ugoa]*(?:[-+=][rwxXstugo]*)+)*$/.test(mode);
  return allowed ? undefined : `--chmod=${quote(mode)}: an octal number up to 07777 or a form like u+x is allowed`;
}

const CHECKSUM = /^(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$/;

function findChecksumProblem(
  checksum: string,
  sources: readonly { readonly text: string | undefined; readonly certain: boolean }[],
): string | undefined {
  if (checksum === '') return undefined;
  const [source, second] = sources;
  if (source === undefined || second !== undefined) return '--checksum goes with exactly one source';
  if (source.text === undefined || !source.certain) return undefined;
  const kind = remoteKind(source.text);
  // As a build context `github.com/…` is a repository; here it is a path, which may have a checksum all the same.
  if (kind === 'local' && !source.text.startsWith('github.com/'))
    return '--checksum goes with a URL or a git repository';
  return kind === 'http' && !CHECKSUM.test(checksum) ? `--checksum=${quote(checksum)} is no digest` : undefined;
}

/**
 * What the mounts of RUN read. `sources`: what `from` of each mount names, `undefined` without one. A problem where BuildKit
 * v0.29 refuses a mount (dispatchRunMounts).
 */
export function mountReads(
  instruction: Instruction,
  sources: readonly (Source | undefined)[],
  { environment, escape, directory }: Place,
): Parsed<InstructionReads> {
  const { line } = instruction;
  const from: Source[] = [];
  const uncertain: string[] = [];
  const bound: { readonly use: ContextUse; readonly target: string }[] = [];
  for (const [index, flag] of flagsOf(instruction, 'mount').entries()) {
    const mount = bindMount(flag, (word) => expandIn(environment, word, escape));
    if (!mount.ok) return unparsable(`RUN: ${mount.problem}`);
    const source = sources[index];
    if (mount.value.kind === 'uncertain') {
      uncertain.push(`RUN --mount=${quote(flag)} on line ${line}`);
      if (source !== undefined) from.push(source);
      continue;
    }
    if (mount.value.kind !== 'bind' && mount.value.kind !== 'cache' && mount.value.kind !== 'tmpfs') continue;
    const target = targetOf(mount.value, directory);
    if (target === '/' && (directory !== undefined || mount.value.target.startsWith('/'))) {
      return unparsable(`RUN: --mount=${quote(flag)}: it cannot be mounted on the root directory; give a target`);
    }
    if (mount.value.kind === 'tmpfs') continue;
    if (source !== undefined) from.push(source);
    const isContext = source === undefined ? mount.value.kind === 'bind' : source.kind === 'context';
    if (!isContext) continue;
    const context = source?.kind === 'context' ? source.name : undefined;
    const path = cleanPath(`/${mount.value.source}`);
    const use = {
      op: 'bind',
      context,
      source: path,
      include: undefined,
      exclude: [],
      required: undefined,
      line,
    } as const;
    bound.push({ use, target });
  }
  // Mounts are made in the order of where they go.
  bound.sort((a, b) => (a.target < b.target ? -1 : a.target > b.target ? 1 : 0));
  return parsed({ uses: bound.map(({ use }) => use), remotes: [], from, uncertain });
}

function targetOf({ target }: BoundMount, directory: string | undefined): string {
  return target.startsWith('/') ? cleanPath(target) : cleanPath(`/${directory ?? ''}/${target}`);
}

/** The whole of a named context, which a stage begins from. */
export function wholeContext(context: string, line: number): ContextUse {
  return { op: 'from', context, source: '/', include: undefined, exclude: [], required: undefined, line };
}
