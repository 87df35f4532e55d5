import type { SemverKeep, SemverLevel } from './policy.ts';
import type { TagVersion } from './tag-version.ts';

/** A version and how old its image is; `undefined`: not known. */
export interface DatedVersion {
  readonly version: TagVersion;
  readonly ageMs: number | undefined;
}

type Levels = Readonly<Partial<Record<SemverLevel, SemverKeep>>>;

/**
 * Which of the versions a `semver` clause keeps. Of releases: `N majors`, the N highest; `N minors`, of each kept major the N
 * highest; `N patches`, of each kept minor the N highest. A level that is not given limits nothing: `2 majors` keeps all of the
 * two highest majors, `3 minors, 2 patches` the two highest patches of the three highest minors of every major. `prereleases N`
 * keeps the N highest of all pre-releases; without it those above every release are kept, since they are about to become one.
 * With `for D` a level keeps none that is older.
 */
export function keptBySemver(keeps: readonly SemverKeep[], versions: readonly DatedVersion[]): readonly boolean[] {
  const levels: Levels = Object.fromEntries(keeps.map((keep) => [keep.level, keep]));
  const releases = versions.filter(({ version }) => version.prerelease.length === 0);
  const prereleases = versions.filter(({ version }) => version.prerelease.length > 0);
  const kept = new Set([...keptReleases(levels, releases), ...keptPrereleases(levels, prereleases, releases)]);
  return versions.map((version) => kept.has(version));
}

function keptReleases(levels: Levels, releases: readonly DatedVersion[]): readonly DatedVersion[] {
  const majors = highest(levels.majors, releases, ({ version }) => version.major);
  const minors = majors.flatMap((line) => highest(levels.minors, line, ({ version }) => version.minor));
  return minors.flatMap((line) => highest(levels.patches, line, ({ version }) => version.patch)).flat();
}

/** The lines with the highest numbers, each with its versions that are young enough. */
function highest(
  keep: SemverKeep | undefined,
  versions: readonly DatedVersion[],
  numberOf: (version: DatedVersion) => number,
): readonly (readonly DatedVersion[])[] {
  const lines = new Map<number, DatedVersion[]>();
  for (const version of versions) {
    const line = lines.get(numberOf(version));
    if (line === undefined) lines.set(numberOf(version), [version]);
    else line.push(version);
  }
  const numbers = [...lines.keys()].sort((a, b) => b - a).slice(0, keep?.count);
  return numbers.map((number) => (lines.get(number) ?? []).filter((version) => isYoung(keep, version)));
}

function keptPrereleases(
  { prereleases: keep }: Levels,
  prereleases: readonly DatedVersion[],
  releases: readonly DatedVersion[],
): readonly DatedVersion[] {
  const top = releases.reduce<TagVersion | undefined>(
    (most, { version }) => (most === undefined || version.compare(most) > 0 ? version : most),
    undefined,
  );
  if (keep === undefined) return prereleases.filter(({ version }) => top === undefined || version.compare(top) > 0);
  const sorted = prereleases.toSorted((a, b) => b.version.compare(a.version));
  const last = sorted[keep.count - 1];
  return sorted.filter(
    (one, position) =>
      (position < keep.count || (last !== undefined && one.version.compare(last.version) === 0)) && isYoung(keep, one),
  );
}

function isYoung(keep: SemverKeep | undefined, { ageMs }: DatedVersion): boolean {
  return keep?.ageMs === undefined || ageMs === undefined || ageMs <= keep.ageMs;
}
