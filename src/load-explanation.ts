/** Comparing with an image that is there: a bundle of its own, loaded by a miss, by `explain`, and where a version is taken. */
export function loadExplanation(): Promise<typeof import('./explanation.ts')> {
  return import(/* webpackIgnore: true */ './explanation.ts');
}
