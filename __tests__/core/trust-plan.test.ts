import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findSignerProblem, type SignerIdentity } from '../../src/core/signer-rule.ts';
import {
  parseIdentity,
  parseIssuer,
  planTrust,
  TRUST_CHOICES,
  type TrustFacts,
  type TrustPlan,
  type TrustSource,
} from '../../src/core/trust-plan.ts';

const GITHUB = 'https://token.actions.githubusercontent.com';
const SOURCE: TrustSource = {
  repository: 'https://github.com/acme/app',
  ref: 'refs/heads/topic',
  defaultBranch: 'main',
  issuer: GITHUB,
};
const SIGNER: SignerIdentity = {
  subject: 'https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main',
  issuer: GITHUB,
  sourceRepository: 'https://github.com/acme/app',
  sourceRef: 'refs/heads/main',
  sourceDigest: undefined,
  buildSigner: undefined,
  runInvocation: undefined,
  trigger: 'push',
};

function identity(text: string) {
  const parsed = parseIdentity(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
}

const MODES = ['keyless', 'key', 'none'] as const;
const IDENTITIES = [[], [identity('a@example.com')]];
const ALL: readonly TrustFacts[] = TRUST_CHOICES.flatMap((trust) =>
  MODES.flatMap((mode) =>
    IDENTITIES.flatMap((identities) =>
      [undefined, SOURCE].map((source) => ({ trust, mode, hasKey: false, identities, issuer: undefined, source })),
    ),
  ),
);

type Outcome = TrustPlan['by'] | 'a problem';
interface Case {
  readonly trust?: TrustFacts['trust'];
  readonly mode?: TrustFacts['mode'];
  readonly named?: boolean;
  readonly inWorkflow?: boolean;
}

/** Each with the facts that it is for; the last number is how many rules there are. */
const ROWS: readonly (readonly [string, Case, Outcome, number])[] = [
  ['hash asks for no signature', { trust: 'hash' }, 'hash', 0],
  ['auto asks for none where nothing is signed', { trust: 'auto', mode: 'none', named: false }, 'hash', 0],
  ['auto asks for the key that the run signs with', { trust: 'auto', mode: 'key' }, 'key', 0],
  ['signed asks for the key that the run signs with', { trust: 'signed', mode: 'key' }, 'key', 0],
  [
    'auto asks for its own workflows where they sign',
    { trust: 'auto', mode: 'keyless', named: false, inWorkflow: true },
    'signature',
    1,
  ],
  [
    'those that are named are asked for too',
    { trust: 'auto', mode: 'keyless', named: true, inWorkflow: true },
    'signature',
    2,
  ],
  [
    'naming somebody is enough to ask for signatures',
    { trust: 'auto', mode: 'none', named: true, inWorkflow: true },
    'signature',
    2,
  ],
  ['… also on a laptop', { trust: 'auto', mode: 'none', named: true, inWorkflow: false }, 'signature', 1],
  [
    '… and where a job has no repository',
    { trust: 'auto', mode: 'keyless', named: true, inWorkflow: false },
    'signature',
    1,
  ],
  ['nobody to trust is a problem', { trust: 'auto', mode: 'keyless', named: false, inWorkflow: false }, 'a problem', 0],
  [
    'signed counts its own workflows, also where this run does not sign',
    { trust: 'signed', mode: 'none', named: false, inWorkflow: true },
    'signature',
    1,
  ],
  [
    'signed is so too where it does',
    { trust: 'signed', mode: 'keyless', named: false, inWorkflow: true },
    'signature',
    1,
  ],
  ['signed widens as auto does', { trust: 'signed', mode: 'none', named: true, inWorkflow: true }, 'signature', 2],
  ['signed widens where it signs', { trust: 'signed', mode: 'keyless', named: true, inWorkflow: true }, 'signature', 2],
  [
    'signed with somebody named needs no workflow',
    { trust: 'signed', mode: 'none', named: true, inWorkflow: false },
    'signature',
    1,
  ],
  ['… nor a signing one', { trust: 'signed', mode: 'keyless', named: true, inWorkflow: false }, 'signature', 1],
  [
    'signed without anybody is a problem',
    { trust: 'signed', mode: 'none', named: false, inWorkflow: false },
    'a problem',
    0,
  ],
  ['… as it is with a token', { trust: 'signed', mode: 'keyless', named: false, inWorkflow: false }, 'a problem', 0],
];

const isFor = ({ trust, mode, identities, source }: TrustFacts, row: Case): boolean =>
  (row.trust ?? trust) === trust &&
  (row.mode ?? mode) === mode &&
  (row.named ?? identities.length > 0) === identities.length > 0 &&
  (row.inWorkflow ?? source !== undefined) === (source !== undefined);

function outcomeOf(facts: TrustFacts): readonly [Outcome, number] {
  const plan = planTrust(facts);
  if (!plan.ok) return ['a problem', 0];
  return [plan.value.by, plan.value.by === 'signature' ? plan.value.rules.length : 0];
}

describe('a pattern of the documentation', () => {
  const [, pattern = ''] = /^ {2}(\/.+\/)$/m.exec(readFileSync('docs/trust.md', 'utf8')) ?? [];

  it.each([
    ['takes a tag', 'refs/tags/v1.2.3', true],
    ['takes no branch', 'refs/heads/main', false],
    ['takes no branch that ends like a tag', 'refs/heads/x@refs/tags/v1', false],
  ])('%s', (_, ref, isTaken) => {
    expect(identity(pattern).accepts(`https://github.com/acme/app/.github/workflows/release.yml@${ref}`)).toBe(isTaken);
  });
});

describe('what a run reuses', () => {
  it('is said once for each of the 36 cases', () => {
    expect(ALL).toHaveLength(36);
    for (const facts of ALL)
      expect(
        ROWS.filter(([, row]) => isFor(facts, row)),
        JSON.stringify(facts),
      ).toHaveLength(1);
  });

  it.each(ROWS)('%s', (_, row, by, rules) => {
    for (const facts of ALL.filter((one) => isFor(one, row)))
      expect(outcomeOf(facts), JSON.stringify(facts)).toEqual([by, rules]);
  });

  it('says what is missing when nobody is trusted', () => {
    expect(
      planTrust({ trust: 'signed', mode: 'none', hasKey: false, identities: [], issuer: undefined, source: undefined }),
    ).toEqual({
      ok: false,
      problem: 'signed needs trust-identity where no workflow runs: whose signatures count?',
    });
  });
});

/** Why a signature by this identity does not count for a run of this source; `undefined` when it does. */
function refusal(
  signer: Partial<SignerIdentity>,
  { source = SOURCE, named = [], issuer }: { source?: TrustSource; named?: readonly string[]; issuer?: string } = {},
): string | undefined {
  const identities = named.map(identity);
  const plan = planTrust({ trust: 'signed', mode: 'keyless', hasKey: false, identities, issuer, source });
  if (!plan.ok || plan.value.by !== 'signature') throw new Error('it is not by signature');
  return findSignerProblem(plan.value.rules, { ...SIGNER, ...signer })?.reason;
}

const ELSEWHERE = {
  subject: 'https://github.com/shared/ci/.github/workflows/build.yml@refs/tags/v3',
  sourceRepository: 'https://github.com/other/app',
};

describe('signed by a workflow run', () => {
  it.each<[string, Partial<SignerIdentity>]>([
    ['of the default branch', {}],
    ['of a tag', { sourceRef: 'refs/tags/v1.2.3' }],
    ['of this very ref', { sourceRef: 'refs/heads/topic' }],
    ["through another repository's reusable workflow", { subject: ELSEWHERE.subject }],
  ])('%s counts', (_, signer) => {
    expect(refusal(signer)).toBeUndefined();
  });

  const refs = 'not the default branch, a tag, "refs/heads/topic"';
  it.each<[string, Partial<SignerIdentity>, string]>([
    ['of another branch', { sourceRef: 'refs/heads/evil' }, `its source ref is "refs/heads/evil", ${refs}`],
    ['of a pull request', { sourceRef: 'refs/pull/7/merge' }, `its source ref is "refs/pull/7/merge", ${refs}`],
    [
      'of a branch that is named like a tag',
      { sourceRef: 'refs/heads/refs/tags/v1' },
      `its source ref is "refs/heads/refs/tags/v1", ${refs}`,
    ],
    [
      'of a branch that begins like the default one',
      { sourceRef: 'refs/heads/main2' },
      `its source ref is "refs/heads/main2", ${refs}`,
    ],
    ['of no ref', { sourceRef: undefined }, `its source ref is not said, ${refs}`],
    [
      'of another repository',
      { sourceRepository: 'https://github.com/acme/app2' },
      'its source repository is "https://github.com/acme/app2", not "https://github.com/acme/app"',
    ],
    [
      'of no repository',
      { sourceRepository: undefined },
      'its source repository is not said, not "https://github.com/acme/app"',
    ],
    [
      'for which somebody else vouches',
      { issuer: 'https://accounts.example' },
      `its issuer is "https://accounts.example", not "${GITHUB}"`,
    ],
  ])('%s does not', (_, signer, reason) => {
    expect(refusal(signer)).toBe(reason);
  });

  it('of its own ref alone counts where the default branch is not known', () => {
    const source = { ...SOURCE, defaultBranch: undefined };
    expect(refusal({ sourceRef: 'refs/heads/topic' }, { source })).toBeUndefined();
    expect(refusal({}, { source })).toBe('its source ref is "refs/heads/main", not a tag, "refs/heads/topic"');
  });

  it('of the default branch or a tag alone counts where the own ref is not known', () => {
    const source = { ...SOURCE, ref: undefined };
    expect(refusal({}, { source })).toBeUndefined();
    expect(refusal({ sourceRef: undefined }, { source })).toMatch(/^its source ref is not said/);
    expect(refusal({ sourceRef: 'refs/heads/topic' }, { source })).toMatch(/not the default branch, a tag$/);
  });
});

describe('trust-identity', () => {
  it.each<[string, string]>([
    ['the whole subject', ELSEWHERE.subject],
    ['a pattern for the whole of it', String.raw`/https:\/\/github\.com\/shared\/.+/`],
    ['a pattern with flags', String.raw`/HTTPS:\/\/GITHUB\.COM\/SHARED\/.+/i`],
  ])('counts with %s', (_, named) => {
    expect(refusal(ELSEWHERE)).toBeDefined();
    expect(refusal(ELSEWHERE, { named: [named] })).toBeUndefined();
  });

  it.each([
    ['a part of the subject', 'https://github.com/shared/ci/.github/workflows/build.yml'],
    ['a pattern for its beginning', String.raw`/https:\/\/github\.com\/shared\//`],
    ['a pattern for its end', '/refs.tags.v3/'],
    ['another case', ELSEWHERE.subject.toUpperCase()],
  ])('does not with %s', (_, named) => {
    expect(refusal(ELSEWHERE, { named: [named] })).toBeDefined();
  });

  it('does not take the own runs away', () => {
    expect(refusal({}, { named: ['a@example.com'], issuer: 'https://accounts.example' })).toBeUndefined();
  });

  it('counts with the issuer that is named only', () => {
    const named = [ELSEWHERE.subject];
    expect(refusal(ELSEWHERE, { named, issuer: GITHUB })).toBeUndefined();
    expect(refusal({ ...ELSEWHERE, issuer: 'https://accounts.example' }, { named })).toBeUndefined();
    expect(refusal(ELSEWHERE, { named, issuer: 'https://accounts.example' })).toBeDefined();
  });

  it.each(['/(/', '/a/x', '/(?=a)/', `/${'a'.repeat(600)}/`])('refuses what is no pattern: %s', (text) => {
    expect(parseIdentity(text).ok).toBe(false);
  });
});

describe('trust-issuer', () => {
  it.each([GITHUB, ` ${GITHUB}\n`, 'https://ghes.example/_services/token'])('is an address: %s', (text) => {
    expect(parseIssuer(text)).toEqual({ ok: true, value: text.trim() });
  });
  it.each(['github', 'ftp://x', 'https://user@x', '/https:.*/'])('is nothing else: %s', (text) => {
    expect(parseIssuer(text).ok).toBe(false);
  });
});
