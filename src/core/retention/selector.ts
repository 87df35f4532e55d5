import { quote } from '../printable.ts';
import { maskLiterals, type Piece, type Report, slicePiece, splitPiece } from './piece.ts';
import type { RuleSubject, TagException, TagSelector } from './policy.ts';
import { isGlobOfAll } from './tag-glob.ts';
import { parseTagPattern } from './tag-pattern.ts';

/** What rules speak of that has no tag, or is not judged by it. */
export const SUBJECTS = ['untagged', 'orphans', 'broken'] as const;

/** Parses what a rule speaks of: `sha-*`, `nightly-* | /^n\d+$/ except nightly-keep`, `untagged`. */
export function parseSubject(piece: Piece, report: Report): RuleSubject | undefined {
  const kind = SUBJECTS.find((subject) => subject === piece.text);
  if (kind !== undefined) return { kind };
  const [picked = piece, excepted, ...more] = splitAtExcept(piece);
  if (more[0] !== undefined) report(more[0], `${quote(piece.text)} says except twice: a list is allowed, except a, b`);
  const selectors = splitPiece(picked, '|').map((part) => readPattern(part, report));
  const exceptions = excepted === undefined ? [] : splitPiece(excepted, ',').map((part) => readException(part, report));
  const all = selectors.flatMap((selector) => selector ?? []);
  const left = exceptions.flatMap((exception) => exception ?? []);
  if (all.length < selectors.length || left.length < exceptions.length || more.length > 0) return undefined;
  return { kind: 'tags', selector: join(all, left) };
}

/** The subject in one form. */
export function subjectText(subject: RuleSubject): string {
  return subject.kind === 'tags' ? subject.selector.text : subject.kind;
}

/** True when every tag is picked, so that no later rule has any. */
export function picksAllTags(subject: RuleSubject): boolean {
  if (subject.kind !== 'tags' || (subject.selector.exceptions ?? []).length > 0) return false;
  const whole = { text: subject.selector.text, line: 1, column: 1, isVerbatim: true };
  return splitPiece(whole, '|').some(({ text }) => isGlobOfAll(text));
}

/** The text without its last `?`, which marks what may match nothing. */
export function splitOptional(piece: Piece): { readonly item: Piece; readonly optional: boolean } {
  const optional = piece.text.endsWith('?');
  return { item: optional ? slicePiece(piece, 0, piece.text.length - 1) : piece, optional };
}

function splitAtExcept(piece: Piece): readonly Piece[] {
  const parts: Piece[] = [];
  let start = 0;
  for (const { index, 0: word } of maskLiterals(piece.text).matchAll(/(?<!\S)except(?!\S)/g)) {
    parts.push(slicePiece(piece, start, index));
    start = index + word.length;
  }
  return [...parts, slicePiece(piece, start)];
}

function readPattern(piece: Piece, report: Report): TagSelector | undefined {
  const pattern = parseTagPattern(piece.text);
  if (pattern.ok) return pattern.value;
  report(piece, pattern.problem);
  return undefined;
}

function readException(piece: Piece, report: Report): TagException | undefined {
  const { item, optional } = splitOptional(piece);
  if (/^(?:@|sha\d+:)/.test(item.text)) {
    report(item, `${quote(item.text)} cannot stand after except, tags do: protect is for what is never deleted`);
    return undefined;
  }
  const selector = readPattern(item, report);
  return selector === undefined ? undefined : { selector, optional };
}

function join(selectors: readonly TagSelector[], exceptions: readonly TagException[]): TagSelector {
  const picked = selectors.map(({ text }) => text).join(' | ');
  const left = exceptions.map(({ selector, optional }) => `${selector.text}${optional ? '?' : ''}`).join(', ');
  return {
    text: left === '' ? picked : `${picked} except ${left}`,
    match: (tag) => {
      if (exceptions.some(({ selector }) => selector.match(tag) !== undefined)) return undefined;
      for (const selector of selectors) {
        const found = selector.match(tag);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    exceptions,
  };
}
