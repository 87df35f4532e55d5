import type { ContextReading, ScopedReading } from './context-inputs.ts';
import { counted } from './core/counted.ts';
import { quote } from './core/printable.ts';
import type { TagCandidate } from './core/tag-candidates.ts';
import { parseVersion } from './core/version.ts';
import type { Problem } from './errors.ts';
import type { Run } from './stage.ts';

/** How many files and tags are named. */
const MAX_NAMED = 5;

/** What counts, in words: `7 context entries`, or `2 of 7 files that the build reads (hash-scope: manifests)`. */
export function whatCounts({ paths, scoped, inputs, contexts }: ContextReading): string {
  if (scoped === undefined) {
    const own = counted(paths.length, 'context entry', 'context entries');
    const read = contexts.filter(({ name }) => name !== undefined).map(({ lines }) => lines.size);
    const whole = Object.values(inputs.namedContexts).map((one) => ('entries' in one ? one.entries.length : 0));
    const named = [...read, ...whole].reduce((sum, count) => sum + count, 0);
    return named === 0 ? own : `${own}, ${named} of named contexts`;
  }
  const all = scoped.counted + scoped.others.length;
  return `${scoped.counted} of ${counted(all, 'file')} that the build reads (hash-scope: manifests)`;
}

type TagChoice = Pick<Run, 'options' | 'tags'>;

/** The tags that stand for a version: those that never move, and the lines that move with them. */
export function findVersionTags({ options: { immutableTags }, tags }: TagChoice): readonly string[] {
  const isOfVersion = ({ kind, tag }: TagCandidate): boolean =>
    kind === 'immutable' ||
    kind === 'version-line' ||
    // Then a full version may be a tag like any other, that moves.
    (immutableTags !== undefined && parseVersion(tag) !== undefined);
  return [...new Set(tags.candidates.filter(isOfVersion).map(({ tag }) => tag))];
}

/**
 * Version tags of a run whose image may hold other sources than the commit that is released: with `hash-scope: manifests`,
 * an image is reused although files that the build reads have changed. Other tags promise no sources.
 */
export function findScopeProblems(run: TagChoice, scoped: ScopedReading | undefined): readonly Problem[] {
  if (scoped === undefined || scoped.others.length === 0) return [];
  const versions = findVersionTags(run);
  if (versions.length === 0) return [];
  const message =
    `manifests and the version ${versions.length === 1 ? 'tag' : 'tags'} ${some(versions)} do not go together: ` +
    `${whatElse(scoped)}, so that a release could get an image with older ones. Set tags that are no versions, ` +
    'copy nothing but manifests, name the other files in hash-files, or use inputs';
  return [{ input: 'hash-scope', message }];
}

/** Says which files the build reads although no edit of theirs causes one. */
export function findScopeWarnings(scoped: ScopedReading | undefined): readonly string[] {
  if (scoped === undefined || scoped.others.length === 0) return [];
  return [`hash-scope: manifests: ${whatElse(scoped)}; when only they change, nothing is built`];
}

function whatElse({ others }: ScopedReading): string {
  const many = `${counted(others.length, 'file')} that ${others.length === 1 ? 'does' : 'do'} not count`;
  return `the build reads ${many} (${some(others)})`;
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMED).map(quote).join(', ');
  return names.length > MAX_NAMED ? `${shown}, …` : shown;
}
