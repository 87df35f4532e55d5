import { duration, listOf, type Parse } from './kinds.ts';
import { nearest } from './nearest.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';
import { parseReference, type Reference } from './reference.ts';
import { parseVersion } from './version.ts';

/** What the input `scan-scanners` takes, in Trivy's words. */
export const SCANNERS = ['vuln', 'secret', 'misconfig', 'license'] as const;

/** What the input `scan-pkg-types` takes, in Trivy's words. */
export const PKG_TYPES = ['os', 'library'] as const;

/** What the input `scan-format` takes. */
export const SCAN_FORMATS = ['table', 'sarif', 'json', 'cyclonedx'] as const;
export type ScanFormat = (typeof SCAN_FORMATS)[number];

/** Published by whoever had taken the project's release pipeline over: https://github.com/advisories/GHSA-69fq-xp46-6x23 */
export const HIJACKED_TRIVY: ReadonlySet<string> = new Set(['0.69.4', '0.69.5', '0.69.6']);

/** One or more of these words, each once. */
export function wordsOf<const Word extends string>(words: readonly Word[]): Parse<readonly Word[]> {
  const word = (text: string): Parsed<Word> => {
    const known = words.find((one) => one === text.trim().toLowerCase());
    if (known !== undefined) return parsed(known);
    const near = nearest(text.trim(), words);
    const hint = near === undefined ? '' : `; did you mean ${near}?`;
    return unparsable(`${quote(text)} is not allowed: ${words.join(', ')} are${hint}`);
  };
  return (text) => {
    const list = listOf(word, { commas: true })(text);
    return list.ok ? parsed([...new Set(list.value)]) : list;
  };
}

/** A duration that is not left out, in milliseconds. */
export const time: Parse<number> = (text) => {
  const given = duration(text);
  if (!given.ok) return given;
  return given.value === undefined ? unparsable('a duration is needed, as 10m') : parsed(given.value);
};

/** The version of a Trivy, without the `v` of its tag. */
export const trivyVersion: Parse<string> = (text) => {
  const version = parseVersion(text.trim())?.text;
  if (version === undefined) return unparsable(`${quote(text)} is no version: 0.70.0 is one`);
  if (!HIJACKED_TRIVY.has(version)) return parsed(version);
  return unparsable(`${version} is one of the malicious releases of March 2026 (GHSA-69fq-xp46-6x23)`);
};

/** Where releases are downloaded from. It is never quoted, as there may be a password in it. */
export const downloadUrl: Parse<string> = (text) => {
  const url = URL.canParse(text.trim()) ? new URL(text.trim()) : undefined;
  const isPlain =
    url !== undefined && /^https?:$/.test(url.protocol) && url.username + url.password + url.search + url.hash === '';
  if (!isPlain) return unparsable('https://HOST/PATH is allowed, without user, password and query');
  return parsed(text.trim().replace(/\/+$/, ''));
};

/** A repository that holds a database of Trivy's; its tag is Trivy's own where none is given. */
export const databaseReference: Parse<Reference> = (text) => parseReference(text.trim());
