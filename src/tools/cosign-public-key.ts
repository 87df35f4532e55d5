import { createPublicKey } from 'node:crypto';
import { pemLabel, toPem } from '../core/signing-key.ts';
import type { Host } from '../host.ts';
import type { TransportSettings } from '../registry/transport.ts';
import { findCosign } from './cosign-install.ts';
import { decryptKey, isPemKey, type KeySettings, openKey, readKey } from './cosign-key.ts';
import { publicKeyOf } from './cosign-sign.ts';

/**
 * What `sign-key` is known by, in PEM form: a public key itself, or the public half of a private one. Cosign is asked only
 * where the key is in cosign's own format or in a service. The errors of `openKey`, `findCosign`, `publicKeyOf`.
 */
export async function findPublicKey(host: Host, settings: KeySettings, transport: TransportSettings): Promise<string> {
  const { key, password } = settings;
  if (key.kind !== 'service') {
    const text = readKey(host, key);
    if (pemLabel(text) === 'PUBLIC KEY') return toPem(text);
    host.log.mask(text.trim());
    if (isPemKey(text)) {
      const half = createPublicKey(decryptKey(text, password?.reveal() ?? ''));
      return half.export({ type: 'spki', format: 'pem' }).toString();
    }
  }
  return publicKeyOf(await openKey(await findCosign(host, { transport }), settings));
}
