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
  /** The tag of the higher release that keeps a version line where it is. */
  readonly higher?: string;
}

/**
 * Which tags this run may set, given all tags of the one repository that it writes to. A version line moves only when no
 * stable version of its range is higher than this run's. Tags that are no full version of the line's form say nothing.
 * For branches and immutable tags that exist the caller has more to ask: whose commit, which digest.
 */
export function decideMoves(candidates: readonly Movable[], existingTags: readonly string[]): readonly Move[] {
  const existing = new Set(existingTags);
  const releases = new Map<string, readonly Released[]>();
  const releasesOf = ({ form, version }: VersionLine): readonly Released[] => {
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

/** The tag of the highest stable version among these tags; `undefined` when none is one. */
export function highestRelease(tags: readonly string[], form: TagForm, scheme: Version['scheme']): string | undefined {
  const [highest] = [...stableVersions(tags, form, scheme)].sort((a, b) => compareReleases(b.version, a.version));
  return highest?.tag;
}

interface Released {
  readonly tag: string;
  readonly version: Version;
}

function decideLine({ depth, version }: VersionLine, releases: readonly Released[]): Omit<Move, 'tag'> {
  if (!version.stable) return { move: false, reason: `stays, the pre-release ${version.text} moves no version line` };
  const [highest] = releases
    .filter((one) => version.release.slice(0, depth).every((number, at) => number === (one.version.release[at] ?? 0)))
    .sort((a, b) => compareReleases(b.version, a.version));
  if (highest !== undefined && compareReleases(highest.version, version) > 0) {
    return { move: false, reason: `stays, ${highest.version.text} is higher`, higher: highest.tag };
  }
  return { move: true, reason: `moves, ${version.text} is the highest${depth === 0 ? '' : ' in its line'}` };
}

function stableVersions(tags: readonly string[], form: TagForm, scheme: Version['scheme']): readonly Released[] {
  return tags.flatMap((tag) => {
    const version = versionOfTag(tag, form, scheme);
    return version?.stable === true ? [{ tag, version }] : [];
  });
}
