import { parseClauses } from './clauses.ts';
import { CLAUSE_WORDS } from './keep-clause.ts';
import { LIMIT_NAMES, parseLimits } from './limits.ts';
import { splitLimits } from './line-form.ts';
import { type Piece, type Report, splitPiece, splitWords, wordsOf } from './piece.ts';
import { DEFAULT_LIMITS, type ProtectItem, type RetentionLimits } from './policy.ts';
import type { PolicyDraft, RuleDraft } from './policy-draft.ts';
import { parseProtectItem } from './protect-item.ts';
import { parseSubject } from './selector.ts';
import { SEMVER_LEVELS } from './semver-levels.ts';
import { entriesOf, placeOf, readYaml, textOf, type YamlEntry, type YamlTree } from './yaml-tree.ts';

/** What the YAML form says: a policy for all repositories, policies for some, or both. */
export interface YamlPolicies {
  /** `undefined` where there are `images` alone. */
  readonly general: PolicyDraft | undefined;
  /** By the names as they are written. */
  readonly images: readonly { readonly name: Piece; readonly draft: PolicyDraft }[];
}

const POLICY_KEYS = ['protect', 'rules', 'limits'];
const ACTIONS: readonly string[] = ['delete', 'report'];
const RULE_KEYS = ['match', ...CLAUSE_WORDS, ...ACTIONS];
const LINE_HINT = '; in the form with one rule a line, protect is written without ":"';

/** Parses `protect:`, `rules:`, `limits:` and, with the same keys for one repository, `images:`. */
export function parseYamlForm(text: string, report: Report): YamlPolicies | undefined {
  const tree = readYaml(text, report);
  if (tree === undefined) return undefined;
  const keys = [...POLICY_KEYS, 'images'];
  const entries = entriesOf(tree, { what: 'a policy', keys, hint: LINE_HINT }, report);
  if (tree.kind !== 'map') return undefined;
  const images = entries.find(({ key }) => key.text === 'images');
  const own = entries.filter(({ key }) => key.text !== 'images');
  return {
    general: own.length === 0 && images !== undefined ? undefined : parsePolicy(own, placeOf(tree), report),
    images: images === undefined ? [] : parseImages(images, report),
  };
}

function parseImages({ key, value }: YamlEntry, report: Report): YamlPolicies['images'] {
  if (value.kind !== 'map' || value.entries.length === 0) {
    report(key, 'images must be a map with the name of a repository for each policy: as ghcr.io/acme/app');
    return [];
  }
  return value.entries.flatMap(({ key: name, value: policy }) => {
    const entries = entriesOf(policy, { what: 'the policy of an image', keys: POLICY_KEYS }, report);
    return policy.kind === 'map' ? { name, draft: parsePolicy(entries, name, report) } : [];
  });
}

function parsePolicy(entries: readonly YamlEntry[], place: Piece, report: Report): PolicyDraft {
  const find = (name: string) => entries.find(({ key }) => key.text === name)?.value;
  const protect = find('protect');
  const rules = find('rules');
  const limits = find('limits');
  return {
    place,
    protect: protect === undefined ? [] : parseProtect(protect, report),
    rules: rules === undefined ? [] : parseRules(rules, report),
    limits: limits === undefined ? DEFAULT_LIMITS : parseLimitsOf(limits, report),
  };
}

function parseProtect(tree: YamlTree, report: Report): readonly ProtectItem[] {
  const items =
    tree.kind === 'list'
      ? tree.items.flatMap((item) => textOf(item, 'an item of protect', report) ?? [])
      : splitPiece(textOf(tree, 'protect', report) ?? { ...placeOf(tree), text: '' }, ',');
  return items.flatMap((item) => parseProtectItem(item, report) ?? []);
}

function parseRules(tree: YamlTree, report: Report): readonly RuleDraft[] {
  if (tree.kind === 'list') return tree.items.map((item) => parseRule(item, report));
  const place = placeOf(tree);
  report(place, "rules must be a list: as - { match: 'sha-*', keep: 20, for: 14d }");
  return [{ place, subject: undefined, verdict: undefined }];
}

function parseRule(tree: YamlTree, report: Report): RuleDraft {
  const entries = entriesOf(tree, { what: 'a rule', keys: RULE_KEYS }, report);
  const match = entries.find(({ key }) => key.text === 'match');
  const selector = match === undefined ? undefined : textOf(match.value, 'match', report);
  const clauses = entries.filter(({ key }) => key.text !== 'match');
  const place = selector ?? placeOf(tree);
  if (tree.kind === 'map' && match === undefined) report(place, "a rule has no match: as match: 'sha-*'");
  if (tree.kind === 'map' && clauses.length === 0) report(place, 'a rule says nothing: as keep: 20, or for: 14d');
  const words = clauses.flatMap((entry) => clauseWords(entry, report)).filter(({ length }) => length > 0);
  return {
    place,
    subject: selector === undefined ? undefined : parseSubject(selector, report),
    verdict: parseClauses(words, report),
  };
}

/** The words of a clause as a line has them: `keep: 20 by semver` is `keep 20 by semver`. */
function clauseWords({ key, value }: YamlEntry, report: Report): readonly (readonly Piece[])[] {
  if (key.text === 'semver' && value.kind === 'map') {
    const levels = entriesOf(value, { what: 'semver', keys: SEMVER_LEVELS }, report);
    return [[key, ...levels.flatMap((level) => entryWords(level, report))]];
  }
  if (key.text === 'semver' && value.kind === 'text') {
    return [[key, ...splitWords(value.piece, 'a level is missing: as 2 majors', report).flat()]];
  }
  const words = entryWords({ key, value }, report);
  if (!ACTIONS.includes(key.text)) return [words];
  if (words.length === 2 && words[1]?.text === 'true') return [[key]];
  report(key, `${key.text} can only be true`);
  return [];
}

function parseLimitsOf(tree: YamlTree, report: Report): RetentionLimits {
  if (tree.kind === 'text') return parseLimits(splitLimits(tree.piece, report), report);
  const entries = entriesOf(tree, { what: 'limits', keys: LIMIT_NAMES }, report);
  return parseLimits(
    entries.map((entry) => entryWords(entry, report)),
    report,
  );
}

/** Empty when the value is no text. */
function entryWords({ key, value }: YamlEntry, report: Report): readonly Piece[] {
  const text = textOf(value, key.text, report);
  return text === undefined ? [] : [key, ...wordsOf(text)];
}
