import { describe, expect, it } from 'vitest';
import { findSignerProblem } from '../src/core/signer-rule.ts';
import { createTerminalHost } from '../src/hosts/terminal.ts';
import { parseOptions } from '../src/options.ts';
import { decideSigning, type SigningRules, sourceOf } from '../src/signing-rules.ts';
import { readEvent } from '../src/stages/event.ts';
import { prepareTags } from '../src/stages/tags.ts';

type Texts = Readonly<Record<string, string>>;

const TOKEN: Texts = { ACTIONS_ID_TOKEN_REQUEST_URL: 'https://token', ACTIONS_ID_TOKEN_REQUEST_TOKEN: 't' };
const JOB: Texts = {
  GITHUB_REPOSITORY: 'acme/app',
  GITHUB_SERVER_URL: 'https://github.com',
  GITHUB_REF: 'refs/heads/topic',
  GITHUB_EVENT_NAME: 'push',
};

interface Setting {
  readonly inputs?: Texts;
  readonly env?: Texts;
  readonly isPrivate?: boolean;
  readonly untrusted?: string;
}

function eventOf(env: Texts, isPrivate: boolean) {
  const event = readEvent(createTerminalHost({ cwd: '/', env, write: () => {} }));
  const { repository } = event;
  return {
    ...event,
    git: { ...event.git, defaultBranch: 'main' },
    repository: repository === undefined ? undefined : { ...repository, isPrivate },
  };
}

function decide({ inputs = {}, env = { ...JOB, ...TOKEN }, isPrivate = false, untrusted }: Setting = {}): SigningRules {
  const { options } = parseOptions({ images: 'ghcr.io/acme/app', ...inputs });
  const seen = eventOf(env, isPrivate);
  const event = { ...seen, push: options.push, untrusted };
  const tags = prepareTags(options, event.git);
  return decideSigning({ env }, options, { event, tags: tags.ok ? tags.plan : undefined });
}

const RELEASE = { ...JOB, GITHUB_REF: 'refs/tags/v1.2.3' };

describe('a run', () => {
  it.each<[string, Setting, Partial<SigningRules> & { readonly by: SigningRules['trust']['by'] }]>([
    ['in public, with a token, signs and wants signatures', {}, { mode: 'keyless', by: 'signature' }],
    ['in private does neither', { isPrivate: true }, { mode: 'none', by: 'hash', unsigned: undefined }],
    [
      'in private does so when it is told to',
      { isPrivate: true, inputs: { sign: 'keyless' } },
      { mode: 'keyless', by: 'signature' },
    ],
    [
      'on a GitHub of your own does neither',
      { env: { ...JOB, ...TOKEN, GITHUB_SERVER_URL: 'https://ghes.example' } },
      { mode: 'none', by: 'hash' },
    ],
    [
      'with half a token does neither',
      { env: { ...JOB, ACTIONS_ID_TOKEN_REQUEST_URL: 'https://token' } },
      { mode: 'none', by: 'hash' },
    ],
    [
      'with an empty token does neither',
      { env: { ...JOB, ...TOKEN, ACTIONS_ID_TOKEN_REQUEST_TOKEN: '' } },
      { mode: 'none', by: 'hash' },
    ],
    ['that does not push does neither', { inputs: { push: 'false' } }, { mode: 'none', by: 'hash' }],
    [
      'that does not push wants signatures when it is told to',
      { inputs: { push: 'false', trust: 'signed' } },
      { mode: 'none', by: 'signature' },
    ],
    ['with a key wants its signatures', { inputs: { 'sign-key': 'cosign.key' } }, { mode: 'key', by: 'key' }],
    [
      'with a key wants its signatures where it does not push',
      { inputs: { 'sign-key': 'cosign.key', push: 'false', trust: 'signed' } },
      { mode: 'none', by: 'key' },
    ],
    [
      'with a key that it is not to sign with wants its signatures',
      { inputs: { 'sign-key': 'cosign.pub', sign: 'none', trust: 'signed' } },
      { mode: 'none', by: 'key' },
    ],
    [
      'with a key signs keyless when it is told to, and wants that',
      { inputs: { 'sign-key': 'cosign.key', sign: 'keyless' } },
      { mode: 'keyless', by: 'signature' },
    ],
    [
      'of a stranger does not want the key, which it has not',
      { inputs: { 'sign-key': 'env://KEY', push: 'false', trust: 'signed' }, untrusted: 'a fork' },
      { mode: 'none', by: 'signature' },
    ],
    ['with trust: hash signs, and wants none', { inputs: { trust: 'hash' } }, { mode: 'keyless', by: 'hash' }],
    ['on a laptop does neither', { env: {} }, { mode: 'none', by: 'hash' }],
    [
      'with a name to trust wants signatures wherever it is',
      { env: {}, inputs: { 'trust-identity': 'a@example.com' } },
      { mode: 'none', by: 'signature' },
    ],
  ])('%s', (_, setting, { by, ...expected }) => {
    const { trust, ...rules } = decide(setting);
    expect({ ...rules, by: trust.by }).toMatchObject({ by, problems: [], ...expected });
  });

  it.each<[string, Setting, string, RegExp]>([
    ['keyless without a token', { env: JOB, inputs: { sign: 'keyless' } }, 'sign', /id-token: write/],
    ['a key that is not there', { inputs: { sign: 'key' } }, 'sign', /needs sign-key/],
    ['trust in nobody', { env: {}, inputs: { trust: 'signed' } }, 'trust', /needs trust-identity/],
  ])('has a problem: %s', (_, setting, input, message) => {
    expect(decide(setting).problems).toEqual([{ input, message: expect.stringMatching(message) }]);
  });

  it.each<[string, Setting, boolean | undefined]>([
    ['loudly of a version', { env: RELEASE }, true],
    ['softly of a branch', { env: JOB }, false],
    ['not where it is wanted so', { env: RELEASE, inputs: { sign: 'none' } }, undefined],
    ['not of what it signs', { env: { ...RELEASE, ...TOKEN } }, undefined],
    ['not of what is not pushed', { env: RELEASE, inputs: { push: 'false' } }, undefined],
  ])('says that an image stays unsigned: %s', (_, setting, isLoud) => {
    expect(decide(setting).unsigned?.isLoud).toBe(isLoud);
  });
});

describe('whose runs count', () => {
  it('is said in the words of their certificates', () => {
    expect(sourceOf(JOB, eventOf(JOB, false))).toEqual({
      repository: 'https://github.com/acme/app',
      ref: 'refs/heads/topic',
      defaultBranch: 'main',
      issuer: 'https://token.actions.githubusercontent.com',
    });
  });

  it('has the issuer of a GitHub of your own', () => {
    const env = { ...JOB, GITHUB_SERVER_URL: 'https://ghes.example/' };
    expect(sourceOf(env, eventOf(env, false))).toMatchObject({ issuer: 'https://ghes.example/_services/token' });
  });

  it('is nobody outside of a workflow', () => {
    expect(sourceOf({}, eventOf({}, false))).toBeUndefined();
  });

  it("is the job's own ref, not that of what it builds", () => {
    const env = { ...JOB, ...TOKEN };
    const { trust } = decide({ env });
    const rules = trust.by === 'signature' ? trust.rules : [];
    const signer = {
      subject: 'https://github.com/acme/app/.github/workflows/x.yml@refs/heads/topic',
      issuer: 'https://token.actions.githubusercontent.com',
      sourceRepository: 'https://github.com/acme/app',
      sourceRef: 'refs/heads/topic',
      sourceDigest: undefined,
      buildSigner: undefined,
      runInvocation: undefined,
      trigger: undefined,
    };
    expect(findSignerProblem(rules, signer)).toBeUndefined();
    expect(findSignerProblem(rules, { ...signer, sourceRef: 'refs/heads/other' })).toMatchObject({
      code: 'wrong-identity',
    });
  });
});
