import { quote } from '../printable.ts';
import { parseClauses, splitClauses } from './clauses.ts';
import { parseLimits } from './limits.ts';
import { maskLiterals, type Piece, type Report, slicePiece, splitPiece, splitWords } from './piece.ts';
import { DEFAULT_LIMITS, type ProtectItem, type RetentionLimits } from './policy.ts';
import type { PolicyDraft, RuleDraft } from './policy-draft.ts';
import { parseProtectItem } from './protect-item.ts';
import { parseSubject } from './selector.ts';
import { suggestion } from './word-choice.ts';

/** The lines of the input without comments; empty ones are left out. */
export function linesOf(text: string): readonly Piece[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    const comment = maskLiterals(line).search(/(?<!\S)#/);
    const piece = { text: line, line: index + 1, column: 1, isVerbatim: true };
    const content = slicePiece(piece, 0, comment < 0 ? line.length : comment);
    return content.text === '' ? [] : [content];
  });
}

/** Parses `SELECTOR: CLAUSES`, `protect ITEMS` and `limits: LIMITS`, one a line. */
export function parseLineForm(lines: readonly Piece[], report: Report): PolicyDraft {
  const protect: ProtectItem[] = [];
  const rules: RuleDraft[] = [];
  let limits: RetentionLimits | undefined;
  for (const line of lines) {
    const [keyword = ''] = /^protect(?=\s|$)|^limits\s*:/.exec(line.text) ?? [];
    const rest = slicePiece(line, keyword.length);
    if (keyword === 'protect') {
      protect.push(...splitPiece(rest, ',').flatMap((item) => parseProtectItem(item, report) ?? []));
    } else if (keyword === '') {
      rules.push(parseRuleLine(line, report));
    } else {
      if (limits !== undefined) report(line, 'limits are given twice: one line is allowed');
      const read = parseLimits(splitLimits(rest, report), report);
      limits ??= read;
    }
  }
  const place = lines[0] ?? { text: '', line: 1, column: 1, isVerbatim: true };
  return { place, protect, rules, limits: limits ?? DEFAULT_LIMITS };
}

/** The words of each limit. */
export function splitLimits(piece: Piece, report: Report): readonly (readonly Piece[])[] {
  return splitWords(piece, 'a limit is missing: as max-delete 30%, or min-keep 5', report);
}

function parseRuleLine(line: Piece, report: Report): RuleDraft {
  const colon = maskLiterals(line.text).indexOf(':');
  if (colon < 0) {
    report(line, whyNoRule(line.text));
    return { place: line, subject: undefined, verdict: undefined };
  }
  const selector = slicePiece(line, 0, colon);
  const subject = parseSubject(selector, report);
  const clauses = splitClauses(slicePiece(line, colon + 1), report);
  return { place: selector, subject, verdict: parseClauses(clauses, report) };
}

function whyNoRule(text: string): string {
  if (text.startsWith('/')) return `${quote(text)} has a regular expression that does not end before a ":"`;
  const [word = ''] = text.split(/\s/, 1);
  const forms = 'SELECTOR: CLAUSES, protect ITEMS and limits: LIMITS are allowed, as in sha-*: keep 20, for 14d';
  return `${quote(text)} is no line of a policy: ${forms}${suggestion(word, ['protect', 'limits'])}`;
}
