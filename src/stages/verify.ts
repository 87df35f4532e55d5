import { quote } from '../core/printable.ts';
import { BuildOnceError } from '../errors.ts';
import type { VerifyOutcome } from '../image-signer.ts';
import { loadImageSigner } from '../load-image-signer.ts';
import type { FoundImage } from '../registry/image.ts';
import { type RunnableStage, resultOf, type Stage } from '../stage.ts';

/** What the signatures of an image prove. */
export type VerifyResult = VerifyOutcome;

/** Verifies the signatures of the image that was named. */
export const verifyStage: Stage<'verify', { readonly image: FoundImage }> = {
  name: 'verify',
  title: 'Verify the signatures',
  plan: (run) => ({ image: resultOf(run, 'choose').image }),
  async apply({ image }, run) {
    const { verifyRun } = await loadImageSigner();
    return verifyRun(run, image);
  },
};

const MAX_NAMED = 20;

/** Ends the run when nothing proves what was asked: BuildOnceError `UNVERIFIED`. */
export const refuseUnverified: RunnableStage = async (run) => {
  const { accepted, refused } = resultOf(run, 'verify');
  if (accepted.length > 0) return run;
  const { reference } = resultOf(run, 'choose');
  const reasons = refused.slice(0, MAX_NAMED).map(({ artifact, reason }) => `\n  ${artifact.digest}: ${reason}`);
  const why = refused.length === 0 ? 'nothing is signed there' : `what is attached does not count:${reasons.join('')}`;
  throw new BuildOnceError('UNVERIFIED', `${quote(reference)} is not verified: ${why}`, 1, {
    hint: 'trust-identity and trust-issuer say whose signatures count, sign-key names a key.',
  });
};
