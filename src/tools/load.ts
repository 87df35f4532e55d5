/** buildx and the toolkit behind it: a bundle of its own, loaded when a build is needed. */
export function loadBuildx(): Promise<typeof import('./buildx.ts')> {
  return import(/* webpackIgnore: true */ './buildx.ts');
}

/** The local engine: a bundle of its own, loaded when an image is to be in it. */
export function loadEngine(): Promise<typeof import('./engine.ts')> {
  return import(/* webpackIgnore: true */ './engine.ts');
}

/** GitHub's API client: a bundle of its own, loaded when a branch tag is to move. */
export function loadGitHub(): Promise<typeof import('./github.ts')> {
  return import(/* webpackIgnore: true */ './github.ts');
}
