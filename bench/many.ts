import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { plantImage } from '../__tests__/support/planted-image.ts';
import { run } from '../__tests__/support/programs.ts';
import { parseJson, textAt } from '../src/core/json.ts';
import { countReads } from './file-reads.ts';
import { CLI, PLATFORMS, plainEnvironment, startRegistryProcess } from './hit.ts';
import { type Contest, type Step, setUp, time, type Work } from './measure.ts';
import { writeManyImages } from './source-tree.ts';

/** How many images the long list has, how many files they read, and how many images the short list has. */
export const MANY_IMAGES = 500;
export const MANY_FILES = 50_000;
export const SOME_IMAGES = 50;
const BASE = 'base/busybox';

/** What a plan took. */
export interface PlanRun {
  readonly seconds: number;
  readonly requests: number;
  /** How often it opened the file that it opened most, and that of those which are no Dockerfile. */
  readonly mostReads: number;
  readonly mostCopiedReads: number;
}

/** Lists of images, each in a bake file over one tree; the registry is a process of its own. */
export interface ManyScene {
  /** A plan of all of the long list, none of which is in the registry. */
  plan(): Promise<PlanRun>;
  /** One run over the short list, all of it there already, against a run for each. */
  readonly singles: Contest;
  /** The same, against a process of Node that makes a HEAD for each. */
  readonly heads: Contest;
  /** Requests of one run over the short list. */
  countRequests(): Promise<number>;
  close(): Promise<void>;
}

/** The calls that the rows make: where a command or a flag changes its name, it changes here. */
const CALLS = {
  plan: ['plan', '--files=../many.json'],
  /** The JSON of a plan, whose entries have a name and a hash. */
  planned: ['plan', '--files=../some.json', '--json'],
  build: (files: string) => ['build', `--files=../${files}.json`, '--scan=false'],
};

export async function openManyScene(): Promise<ManyScene> {
  const directory = mkdtempSync(join(tmpdir(), 'build-once-many-'));
  const registry = await startRegistryProcess();
  const close = async (): Promise<void> => {
    await registry.close();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const place = { cwd: join(directory, 'tree'), env: plainEnvironment(directory) };
    await plantImage({ image: `${registry.host}/${BASE}`, tags: ['1.38'], platforms: PLATFORMS.split(',') });
    writeManyImages(place.cwd, MANY_IMAGES, MANY_FILES, `${registry.host}/${BASE}:1.38`);
    const lists = { many: namesOf(MANY_IMAGES), some: namesOf(SOME_IMAGES) };
    const single = Object.fromEntries(lists.some.map((name) => [name, [name]]));
    for (const [list, names] of Object.entries({ ...lists, ...single })) {
      writeFileSync(join(directory, `${list}.json`), bakeFile(names, `${registry.host}/acme`));
    }
    const cli = (args: readonly string[]): Step => ({ ...place, argv: [process.execPath, CLI, ...args] });
    const planted = lazily(() => plantSome(cli(CALLS.planned), registry.host));
    const some: Work = { steps: [cli(CALLS.build('some'))], check: allHit(SOME_IMAGES) };
    const heads = namesOf(SOME_IMAGES).map((name) => `http://${registry.host}/v2/acme/${name}/manifests/main`);
    const onSome = (theirs: Work): Contest => ({
      async ours() {
        await planted();
        return some;
      },
      theirs: () => theirs,
    });
    return {
      plan: lazily(async () => {
        const work: Work = { steps: [cli(CALLS.plan)], check: () => '' };
        await setUp(work);
        await registry.countRequests();
        const { tookMs } = await time(work);
        const requests = await registry.countRequests();
        const reads = [...(await countReads(work, place.cwd))];
        const most = (counted: typeof reads): number => counted.reduce((most, [, count]) => Math.max(most, count), 0);
        const copied = reads.filter(([name]) => !name.endsWith('/Dockerfile'));
        return { seconds: tookMs / 1000, requests, mostReads: most(reads), mostCopiedReads: most(copied) };
      }),
      singles: onSome({
        steps: namesOf(SOME_IMAGES).map((name) => cli(CALLS.build(name))),
        check: allHit(SOME_IMAGES),
      }),
      heads: onSome({ steps: [{ ...place, argv: [process.execPath, '-e', HEADS, ...heads] }], check: () => '' }),
      async countRequests() {
        await planted();
        await registry.countRequests();
        await setUp(some);
        return registry.countRequests();
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const HEADS =
  "const { request } = require('node:http'); for (const url of process.argv.slice(1)) request(url, { method: 'HEAD' }, (answer) => { if (answer.statusCode !== 200) process.exitCode = 1; answer.resume(); }).end()";

export function allHit(images: number): Work['check'] {
  return (written) => {
    const hits = written.match(/\bhit\b/g)?.length ?? 0;
    if (hits >= images) return '';
    throw new Error(`these were to be ${images} hits:\n${written.slice(-4000)}`);
  };
}

/** Puts the images of the short list where a run looks for them. */
async function plantSome(step: Step, host: string): Promise<void> {
  const { stdout, stderr } = await run(step.argv, { env: step.env, cwd: step.cwd });
  const hashes = hashesOf(parseJson(stdout));
  if (hashes.size !== SOME_IMAGES) throw new Error(`this was to be a plan of ${SOME_IMAGES}:\n${stdout}${stderr}`);
  for (const [name, hash] of hashes) {
    const tags = [`hash-${hash.slice(0, 32)}`, 'main'];
    const annotations = { 'dev.build-once.inputs': hash };
    await plantImage({ image: `${host}/acme/${name}`, tags, annotations, platforms: PLATFORMS.split(',') });
  }
}

/** By name, wherever in the answer its entries are. */
function hashesOf(json: unknown): ReadonlyMap<string, string> {
  if (typeof json !== 'object' || json === null) return new Map();
  const [name, hash] = [textAt(json, 'name'), textAt(json, 'hash')];
  if (name !== undefined && hash !== undefined) return new Map([[name, hash]]);
  return new Map(Object.values(json).flatMap((value) => [...hashesOf(value)]));
}

export function namesOf(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `service-${index}`);
}

/** In JSON; relative paths in it are those of the working directory. */
export function bakeFile(names: readonly string[], prefix: string): string {
  const targets = names.map((name) => [
    name,
    {
      context: '.',
      dockerfile: `services/${name}/Dockerfile`,
      platforms: PLATFORMS.split(','),
      tags: [`${prefix}/${name}:main`],
    },
  ]);
  return JSON.stringify({ group: { default: { targets: names } }, target: Object.fromEntries(targets) });
}

function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
