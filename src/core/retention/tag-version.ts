import type SemVer from 'semver/classes/semver.js';
import parseSemver from 'semver/functions/parse.js';
import { parseVersion } from '../version.ts';
import type { InventoryEntry } from './inventory.ts';

/** A semantic version that a tag names. */
export type TagVersion = SemVer;

/**
 * The version that a tag names, less one `v`: the tag itself when it is a release, else its part that varies, so that
 * `app-1.2.3` and `1.2.3-alpine` are releases of rules for `app-*` and `*-alpine`. A tag has `_` where a version has `+`.
 */
export function versionOfTag(tag: string, variable = tag): TagVersion | undefined {
  const own = versionOf(tag);
  if (own?.prerelease.length === 0 || variable === tag) return own;
  return (standsAlone(tag, variable) ? versionOf(variable) : undefined) ?? own;
}

function versionOf(text: string): TagVersion | undefined {
  const version = parseVersion(text.replace('_', '+'));
  return (version && parseSemver(version.text)) ?? undefined;
}

/** `2.3.4` of `1.2.3.4` is no version. */
function standsAlone(tag: string, variable: string): boolean {
  const at = tag.indexOf(variable);
  return !/[0-9.]/.test(`${tag[at - 1] ?? ''}${tag[at + variable.length] ?? ''}`);
}

/** Says of a tag whether it moves from image to image: `latest`, and `1`, `v1`, `1.2` beside a version such as 1.2.3. */
export function floatingTags(entries: readonly InventoryEntry[]): (tag: string) => boolean {
  const lines = new Set<string>();
  for (const { tags } of entries) {
    for (const tag of tags) {
      const version = versionOfTag(tag);
      if (version !== undefined) lines.add(`${version.major}`).add(`${version.major}.${version.minor}`);
    }
  }
  return (tag) => tag === 'latest' || (/^v?[0-9]+(?:\.[0-9]+)?$/.test(tag) && lines.has(tag.replace('v', '')));
}
