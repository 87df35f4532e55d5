/** Several images in one run: a bundle of its own, loaded where `files` or `entry` name them. */
export function loadMany(): Promise<typeof import('./many.ts')> {
  return import(/* webpackIgnore: true */ './many.ts');
}
