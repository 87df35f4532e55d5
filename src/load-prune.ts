/** Retention: a bundle of its own, loaded when a run is told what to keep. */
export function loadPrune(): Promise<typeof import('./prune.ts')> {
  return import(/* webpackIgnore: true */ './prune.ts');
}
