import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT, NODE_DIRECTORY } from './programs.ts';

/** A `docker` whose builder makes an image of the context's file `data` and runs nothing, so that a build takes 0.1 s. */
export interface LayoutBuilder {
  /** A PATH with this docker on it, and no other. */
  readonly path: string;
  /** How often it was asked to build. */
  builds(): number;
  /** What bake was last asked to build. */
  definition(): { readonly target: Readonly<Record<string, { readonly contexts?: Readonly<Record<string, string>> }>> };
}

export function installLayoutBuilder(parent: string): LayoutBuilder {
  const directory = join(parent, 'bin');
  const log = join(directory, 'calls');
  mkdirSync(directory);
  appendFileSync(log, '');
  const program = join(CHECKOUT, '__tests__/fixtures/layout-builder/docker.mjs');
  const lines = [
    '#!/bin/sh',
    `echo "$1 $2" >> '${log}'`,
    `LAYOUT_BUILDER='${directory}' exec node '${program}' "$@"`,
    '',
  ];
  writeFileSync(join(directory, 'docker'), lines.join('\n'), { mode: 0o755 });
  return {
    path: `${directory}:${NODE_DIRECTORY}:/usr/bin:/bin`,
    builds: () =>
      readFileSync(log, 'utf8')
        .split('\n')
        .filter((call) => call === 'buildx build').length,
    definition: () => JSON.parse(readFileSync(join(directory, 'definition.json'), 'utf8')),
  };
}
