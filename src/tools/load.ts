import type { Host } from '../host.ts';

/** buildx and the toolkit behind it: a bundle of its own, loaded when a build is needed. */
export async function loadBuildx(host: Host): Promise<typeof import('./buildx.ts')> {
  const buildx = await import(/* webpackIgnore: true */ './buildx.ts');
  await buildx.removeToolkitFolder(host);
  return buildx;
}

/** The local engine: a bundle of its own, loaded when an image is to be in it. */
export function loadEngine(): Promise<typeof import('./engine.ts')> {
  return import(/* webpackIgnore: true */ './engine.ts');
}

/** GitHub's API client: a bundle of its own, loaded when a branch tag is to move. */
export function loadGitHub(): Promise<typeof import('./github.ts')> {
  return import(/* webpackIgnore: true */ './github.ts');
}
