import type { GitState } from '../../../src/core/retention/inventory.ts';
import type { Random } from '../random.ts';

const DAY_MS = 86_400_000;

/** A policy as a user writes it. */
export interface RandomRules {
  readonly text: string;
  /** It takes whatever nobody needs, as soon as nobody does. */
  readonly collectsGarbage: boolean;
  readonly features: ReadonlySet<RuleFeature>;
}

export const RULE_FEATURES = [
  'short number',
  'short age',
  'yaml',
  'protect',
  'except',
  'keep',
  'for',
  'semver',
  'calendar',
  'while',
  'delete',
  'untagged',
  'orphans',
  'broken',
  'grace',
  'collecting garbage',
] as const;
export type RuleFeature = (typeof RULE_FEATURES)[number];

/** The policy of `seed`, in the grammar of docs/retention.md. */
export function randomRules(random: Random): RandomRules {
  const features = new Set<RuleFeature>();
  if (random.chance(0.15)) {
    const isAge = random.chance(0.4);
    features.add(isAge ? 'short age' : 'short number');
    const text = isAge ? random.pick(['1d', '12h', '20d', '2mo']) : String(1 + random.below(4));
    return { text, collectsGarbage: false, features };
  }
  const collectsGarbage = random.chance(0.6);
  const drawn = Array.from({ length: 1 + random.below(4) }, () => tagRule(random, features));
  // Two rules for one selector are a mistake, and one behind that for every tag.
  const rules = [...new Map(drawn)].sort(([a], [b]) => Number(a.startsWith('*')) - Number(b.startsWith('*')));
  for (const kind of ['untagged', 'orphans', 'broken'] as const) {
    if (!collectsGarbage && random.chance(0.4)) continue;
    features.add(kind);
    rules.push([kind, collectsGarbage ? 'delete' : rootClauses(random, features)]);
  }
  if (collectsGarbage) features.add('collecting garbage');
  const limits = ['max-delete 100%'];
  // What an image leaves over has no tag, and by default has to be older.
  if (collectsGarbage || random.chance(0.5)) limits.push(`grace ${random.pick(['1s', '2h', '2d'])}`);
  if (random.chance(0.1)) limits.push('tz Europe/Athens');
  if (limits.length > 1) features.add('grace');
  const protect = random.chance(0.4) ? protectItems(random, features) : [];
  return { text: written({ random, rules, limits, protect, features }), collectsGarbage, features };
}

type Rule = readonly [selector: string, clauses: string];

function written(parts: {
  readonly random: Random;
  readonly rules: readonly Rule[];
  readonly limits: readonly string[];
  readonly protect: readonly string[];
  readonly features: Set<RuleFeature>;
}): string {
  const { random, rules, limits, protect, features } = parts;
  const isPlain = rules.every(([, clauses]) => /^(?:keep \d+|for \w+|delete)$/.test(clauses));
  if (isPlain && random.chance(0.3)) {
    features.add('yaml');
    return [
      ...(protect.length > 0 ? [`protect: [${protect.map((item) => JSON.stringify(item)).join(', ')}]`] : []),
      'rules:',
      ...rules.flatMap(([selector, clauses]) => [
        `  - match: ${JSON.stringify(selector)}`,
        `    ${yamlClause(clauses)}`,
      ]),
    ].join('\n');
  }
  return [
    ...(protect.length > 0 ? [`protect ${protect.join(', ')}`] : []),
    ...rules.map(([selector, clauses]) => `${selector} : ${clauses}`),
    `limits : ${limits.join(', ')}`,
  ].join('\n');
}

function yamlClause(clauses: string): string {
  const [word = '', value] = clauses.split(' ');
  return value === undefined ? `${word}: true` : `${word}: ${value}`;
}

function protectItems(random: Random, features: Set<RuleFeature>): readonly string[] {
  features.add('protect');
  return [random.pick(['latest?', 'edge?', 'v1.*?', '/^v?\\d+$/?', 'sha-1?', 'latest'])];
}

function tagRule(random: Random, features: Set<RuleFeature>): Rule {
  const selector = random.pick([
    'v*',
    '/^v?(\\d.*)$/',
    'b-*',
    'sha-*',
    'pr-*',
    'br-*',
    'nightly-*',
    '*',
    'b-* | sha-*',
    'odd',
  ]);
  const isExcepting = selector !== '*' && random.chance(0.15);
  if (isExcepting) features.add('except');
  return [`${selector}${isExcepting ? ' except edge?, *-1?' : ''}`, tagClauses(random, features)];
}

function tagClauses(random: Random, features: Set<RuleFeature>): string {
  if (random.chance(0.2)) {
    const action = random.pick(['delete', 'delete', 'keep all', 'report']);
    if (action === 'delete') features.add('delete');
    return action;
  }
  const count = random.pick([1, 1, 1, 2]);
  const kinds = new Set(
    Array.from({ length: count }, () => random.pick(['keep', 'for', 'semver', 'calendar', 'while'] as const)),
  );
  for (const kind of kinds) features.add(kind);
  return [...kinds].map((kind) => clause(kind, random)).join(', ');
}

function clause(kind: 'keep' | 'for' | 'semver' | 'calendar' | 'while', random: Random): string {
  switch (kind) {
    case 'keep':
      return `keep ${random.below(4)}${random.pick(['', '', ' by pushed', ' by semver', ' by updated'])}`;
    case 'for':
      return `for ${age(random)}${random.pick(['', '', ' since updated'])}`;
    case 'semver':
      return random.pick([
        'semver 1 majors',
        'semver 2 majors, 1 minors',
        'semver 1 majors 1 minors 1 patches',
        'semver prereleases 1 for 5d',
      ]);
    case 'calendar':
      return `${random.pick(['hourly', 'daily', 'weekly', 'monthly', 'yearly'])} ${1 + random.below(3)}`;
    case 'while':
      return `while ${random.pick(['open', 'branch', 'tag'])}`;
  }
}

function rootClauses(random: Random, features: Set<RuleFeature>): string {
  const kind = random.pick(['keep', 'for', 'delete', 'report'] as const);
  if (kind !== 'report') features.add(kind);
  return kind === 'keep' ? `keep ${random.below(3)}` : kind === 'for' ? `for ${age(random)}` : kind;
}

function age(random: Random): string {
  return random.pick(['1h', '1d', '1d12h', '5d', '20d', '2mo']);
}

/** The git repository that the tags of random packages speak of. */
export function gitStateAt(nowMs: number): GitState {
  const closed = (days: number): number => nowMs - days * DAY_MS;
  const pullRequests = new Map<number, 'open' | number>([
    [1, 'open'],
    [2, closed(2)],
    [3, closed(40)],
    [5, closed(90)],
    [6, closed(90)],
  ]);
  return { pullRequests, branches: new Set(['1', '2']), gitTags: new Set(['v1.0.0', '1']) };
}
