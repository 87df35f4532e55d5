import { Secret } from './registry/credentials.ts';
import type { Run } from './stage.ts';
import { loadCosign, loadSigstore } from './tools/load.ts';
import type { SigstoreTrust } from './tools/sigstore-trust.ts';

/**
 * Trusts the key that `sign-key` names, and nobody else: the public one itself, wherever it is, or what belongs to a private
 * one. `undefined` where none is named. The errors of `findPublicKey`, `openKeyTrust`.
 */
export async function openOwnKey(run: Pick<Run, 'access' | 'host' | 'options'>): Promise<SigstoreTrust | undefined> {
  const { signKey: key, signKeyPassword } = run.options;
  if (key === undefined) return undefined;
  const [{ openKeyTrust }, { findPublicKey }] = await Promise.all([loadSigstore(), loadCosign()]);
  const password = signKeyPassword === undefined ? undefined : new Secret(signKeyPassword);
  return openKeyTrust(await findPublicKey(run.host, { key, password }, run.access));
}
