import { isDeepStrictEqual } from 'node:util';
import { formatRepositoryName } from '../core/reference.ts';
import type { AcceptedSignature, ImageVerdict, RefusedSignature } from '../core/signature-verdict.ts';
import { formatStatement, SIGNATURE_PREDICATE } from '../core/signed-statement.ts';
import { exactly, SIGNED_BY_ANYBODY, type SignerRule } from '../core/signer-rule.ts';
import { BuildOnceError } from '../errors.ts';
import type { Host } from '../host.ts';
import type { Descriptor } from '../oci/types.ts';
import type { Repository } from '../registry/repository.ts';
import { attachBundle, listBundles, readBundle } from './sigstore-attachment.ts';
import { type Claim, judgeBundle, judgeSimpleSigning } from './sigstore-bundle.ts';
import type { Signer } from './sigstore-signer.ts';
import { readSimpleSignatures } from './sigstore-simple-signing.ts';
import type { SigstoreTrust } from './sigstore-trust.ts';

export { openSigner } from './sigstore-signer.ts';
export { openKeyTrust, openTrust } from './sigstore-trust.ts';

/** An image, index or one platform's manifest, in the repository that it is in. */
export interface SignedImage {
  readonly repository: Repository;
  readonly image: Descriptor;
}

/** What is said about an image. */
export interface Attestation {
  /** `https://slsa.dev/provenance/v1` */
  readonly predicateType: string;
  /** JSON. */
  readonly predicate: unknown;
}

/** With what a run signs. */
export interface Signing {
  readonly host: Host;
  readonly signer: Signer;
  readonly trust: SigstoreTrust;
}

/** How an image came to be signed. */
export interface Signed {
  /** As a consumer finds it. */
  readonly signature: AcceptedSignature;
  /** `false` when the same identity had signed it before. */
  readonly isNew: boolean;
}

export interface VerifyRequest {
  /** Whose signatures count: one of these is enough. */
  readonly rules: readonly SignerRule[];
  /** Of an attestation; a signature when absent. */
  readonly predicateType?: string;
  /** Looks no further when one is accepted. */
  readonly stopAtFirst?: boolean;
}

/**
 * Signs an image as `cosign sign` does, and verifies what a consumer will find. Where the same identity has signed it
 * already, nothing is written. The errors of `Signer`, `Repository`, and BuildOnceError `SIGN_UNVERIFIED`.
 */
export function signImage(signing: Signing, subject: SignedImage): Promise<Signed> {
  return attest(signing, subject, { predicateType: SIGNATURE_PREDICATE, predicate: {} });
}

/** As {@link signImage}, with a statement of one's own; it counts as there when the same predicate is. */
export async function attest(signing: Signing, subject: SignedImage, attestation: Attestation): Promise<Signed> {
  const { host, signer, trust } = signing;
  const { repository, image } = subject;
  const { predicateType, predicate } = attestation;
  // With a key, whatever is accepted is of that key.
  const own = signer.byKey === true ? SIGNED_BY_ANYBODY : await ownRule(signer);
  const there = own === undefined ? undefined : await find(trust, subject, attestation, own);
  if (there !== undefined) return { signature: there, isNew: false };
  const bundle = await signer.sign(formatStatement(image.digest, predicateType, predicate));
  // Before it is attached: what nobody can verify must not pile up on the image.
  const claim = { digest: image.digest, predicateType, rules: [own ?? SIGNED_BY_ANYBODY] };
  const made = judgeBundle(trust, bundle, claim);
  if (!made.ok) throw unverified(subject, made.problem.reason);
  const artifact = await attachBundle(repository, { image, bundle, predicateType, created: host.now() });
  const found = await judgeArtifact(trust, subject, artifact, claim);
  if (found !== undefined && 'signer' in found) return { signature: found, isNew: true };
  throw unverified(subject, found?.reason ?? 'it is not there');
}

/**
 * What is attached to an image, verified without any request but for it: two for the lists, and two for each bundle that
 * is looked at. The errors of `Repository`; what strangers attached is refused, and no error.
 */
export async function verifyImage(
  trust: SigstoreTrust,
  { repository, image }: SignedImage,
  { rules, predicateType = SIGNATURE_PREDICATE, stopAtFirst = false }: VerifyRequest,
): Promise<ImageVerdict> {
  const accepted: AcceptedSignature[] = [];
  const refused: RefusedSignature[] = [];
  const claim = { digest: image.digest, predicateType, rules };
  for (const artifact of await listBundles(repository, image, predicateType)) {
    if (stopAtFirst && accepted.length > 0) break;
    const verdict = await judgeArtifact(trust, { repository, image }, artifact, claim);
    if (verdict === undefined) continue;
    if ('signer' in verdict) accepted.push(verdict);
    else refused.push(verdict);
  }
  if (accepted.length === 0 && predicateType === SIGNATURE_PREDICATE) {
    for await (const { artifact, ...simple } of readSimpleSignatures(repository, image)) {
      const verdict = judgeSimpleSigning(trust, simple, claim);
      if (verdict.ok) accepted.push({ ...verdict.value, artifact });
      else refused.push({ ...verdict.problem, artifact });
      if (stopAtFirst && verdict.ok) break;
    }
  }
  return { accepted, refused };
}

/** `undefined` for what states something else. */
async function judgeArtifact(
  trust: SigstoreTrust,
  { repository }: SignedImage,
  artifact: Descriptor,
  claim: Claim,
): Promise<AcceptedSignature | RefusedSignature | undefined> {
  const read = await readBundle(repository, artifact, claim.predicateType);
  if (!read.ok) return { artifact, code: 'malformed', reason: read.problem };
  if (read.value === undefined) return undefined;
  const verdict = judgeBundle(trust, read.value, claim);
  return verdict.ok ? { ...verdict.value, artifact } : { ...verdict.problem, artifact };
}

/**
 * Whom this run's signatures are by, so that one that is there is known; `undefined` when it is not known before. The subject
 * alone does not tell: of a reusable workflow it is the same for every repository and ref that it runs for.
 */
async function ownRule(signer: Signer): Promise<Required<SignerRule> | undefined> {
  const { issuer, subject, sourceRepository, sourceRef } = await signer.identity();
  if (subject === undefined || sourceRepository === undefined || sourceRef === undefined) return undefined;
  return {
    issuer: exactly(issuer),
    subject: exactly(subject),
    sourceRepository: exactly(sourceRepository),
    sourceRef: exactly(sourceRef),
  };
}

async function find(
  trust: SigstoreTrust,
  subject: SignedImage,
  { predicateType, predicate }: Attestation,
  rule: SignerRule,
): Promise<AcceptedSignature | undefined> {
  const { accepted } = await verifyImage(trust, subject, { rules: [rule], predicateType });
  const isSignature = predicateType === SIGNATURE_PREDICATE;
  return accepted.find((one) => isSignature || isDeepStrictEqual(one.predicate, predicate));
}

function unverified({ repository, image }: SignedImage, problem: string): BuildOnceError {
  const where = `${formatRepositoryName(repository.name)}@${image.digest}`;
  return new BuildOnceError('SIGN_UNVERIFIED', `the signature of ${where} does not verify: ${problem}`, 1, {
    hint: 'See that sigstore-trusted-root trusts the services that sigstore-signing-config names.',
  });
}
