/** Scanning images: a bundle of its own, loaded when a run scans. */
export function loadImageScanner(): Promise<typeof import('./image-scanner.ts')> {
  return import(/* webpackIgnore: true */ './image-scanner.ts');
}
