import type { SignerIdentity } from './signer-rule.ts';

/**
 * What `cosign verify` is asked for, so that the signatures of this signer count and nobody else's: options and values. Anybody
 * on GitHub may call a reusable workflow, and then signs with its subject; so of a workflow, the repository that it ran for is
 * named as well, and the ref where the subject has another one.
 */
export function identityArguments(signer: SignerIdentity): readonly (readonly [option: string, value: string])[] {
  const { subject, issuer, sourceRepository, sourceRef } = signer;
  const repository = subject.includes('/.github/workflows/') ? pathOf(sourceRepository) : undefined;
  const isOfRef = sourceRef === undefined || subject.endsWith(`@${sourceRef}`);
  return [
    ['--certificate-identity', subject],
    ['--certificate-oidc-issuer', issuer],
    ...(repository === undefined ? [] : [['--certificate-github-workflow-repository', repository] as const]),
    ...(repository === undefined || isOfRef ? [] : [['--certificate-github-workflow-ref', sourceRef] as const]),
  ];
}

/** `https://github.com/acme/app` is `acme/app`. */
function pathOf(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url) ? new URL(url).pathname.slice(1) : undefined;
}
