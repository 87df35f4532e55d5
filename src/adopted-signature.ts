import { loadImageSigner } from './load-image-signer.ts';
import type { FoundImage } from './registry/image.ts';
import type { Run } from './stage.ts';

/**
 * Signs an image of another run that this one takes for its own: who published it has signed it as another job, and what this
 * run releases is signed by this run too, before its tags. Errors as of `signRun`.
 */
export async function signAdopted(run: Run, image: FoundImage): Promise<void> {
  if (run.signing === 'none') return;
  const { signRun } = await loadImageSigner();
  const { build: _build, scan: _scan, verdict: _verdict, ...results } = run.results;
  await signRun({ ...run, results }, image);
}
