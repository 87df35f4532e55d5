import { type Bundle, bundleFromJSON } from '@sigstore/bundle';
import { type Signer as ProvedSigner, type SignedEntity, toSignedEntity, VerificationError } from '@sigstore/verify';
import { derText } from '../core/der-text.ts';
import type { Digest } from '../core/digest.ts';
import { parseJson } from '../core/json.ts';
import { type Parsed, parsed, unparsable } from '../core/parsed.ts';
import { toLine } from '../core/printable.ts';
import type { AcceptedSignature, RefusalCode, RefusedSignature } from '../core/signature-verdict.ts';
import { parseSimpleSigning, parseStatement, STATEMENT_MEDIA_TYPE, type Statement } from '../core/signed-statement.ts';
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

/** A bundle with what it says, not verified. */
interface Content {
  readonly bundle: Bundle;
  /** What was signed, where it is not in the bundle. */
  readonly signed: Buffer | undefined;
  readonly statement: Statement;
}

/** Verifies a bundle, without any request: signature, certificate, log, time, content, and at last by whom. */
export function judgeBundle(trust: SigstoreTrust, text: string, claim: Claim): BundleVerdict {
  const content = readContent(parseJson(text));
  return content.ok ? judge(trust, content.value, claim) : refuse('malformed', content.problem);
}

/** The same for a signature whose payload is beside it, in cosign's older form; the bundle as JSON, of version 0.1. */
export function judgeSimpleSigning(
  trust: SigstoreTrust,
  { bundle, payload }: { readonly bundle: unknown; readonly payload: Buffer },
  claim: Claim,
): BundleVerdict {
  const statement = parseSimpleSigning(payload.toString());
  if (!statement.ok) return refuse('malformed', statement.problem);
  const parsedBundle = parseBundle(bundle);
  if (!parsedBundle.ok) return refuse('malformed', parsedBundle.problem);
  return judge(trust, { bundle: parsedBundle.value, signed: payload, statement: statement.value }, claim);
}

function judge(trust: SigstoreTrust, { bundle, signed, statement }: Content, claim: Claim): BundleVerdict {
  let entity: SignedEntity | undefined;
  try {
    entity = toSignedEntity(bundle, signed);
    if (entity.key.$case === 'public-key') return judgeKey(trust, entity, { statement, claim });
    const missing = whatIsMissing(entity);
    if (missing !== undefined) return missing;
    if (trust.verifier === undefined) return refuse('untrusted-certificate', 'only keys are trusted');
    const signer = identityOf(trust.verifier.verify(entity));
    const verdict = judgeStatement(statement, claim, { signer, signedAt: signingTime(entity) });
    const problem = verdict.ok ? findSignerProblem(claim.rules, signer) : undefined;
    return problem === undefined ? verdict : { ok: false, problem };
  } catch (error) {
    // What a stranger attached may break a parser anywhere.
    if (!(error instanceof VerificationError)) return refuse('malformed', sentence(error));
    const code = REFUSALS[error.code] ?? 'malformed';
    const expiry = code === 'untrusted-certificate' && entity !== undefined ? whyExpired(entity) : undefined;
    return expiry === undefined ? refuse(code, sentence(error)) : refuse('expired', expiry);
  }
}

function judgeKey(
  { keys }: SigstoreTrust,
  { signature }: SignedEntity,
  { statement, claim }: { readonly statement: Statement; readonly claim: Claim },
): BundleVerdict {
  if (keys.length === 0) return refuse('no-certificate', 'it was signed with a key, and no key is trusted');
  if (keys.some((key) => signature.verifySignature(key)))
    return judgeStatement(statement, claim, { signer: undefined, signedAt: undefined });
  return refuse('wrong-identity', 'it was signed with another key, or is over something else');
}

function readContent(json: unknown): Parsed<Content> {
  if (json === undefined) return unparsable('it is not JSON');
  const bundle = parseBundle(json);
  if (!bundle.ok) return bundle;
  const { content } = bundle.value;
  if (content.$case !== 'dsseEnvelope') return unparsable('it holds a signature alone, and no statement');
  const { payload, payloadType } = content.dsseEnvelope;
  if (payloadType !== STATEMENT_MEDIA_TYPE)
    return unparsable(`what is signed is ${toLine(payloadType)}, not ${STATEMENT_MEDIA_TYPE}`);
  const statement = parseStatement(payload.toString());
  return statement.ok ? parsed({ bundle: bundle.value, signed: undefined, statement: statement.value }) : statement;
}

function parseBundle(json: unknown): Parsed<Bundle> {
  try {
    return parsed(bundleFromJSON(json));
  } catch (error) {
    return unparsable(`it is no bundle: ${sentence(error)}`);
  }
}

/** What the verifier would find missing too, under names that say less. */
function whatIsMissing(entity: SignedEntity): BundleVerdict | undefined {
  if (entity.tlogEntries.length === 0) return refuse('no-log-entry', 'it has no entry in a transparency log');
  if (signingTime(entity) !== undefined) return undefined;
  const until = entity.key.$case === 'certificate' ? toText(entity.key.certificate.notAfter) : 'an unknown time';
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

/** Whether what is proved is what is asked for. */
function judgeStatement(
  { predicateType, predicate, subjects }: Statement,
  claim: Claim,
  proof: Pick<AcceptedSignature, 'signer' | 'signedAt'>,
): BundleVerdict {
  if (predicateType !== claim.predicateType)
    return refuse('other-statement', `it states ${toLine(predicateType)}, not ${claim.predicateType}`);
  if (subjects.includes(claim.digest)) return { ok: true, value: { ...proof, predicate } };
  return refuse('other-digest', `it is about ${toLine(subjects.join(', '), 200) || 'nothing'}`);
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
