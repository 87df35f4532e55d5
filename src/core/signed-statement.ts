import { type Digest, isDigest, parseDigest } from './digest.ts';
import { parseJson, textAt, valueAt } from './json.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';

/** What a signature of an image states, as cosign 3 writes it. */
export const SIGNATURE_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';
/** The type of a bundle, in itself and in a registry. */
export const BUNDLE_MEDIA_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
/** The type of a signed statement. */
export const STATEMENT_MEDIA_TYPE = 'application/vnd.in-toto+json';

const SIMPLE_SIGNING = 'cosign container image signature';
const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
/** Of these, subject and predicate are the same. */
const KNOWN_TYPES = [STATEMENT_TYPE, 'https://in-toto.io/Statement/v0.1'];

/** Something said about content: https://github.com/in-toto/attestation/blob/v1.1.2/spec/v1/statement.md */
export interface Statement {
  readonly subjects: readonly Digest[];
  readonly predicateType: string;
  readonly predicate: unknown;
}

/** The text that is signed, byte for byte what cosign 3 signs. */
export function formatStatement(subject: Digest, predicateType: string, predicate: unknown): string {
  const [algorithm = '', hex = ''] = subject.split(':');
  const subjects = [{ digest: { [algorithm]: hex }, annotations: {} }];
  return JSON.stringify({ _type: STATEMENT_TYPE, subject: subjects, predicateType, predicate });
}

export function parseStatement(text: string): Parsed<Statement> {
  return readStatement(parseJson(text));
}

/** As {@link parseStatement}, of JSON that is parsed. */
export function readStatement(json: unknown): Parsed<Statement> {
  const type = textAt(json, '_type') ?? '';
  if (!KNOWN_TYPES.includes(type)) return unparsable('what is signed is no statement of in-toto');
  const predicateType = textAt(json, 'predicateType');
  const subject = valueAt(json, 'subject');
  if (predicateType === undefined || !Array.isArray(subject)) return unparsable('the statement has no subject or type');
  return parsed({ subjects: subject.flatMap(digestsOf), predicateType, predicate: valueAt(json, 'predicate') });
}

/** The bytes that a signature of this payload is over: https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/**
 * What cosign signed before version 3, and signs with `--new-bundle-format=false`:
 * https://github.com/sigstore/cosign/blob/v3.0.2/specs/SIGNATURE_SPEC.md#simple-signing
 */
export function parseSimpleSigning(text: string): Parsed<Statement> {
  const json = parseJson(text);
  const digest = parseDigest(textAt(json, 'critical', 'image', 'docker-manifest-digest') ?? '');
  const type = textAt(json, 'critical', 'type');
  if (digest === undefined || type !== SIMPLE_SIGNING) return unparsable('what is signed names no image');
  return parsed({ subjects: [digest], predicateType: SIGNATURE_PREDICATE, predicate: {} });
}

function digestsOf(subject: unknown): readonly Digest[] {
  return ['sha256', 'sha512'].flatMap((algorithm) => {
    const digest = `${algorithm}:${textAt(subject, 'digest', algorithm) ?? ''}`;
    return isDigest(digest) ? [digest] : [];
  });
}
