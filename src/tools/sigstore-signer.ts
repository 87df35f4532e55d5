import { createHash, generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { numberAt, textAt, valueAt } from '../core/json.ts';
import { BUNDLE_MEDIA_TYPE, preAuthEncoding, STATEMENT_MEDIA_TYPE } from '../core/signed-statement.ts';
import type { Host } from '../host.ts';
import { createTransport, type Transport } from '../registry/transport.ts';
import { askService, invalidAnswer, jsonOf, type Service } from './sigstore-requests.ts';
import { chooseServices, type SigningServices } from './sigstore-services.ts';
import { fetchToken, type IdentityToken } from './sigstore-token.ts';
import { invalidConfig, readSigningConfig, type SigstoreSettings } from './sigstore-trust.ts';

/** Whom a job's signatures are of. */
export type JobIdentity = Omit<IdentityToken, 'text' | 'challenge'>;

/** Signs with the identity of this job. Keys live in memory only, and for minutes. */
export interface Signer {
  /** It signs with a key, and has no identity. */
  readonly byKey?: true;
  /**
   * Whom signatures will be of; `undefined` when the token does not say it. BuildOnceError `SIGN_NO_TOKEN`,
   * `SIGN_REFUSED`, `SIGN_UNAVAILABLE`, `SIGN_ANSWER_INVALID`.
   */
  identity(): Promise<JobIdentity>;
  /**
   * A bundle v0.3 with this statement, its signature, the certificate and the entry in the log, as JSON. What it states is
   * public from then on. The errors of `identity`, and `SIGN_CONFIG_INVALID`.
   */
  sign(statement: string): Promise<string>;
  /** Closes the connections, so that the process can end. */
  close(): void;
}

/** A certificate is good for ten minutes, and has to be when the log takes the entry. */
const MAX_CERTIFICATE_AGE_MS = 5 * 60_000;
const MAX_TOKEN_AGE_MS = 2 * 60_000;
const ATTEMPTS = 3;
const ANSWER_TIMEOUT_MS = 30_000;

interface Held<T> {
  readonly value: Promise<T>;
  readonly sinceMs: number;
}

interface Certified {
  readonly key: KeyObject;
  readonly certificate: X509Certificate;
}

/** Nothing is asked before the first use; one token and one certificate do for several images. */
export function openSigner(host: Host, settings: SigstoreSettings): Signer {
  const transport = createTransport({
    ...settings.transport,
    attempts: settings.transport.attempts ?? ATTEMPTS,
    answerTimeoutMs: settings.transport.answerTimeoutMs ?? ANSWER_TIMEOUT_MS,
  });
  const held: { services?: Promise<SigningServices>; token?: Held<IdentityToken>; certified?: Held<Certified> } = {};
  const fresh = <T>(one: Held<T> | undefined, maxAgeMs: number, make: () => Promise<T>): Held<T> =>
    one !== undefined && host.now().getTime() - one.sinceMs < maxAgeMs
      ? one
      : { value: make(), sinceMs: host.now().getTime() };
  const token = (): Promise<IdentityToken> =>
    (held.token = fresh(held.token, MAX_TOKEN_AGE_MS, () => fetchToken(host, transport))).value;
  const services = (): Promise<SigningServices> => (held.services ??= readServices(host, settings));
  const certified = (): Promise<Certified> =>
    (held.certified = fresh(held.certified, MAX_CERTIFICATE_AGE_MS, async () =>
      certify(transport, (await services()).authority, await token()),
    )).value;
  return {
    async identity() {
      const { issuer, subject, sourceRepository, sourceRef } = await token();
      return { issuer, subject, sourceRepository, sourceRef };
    },
    async sign(statement) {
      const { logs, timestamps } = await services();
      const signed = makeEnvelope(statement, await certified());
      const [entries, proofs] = await Promise.all([
        Promise.all(logs.map((log) => enter(transport, log, signed))),
        Promise.all(timestamps.map((authority) => timestamp(transport, authority, signed))),
      ]);
      return formatBundle(signed, entries, proofs);
    },
    close: () => transport.close(),
  };
}

async function readServices(host: Host, settings: SigstoreSettings): Promise<SigningServices> {
  const services = chooseServices(await readSigningConfig(host, settings), host.now());
  if (services.ok) return services.value;
  throw invalidConfig(settings.signingConfig, services.problem);
}

/** https://github.com/sigstore/fulcio/blob/v1.8.1/fulcio.proto (CreateSigningCertificateRequest) */
async function certify(transport: Transport, authority: Service, token: IdentityToken): Promise<Certified> {
  const { publicKey, privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const service = { ...authority, url: at(authority.url, '/api/v2/signingCert') };
  const answer = await askService(transport, service, {
    method: 'POST',
    body: {
      credentials: { oidcIdentityToken: token.text },
      publicKeyRequest: {
        publicKey: { algorithm: 'ECDSA', content: publicKey.export({ type: 'spki', format: 'pem' }) },
        proofOfPossession: sign('sha256', Buffer.from(token.challenge), key).toString('base64'),
      },
    },
  });
  const json = jsonOf(service, answer);
  const chain =
    valueAt(json, 'signedCertificateEmbeddedSct', 'chain', 'certificates') ??
    valueAt(json, 'signedCertificateDetachedSct', 'chain', 'certificates');
  const leaf: unknown = Array.isArray(chain) ? chain[0] : undefined;
  if (typeof leaf !== 'string') throw invalidAnswer(service, 'it holds no certificate');
  const certificate = parseCertificate(service, leaf);
  if (!certificate.publicKey.equals(publicKey)) throw invalidAnswer(service, 'the certificate is for another key');
  return { key, certificate };
}

function parseCertificate(service: Service, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw invalidAnswer(service, 'its certificate cannot be read', cause);
  }
}

/** A signed statement. */
interface Envelope {
  readonly payload: Buffer;
  readonly signature: Buffer;
  readonly certificate: X509Certificate;
}

function makeEnvelope(statement: string, { key, certificate }: Certified): Envelope {
  const payload = Buffer.from(statement);
  return { payload, signature: sign('sha256', preAuthEncoding(STATEMENT_MEDIA_TYPE, payload), key), certificate };
}

function formatEnvelope({ payload, signature }: Envelope): Readonly<Record<string, unknown>> {
  return {
    payload: payload.toString('base64'),
    payloadType: STATEMENT_MEDIA_TYPE,
    signatures: [{ sig: signature.toString('base64') }],
  };
}

/**
 * Enters a signature into Rekor. The log refuses an entry that it has (409) and says where that is: so a request that was
 * cut and repeated ends well. https://github.com/sigstore/rekor/blob/v1.4.2/openapi.yaml
 */
async function enter(transport: Transport, log: Service, signed: Envelope): Promise<Readonly<Record<string, unknown>>> {
  const service = { ...log, url: at(log.url, '/api/v1/log/entries') };
  const envelope = JSON.stringify(formatEnvelope(signed));
  const verifiers = [Buffer.from(signed.certificate.toString()).toString('base64')];
  const body = { apiVersion: '0.0.1', kind: 'dsse', spec: { proposedContent: { envelope, verifiers } } };
  const created = await askService(transport, service, { method: 'POST', body, understood: [409] });
  if (created.status !== 409) return toEntry(service, jsonOf(service, created));
  const [uuid] = /[0-9a-f]{64,80}$/.exec(created.header('location') ?? '') ?? [];
  if (uuid === undefined) throw invalidAnswer(service, 'it has that entry, and does not say where');
  const there = { ...log, url: at(log.url, `/api/v1/log/entries/${uuid}`) };
  return toEntry(there, jsonOf(there, await askService(transport, there, { method: 'GET' })));
}

/** https://github.com/sigstore/protobuf-specs/blob/v0.5.0/protos/sigstore_rekor.proto (TransparencyLogEntry) */
function toEntry(service: Service, answer: unknown): Readonly<Record<string, unknown>> {
  const [entry, ...more] = Object.values(typeof answer === 'object' && answer !== null ? answer : {});
  const body = textAt(entry, 'body');
  const logId = textAt(entry, 'logID');
  const logIndex = numberAt(entry, 'logIndex');
  const integratedTime = numberAt(entry, 'integratedTime');
  const promise = textAt(entry, 'verification', 'signedEntryTimestamp');
  const proof = valueAt(entry, 'verification', 'inclusionProof');
  const isWhole = ![body, logId, logIndex, integratedTime, promise, proof].includes(undefined);
  if (!isWhole || more.length > 0) throw invalidAnswer(service, 'it is no entry of a log');
  const hashes = valueAt(proof, 'hashes');
  return {
    logIndex: String(logIndex),
    logId: { keyId: fromHex(logId) },
    kindVersion: { kind: 'dsse', version: '0.0.1' },
    integratedTime: String(integratedTime),
    inclusionPromise: { signedEntryTimestamp: promise },
    inclusionProof: {
      logIndex: String(numberAt(proof, 'logIndex') ?? 0),
      rootHash: fromHex(textAt(proof, 'rootHash')),
      treeSize: String(numberAt(proof, 'treeSize') ?? 0),
      hashes: (Array.isArray(hashes) ? hashes : []).map((hash) => fromHex(String(hash))),
      checkpoint: { envelope: textAt(proof, 'checkpoint') ?? '' },
    },
    canonicalizedBody: body,
  };
}

/** https://github.com/sigstore/timestamp-authority/blob/v2.0.3/openapi.yaml: it takes JSON too, and answers as RFC 3161 says. */
async function timestamp(transport: Transport, authority: Service, { signature }: Envelope): Promise<string> {
  const service =
    authority.url.pathname === '/' ? { ...authority, url: at(authority.url, '/api/v1/timestamp') } : authority;
  const artifactHash = createHash('sha256').update(signature).digest('base64');
  const answer = await askService(transport, service, {
    method: 'POST',
    body: { artifactHash, hashAlgorithm: 'sha256' },
  });
  return Buffer.from(answer.body).toString('base64');
}

function formatBundle(signed: Envelope, tlogEntries: readonly unknown[], timestamps: readonly string[]): string {
  return JSON.stringify({
    mediaType: BUNDLE_MEDIA_TYPE,
    verificationMaterial: {
      certificate: { rawBytes: signed.certificate.raw.toString('base64') },
      tlogEntries,
      ...(timestamps.length === 0
        ? {}
        : {
            timestampVerificationData: {
              rfc3161Timestamps: timestamps.map((signedTimestamp) => ({ signedTimestamp })),
            },
          }),
    },
    dsseEnvelope: formatEnvelope(signed),
  });
}

function at(base: URL, path: string): URL {
  return new URL(`${base.pathname.replace(/\/+$/, '')}${path}`, base);
}

function fromHex(text: string | undefined): string {
  return Buffer.from(text ?? '', 'hex').toString('base64');
}
