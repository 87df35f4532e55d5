import { quote } from './printable.ts';

/** Who signed, as the certificate says it: https://github.com/sigstore/fulcio/blob/v1.8.1/docs/oid-info.md */
export interface SignerIdentity {
  /** Subject alternative name: of a job, the address of its workflow file at a ref; of a person, an e-mail address. */
  readonly subject: string;
  /** Who vouched for the subject: of jobs on github.com `https://token.actions.githubusercontent.com`. */
  readonly issuer: string;
  /** The repository that the job ran for, `https://github.com/acme/app`; a reusable workflow's own is in `subject`. */
  readonly sourceRepository: string | undefined;
  /** The ref that the job ran for: `refs/heads/main`. */
  readonly sourceRef: string | undefined;
  /** Its commit. */
  readonly sourceDigest: string | undefined;
  /** The workflow file that signed, at its ref. */
  readonly buildSigner: string | undefined;
  /** The page of the run and attempt. */
  readonly runInvocation: string | undefined;
  /** The event: `push` */
  readonly trigger: string | undefined;
}

/** What a text of a certificate has to be. */
export interface TextRule {
  /** How a message names it: the text itself, or its pattern. */
  readonly shown: string;
  accepts(text: string): boolean;
}

/** Whose signatures count. What is absent may be anything; an identity without such a text is not accepted. */
export interface SignerRule {
  readonly issuer?: TextRule;
  readonly subject?: TextRule;
  readonly sourceRepository?: TextRule;
  readonly sourceRef?: TextRule;
}

/** Why an identity is not accepted. */
export interface SignerProblem {
  readonly code: 'wrong-issuer' | 'wrong-identity';
  /** Says what it is and what it should be; printable. */
  readonly reason: string;
}

/** This text and no other. */
export function exactly(text: string): TextRule {
  return { shown: quote(text), accepts: (other) => other === text };
}

/** One of these texts. */
export function oneOf(texts: readonly string[]): TextRule {
  return { shown: texts.map(quote).join(' or '), accepts: (other) => texts.includes(other) };
}

/** Every text. */
export const SIGNED_BY_ANYBODY: SignerRule = {};

/** `undefined` when one of the rules accepts this identity; no rules accept none. */
export function findSignerProblem(rules: readonly SignerRule[], signer: SignerIdentity): SignerProblem | undefined {
  const problems: SignerProblem[] = [];
  for (const rule of rules) {
    const problem = problemOf(rule, signer);
    if (problem === undefined) return undefined;
    problems.push(problem);
  }
  // The rule that it came closest to says most.
  return (
    problems.find(({ code }) => code === 'wrong-identity') ??
    problems[0] ?? { code: 'wrong-identity', reason: 'nobody is trusted' }
  );
}

function problemOf(rule: SignerRule, signer: SignerIdentity): SignerProblem | undefined {
  const checks = [
    ['wrong-issuer', 'its issuer', rule.issuer, signer.issuer],
    ['wrong-identity', 'its source repository', rule.sourceRepository, signer.sourceRepository],
    ['wrong-identity', 'its source ref', rule.sourceRef, signer.sourceRef],
    ['wrong-identity', 'its subject', rule.subject, signer.subject],
  ] as const;
  for (const [code, what, wanted, found] of checks) {
    if (wanted === undefined || (found !== undefined && wanted.accepts(found))) continue;
    return { code, reason: `${what} is ${found === undefined ? 'not said' : quote(found)}, not ${wanted.shown}` };
  }
  return undefined;
}
