import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { seededRandom } from '../__tests__/support/random.ts';

/**
 * Sizes as in a repository of sources: log-normal, half of the files below 1,900 bytes, mean about 5,600 bytes, one in ten
 * above 13,000, none above 200,000. The same files on every machine.
 */
const SIZES = { medianBytes: 1_900, sigma: 1.5, largestBytes: 200_000 } as const;
const POOL_BYTES = 1 << 22;
const FILES_PER_DIRECTORY = 12;
const PACKAGES = 97;
const LARGE_FILES = 10;
const LARGE_BYTES = 100_000_000;

const IGNORED = '.git\nnode_modules\n**/*.log\n';

/** Writes so many files, four directories deep and twelve in a directory, and a Dockerfile that copies all of them. */
export function writeSourceTree(directory: string, files: number): void {
  const write = writerOf(directory);
  for (let number = 0; number < files - 2; number++) {
    const folder = Math.floor(number / FILES_PER_DIRECTORY);
    write(`packages/package-${folder % PACKAGES}/src/module-${Math.floor(folder / PACKAGES)}/file-${number}.ts`);
  }
  writeText(directory, { Dockerfile: 'FROM scratch\nCOPY . /app\n', '.dockerignore': IGNORED });
}

/** Writes 1 GB in ten files, and a Dockerfile that copies them. */
export function writeLargeFiles(directory: string): void {
  const random = seededRandom(2);
  const content = Buffer.alloc(LARGE_BYTES);
  for (let number = 0; number < LARGE_FILES; number++) {
    for (let at = 0; at < LARGE_BYTES; at += 4096) content.writeUInt32LE(random.fraction() * 2 ** 32, at);
    mkdirSync(join(directory, 'models'), { recursive: true });
    writeFileSync(join(directory, `models/weights-${number}.bin`), content);
  }
  writeText(directory, { Dockerfile: 'FROM scratch\nCOPY . /app\n', '.dockerignore': IGNORED });
}

/** A repository of many images: each has a Dockerfile and files of its own, and all of them read a few that are common. */
export interface ManyImages {
  /** The Dockerfiles, relative to the directory, which is the context of all of them. */
  readonly dockerfiles: readonly string[];
  /** How many files there are, the Dockerfiles among them. */
  readonly fileCount: number;
}

const COMMON_FILES = 20;
/** Dockerfile, package.json and package-lock.json. */
const OWN_FILES = 3;

/** `base`: the image that all of them are built on. */
export function writeManyImages(directory: string, images: number, files: number, base = 'scratch'): ManyImages {
  const write = writerOf(directory);
  for (let number = 0; number < COMMON_FILES; number++) write(`common/file-${number}.ts`);
  const each = Math.floor((files - COMMON_FILES - 1) / images) - OWN_FILES;
  const dockerfiles = Array.from({ length: images }, (_, image) => {
    const service = `services/service-${image}`;
    for (let number = 0; number < each; number++) write(`${service}/src/part-${number % 10}/file-${number}.ts`);
    writeText(directory, {
      [`${service}/package.json`]: `{ "name": "service-${image}" }\n`,
      [`${service}/package-lock.json`]: '{ "lockfileVersion": 3 }\n',
      [`${service}/Dockerfile`]: [
        `FROM ${base}`,
        'WORKDIR /app',
        `COPY ${service}/package*.json ./`,
        'COPY common /common',
        `COPY ${service} .`,
        'CMD ["/app/start"]',
        '',
      ].join('\n'),
    });
    return `${service}/Dockerfile`;
  });
  writeText(directory, { '.dockerignore': IGNORED });
  return { dockerfiles, fileCount: COMMON_FILES + 1 + images * (each + OWN_FILES) };
}

function writerOf(directory: string): (name: string) => void {
  const random = seededRandom(1);
  const pool = Buffer.from(Uint32Array.from({ length: POOL_BYTES / 4 }, () => random.fraction() * 2 ** 32).buffer);
  return (name) => {
    const normal = Math.sqrt(-2 * Math.log(1 - random.fraction())) * Math.cos(2 * Math.PI * random.fraction());
    const size = Math.min(SIZES.largestBytes, Math.round(SIZES.medianBytes * Math.exp(SIZES.sigma * normal)));
    const start = Math.floor(random.fraction() * (POOL_BYTES - size));
    const file = join(directory, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, pool.subarray(start, start + size));
  };
}

function writeText(directory: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
}
