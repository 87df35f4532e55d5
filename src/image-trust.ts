import type { RefusedSignature } from './core/signature-verdict.ts';
import { SIGNED_BY_ANYBODY } from './core/signer-rule.ts';
import type { FindDistrust } from './distrust.ts';
import { openOwnKey } from './own-key.ts';
import type { Run } from './stage.ts';
import { loadSigstore } from './tools/load.ts';
import type { SigstoreTrust } from './tools/sigstore-trust.ts';

/** An image may carry many signatures of strangers; so many reasons are told. */
const MAX_REASONS = 3;

/** Opens whom the run trusts: Sigstore's authorities, or the public half of its key. */
export async function openImageTrust(run: Pick<Run, 'access' | 'host' | 'options' | 'trust'>): Promise<FindDistrust> {
  const { verifyImage } = await loadSigstore();
  const trust = await openTrustOf(run);
  const rules = run.trust.by === 'signature' ? run.trust.rules : [SIGNED_BY_ANYBODY];
  return async (subject) => {
    const { accepted, refused } = await verifyImage(trust, subject, { rules, stopAtFirst: true });
    return accepted.length > 0 ? undefined : whyRefused(refused);
  };
}

async function openTrustOf(run: Pick<Run, 'access' | 'host' | 'options' | 'trust'>): Promise<SigstoreTrust> {
  const ownKey = run.trust.by === 'key' ? await openOwnKey(run) : undefined;
  if (ownKey !== undefined) return ownKey;
  const { openTrust } = await loadSigstore();
  return openTrust(run.host, { trustedRoot: run.options.sigstoreTrustedRoot, transport: run.access });
}

function whyRefused(refused: readonly RefusedSignature[]): string {
  if (refused.length === 0) return 'it is not signed';
  const reasons = [...new Set(refused.map(({ reason }) => reason))];
  const more = reasons.length - MAX_REASONS;
  const told = [...reasons.slice(0, MAX_REASONS), ...(more > 0 ? [`and ${more} more`] : [])];
  return `none of its signatures counts: ${told.join('; ')}`;
}
