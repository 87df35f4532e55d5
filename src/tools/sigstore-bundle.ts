import { type Bundle, bundleFromJSON } from '@sigstore/bundle';
import { type Signer as ProvedSigner, type SignedEntity, toSignedEntity, VerificationError } from '@sigstore/verify';
import { derText } from '../core/der-text.ts';
import type { Digest } from '../core/digest.ts';
import { parseJson } from '../core/json.ts';
import { toLine } from '../core/printable.ts';
import type { AcceptedSignature, RefusalCode, RefusedSignature } from '../core/signature-verdict.ts';
import { parseStatement, STATEMENT_MEDIA_TYPE } from '../core/signed-statement.ts';
import { findSignerProblem, type SignerIdentity, type SignerRule } from '../core/signer-rule.ts';
import { dateOfSeconds } from '../core/timestamp.ts';
import type { SigstoreTrust } from './sigstore-trust.ts';

/** What a bundle has to prove. */
export interface Claim {
  readonly digest: Digest;
  readonly predicateType: string;
  /** One of these. */
  readonly rules: readonly SignerRule[];
}

/** What it proves, or why it proves nothing. */
export type BundleVerdict =
  | { readonly ok: true; readonly value: Omit<AcceptedSignature, 'artifact'> }
  | { readonly ok: false; readonly problem: Omit<RefusedSignature, 'artifact'> };

/** What the codes of the verifier mean; what is not here is a bundle that it cannot follow. */
const REFUSALS: Readonly<Record<string, RefusalCode>> = {
  TIMESTAMP_ERROR: 'untrusted-timestamp',
  CERTIFICATE_ERROR: 'untrusted-certificate',
  TLOG_BODY_ERROR: 'tampered',
  SIGNATURE_ERROR: 'tampered',
  TLOG_ERROR: 'untrusted-log',
  TLOG_INCLUSION_PROMISE_ERROR: 'untrusted-log',
  TLOG_INCLUSION_PROOF_ERROR: 'untrusted-log',
  TLOG_MISSING_INCLUSION_ERROR: 'untrusted-log',
};

/** Names of extensions: https://github.com/sigstore/fulcio/blob/v1.8.1/docs/oid-info.md */
const EXTENSIONS = {
  buildSigner: '1.3.6.1.4.1.57264.1.9',
  sourceRepository: '1.3.6.1.4.1.57264.1.12',
  sourceDigest: '1.3.6.1.4.1.57264.1.13',
  sourceRef: '1.3.6.1.4.1.57264.1.14',
  trigger: '1.3.6.1.4.1.57264.1.20',
  runInvocation: '1.3.6.1.4.1.57264.1.21',
} as const;

/** Verifies a bundle, without any request: signature, certificate, log, time, content, and at last by whom. */
export function judgeBundle({ verifier }: SigstoreTrust, text: string, claim: Claim): BundleVerdict {
  const bundle = readBundle(text);
  if (typeof bundle === 'string') return refuse('malformed', bundle);
  let entity: SignedEntity | undefined;
  try {
    entity = toSignedEntity(bundle);
    const missing = whatIsMissing(entity);
    return missing ?? judgeStatement(bundle, claim, { proved: verifier.verify(entity), signedAt: signingTime(entity) });
  } catch (error) {
    // What a stranger attached may break a parser anywhere.
    if (!(error instanceof VerificationError)) return refuse('malformed', sentence(error));
    const code = REFUSALS[error.code] ?? 'malformed';
    const expiry = code === 'untrusted-certificate' && entity !== undefined ? whyExpired(entity) : undefined;
    return expiry === undefined ? refuse(code, sentence(error)) : refuse('expired', expiry);
  }
}

function readBundle(text: string): Bundle | string {
  const json = parseJson(text);
  if (json === undefined) return 'it is not JSON';
  try {
    const bundle = bundleFromJSON(json);
    const { content } = bundle;
    if (content.$case !== 'dsseEnvelope') return 'it holds a signature alone, and no statement';
    if (content.dsseEnvelope.payloadType === STATEMENT_MEDIA_TYPE) return bundle;
    return `what is signed is ${toLine(content.dsseEnvelope.payloadType)}, not ${STATEMENT_MEDIA_TYPE}`;
  } catch (error) {
    return `it is no bundle: ${sentence(error)}`;
  }
}

/** What the verifier would find missing too, under names that say less. */
function whatIsMissing(entity: SignedEntity): BundleVerdict | undefined {
  if (entity.key.$case === 'public-key')
    return refuse('no-certificate', 'it was signed with a key, which proves no identity');
  if (entity.tlogEntries.length === 0) return refuse('no-log-entry', 'it has no entry in a transparency log');
  if (signingTime(entity) !== undefined) return undefined;
  const until = toText(entity.key.certificate.notAfter);
  return refuse('no-timestamp', `nothing proves when it was signed, and its certificate was good until ${until}`);
}

/** As the verifier counts times: of a log only what it promised with its signature. */
function signingTime({ timestamps }: SignedEntity): Date | undefined {
  for (const one of timestamps) {
    if (one.$case === 'timestamp-authority') return one.timestamp.signingTime;
    const { inclusionPromise, integratedTime } = one.tlogEntry;
    if (inclusionPromise !== undefined) return dateOfSeconds(Number(integratedTime));
  }
  return undefined;
}

function whyExpired(entity: SignedEntity): string | undefined {
  const signedAt = signingTime(entity);
  if (signedAt === undefined || entity.key.$case === 'public-key') return undefined;
  const { notBefore, notAfter } = entity.key.certificate;
  if (signedAt >= notBefore && signedAt <= notAfter) return undefined;
  return `its certificate was good from ${toText(notBefore)} to ${toText(notAfter)}, and it was signed ${toText(signedAt)}`;
}

interface Proof {
  readonly proved: ProvedSigner;
  readonly signedAt: Date | undefined;
}

function judgeStatement(bundle: Bundle, claim: Claim, { proved, signedAt }: Proof): BundleVerdict {
  const payload = bundle.content.$case === 'dsseEnvelope' ? bundle.content.dsseEnvelope.payload.toString() : '';
  const statement = parseStatement(payload);
  if (!statement.ok) return refuse('malformed', statement.problem);
  const { predicateType, predicate, subjects } = statement.value;
  if (predicateType !== claim.predicateType) {
    return refuse('other-statement', `it states ${toLine(predicateType)}, not ${claim.predicateType}`);
  }
  if (!subjects.includes(claim.digest)) {
    return refuse('other-digest', `it is about ${toLine(subjects.join(', '), 200) || 'nothing'}`);
  }
  const signer = identityOf(proved);
  const problem = findSignerProblem(claim.rules, signer);
  if (problem !== undefined) return { ok: false, problem };
  return { ok: true, value: { signer, signedAt, predicate } };
}

function identityOf({ identity }: ProvedSigner): SignerIdentity {
  const value = (name: string): string | undefined =>
    derText(identity?.oids?.find(({ oid }) => oid?.id.join('.') === name)?.value ?? Buffer.alloc(0));
  return {
    subject: identity?.subjectAlternativeName ?? '',
    issuer: identity?.extensions?.issuer ?? '',
    buildSigner: value(EXTENSIONS.buildSigner),
    sourceRepository: value(EXTENSIONS.sourceRepository),
    sourceDigest: value(EXTENSIONS.sourceDigest),
    sourceRef: value(EXTENSIONS.sourceRef),
    trigger: value(EXTENSIONS.trigger),
    runInvocation: value(EXTENSIONS.runInvocation),
  };
}

function refuse(code: RefusalCode, reason: string): BundleVerdict {
  return { ok: false, problem: { code, reason } };
}

function sentence(error: unknown): string {
  return toLine(error instanceof Error ? error.message : 'it cannot be read', 200);
}

function toText(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'an unknown time' : date.toISOString();
}
