/** Signing images and verifying what is signed: a bundle of its own, loaded when a run does either. */
export function loadImageSigner(): Promise<typeof import('./image-signer.ts')> {
  return import(/* webpackIgnore: true */ './image-signer.ts');
}
