import { describe, expect, it } from 'vitest';
import { parseRetention } from '../../../src/core/retention/parse-policies.ts';
import { DEFAULT_LIMITS, type RetentionPolicy } from '../../../src/core/retention/policy.ts';
import { POLICY_EXAMPLES } from '../../../src/core/retention/policy-examples.ts';
import { policyFor } from '../../../src/core/retention/policy-lookup.ts';

const DAY_MS = 86_400_000;

function policiesOf(text: string) {
  const parsed = parseRetention(text);
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  if (parsed.value === 'off') throw new Error(`${text} is off`);
  return parsed.value;
}

function policyOf(text: string): RetentionPolicy {
  const { general } = policiesOf(text);
  if (general === undefined) throw new Error(`${text} has no general policy`);
  return general;
}

const clausesOf = (clauses: string) => policyOf(`v*: ${clauses}`).rules[0]?.clauses;

describe('a short form', () => {
  it('as a number keeps so many versions by their order, and so many others by their age', () => {
    expect(policiesOf(' 10  # per image\n')).toEqual({
      general: {
        text: '10',
        protect: [],
        rules: [
          {
            text: 'versions: keep 10 by semver',
            subject: { kind: 'versions' },
            action: 'vote',
            clauses: [{ kind: 'keep', count: 10, by: 'semver' }],
          },
          {
            text: 'others: keep 10',
            subject: { kind: 'others' },
            action: 'vote',
            clauses: [{ kind: 'keep', count: 10, by: 'pushed' }],
          },
        ],
        limits: DEFAULT_LIMITS,
      },
      byImage: new Map(),
    });
  });

  it('as an age keeps what is younger, and 5 of each lane', () => {
    const { text, rules } = policyOf('4w');
    expect([text, ...rules.map((rule) => rule.text)]).toEqual([
      '28d',
      'versions: for 28d, keep 5 by semver',
      'others: for 28d, keep 5',
    ]);
  });

  it('off deletes nothing', () => {
    expect(parseRetention('off')).toEqual({ ok: true, value: 'off' });
  });
});

const LINES = `
  # what a release needs
  protect latest, edge, /^v?\\d+$/, @releases, @in-use     # never deleted
  v*        : semver 2 majors, 3 minors, 2 patches, prereleases 5 for 30d
  sha-*     : keep 20, for 14d
  build-*   : keep 30, used 60d          # content-hash tags of this tool

  nightly-* | /^n#\\d+, :$/ except nightly-keep : daily 7, weekly 4, monthly 6
  pr-*      : while open, for 3d
  br-*      : while branch, for 7d
  untagged  : for 7d
  orphans   : for 1d
  broken    : report
  limits    : max-delete 30%, min-keep 5, max-time 20m
`;
const YAML = `
protect: [latest, edge, '/^v?\\d+$/', '@releases', '@in-use']
rules:
  - match: v*
    semver: { majors: 2, minors: 3, patches: 2, prereleases: 5 for 30d }
  - { match: sha-*, keep: 20, for: 14d }
  - { match: build-*, keep: 30, used: 60d }
  - match: 'nightly-* | /^n#\\d+, :$/ except nightly-keep'
    daily: 7
    weekly: 4
    monthly: 6
  - { match: pr-*, while: open, for: 3d }
  - { match: br-*, while: branch, for: 1w }
  - { match: untagged, for: 7d }
  - { match: orphans, for: 24h }
  - { match: broken, report: true }
limits: { max-time: 20m, max-delete: 30%, min-keep: 5 }
`;
const CANONICAL = [
  'protect latest, edge, /^v?\\d+$/, @releases, @in-use',
  'v*: semver 2 majors, 3 minors, 2 patches, 5 prereleases for 30d',
  'sha-*: keep 20, for 14d',
  'build-*: keep 30, used 60d',
  'nightly-* | /^n#\\d+, :$/ except nightly-keep: daily 7, weekly 4, monthly 6',
  'pr-*: while open, for 3d',
  'br-*: while branch, for 7d',
  'untagged: for 7d',
  'orphans: for 1d',
  'broken: report',
  'limits: max-delete 30%, min-keep 5, max-time 20m',
].join('\n');

describe('rules', () => {
  it.each([
    ['lines', LINES],
    ['lines of Windows', LINES.replaceAll('\n', '\r\n')],
    ['lines after a byte-order mark', `\ufeff${LINES}`],
    ['YAML', YAML],
    ['YAML of Windows', YAML.replaceAll('\n', '\r\n')],
    ['their one form', CANONICAL],
  ])('in %s are one policy', (_, text) => {
    expect(policyOf(text).text).toBe(CANONICAL);
  });

  it('are in the order in which they were written, each with its text', () => {
    const { rules } = policyOf(LINES);
    expect(rules.map(({ text }) => text)).toEqual(CANONICAL.split('\n').slice(1, -1));
  });

  it.each([
    ['keep 0', [{ kind: 'keep', count: 0, by: 'pushed' }]],
    ['keep 20 by image-created', [{ kind: 'keep', count: 20, by: 'image-created' }]],
    ['for 3d since updated', [{ kind: 'for', ageMs: 3 * DAY_MS, since: 'updated' }]],
    ['used 60d', [{ kind: 'used', ageMs: 60 * DAY_MS }]],
    ['yearly 2', [{ kind: 'calendar', period: 'yearly', count: 2 }]],
    ['while tag', [{ kind: 'while', state: 'tag' }]],
    [
      'semver 2 majors for 1y 3 minors, prereleases 0, for 1d',
      [
        {
          kind: 'semver',
          levels: [
            { level: 'majors', count: 2, ageMs: 365 * DAY_MS },
            { level: 'minors', count: 3, ageMs: undefined },
            { level: 'prereleases', count: 0, ageMs: undefined },
          ],
        },
        { kind: 'for', ageMs: DAY_MS, since: 'pushed' },
      ],
    ],
  ])('with %j', (clauses, expected) => {
    expect(clausesOf(clauses)).toEqual(expected);
  });

  it.each([
    ['keep all', 'keep'],
    ['delete', 'delete'],
    ['report', 'report'],
  ])('%s has no clauses', (text, action) => {
    expect(policyOf(`v*: ${text}`).rules).toMatchObject([{ text: `v*: ${text}`, action, clauses: [] }]);
  });

  it.each([
    ['{ match: v*, keep: all }', 'v*: keep all'],
    ['{ match: v*, delete: true }', 'v*: delete'],
    ['{ match: v*, keep: 3 by semver, for: 1d since updated }', 'v*: keep 3 by semver, for 1d since updated'],
    ["{ match: v*, semver: '2 majors, 1 minors' }", 'v*: semver 2 majors, 1 minors'],
    ['{ "match": "v*", "keep": "3" }', 'v*: keep 3'],
    ["{ match: 'it''s? no: [a-z]' }", undefined],
  ])('in YAML as %s', (rule, text) => {
    const parsed = parseRetention(`rules: [${rule}]`);
    expect(parsed.ok && parsed.value !== 'off' && parsed.value.general?.text).toBe(text ?? false);
  });

  it('of lines may have slashes and quotes in their comments', () => {
    expect(policyOf("v*: keep 3 # see /docs, or: don't\n#/ a: b\nsha-*: keep 1 #").rules).toHaveLength(2);
  });

  it('in YAML may follow a byte-order mark', () => {
    expect(policyOf('\ufeffrules: [{ match: v*, keep: 3 }]').text).toBe('v*: keep 3');
  });

  it('in JSON are YAML', () => {
    const json = JSON.stringify({ protect: 'latest, edge?', rules: [{ match: 'v*', keep: 3 }] }, undefined, 2);
    expect(policyOf(json).text).toBe('protect latest, edge?\nv*: keep 3');
  });
});

describe('protect', () => {
  const digest = `sha256:${'a'.repeat(64)}`;

  it('takes tags, digests and sources, each once; a last ? says that it may match nothing', () => {
    const items = `latest, ${digest}, v1.*? , @file( deployed #1.txt )?, @in-use(kubectl), v??, /x?/, latest`;
    const { protect } = policyOf(`protect ${items}\nprotect @git-tags\nv*: keep 3`);
    expect(protect.map(({ text, optional, kind }) => [text, optional, kind])).toEqual([
      ['latest', false, 'tags'],
      [digest, false, 'digest'],
      ['v1.*', true, 'tags'],
      ['@file(deployed #1.txt)', true, 'source'],
      ['@in-use(kubectl)', false, 'source'],
      ['v?', true, 'tags'],
      ['/x?/', false, 'tags'],
      ['@git-tags', false, 'source'],
    ]);
    expect(protect[3]).toMatchObject({ source: 'file', argument: 'deployed #1.txt' });
    expect(protect[4]).toMatchObject({ source: 'in-use', argument: 'kubectl' });
  });

  it('trims its items, quoted ones in YAML too', () => {
    const { protect } = policyOf('protect: " nothing ,\tlatest "\nrules: [{ match: v*, keep: 3 }]');
    expect(protect.map(({ text }) => text)).toEqual(['nothing', 'latest']);
  });
});

describe('limits', () => {
  it.each([
    ['max-delete 0', { maxDelete: { kind: 'count', count: 0 } }],
    ['max-delete 30%', { maxDelete: { kind: 'percent', percent: 30, atLeast: 0 } }],
    ['min-keep 5, max-time 20m', { minKeep: 5, maxTimeMs: 20 * 60_000 }],
    ['grace 4h', { grace: { taggedMs: DAY_MS / 6, untaggedMs: DAY_MS / 6 } }],
    ['reserve 0,untag safe', { reserve: 0, untag: 'safe' }],
    ['tz Europe/Athens', { timeZone: 'Europe/Athens' }],
  ])('%s, and the rest as by default', (text, given) => {
    const { limits, text: policy } = policyOf(`v*: keep 3\nlimits: ${text}`);
    expect(limits).toEqual({ ...DEFAULT_LIMITS, ...given });
    expect(policyOf(policy).limits).toEqual(limits);
  });

  it('take a map or a text in YAML', () => {
    const rules = 'rules: [{ match: v*, keep: 3 }]\n';
    expect(policyOf(`${rules}limits: { min-keep: 5, tz: UTC }`).limits).toEqual({ ...DEFAULT_LIMITS, minKeep: 5 });
    expect(policyOf(`${rules}limits: min-keep 5, tz UTC`).limits).toEqual({ ...DEFAULT_LIMITS, minKeep: 5 });
  });
});

describe('policies of images', () => {
  const policies = policiesOf(`
rules: [{ match: '*', keep: 3 }]
images:
  ghcr.io/Acme/app:
    protect: latest
    rules: [{ match: v*, keep: 5 }]
  node: { rules: [{ match: v*, keep: 7 }] }
`);

  it.each([
    ['ghcr.io/acme/app', 'protect latest\nv*: keep 5'],
    ['ghcr.io/ACME/App', 'protect latest\nv*: keep 5'],
    ['docker.io/library/node', 'v*: keep 7'],
    ['ghcr.io/acme/other', '*: keep 3'],
    ['no name', '*: keep 3'],
  ])('%s has its own, else the general one', (repository, text) => {
    expect(policyFor(policies, repository)?.text).toBe(text);
  });

  it('leave others without a policy where there is no general one', () => {
    const some = policiesOf('images: { ghcr.io/acme/app: { rules: [{ match: v*, keep: 5 }] } }');
    expect(some.general).toBeUndefined();
    expect(policyFor(some, 'ghcr.io/acme/other')).toBeUndefined();
  });
});

it.each(POLICY_EXAMPLES)('the example for $about is a policy', ({ policy }) => {
  expect(policyOf(policy).text).toBe(policy);
});
