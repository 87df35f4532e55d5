import { createHash, X509Certificate } from 'node:crypto';
import { orProblem, readLayer } from '../artifact.ts';
import { numberAt, parseJson, textAt } from '../core/json.ts';
import { parsed } from '../core/parsed.ts';
import type { Descriptor } from '../oci/types.ts';
import { fetchImage } from '../registry/image.ts';
import { fallbackTag } from '../registry/referrers.ts';
import type { Repository } from '../registry/repository.ts';

/** A signature in cosign's form before version 3, as it is attached. */
export interface SimpleSignature {
  /** The layer that it is. */
  readonly artifact: Descriptor;
  /** As JSON of a bundle of version 0.1; `undefined` when it cannot be one. */
  readonly bundle: unknown;
  /** What was signed. */
  readonly payload: Buffer;
}

const MEDIA_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
const BUNDLE_MEDIA_TYPE = 'application/vnd.dev.sigstore.bundle+json;version=0.1';
const SIGNATURE = 'dev.cosignproject.cosign/signature';
const CERTIFICATE = 'dev.sigstore.cosign/certificate';
const BUNDLE = 'dev.sigstore.cosign/bundle';
const MAX_SIGNATURES = 50;
const MAX_PAYLOAD_BYTES = 1 << 20;
/**
 * The signatures under the tag `sha256-….sig`: https://github.com/sigstore/cosign/blob/v3.0.2/specs/SIGNATURE_SPEC.md One
 * request, and one for each signature. Errors of `Repository` that are not about this content are thrown.
 */
export async function* readSimpleSignatures(
  repository: Repository,
  image: Descriptor,
): AsyncGenerator<SimpleSignature> {
  const tag = `${fallbackTag(image.digest)}.sig`;
  const found = await orProblem(async () => parsed((await fetchImage(repository, { tag }))?.manifest));
  const layers = found.ok && found.value?.kind === 'manifest' ? found.value.layers : [];
  const signatures = layers.filter(({ mediaType }) => mediaType === MEDIA_TYPE);
  for (const artifact of signatures.slice(-MAX_SIGNATURES).reverse()) {
    const content = await orProblem(() =>
      readLayer(repository, artifact, { type: MEDIA_TYPE, maxBytes: MAX_PAYLOAD_BYTES }),
    );
    if (!content.ok) continue;
    const payload = Buffer.from(content.value);
    yield { artifact, bundle: toBundle(artifact.annotations ?? {}, payload), payload };
  }
}

function toBundle(annotations: Readonly<Record<string, string>>, payload: Buffer): unknown {
  const entry = parseJson(annotations[BUNDLE] ?? '');
  return {
    mediaType: BUNDLE_MEDIA_TYPE,
    verificationMaterial: {
      ...toKey(annotations[CERTIFICATE]),
      tlogEntries: entry === undefined ? [] : [toEntry(entry)],
    },
    messageSignature: {
      messageDigest: { algorithm: 'SHA2_256', digest: createHash('sha256').update(payload).digest('base64') },
      signature: annotations[SIGNATURE] ?? '',
    },
  };
}

function toKey(pem: string | undefined): Readonly<Record<string, unknown>> {
  if (pem === undefined) return { publicKey: { hint: '' } };
  try {
    return { x509CertificateChain: { certificates: [{ rawBytes: new X509Certificate(pem).raw.toString('base64') }] } };
  } catch {
    // Then it is no bundle, which is said where that is read.
    return {};
  }
}

function toEntry(entry: unknown): Readonly<Record<string, unknown>> {
  const body = textAt(entry, 'Payload', 'body') ?? '';
  const kind = parseJson(Buffer.from(body, 'base64').toString());
  return {
    logIndex: String(numberAt(entry, 'Payload', 'logIndex') ?? ''),
    logId: { keyId: Buffer.from(textAt(entry, 'Payload', 'logID') ?? '', 'hex').toString('base64') },
    kindVersion: { kind: textAt(kind, 'kind') ?? '', version: textAt(kind, 'apiVersion') ?? '' },
    integratedTime: String(numberAt(entry, 'Payload', 'integratedTime') ?? ''),
    inclusionPromise: { signedEntryTimestamp: textAt(entry, 'SignedEntryTimestamp') ?? '' },
    canonicalizedBody: body,
  };
}
