import { createPublicKey, type KeyObject } from 'node:crypto';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toTrustMaterial, Verifier } from '@sigstore/verify';
import { parseJson, textAt } from '../core/json.ts';
import { quote, toLine } from '../core/printable.ts';
import { BuildOnceError } from '../errors.ts';
import type { Host } from '../host.ts';
import type { TransportSettings } from '../registry/transport.ts';
import { whyUnreadable } from '../regular-file.ts';
import { fetchPublicTarget } from './sigstore-tuf.ts';

/** Where authorities and services come from. */
export interface SigstoreSettings {
  /** Proxies, certificates and the signal of the run. */
  readonly transport: TransportSettings;
  /** The input `sigstore-trusted-root`; `undefined` for the public services. */
  readonly trustedRoot: string | undefined;
  /** The input `sigstore-signing-config`; `undefined` for the public services. */
  readonly signingConfig: string | undefined;
}

/** Whom to believe. */
export interface SigstoreTrust {
  /** Knows whose certificates, logs and time stamps count; `undefined` where only keys do. */
  readonly verifier: Verifier | undefined;
  /** A signature with one of these counts, whatever a log or the time may say. */
  readonly keys: readonly KeyObject[];
}

const ROOT_TYPE = /^application\/vnd\.dev\.sigstore\.trustedroot(?:\+json;version=0\.[0-9]|\.v0\.[0-9]\+json)$/;
const MAX_FILE_BYTES = 4 << 20;
const CREATE_ROOT = 'It is made by: cosign trusted-root create';
const CREATE_CONFIG = 'It is made by: cosign signing-config create';

/**
 * Reads whom to trust: from the file that is named, else by TUF from public Sigstore. BuildOnceError `VERIFY_ROOT_INVALID`,
 * and as of `fetchPublicTarget`.
 */
export async function openTrust(
  host: Host,
  { trustedRoot, transport }: Pick<SigstoreSettings, 'trustedRoot' | 'transport'>,
): Promise<SigstoreTrust> {
  const invalid = (problem: string, cause?: unknown): BuildOnceError =>
    new BuildOnceError('VERIFY_ROOT_INVALID', `the trusted root ${quote(trustedRoot ?? 'of Sigstore')} ${problem}`, 1, {
      hint: CREATE_ROOT,
      cause,
    });
  const text =
    trustedRoot === undefined
      ? await fetchPublicTarget(host, transport, 'trusted_root.json')
      : readNamed(host, trustedRoot, invalid);
  const json = parseJson(text);
  const mediaType = textAt(json, 'mediaType') ?? '';
  if (!ROOT_TYPE.test(mediaType)) throw invalid(`is of the mediaType ${quote(mediaType)}, which is no trusted root`);
  try {
    return { verifier: new Verifier(toTrustMaterial(TrustedRoot.fromJSON(json))), keys: [] };
  } catch (cause) {
    throw invalid(`cannot be used: ${cause instanceof Error ? toLine(cause.message) : 'it is damaged'}`, cause);
  }
}

/** Trusts signatures with this public key, PEM, and no others; nothing is asked for. BuildOnceError `VERIFY_KEY_INVALID`. */
export function openKeyTrust(pem: string): SigstoreTrust {
  try {
    return { verifier: undefined, keys: [createPublicKey(pem)] };
  } catch (cause) {
    const hint = 'It has to be PEM: the file cosign.pub, or what cosign public-key --key KEY prints.';
    throw new BuildOnceError('VERIFY_KEY_INVALID', 'the public key cannot be read', 1, { hint, cause });
  }
}

/** The signing config in the file that is named, else of public Sigstore. BuildOnceError `SIGN_CONFIG_INVALID`. */
export async function readSigningConfig(
  host: Host,
  { signingConfig, transport }: Pick<SigstoreSettings, 'signingConfig' | 'transport'>,
): Promise<string> {
  if (signingConfig === undefined) return fetchPublicTarget(host, transport, 'signing_config.v0.2.json');
  return readNamed(host, signingConfig, (problem, cause) => invalidConfig(signingConfig, problem, cause));
}

/** BuildOnceError `SIGN_CONFIG_INVALID`. */
export function invalidConfig(file: string | undefined, problem: string, cause?: unknown): BuildOnceError {
  return new BuildOnceError(
    'SIGN_CONFIG_INVALID',
    `the signing config ${quote(file ?? 'of Sigstore')}: ${problem}`,
    1,
    {
      hint: CREATE_CONFIG,
      cause,
    },
  );
}

function readNamed(host: Host, file: string, invalid: (problem: string, cause?: unknown) => BuildOnceError): string {
  try {
    const text = host.files.readRegular(file, MAX_FILE_BYTES);
    if (text !== undefined) return text;
  } catch (cause) {
    throw invalid(whyUnreadable(cause), cause);
  }
  throw invalid('is not there');
}
