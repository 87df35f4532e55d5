import type { ContextReading } from './context-inputs.ts';
import type { RunFacts } from './core/changing-value.ts';
import { findOversize, type Weight } from './core/context-size.ts';
import { findGitDirectory, findLfsPointers, inContext, type SeenContext } from './core/context-warnings.ts';
import { counted } from './core/counted.ts';
import { findChangingArgs, findChangingImages, findLatestImages, type NamedValue } from './core/dockerfile-warnings.ts';
import { findUnreadLocks, type UnreadLock } from './core/lock-files.ts';
import { quote } from './core/printable.ts';
import { formatSize } from './core/size-text.ts';
import type { Warning } from './core/warning.ts';
import type { DockerfileInputs, Unpinned } from './dockerfile-inputs.ts';
import { effectiveArgs } from './forwarded-args.ts';
import { findScopeWarnings } from './hash-scope.ts';
import { describeHiding, findHiding, type Hiding } from './hidden-path.ts';
import type { Run } from './stage.ts';
import type { ReadContext } from './use-reader.ts';

/** What was evaluated for the hash. */
export interface Evaluated {
  readonly dockerfile: string;
  readonly read: DockerfileInputs;
  readonly reading: ContextReading;
  /** What no digest can be asked for. */
  readonly unpinned: readonly Unpinned[];
}

/**
 * What a person should look at, each once whatever the platforms, the worst first: what lets nothing be reused, what gives
 * an image that nobody wanted, what costs time. From what was read for the hash; where something was found, a few names more
 * are looked up on the disk.
 */
export function findWarnings(run: Run, evaluated: Evaluated): readonly Warning[] {
  const { read, reading } = evaluated;
  const contexts = reading.contexts.map(({ name, open, lines }): SeenContext => ({ name, read: open.read, lines }));
  const unpinned = evaluated.unpinned.map(({ message, line, hint }) => {
    const todo = hint === undefined ? '' : `; ${hint}`;
    return { message: `${message}: what it brings cannot be known beforehand, so every run builds${todo}`, line };
  });
  const images = read.reached.flatMap((target) => target.images);
  return [
    ...[...read.warnings, ...findScopeWarnings(reading.scoped)].map((message) => ({ message, line: undefined })),
    ...unpinned,
    ...contexts.flatMap(findGitDirectory),
    ...findChangingArgs(givenArgs(run, read), runFacts(run)),
    ...findChangingImages(images, runFacts(run)),
    ...reading.contexts.flatMap((context) => findEmptied(run, evaluated, context)),
    ...contexts.flatMap(findLfsPointers),
    ...reading.contexts.flatMap((context) => findUnread(run, evaluated, context)),
    ...findLatestImages(images),
    ...contexts.flatMap(describeSize),
  ];
}

/** What the target declares, then what counts without. Those with values only: a default is the same in every run. */
function givenArgs({ options, host }: Run, { reached, buildArgs }: DockerfileInputs): readonly NamedValue[] {
  const values = effectiveArgs(options.buildArgs, host);
  const undeclared = Object.keys(buildArgs).map((name) => ({ name, line: undefined }));
  return [...reached.flatMap(({ args }) => args), ...undeclared].flatMap(({ name, line }) => {
    const value = values.get(name);
    return value === undefined ? [] : { name, value, line };
  });
}

function runFacts({ host, event, startedAt }: Run): RunFacts {
  const { sha, headSha, commitDate } = event.git;
  return {
    commits: [sha, headSha].flatMap((commit) => commit ?? []),
    runId: host.env['GITHUB_RUN_ID'] ?? '',
    runNumber: host.env['GITHUB_RUN_NUMBER'] ?? '',
    startedMs: startedAt.getTime(),
    committedMs: commitDate?.getTime(),
  };
}

/** Directories that are copied, and of which the ignore file leaves nothing though there is something. */
function findEmptied(run: Run, evaluated: Evaluated, context: ReadContext): readonly Warning[] {
  const { files } = run.host;
  return [...context.empty].flatMap(([path, line]) => {
    const [first] = files.list(files.path.join(context.open.directory, path)) ?? [];
    const inside = first === undefined ? undefined : [path, first.name].filter((part) => part !== '').join('/');
    const hiding = inside === undefined ? undefined : findHiding(run, evaluated.dockerfile, context, inside);
    if (hiding === undefined) return [];
    const what = `nothing of ${quote(path === '' ? '.' : path)}${inContext(context.name)} is copied`;
    return [
      { message: `${what}: ${describeHiding(hiding, 'what is in it')}; take that line out or make it narrower`, line },
    ];
  });
}

/** Looked for where people keep them: in the context itself, and beside the Dockerfile. */
function findUnread(run: Run, evaluated: Evaluated, context: ReadContext): readonly Warning[] {
  const { files } = run.host;
  const { directory, tree, read } = context.open;
  const { path: paths } = files;
  const beside = paths.relative(files.resolve(directory), files.resolve(paths.dirname(evaluated.dockerfile)));
  const inside = beside.split(paths.sep).join('/');
  const isInside =
    context.name === undefined && inside !== '..' && !inside.startsWith('../') && !paths.isAbsolute(beside);
  const exists = (path: string): boolean =>
    tree.kindOf(path) === 'file' || files.kindOf(paths.join(directory, path)) === 'file';
  if (evaluated.read.targets === undefined) return [];
  return [...new Set(['', ...(isInside ? [inside] : [])])]
    .flatMap((at) => findUnreadLocks(at, read, exists))
    .flatMap((unread) => {
      const hiding = findHiding(run, evaluated.dockerfile, context, unread.lock);
      const line = context.lines.get(unread.manifest);
      return isMeant(hiding, unread) ? [] : [{ message: describeUnread(unread, context, hiding), line }];
    });
}

/** An ignore file that names the very file has been told so. */
function isMeant(hiding: Hiding | undefined, { lock }: UnreadLock): boolean {
  const name = lock.slice(lock.lastIndexOf('/') + 1);
  return hiding?.text === name || hiding?.text.endsWith(`/${name}`) === true;
}

function describeUnread({ manifest, lock }: UnreadLock, { name }: ReadContext, hiding: Hiding | undefined): string {
  const seen = hiding === undefined ? '' : ` (${describeHiding(hiding)})`;
  const what = `${quote(manifest)}${inContext(name)} is copied without ${quote(lock)}${seen}`;
  return `${what}: other versions may be installed than it says, and a change of it builds nothing; copy it too, or name it in the ignore file if that is meant`;
}

function describeSize(context: SeenContext): readonly Warning[] {
  const found = findOversize(context);
  if (found === undefined) return [];
  const { sizeBytes, fileCount, largest, line } = found;
  const parts = largest.map((part) => `${quote(part.path)} (${amount(part)})`).join(', ');
  const blame = parts === '' ? '' : `, most of it in ${parts}`;
  const what = `the build reads ${amount({ sizeBytes, fileCount })}${inContext(context.name)}${blame}`;
  return [{ message: `${what}; leave out by .dockerignore what the image does not need, or copy less`, line }];
}

function amount({ sizeBytes, fileCount }: Pick<Weight, 'sizeBytes' | 'fileCount'>): string {
  return `${formatSize(sizeBytes)} in ${counted(fileCount, 'file')}`;
}
