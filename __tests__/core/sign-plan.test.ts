import { describe, expect, it } from 'vitest';
import { planSigning, SIGN_CHOICES, type SignFacts, type SignPlan } from '../../src/core/sign-plan.ts';

const NAMES = ['hasKey', 'pushes', 'canIdentify', 'isPublic', 'releases'] as const;
const ALL: readonly SignFacts[] = SIGN_CHOICES.flatMap((sign) =>
  Array.from({ length: 2 ** NAMES.length }, (_, bits) => {
    const [hasKey, pushes, canIdentify, isPublic, releases] = NAMES.map((__, index) => (bits & (1 << index)) !== 0);
    if (hasKey === undefined || pushes === undefined || canIdentify === undefined) throw new Error('five names');
    return { sign, hasKey, pushes, canIdentify, isPublic: isPublic === true, releases: releases === true };
  }),
);

const signs = (mode: SignPlan['mode'], problem?: string): SignPlan => ({ mode, problem, unsigned: undefined });
const leaves = (message: string, isLoud: boolean): SignPlan => ({
  mode: 'none',
  problem: undefined,
  unsigned: { message, isLoud },
});
const PERMISSION = 'add id-token: write to the permissions of the job';
const CHOICES =
  'sign: keyless signs in the public log, sign: key with a key of yours, sign: none says that it is to stay so';

/** Each with the facts that it is for; of others nothing is said. */
const ROWS: readonly (readonly [string, Partial<SignFacts>, SignPlan])[] = [
  ['nothing is signed that is not pushed', { pushes: false }, signs('none')],
  ['none signs nothing, and says nothing', { pushes: true, sign: 'none' }, signs('none')],
  ['key signs with the key', { pushes: true, sign: 'key', hasKey: true }, signs('key')],
  ['key without one is wrong', { pushes: true, sign: 'key', hasKey: false }, signs('key', 'key needs sign-key')],
  ['keyless signs with a token', { pushes: true, sign: 'keyless', canIdentify: true }, signs('keyless')],
  [
    'keyless without one is wrong, and says what is missing',
    { pushes: true, sign: 'keyless', canIdentify: false },
    signs('keyless', `keyless needs a token that says what this job is: ${PERMISSION}`),
  ],
  ['auto takes the key that is given', { pushes: true, sign: 'auto', hasKey: true }, signs('key')],
  [
    'auto is keyless where everybody may see it',
    { pushes: true, sign: 'auto', hasKey: false, canIdentify: true, isPublic: true },
    signs('keyless'),
  ],
  [
    'auto without a token says a word in public',
    { pushes: true, sign: 'auto', hasKey: false, canIdentify: false, isPublic: true, releases: false },
    leaves(`the image stays unsigned; to sign, ${PERMISSION}`, false),
  ],
  [
    'auto without a token warns of a public version',
    { pushes: true, sign: 'auto', hasKey: false, canIdentify: false, isPublic: true, releases: true },
    leaves(`this version stays unsigned; to sign, ${PERMISSION}`, true),
  ],
  [
    'auto publishes nothing of a private repository',
    { pushes: true, sign: 'auto', hasKey: false, isPublic: false, releases: false },
    signs('none'),
  ],
  [
    'auto warns of a private version',
    { pushes: true, sign: 'auto', hasKey: false, isPublic: false, releases: true },
    leaves(`this version stays unsigned; ${CHOICES}`, true),
  ],
];

const isFor = (facts: SignFacts, row: Partial<SignFacts>): boolean => {
  const merged = { ...facts, ...row };
  return facts.sign === merged.sign && NAMES.every((name) => facts[name] === merged[name]);
};

describe('how a run signs', () => {
  it('is said once for each of the 128 cases', () => {
    expect(ALL).toHaveLength(128);
    for (const facts of ALL)
      expect(
        ROWS.filter(([, row]) => isFor(facts, row)),
        JSON.stringify(facts),
      ).toHaveLength(1);
  });

  it.each(ROWS)('%s', (_, row, plan) => {
    for (const facts of ALL.filter((one) => isFor(one, row)))
      expect(planSigning(facts), JSON.stringify(facts)).toEqual(plan);
  });
});
