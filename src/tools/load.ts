import type { Host } from '../host.ts';

/** buildx and the toolkit behind it: a bundle of its own, loaded when a build is needed. */
export async function loadBuildx(host: Host): Promise<typeof import('./buildx.ts')> {
  const buildx = await import(/* webpackIgnore: true */ './buildx.ts');
  await buildx.dropToolkitDirectory(host);
  return buildx;
}

/** GitHub's API client: a bundle of its own, loaded when a branch tag is to move. */
export function loadGitHub(): Promise<typeof import('./github.ts')> {
  return import(/* webpackIgnore: true */ './github.ts');
}
