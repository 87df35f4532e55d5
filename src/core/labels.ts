import { compareCodePoints } from './code-point-order.ts';
import { toLine } from './printable.ts';

/** The annotation and label that carries the full content hash: what makes an image reusable. */
export const INPUTS_ANNOTATION = 'dev.build-once.inputs';
/** The dependency manifests that were hashed, so that a reader sees at a glance what the image was made from. */
const MANIFESTS_ANNOTATION = 'dev.build-once.manifests';

/** When something was made, RFC 3339. */
export const CREATED_ANNOTATION = 'org.opencontainers.image.created';
const REVISION = 'org.opencontainers.image.revision';
const PREFIX = 'org.opencontainers.image.';
const MAX_LISTED_LENGTH = 2048;
/** The levels that buildx takes before an annotation's key: `index:`, `manifest[linux/amd64],index-descriptor:`. */
const LEVELS = /^(?:(?:index|manifest)(?:-descriptor)?(?:\[[^\]]*\])?(?:,|(?=:)))+:/;

/** Keys that say who built when, not what is inside: they change every run and never count towards the hash. */
const VOLATILE = new Set(
  ['created', 'revision', 'version', 'ref.name', 'source', 'url', 'documentation', 'title'].map((key) => PREFIX + key),
);

/** What is known of the image besides its content. */
export interface ImageFacts {
  readonly hash: string;
  /** Paths, in order. */
  readonly dependencyManifests: readonly string[];
  readonly title: string | undefined;
  readonly description: string | undefined;
  readonly license: string | undefined;
  readonly source: string | undefined;
  readonly revision: string | undefined;
  readonly version: string | undefined;
  /** RFC 3339. */
  readonly created: string;
}

/**
 * The labels and annotations that every image gets (annotation keys of image-spec v1.1.1, annotations.md). Those the user
 * gives come after and win, but never over the content hash.
 */
export function imageLabels(facts: ImageFacts): Readonly<Record<string, string>> {
  const labels: Record<string, string | undefined> = {
    [`${PREFIX}title`]: facts.title,
    [`${PREFIX}description`]: facts.description,
    [`${PREFIX}licenses`]: facts.license,
    [`${PREFIX}source`]: facts.source,
    [`${PREFIX}url`]: facts.source,
    [REVISION]: facts.revision,
    [`${PREFIX}version`]: facts.version,
    [CREATED_ANNOTATION]: facts.created,
    [MANIFESTS_ANNOTATION]: listed(facts.dependencyManifests),
    [INPUTS_ANNOTATION]: facts.hash,
  };
  const entries: [string, string][] = [];
  for (const [key, value] of Object.entries(labels)) {
    if (value !== undefined && value !== '') entries.push([key, toLine(value, MAX_LISTED_LENGTH)]);
  }
  return Object.fromEntries(entries);
}

/** `KEY=VALUE` texts as a record; the last one of a key wins. */
export function readAssignments(assignments: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    assignments.map((text) => {
      const [key = ''] = text.split('=', 1);
      return [key, text.slice(key.length + 1)];
    }),
  );
}

/** True for `KEY=VALUE` whose key says who built when: left out of the hash. An annotation's level (`index:`) is ignored. */
export function isVolatileLabel(assignment: string): boolean {
  return VOLATILE.has(keyOf(assignment).replace(LEVELS, ''));
}

function keyOf(assignment: string): string {
  return assignment.split('=', 1)[0] ?? '';
}

/**
 * The `KEY=VALUE` that count towards the hash, in an order that does not depend on the one given: of one key the last wins.
 * Keys that differ in their level only stay in order, since one may cover the other.
 */
export function countedLabels(given: readonly string[]): readonly string[] {
  const last = new Map<string, string>();
  for (const assignment of given) {
    const key = keyOf(assignment);
    last.delete(key);
    last.set(key, assignment);
  }
  const counted = [...last].filter(([, assignment]) => !isVolatileLabel(assignment));
  const named = counted.map(([key, assignment]) => ({ name: key.replace(LEVELS, ''), assignment }));
  return named.sort((a, b) => compareCodePoints(a.name, b.name)).map(({ assignment }) => assignment);
}

/** The commit that the image names as its source, if any. */
export function revisionOf(annotations: Readonly<Record<string, string>>): string | undefined {
  return annotations[REVISION];
}

/** When the image says that it was made, as RFC 3339 text. */
export function createdOf(annotations: Readonly<Record<string, string>>): string | undefined {
  return annotations[CREATED_ANNOTATION];
}

function listed(paths: readonly string[]): string {
  const all = paths.join(', ');
  return all.length <= MAX_LISTED_LENGTH ? all : `${paths.length} files`;
}
