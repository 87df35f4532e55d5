/** Verifying what is to be reused: a bundle of its own, loaded when signatures decide and there is something to verify. */
export function loadImageTrust(): Promise<typeof import('./image-trust.ts')> {
  return import(/* webpackIgnore: true */ './image-trust.ts');
}
