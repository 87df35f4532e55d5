import { compareReleases, type TagForm, type Version, versionOfTag } from './version.ts';

/** A tag that stands for the highest release of a range. */
export interface VersionLine {
  /** How many leading numbers the range fixes: 0 for `latest`, 1 for `1`, 2 for `1.2`. */
  readonly depth: 0 | 1 | 2;
  /** What this run would put there. */
  readonly version: Version;
  /** How the range's full versions are written as tags. */
  readonly form: TagForm;
}

/**
 * `immutable` is created and never moved; `version-line` moves up only; `branch` moves while this run's commit is the
 * branch's head; `other-moving` moves with every run.
 */
export type TagKind = 'immutable' | 'version-line' | 'branch' | 'other-moving';

export interface Movable {
  readonly tag: string;
  readonly kind: TagKind;
  /** There when the kind is `version-line`. */
  readonly line?: VersionLine;
}

export interface Move {
  readonly tag: string;
  readonly move: boolean;
  /** Half a sentence that follows the tag's name: "stays, 2.0.1 is higher". */
  readonly reason: string;
}

/**
 * Which tags this run may set, given all tags of the one repository that it writes to. A version line moves only when no
 * stable version of its range is higher than this run's. Tags that are no full version of the line's form say nothing.
 * For branches and immutable tags that exist the caller has more to ask: whose commit, which digest.
 */
export function decideMoves(candidates: readonly Movable[], existingTags: readonly string[]): readonly Move[] {
  const existing = new Set(existingTags);
  const releases = new Map<string, readonly Version[]>();
  const releasesOf = ({ form, version }: VersionLine): readonly Version[] => {
    const key = JSON.stringify([version.scheme, form]);
    const found = releases.get(key) ?? stableVersions(existingTags, form, version.scheme);
    releases.set(key, found);
    return found;
  };
  return candidates.map((candidate): Move => {
    const { tag, kind, line } = candidate;
    if (line !== undefined) return { tag, ...decideLine(line, releasesOf(line)) };
    if (kind !== 'immutable')
      return { tag, move: true, reason: kind === 'branch' ? 'follows its branch' : 'moves freely' };
    const exists = existing.has(tag);
    return { tag, move: !exists, reason: exists ? 'exists, and never moves' : 'is new' };
  });
}

function decideLine({ depth, version }: VersionLine, releases: readonly Version[]): Omit<Move, 'tag'> {
  if (!version.stable) return { move: false, reason: `stays, the pre-release ${version.text} moves no version line` };
  const inLine = releases.filter((one) =>
    version.release.slice(0, depth).every((number, index) => number === (one.release[index] ?? 0)),
  );
  const highest = inLine.reduce((high, one) => (compareReleases(one, high) > 0 ? one : high), version);
  if (compareReleases(highest, version) > 0) return { move: false, reason: `stays, ${highest.text} is higher` };
  return { move: true, reason: `moves, ${version.text} is the highest${depth === 0 ? '' : ' in its line'}` };
}

function stableVersions(tags: readonly string[], form: TagForm, scheme: Version['scheme']): readonly Version[] {
  return tags.flatMap((tag) => {
    const version = versionOfTag(tag, form, scheme);
    return version?.stable === true ? [version] : [];
  });
}
