import { describe, expect, test } from 'vitest';
import {
  exactly,
  findSignerProblem,
  oneOf,
  SIGNED_BY_ANYBODY,
  type SignerIdentity,
  type SignerRule,
} from '../../src/core/signer-rule.ts';

const SIGNER: SignerIdentity = {
  subject: 'https://github.com/shared/workflows/.github/workflows/build.yml@refs/tags/v3',
  issuer: 'https://token.actions.githubusercontent.com',
  sourceRepository: 'https://github.com/acme/app',
  sourceRef: 'refs/heads/feature',
  sourceDigest: undefined,
  buildSigner: undefined,
  runInvocation: undefined,
  trigger: 'push',
};
const OWN: SignerRule = { issuer: exactly(SIGNER.issuer), sourceRepository: exactly('https://github.com/acme/app') };

describe('a rule for signers', () => {
  test.each<[string, readonly SignerRule[], string | undefined]>([
    ['of anybody', [SIGNED_BY_ANYBODY], undefined],
    ['of the repository that the job ran for, whosever workflow signs', [OWN], undefined],
    ['of one of several refs', [{ ...OWN, sourceRef: oneOf(['refs/heads/main', 'refs/heads/feature']) }], undefined],
    ['of which one accepts', [{ issuer: exactly('https://other') }, OWN], undefined],
    ['of nobody', [], 'wrong-identity: nobody is trusted'],
    [
      'of another issuer',
      [{ issuer: exactly('https://accounts.example') }],
      'wrong-issuer: its issuer is "https://token.actions.githubusercontent.com", not "https://accounts.example"',
    ],
    [
      'of another ref',
      [{ ...OWN, sourceRef: oneOf(['refs/heads/main', 'refs/tags/v1']) }],
      'wrong-identity: its source ref is "refs/heads/feature", not "refs/heads/main" or "refs/tags/v1"',
    ],
    [
      'of a longer name of the repository',
      [{ sourceRepository: exactly('https://github.com/acme/ap') }],
      'wrong-identity: its source repository is "https://github.com/acme/app", not "https://github.com/acme/ap"',
    ],
    [
      'of which another came closer',
      [{ issuer: exactly('https://other') }, { ...OWN, subject: { shown: '/^x/', accepts: (text) => text === 'x' } }],
      `wrong-identity: its subject is "${SIGNER.subject}", not /^x/`,
    ],
  ])('%s', (_, rules, expected) => {
    const problem = findSignerProblem(rules, SIGNER);
    expect(problem && `${problem.code}: ${problem.reason}`).toBe(expected);
  });

  test('does not accept what the certificate does not say', () => {
    const silent = { ...SIGNER, sourceRef: undefined };
    expect(findSignerProblem([{ sourceRef: { shown: 'any', accepts: () => true } }], silent)).toEqual({
      code: 'wrong-identity',
      reason: 'its source ref is not said, not any',
    });
  });

  test('shows hostile texts on one printable line', () => {
    const hostile = { ...SIGNER, sourceRef: `refs/heads/\u001b[31m\n::error::${'x'.repeat(1_000_000)}` };
    const { reason = '' } = findSignerProblem([{ sourceRef: exactly('refs/heads/main') }], hostile) ?? {};
    expect(reason).toMatch(/^[\x20-\x7e…]{1,300}$/);
  });
});
