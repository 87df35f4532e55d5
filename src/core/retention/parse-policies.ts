import { quote } from '../printable.ts';
import { formatRepositoryName, parseRepositoryName } from '../reference.ts';
import { linesOf, parseLineForm } from './line-form.ts';
import type { Piece, Report } from './piece.ts';
import type { RetentionPolicies, RetentionPolicy } from './policy.ts';
import { finishPolicy } from './policy-draft.ts';
import { parseShortForm } from './short-form.ts';
import { parseYamlForm, type YamlPolicies } from './yaml-form.ts';

/** `off`: nothing is deleted, whoever else asks for it. */
export type ParsedRetention =
  | { readonly ok: true; readonly value: RetentionPolicies | 'off' }
  | { readonly ok: false; readonly problems: readonly string[] };

const MAX_TEXT_LENGTH = 64 * 1024;
const MAX_PROBLEMS = 50;
/** A text is YAML when one of these is a key of it; no rule in lines begins so. */
const YAML_KEY = /^[ \t]*(?:["']?(?:rules|images|protect)["']?[ \t]*:|\{)/m;

/**
 * Parses the input `retention`: `10`, `30d`, `off`, rules in lines or rules in YAML; the grammar is in docs/retention.md.
 * All that is wrong is told at once, each with its line and column.
 */
export function parseRetention(text: string): ParsedRetention {
  const found: { readonly place: Piece; readonly problem: string }[] = [];
  const report: Report = (place, problem) => found.push({ place, problem });
  const value = parseText(text.replace(/^\ufeff/, ''), report);
  if (found.length === 0 && value !== undefined) return { ok: true, value };
  const problems = found
    .sort(({ place: a }, { place: b }) => a.line - b.line || a.column - b.column)
    .map(({ place, problem }) => `line ${place.line}, column ${place.column}: ${problem}`);
  const more = problems.length - MAX_PROBLEMS;
  return { ok: false, problems: more > 0 ? [...problems.slice(0, MAX_PROBLEMS), `and ${more} more`] : problems };
}

function parseText(text: string, report: Report): RetentionPolicies | 'off' | undefined {
  const start: Piece = { text: '', line: 1, column: 1, isVerbatim: true };
  if (text.length > MAX_TEXT_LENGTH) {
    report(start, `the text has ${text.length} characters: ${MAX_TEXT_LENGTH} are allowed`);
    return undefined;
  }
  if (YAML_KEY.test(text)) {
    const policies = parseYamlForm(text, report);
    return policies === undefined ? undefined : finishYaml(policies, report);
  }
  const lines = linesOf(text);
  const [only] = lines;
  if (only === undefined) {
    report(start, 'retention is empty: 10, 30d, off or rules are allowed');
    return undefined;
  }
  if (lines.length > 1 || /:|^protect\s|^\//.test(only.text)) {
    return { general: finishPolicy(parseLineForm(lines, report), report), byImage: new Map() };
  }
  const short = parseShortForm(only.text);
  if (!short.ok) {
    report(only, short.problem);
    return undefined;
  }
  return short.value === 'off' ? 'off' : { general: short.value, byImage: new Map() };
}

function finishYaml({ general, images }: YamlPolicies, report: Report): RetentionPolicies {
  const byImage = new Map<string, RetentionPolicy>();
  for (const { name, draft } of images) {
    const repository = parseRepositoryName(name.text.toLowerCase());
    const policy = finishPolicy(draft, report);
    if (!repository.ok) {
      report(name, repository.problem);
      continue;
    }
    const full = formatRepositoryName(repository.value);
    if (byImage.has(full)) report(name, `${quote(name.text)} has a policy already: it is ${full}`);
    byImage.set(full, policy);
  }
  return { general: general === undefined ? undefined : finishPolicy(general, report), byImage };
}
