import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';
import type { SignMode } from './sign-plan.ts';
import { exactly, type SignerRule, type TextRule } from './signer-rule.ts';
import { parseUserPattern } from './user-pattern.ts';

/** What the input `trust` takes. */
export const TRUST_CHOICES = ['auto', 'signed', 'hash'] as const;
export type TrustChoice = (typeof TRUST_CHOICES)[number];

/** What an image must show to be reused: its content hash alone, or besides a signature of one of these, or with the run's key. */
export type TrustPlan =
  | { readonly by: 'hash' }
  | { readonly by: 'signature'; readonly rules: readonly SignerRule[] }
  | { readonly by: 'key' };

/** The workflow run that asks, in the words of the certificates of its like. */
export interface TrustSource {
  /** `https://github.com/acme/app` */
  readonly repository: string;
  /** `refs/heads/topic` */
  readonly ref: string | undefined;
  readonly defaultBranch: string | undefined;
  /** Of the tokens of its runs: `https://token.actions.githubusercontent.com`. */
  readonly issuer: string;
}

export interface TrustFacts {
  readonly trust: TrustChoice;
  readonly mode: SignMode;
  /** There is a key, whether this run signs with it or not. */
  readonly hasKey: boolean;
  /** The inputs `trust-identity` and `trust-issuer`. */
  readonly identities: readonly TextRule[];
  readonly issuer: string | undefined;
  /** `undefined` where no workflow runs. */
  readonly source: TrustSource | undefined;
}

/**
 * Parses one entry of `trust-identity`: the whole subject of a certificate, or a regular expression for the whole of it in
 * slashes.
 */
export function parseIdentity(text: string): Parsed<TextRule> {
  if (!text.startsWith('/')) return parsed(exactly(text));
  const [, source, flags] = /^\/(.+)\/([a-z]*)$/s.exec(text) ?? [];
  const whole = source === undefined ? text : `/^(?:${source})$/${flags ?? ''}`;
  const pattern = parseUserPattern(whole);
  if (!pattern.ok) return pattern;
  return parsed({ shown: quote(text), accepts: (subject) => pattern.value.match(subject)?.[0] === subject });
}

/** An issuer of tokens: its address, as it stands in certificates. */
export function parseIssuer(text: string): Parsed<string> {
  const url = URL.canParse(text.trim()) ? new URL(text.trim()) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.username + url.password === '')
    return parsed(text.trim());
  return unparsable(`${quote(text)} is no issuer: https://token.actions.githubusercontent.com is one`);
}

/**
 * Whose images a run reuses. By signature: those of workflow runs of its own repository at the default branch, at a tag or at
 * its own ref, so that a branch can plant nothing that others would take; and those whom `trust-identity` names. A problem
 * where nobody would be trusted.
 */
export function planTrust({ trust, mode, hasKey, identities, issuer, source }: TrustFacts): Parsed<TrustPlan> {
  const isSigned = trust === 'signed' || (trust === 'auto' && (mode !== 'none' || identities.length > 0));
  if (!isSigned) return parsed({ by: 'hash' });
  if (mode === 'key' || (mode === 'none' && hasKey)) return parsed({ by: 'key' });
  const rules = [...(source === undefined ? [] : [ownRule(source)]), ...namedRules(identities, issuer)];
  if (rules.length > 0) return parsed({ by: 'signature', rules });
  return unparsable('signed needs trust-identity where no workflow runs: whose signatures count?');
}

/** The rules for the identities that were named. */
export function namedRules(identities: readonly TextRule[], issuer: string | undefined): readonly SignerRule[] {
  return identities.map((subject) => ({ subject, ...(issuer === undefined ? {} : { issuer: exactly(issuer) }) }));
}

/** The rule for the runs of one's own repository. */
export function ownRule({ repository, ref, defaultBranch, issuer }: TrustSource): SignerRule {
  const refs = [ref, ...(defaultBranch === undefined ? [] : [`refs/heads/${defaultBranch}`])];
  return {
    issuer: exactly(issuer),
    sourceRepository: exactly(repository),
    sourceRef: {
      shown: [
        ...(defaultBranch === undefined ? [] : ['the default branch']),
        'a tag',
        ...(ref === undefined ? [] : [quote(ref)]),
      ].join(', '),
      accepts: (found) => refs.includes(found) || found.startsWith('refs/tags/'),
    },
  };
}
