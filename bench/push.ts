import { type ChildProcess, spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CHECKOUT } from '../__tests__/support/programs.ts';
import { makeDockerConfig, type Toolchain } from '../__tests__/support/toolchain.ts';
import { digestOf } from '../src/core/digest.ts';
import { formatDescriptor } from '../src/oci/format.ts';
import { type Descriptor, MEDIA_TYPES } from '../src/oci/types.ts';
import { openLayout } from '../src/registry/layout.ts';
import { plainEnvironment } from './hit.ts';
import { type Contest, type Step, setUp, type Work } from './measure.ts';
import { peakBytesOf } from './peak.ts';

/** Of the image that is pushed. */
export const LAYERS = 5;
export const LAYER_BYTES = 100_000_000;
const TAR_BLOCK = 512;

export type Pusher = 'ours' | 'crane' | 'docker';

/** An image of 500 MB that does not compress, in an OCI layout and in the engine, to be pushed into empty registries. */
export interface PushScene {
  contest(rival: Exclude<Pusher, 'ours'>): Contest;
  /** Reading and hashing the layout's files in a process of Node, against one that does nothing. */
  readonly hashing: Contest;
  /** The most memory that one push takes, in bytes; of Docker its client and its engine. */
  peakBytes(pusher: Pusher): Promise<number>;
  close(): Promise<void>;
}

/** Our push with nothing around it: what a build does with the layout that its builder wrote. */
const PUSH = `
const [{ copyImage }, { openRegistries }] = await Promise.all(process.argv.slice(3).map((file) => import(file)));
const [registry, directory] = process.argv.slice(1);
const registries = openRegistries({ env: process.env });
const to = registries.open({ registry, path: 'bench/push' });
const layout = await registries.openLayout(directory);
for (const root of await layout.roots()) { await copyImage(layout, to, root); await to.tag(root, 'main'); }
registries.close();`;

const HASH = `
const [{ createHash }, { createReadStream, readdirSync }] = [require('node:crypto'), require('node:fs')];
(async () => {
  const [directory] = process.argv.slice(1);
  for (const name of readdirSync(directory)) {
    const hash = createHash('sha256');
    for await (const piece of createReadStream(directory + '/' + name, { highWaterMark: 1 << 20 })) hash.update(piece);
    if (hash.digest('hex') !== name) process.exitCode = 1;
  }
})();`;

export async function openPushScene(toolchain: Toolchain): Promise<PushScene> {
  const directory = mkdtempSync(join(tmpdir(), 'build-once-push-'));
  const layout = join(directory, 'layout');
  const env = {
    ...plainEnvironment(directory),
    ...toolchain.env,
    DOCKER_CONFIG: makeDockerConfig(toolchain, directory),
  };
  const place = { cwd: directory, env };
  const library = ['copy', 'open'].map((name) => join(CHECKOUT, `lib/registry/${name}.js`));
  const registries = new RegistryProcesses(directory, place);
  const local = `${toolchain.registry}/bench/push:main`;
  const names = new Set<string>();
  await writeImage(layout);
  if (toolchain.layers.docker) {
    await setUp(workOf({ ...place, argv: ['crane', 'push', layout, local] }));
    await setUp(workOf({ ...place, argv: ['docker', 'pull', local] }));
    names.add(local);
  }
  const stepOf = async (pusher: Pusher): Promise<Step> => {
    const host = await registries.replace();
    const name = `${host}/bench/push:main`;
    if (pusher === 'crane') return { ...place, argv: ['crane', 'push', layout, name] };
    if (pusher === 'ours') {
      return {
        ...place,
        argv: [process.execPath, '--input-type=module', '-e', PUSH, host, layout, ...library],
      };
    }
    names.add(name);
    await setUp(workOf({ ...place, argv: ['docker', 'tag', local, name] }));
    return { ...place, argv: ['docker', 'push', name] };
  };
  return {
    contest: (rival) => ({
      ours: async () => workOf(await stepOf('ours')),
      theirs: async () => workOf(await stepOf(rival)),
    }),
    hashing: {
      ours: () => workOf({ ...place, argv: [process.execPath, '-e', HASH, join(layout, 'blobs/sha256')] }),
      theirs: () => workOf({ ...place, argv: [process.execPath, '-e', '0'] }),
    },
    peakBytes: async (pusher) =>
      peakBytesOf(await stepOf(pusher), pusher === 'docker' ? toolchain.env['DOCKER_HOST'] : undefined),
    async close() {
      await registries.stop();
      for (const name of names) await setUp(workOf({ ...place, argv: ['docker', 'rmi', name] })).catch(() => undefined);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function workOf(step: Step): Work {
  return { steps: [step], check: () => '' };
}

/** One docker-registry at a time, each with nothing in it: engines mount across the repositories of a registry that they know. */
class RegistryProcesses {
  readonly #directory: string;
  readonly #place: Pick<Step, 'cwd' | 'env'>;
  #running: ChildProcess | undefined;

  constructor(directory: string, place: Pick<Step, 'cwd' | 'env'>) {
    this.#directory = directory;
    this.#place = place;
  }

  /** Ends the one that runs, and answers the host of a new one. */
  async replace(): Promise<string> {
    await this.stop();
    const config = join(this.#directory, 'registry.yml');
    const lines = [
      'version: 0.1',
      'log: {level: info, accesslog: {disabled: true}}',
      `storage: {filesystem: {rootdirectory: ${this.#data}}, maintenance: {uploadpurging: {enabled: false}}}`,
      'http: {addr: "127.0.0.1:0"}',
    ];
    writeFileSync(config, lines.join('\n'));
    const child = spawn('docker-registry', ['serve', config], { ...this.#place, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#running = child;
    for await (const line of createInterface({ input: child.stderr })) {
      const host = /listening on (127\.0\.0\.1:[0-9]+)/.exec(line)?.[1];
      if (host === undefined) continue;
      child.stderr.resume();
      return host;
    }
    throw new Error('docker-registry did not start');
  }

  async stop(): Promise<void> {
    const child = this.#running;
    this.#running = undefined;
    if (child !== undefined && child.exitCode === null) {
      await new Promise<void>((done) => {
        child.once('exit', () => done());
        child.kill();
      });
    }
    rmSync(this.#data, { recursive: true, force: true });
  }

  get #data(): string {
    return join(this.#directory, 'registry');
  }
}

/** An image of one platform, whose layers are tar archives of one random file each. */
async function writeImage(directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const layout = openLayout(directory);
  const push = async (mediaType: string, bytes: Buffer): Promise<Descriptor> => {
    const descriptor = { mediaType, digest: digestOf(bytes), sizeBytes: bytes.length };
    await layout.push(descriptor, bytes);
    return descriptor;
  };
  const layers: Descriptor[] = [];
  for (let layer = 0; layer < LAYERS; layer++)
    layers.push(await push(MEDIA_TYPES.ociLayer, randomTar(`random-${layer}`)));
  const rootfs = { type: 'layers', diff_ids: layers.map(({ digest }) => digest) };
  const platform = { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' };
  const config = await push(MEDIA_TYPES.ociConfig, Buffer.from(JSON.stringify({ ...platform, config: {}, rootfs })));
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: formatDescriptor(config),
    layers: layers.map(formatDescriptor),
  };
  await push(MEDIA_TYPES.ociManifest, Buffer.from(JSON.stringify(manifest)));
}

/** A tar archive (POSIX.1-1988 ustar) of one file with random content. */
function randomTar(name: string): Buffer {
  const padded = Math.ceil(LAYER_BYTES / TAR_BLOCK) * TAR_BLOCK;
  const archive = Buffer.alloc(TAR_BLOCK + padded + 2 * TAR_BLOCK);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`;
  archive.write(name, 0);
  archive.write(octal(0o644, 7), 100);
  archive.write(octal(0, 7), 108);
  archive.write(octal(0, 7), 116);
  archive.write(octal(LAYER_BYTES, 11), 124);
  archive.write(octal(0, 11), 136);
  archive.write('        0', 148);
  archive.write('ustar\x0000', 257);
  const sum = archive.subarray(0, TAR_BLOCK).reduce((total, byte) => total + byte, 0);
  archive.write(`${octal(sum, 6)} `, 148);
  randomFillSync(archive, TAR_BLOCK, LAYER_BYTES);
  return archive;
}
