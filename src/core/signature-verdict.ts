import type { Descriptor } from '../oci/types.ts';
import type { SignerIdentity } from './signer-rule.ts';

/**
 * Why a signature does not count: `malformed` no bundle that can be read; `no-certificate` signed with a key, and none is
 * trusted; `no-log-entry`
 * in no transparency log; `no-timestamp` nothing says when; `expired` not when its certificate was good;
 * `untrusted-certificate`, `untrusted-log`, `untrusted-timestamp` by services that the trusted root does not know; `tampered`
 * not over this statement; `other-digest` over other content; `other-statement` of another type; `wrong-issuer` and
 * `wrong-identity` by somebody else.
 */
export type RefusalCode =
  | 'malformed'
  | 'no-certificate'
  | 'no-log-entry'
  | 'no-timestamp'
  | 'expired'
  | 'untrusted-certificate'
  | 'untrusted-log'
  | 'untrusted-timestamp'
  | 'tampered'
  | 'other-digest'
  | 'other-statement'
  | 'wrong-issuer'
  | 'wrong-identity';

/** A statement about an image that was proved. */
export interface AcceptedSignature {
  /** What is attached: the manifest with the bundle, or one layer of cosign's older form. */
  readonly artifact: Descriptor;
  /** `undefined` when it was signed with a key that is trusted. */
  readonly signer: SignerIdentity | undefined;
  /** When the log took it, or a time stamp authority saw it; `undefined` with a key. */
  readonly signedAt: Date | undefined;
  readonly predicate: unknown;
}

/** What was attached to an image and does not count. */
export interface RefusedSignature {
  readonly artifact: Descriptor;
  readonly code: RefusalCode;
  /** A sentence without its end; printable. */
  readonly reason: string;
}

/** What is attached to one image. */
export interface ImageVerdict {
  readonly accepted: readonly AcceptedSignature[];
  readonly refused: readonly RefusedSignature[];
}
