import { describe, expect, it } from 'vitest';
import type { SignerIdentity } from '../../src/core/signer-rule.ts';
import { identityArguments } from '../../src/core/verify-command.ts';

const JOB: SignerIdentity = {
  subject: 'https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1',
  issuer: 'https://token.actions.githubusercontent.com',
  sourceRepository: 'https://github.com/acme/app',
  sourceRef: 'refs/tags/v1',
  sourceDigest: undefined,
  buildSigner: undefined,
  runInvocation: undefined,
  trigger: 'push',
};
const REPOSITORY = ['--certificate-github-workflow-repository', 'acme/app'];

describe('a consumer asks for the signer', () => {
  it.each<[string, Partial<SignerIdentity>, readonly (readonly string[])[]]>([
    ['that is a workflow, and the repository that it ran for', {}, [REPOSITORY]],
    [
      'that is a reusable workflow, with repository and ref',
      { subject: 'https://github.com/acme/flows/.github/workflows/build.yml@refs/heads/main' },
      [REPOSITORY, ['--certificate-github-workflow-ref', 'refs/tags/v1']],
    ],
    ['whose repository is not said', { sourceRepository: undefined }, []],
    ['whose repository is no address', { sourceRepository: 'acme/app' }, []],
    ['whose ref is not said', { sourceRef: undefined }, [REPOSITORY]],
    ['that is a person', { subject: 'a@example.com', sourceRepository: undefined, sourceRef: undefined }, []],
    ['that is a job of GitLab', { subject: 'https://gitlab.com/acme/app//.gitlab-ci.yml@refs/heads/main' }, []],
  ])('%s', (_, signer, more) => {
    const who = { ...JOB, ...signer };
    expect(identityArguments(who)).toEqual([
      ['--certificate-identity', who.subject],
      ['--certificate-oidc-issuer', who.issuer],
      ...more,
    ]);
  });
});
