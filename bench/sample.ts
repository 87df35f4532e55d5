import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of the context. */
export const FILES = 1000;
const FILES_PER_DIRECTORY = 50;
/** Bytes that do not compress, the same ones on both platforms, made by the builder and not sent to it. */
export const LARGE_LAYER_BYTES = 100_000_000;

/** Of the large image, besides what the small one has. */
export const LARGE_LAYERS = ['one', 'two'];

/** How large the image is: `small` is little more than its base, `large` has two layers of 100 MB in addition. */
export type SampleSize = 'small' | 'large';

/** Writes a context of 1,000 files with its Dockerfile, which takes the base image as the build arg `BASE`. */
export function writeSample(directory: string, size: SampleSize): void {
  const write = (name: string, content: string): void => {
    mkdirSync(join(directory, name, '..'), { recursive: true });
    writeFileSync(join(directory, name), content);
  };
  write(
    'Dockerfile',
    size === 'small' ? dockerfile([], []) : dockerfile(LARGE_LAYERS.map(made), LARGE_LAYERS.map(copied)),
  );
  write('.dockerignore', '.git\n*.md\n');
  write('package-lock.json', '{ "lockfileVersion": 3 }\n');
  for (let file = 3; file < FILES; file++) {
    const folder = Math.floor(file / FILES_PER_DIRECTORY);
    write(`src/${folder}/${file}.js`, `export const number = ${file};\n`.repeat(1 + (file % 100)));
  }
}

function dockerfile(makeLayers: readonly string[], copyLayers: readonly string[]): string {
  return [
    'ARG BASE',
    'FROM --platform=$BUILDPLATFORM $BASE AS layers',
    ...makeLayers,
    'FROM $BASE',
    ...copyLayers,
    'WORKDIR /app',
    'COPY package-lock.json ./',
    'RUN uname -m > arch',
    'COPY . .',
    'CMD ["cat", "/app/arch"]',
    '',
  ].join('\n');
}

function made(layer: string): string {
  return `RUN head -c ${LARGE_LAYER_BYTES} /dev/urandom > /${layer}`;
}

function copied(layer: string): string {
  return `COPY --from=layers /${layer} /${layer}`;
}
