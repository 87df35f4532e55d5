import { toLegalTag, toTagPiece } from '../legal-tag.ts';

/** A name in git in the forms that it takes in tags: whole, and as a piece of a longer tag; other tools make `-` of `+`. */
export function namesInTags(name: string): readonly string[] {
  return [...new Set([toLegalTag(name), toTagPiece(name), name.replace(/[^A-Za-z0-9._-]+/g, '-')])];
}

/** The forms of a git tag: whole, less the prefix of versions, less a leading `v`. */
export function releaseTags(gitTag: string, tagPrefix: string): readonly string[] {
  const bare = tagPrefix !== '' && gitTag.startsWith(tagPrefix) ? gitTag.slice(tagPrefix.length) : gitTag;
  const names = [gitTag, bare, gitTag.replace(/^v/, ''), bare.replace(/^v/, '')];
  return [...new Set(names.filter((name) => name !== '').flatMap(namesInTags))];
}

const SHORT_COMMIT_LENGTHS = [7, 8, 9, 10, 11, 12];

/** The forms of a commit: `sha-` and its first digits, or all of them. */
export function commitTags(commit: string): readonly string[] {
  if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(commit)) return [];
  const texts = [...SHORT_COMMIT_LENGTHS.map((length) => commit.slice(0, length)), commit];
  return texts.flatMap((text) => [`sha-${text}`, text]);
}
