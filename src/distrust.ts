import { loadImageTrust } from './load-image-trust.ts';
import type { Run } from './stage.ts';
import type { SignedImage } from './tools/sigstore.ts';

/**
 * Why a run must not take over what somebody put into a registry, in half a sentence that is printable; `undefined` when it is
 * trusted. The errors of `verifyImage`, `openTrust`, `findPublicKey`.
 */
export type FindDistrust = (subject: SignedImage) => Promise<string | undefined>;

/** The question for one run. What the answer takes is loaded, and asked for, once; where content alone counts, never. */
export function distrustOf(run: Pick<Run, 'access' | 'host' | 'options' | 'trust'>): FindDistrust {
  let opened: Promise<FindDistrust> | undefined;
  return async (subject) => {
    if (run.trust.by === 'hash') return undefined;
    opened ??= loadImageTrust().then(({ openImageTrust }) => openImageTrust(run));
    return (await opened)(subject);
  };
}
