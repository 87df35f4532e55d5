import { anyText, choice, listOf, optional, optionalText, type Parse, secretText } from './core/kinds.ts';
import { parsed } from './core/parsed.ts';
import { SIGN_CHOICES } from './core/sign-plan.ts';
import { parseSigningKey, type SigningKey } from './core/signing-key.ts';
import { parseIdentity, parseIssuer, TRUST_CHOICES } from './core/trust-plan.ts';
import { list, text, toggle } from './option.ts';

const signingKey: Parse<SigningKey | undefined> = (given) =>
  given.trim() === '' ? parsed(undefined) : parseSigningKey(given);

/** The inputs that say whose images are reused, for the one table of inputs. */
export const TRUST_OPTIONS = {
  trust: text(
    choice(...TRUST_CHOICES),
    {
      group: 'reuse',
      about:
        "Which images are reused: those with the full content hash (`hash`), or only those of them that are signed by this repository's workflows (`signed`). `auto`: `signed` where this run signs.",
    },
    'auto',
  ),
  'trust-identity': list(
    listOf((entry) => {
      const given = anyText(entry);
      return given.ok ? parseIdentity(given.value) : given;
    }),
    {
      group: 'reuse',
      about:
        'Others whose signatures count, one a line: the subject of their certificate, or a regular expression for it: `/https:.../`.',
    },
  ),
  'trust-issuer': text(optional(parseIssuer), {
    group: 'reuse',
    about: 'Who must have vouched for those identities. Default: anybody.',
  }),
  'trust-strict': toggle(
    { group: 'reuse', about: 'An image that is not trusted ends the run instead of being built again.' },
    false,
  ),
} as const;

/** The inputs of signing, for the one table of inputs. */
export const SIGN_OPTIONS = {
  sign: text(
    choice(...SIGN_CHOICES),
    {
      group: 'sign',
      about:
        "Sign the image: with the job's identity in Sigstore's public log (`keyless`), with `sign-key` (`key`), or not (`none`). `auto`: with the key where there is one, else keyless in public repositories on github.com whose job has `id-token: write`.",
    },
    'auto',
  ),
  'sign-key': text(signingKey, {
    group: 'sign',
    about:
      'The key to sign with: a file, its text, `env://NAME`, or `awskms://`, `gcpkms://`, `azurekms://`, `hashivault://`, `k8s://`.',
    secret: true,
  }),
  'sign-key-password': text(secretText, { group: 'sign', about: 'The password of that key.', secret: true }),
  'sigstore-signing-config': text(optionalText, {
    group: 'sign',
    about: "The services of a Sigstore of your own, as cosign 3's file has them. Default: public Sigstore.",
  }),
  'sigstore-trusted-root': text(optionalText, {
    group: 'sign',
    about: "What those services are known by, as cosign 3's file has it. Default: public Sigstore's, by TUF.",
  }),
} as const;
