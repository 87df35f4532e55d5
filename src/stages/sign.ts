import type { SignOutcome } from '../image-signer.ts';
import { loadImageSigner } from '../load-image-signer.ts';
import type { FoundImage } from '../registry/image.ts';
import { imageOf, type Stage } from '../stage.ts';

/** What was signed. */
export type SignResult = SignOutcome;

/** Signs the image before any tag leads to it. */
export const signStage: Stage<'sign', { readonly image: FoundImage }> = {
  name: 'sign',
  title: 'Sign the image',
  plan(run) {
    const image = imageOf(run);
    if (image === undefined) return { skip: 'there is no image' };
    if (!run.event.push) return { skip: run.event.untrusted ?? 'push is off' };
    return run.signing === 'none' ? { skip: 'this run does not sign' } : { image };
  },
  async apply({ image }, run) {
    const { signRun } = await loadImageSigner();
    const outcome = await signRun(run, image);
    const made = outcome.signatures.filter(({ isNew }) => isNew).length;
    const there = outcome.signatures.length - made;
    run.host.log.info(`${made} signed, ${there} signed before; verify it with: ${outcome.verifyCommand}`);
    return outcome;
  },
};
