import parseSemver from 'semver/functions/parse.js';
import { toTagPiece } from './legal-tag.ts';

/** A version in one of the two schemes. */
export interface Version {
  readonly scheme: 'semver' | 'pep440';
  /** Its normal form: `1.2.3-rc.1+b5`, `1.2.3.post1`. */
  readonly text: string;
  /** The numbers of the release: three in semver, one or more in PEP 440. */
  readonly release: readonly number[];
  /** Not a pre-release; in PEP 440 not a post- or dev-release either, as docker/metadata-action has it. */
  readonly stable: boolean;
}

const MAX_LENGTH = 255;

/**
 * The semantic version (https://semver.org/spec/v2.0.0.html) in a git tag, less the prefix and then one `v`; `undefined`
 * when there is none. The default prefix `v` may be missing, any other must be there: with `app/v` the tag `api/v1.0.0`
 * is no version.
 */
export function parseVersion(text: string, tagPrefix = 'v'): Version | undefined {
  const bare = withoutTagPrefix(text, tagPrefix);
  if (bare === undefined || bare.length > MAX_LENGTH || !/^v?[0-9]\S*$/.test(bare)) return undefined;
  const version = parseSemver(bare);
  if (version === null) return undefined;
  const { major, minor, patch, prerelease, build } = version;
  const suffix = build.length === 0 ? '' : `+${build.join('.')}`;
  return {
    scheme: 'semver',
    text: `${version.version}${suffix}`,
    release: [major, minor, patch],
    stable: prerelease.length === 0,
  };
}

const PEP440 =
  /^v?(?:([0-9]+)!)?([0-9]+(?:\.[0-9]+)*)(?:[-_.]?(alpha|a|beta|b|preview|pre|rc|c)(?:[-_.]?([0-9]+))?)?(?:(?:-([0-9]+))|(?:[-_.]?(?:post|rev|r)(?:[-_.]?([0-9]+))?)())?(?:[-_.]?dev(?:[-_.]?([0-9]+))?())?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/i;

const PRE_RELEASES: Readonly<Record<string, string>> = {
  alpha: 'a',
  a: 'a',
  beta: 'b',
  b: 'b',
  c: 'rc',
  rc: 'rc',
  pre: 'rc',
  preview: 'rc',
};

/** The version in a git tag by PEP 440 (https://peps.python.org/pep-0440/, Appendix B), less the prefix. */
export function parsePep440Version(text: string, tagPrefix = 'v'): Version | undefined {
  const bare = withoutTagPrefix(text, tagPrefix);
  if (bare === undefined || bare.length > MAX_LENGTH) return undefined;
  const match = PEP440.exec(bare);
  if (match === null) return undefined;
  const [, epoch = '0', numbers = '', preName, pre = '0', postDash, post, isPost, dev, isDev, local] = match;
  const release = numbers.split('.').map(Number);
  if (!release.every(Number.isSafeInteger)) return undefined;
  const text440 = [
    BigInt(epoch) === 0n ? '' : `${BigInt(epoch)}!`,
    release.join('.'),
    preName === undefined ? '' : `${PRE_RELEASES[preName.toLowerCase()]}${BigInt(pre)}`,
    postDash === undefined && isPost === undefined ? '' : `.post${BigInt(postDash ?? post ?? '0')}`,
    isDev === undefined ? '' : `.dev${BigInt(dev ?? '0')}`,
    local === undefined ? '' : `+${local.toLowerCase().replace(/[-_]/g, '.')}`,
  ].join('');
  const stable = [preName, postDash, isPost, isDev].every((part) => part === undefined);
  return { scheme: 'pep440', text: text440, release, stable };
}

/** How full versions of one kind are written as tags: any of the prefixes, the version, the suffix. */
export interface TagForm {
  readonly prefixes: readonly string[];
  readonly suffix: string;
}

/** The form of tags that begin and end so; the version may be written with `v` or with the git tag's prefix as well. */
export function tagForm(before: string, after: string, tagPrefix: string): TagForm {
  const given = toTagPiece(before);
  const base = given.replace(/v$/, '');
  return { prefixes: [...new Set([base, given, `${base}${toTagPiece(tagPrefix)}`])], suffix: toTagPiece(after) };
}

/** The version that a registry's tag of this form names; `undefined` for every other tag. */
export function versionOfTag(tag: string, form: TagForm, scheme: Version['scheme']): Version | undefined {
  if (!tag.endsWith(form.suffix)) return undefined;
  for (const prefix of form.prefixes) {
    const text = tag.slice(prefix.length, tag.length - form.suffix.length).replace('_', '+');
    if (!tag.startsWith(prefix) || !/^[0-9]/.test(text)) continue;
    const version = scheme === 'semver' ? parseVersion(text, '') : parsePep440Version(text, '');
    if (version !== undefined) return version;
  }
  return undefined;
}

/** Negative, zero or positive, by the numbers of the release alone; missing ones are 0. */
export function compareReleases(a: Version, b: Version): number {
  for (let index = 0; index < Math.max(a.release.length, b.release.length); index++) {
    const difference = (a.release[index] ?? 0) - (b.release[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function withoutTagPrefix(text: string, tagPrefix: string): string | undefined {
  if (tagPrefix.endsWith('v') && text.startsWith(`${tagPrefix}v`)) return undefined;
  if (text.startsWith(tagPrefix)) return text.slice(tagPrefix.length);
  return tagPrefix === 'v' ? text : undefined;
}
