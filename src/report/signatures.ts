import type { AcceptedSignature } from '../core/signature-verdict.ts';
import type { SignerIdentity } from '../core/signer-rule.ts';
import type { Results } from '../stage.ts';

/** What a run has signed or verified: lines for people. */
export function signatureLines({ sign, verify }: Partial<Results>): readonly string[] {
  if (sign !== undefined) {
    const made = sign.signatures.filter(({ isNew }) => isNew).length;
    const lines = [`${made} signed, ${sign.signatures.length - made} signed before`, ...signerLines(sign.signer)];
    return [...lines, `verify with: ${sign.verifyCommand}`];
  }
  if (verify === undefined) return [];
  const proofs = verify.accepted.flatMap(proofLines);
  const refused = verify.refused.map(({ artifact, reason }) => `does not count: ${artifact.digest}: ${reason}`);
  const command = verify.verifyCommand === undefined ? [] : [`verify with: ${verify.verifyCommand}`];
  return [...proofs, ...refused, ...command];
}

function proofLines({ artifact, signer, signedAt }: AcceptedSignature): readonly string[] {
  const when = signedAt === undefined ? '' : `, at ${signedAt.toISOString()}`;
  return [`signed${when}: ${artifact.digest}`, ...signerLines(signer)];
}

function signerLines(signer: SignerIdentity | undefined): readonly string[] {
  if (signer === undefined) return ['with the key'];
  const { subject, issuer, sourceRepository, sourceRef, sourceDigest, runInvocation } = signer;
  const source = [sourceRepository, sourceRef, sourceDigest].filter((part) => part !== undefined).join(' ');
  return [
    `by ${subject}, says ${issuer}`,
    ...(source === '' ? [] : [`for ${source}`]),
    ...(runInvocation === undefined ? [] : [`in ${runInvocation}`]),
  ];
}
