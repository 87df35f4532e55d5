import { findIgnoreFile } from './context.ts';
import type { ContextReading } from './context-inputs.ts';
import { type ContextUse, hasWildcards } from './core/context-use.ts';
import { findHidingLine } from './core/dockerignore.ts';
import { quote } from './core/printable.ts';
import { type Problem, UsageError } from './errors.ts';
import type { Files } from './host.ts';
import type { Run } from './stage.ts';
import type { ReadContext } from './use-reader.ts';

/** What leaves a path out of a context. */
export interface Hiding {
  /** The ignore file. */
  readonly file: string;
  readonly line: number;
  /** The pattern, as that line has it. */
  readonly text: string;
}

type Setting = Pick<Run, 'host' | 'git'>;

/** The line of the ignore file that hides something which is on the disk; `undefined` for what is not there anyway. */
export function findHiding(
  { host: { files }, git }: Setting,
  dockerfile: string,
  { name, open: { directory } }: Pick<ReadContext, 'name' | 'open'>,
  path: string,
): Hiding | undefined {
  const isOwn = name === undefined;
  const file =
    isOwn && git?.main !== undefined ? undefined : findIgnoreFile(files, directory, isOwn ? dockerfile : undefined);
  if (file === undefined || !isThere(files, files.path.join(directory, path))) return undefined;
  const found = findHidingLine(files.readText(file) ?? '', path);
  return found === undefined ? undefined : { file, ...found };
}

/** What lies in an ignored directory that may not be entered may be there. */
function isThere(files: Files, at: string): boolean {
  try {
    return files.kindOf(at) !== undefined;
  } catch {
    return true;
  }
}

/** `line 3 of ".dockerignore" hides it: "dist"`. */
export function describeHiding({ file, line, text }: Hiding, what = 'it'): string {
  return `line ${line} of ${quote(file)} hides ${what}: ${quote(text)}`;
}

/** UsageError for what BuildKit would refuse, too, but only after a builder is there; and for `others`, all at once. */
export function refuseMissing(
  run: Setting,
  dockerfile: string,
  { problems, contexts }: ContextReading,
  others: readonly Problem[] = [],
): void {
  const [first] = problems;
  if (first === undefined && others.length === 0) return;
  const messages = problems.map(({ problem, line, use }) => {
    const context = contexts.find(({ name }) => name === use.context);
    const path = literalPath(use);
    const hiding = context === undefined || path === '' ? undefined : findHiding(run, dockerfile, context, path);
    const why =
      hiding === undefined ? '' : `; ${describeHiding(hiding)}; take that line out, or except it by "!" below`;
    return `${quote(dockerfile)} line ${line}: ${problem}${why}`;
  });
  const missing = [...new Set(messages)].map((message) => ({ input: 'file', message }));
  throw new UsageError([...missing, ...others], first && { at: { file: dockerfile, line: first.line } });
}

/** What must be there: all of the source, up to the first wildcard of a glob. */
function literalPath({ op, source, required }: ContextUse): string {
  const names = (required ?? source).split('/').filter((name) => name !== '');
  const first = op === 'bind' || op === 'from' ? -1 : names.findIndex(hasWildcards);
  return names.slice(0, first < 0 ? undefined : first).join('/');
}
