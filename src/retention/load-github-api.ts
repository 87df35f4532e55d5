/** GitHub's API: a bundle of its own, loaded when a package of GitHub's is to be pruned, or its releases protect images. */
export function loadGitHubApi(): Promise<typeof import('./github-api.ts')> {
  return import(/* webpackIgnore: true */ './github-api.ts');
}
