import type { IncomingHttpHeaders } from 'node:http';
import { toLine } from '../../core/printable.ts';

/** https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes and what others say of immutable tags. */
export type ErrorCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'CONFLICT'
  | 'DENIED'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'PRECONDITION'
  | 'SIZE_INVALID'
  | 'TAG_INVALID'
  | 'UNAUTHORIZED'
  | 'UNSUPPORTED';

export type Headers = Readonly<Record<string, string>>;

/** A request to one repository, as its handlers see it. */
export interface Call {
  readonly method: string;
  /** The repository's path, valid. */
  readonly name: string;
  /** What comes after the kind of content: a tag, a digest, the id of an upload. */
  readonly reference: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: AsyncIterable<Uint8Array>;
}

/** What is sent back. `sizeBytes` is the content-length; a HEAD sends it without the body. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly sizeBytes?: number;
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
}

/** A request that is not done, in the words of the specification. Thrown by handlers. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: ErrorCode;
  readonly headers: Headers;

  constructor(status: number, code: ErrorCode, message: string, headers: Headers = {}) {
    super(toLine(message, 500));
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** The whole body of a request, `what`, of at most so many bytes. */
export async function readBody(body: AsyncIterable<Uint8Array>, what: string, limitBytes: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of body) {
    sizeBytes += piece.length;
    if (sizeBytes > limitBytes) throw new Refusal(413, 'SIZE_INVALID', `${what} has at most ${limitBytes} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

export function answerRefusal(refusal: Refusal): Answer {
  const errors = [{ code: refusal.code, message: refusal.message, detail: null }];
  return answerJson({ errors }, { ...refusal.headers }, refusal.status);
}

export function answerJson(value: unknown, headers: Headers = {}, status = 200): Answer {
  const body = Buffer.from(JSON.stringify(value));
  return { status, headers: { 'Content-Type': 'application/json', ...headers }, sizeBytes: body.length, body };
}

/** An answer that says everything in its headers. */
export function answerEmpty(status: number, headers: Headers): Answer {
  return { status, headers, ...(status === 204 ? {} : { sizeBytes: 0 }) };
}

/** Only these methods, as 405 says it. */
export function refuseMethod(method: string, allowed: string): Refusal {
  return new Refusal(405, 'UNSUPPORTED', `${method} is not supported here: ${allowed} is`, { Allow: allowed });
}

/** The answer less a header, whatever its case. */
export function withoutHeader(answer: Answer, name: string): Answer {
  const kept = Object.entries(answer.headers).filter(([key]) => key.toLowerCase() !== name.toLowerCase());
  return { ...answer, headers: Object.fromEntries(kept) };
}
