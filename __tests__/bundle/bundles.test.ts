import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CHECKOUT } from '../support/programs.ts';

const DIST = join(CHECKOUT, 'dist');
/** What an action is fetched with, each time: DESIGN's limit. */
const MAX_DIST_BYTES = 6_000_000;
/** The module that is loaded, in an import that the bundler leaves alone. */
const LAZY_IMPORT = /import\(\/\* webpackIgnore: true \*\/ '([^']+)\.ts'\)/g;

const files = readdirSync(DIST).map((name) => ({ name, text: readFileSync(join(DIST, name), 'utf8') }));

function sources(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(directory, name), 'utf8'));
}

describe('dist/', () => {
  it('is small', () => {
    expect(files.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)).toBeLessThanOrEqual(MAX_DIST_BYTES);
  });

  it('has a bundle for everything that is loaded on demand', () => {
    const loaded = sources(join(CHECKOUT, 'src'))
      .flatMap((text) => [...text.matchAll(LAZY_IMPORT)])
      .map(([, module = '']) => `${module.replace(/^.*\//, '')}.js`);
    expect(loaded).toContain('toolkit.js');
    expect(loaded.filter((name) => files.every((file) => file.name !== name))).toEqual([]);
  });

  it.each<[string, string]>([
    ['the library of GitHub’s cache', 'ACTIONS_CACHE_SERVICE_V2'],
    ['the storage that it talks to', 'BlobServiceClient'],
    ['Docker’s toolkit', 'docker-actions-toolkit-'],
  ])('has %s once', (_, mark) => {
    expect(files.filter(({ text }) => text.includes(mark)).map(({ name }) => name)).toEqual(['toolkit.js']);
  });
});
