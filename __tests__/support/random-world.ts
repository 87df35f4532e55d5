import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExpectStatic } from 'vitest';
import { parseReference } from '../../src/core/reference.ts';
import { openRegistries } from '../../src/registry/open.ts';
import { type FaultAction, type FaultRule, type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { CHECKOUT } from './programs.ts';
import { readTags, type TagTable, type Traces, watchTraces } from './publication.ts';
import { type Random, seededRandom } from './random.ts';
import { type ActionResult, runAction } from './runner.ts';

const VERSIONS = ['1.0.0', '1.0.1', '1.1.0', '2.0.0', '2.0.1', '1.1.1'] as const;
const BRANCHES = ['main', 'dev'] as const;
const INPUTS = 'dev.build-once.inputs';

/** Faults that are honest about absence and about lists of tags, which nothing could check. */
const FAULTS: readonly FaultRule[] = [
  ...(
    [
      { kind: 'status', status: 500 },
      { kind: 'status', status: 503 },
      { kind: 'status', status: 429, headers: { 'Retry-After': '0' } },
      { kind: 'status', status: 403 },
      { kind: 'drop' },
      { kind: 'html' },
      { kind: 'truncate' },
      { kind: 'cutBody', afterBytes: 20 },
      { kind: 'cutRequest', afterBytes: 100 },
      { kind: 'storeThenFail' },
      { kind: 'storeThenFail', status: 500 },
      { kind: 'slow', bytesPerSecond: 100_000 },
      { kind: 'omitHeader', name: 'Docker-Content-Digest' },
      { kind: 'omitHeader', name: 'Location' },
    ] as const satisfies FaultAction[]
  ).map((action) => ({ action })),
  { kind: ['manifest', 'blob'], action: { kind: 'wrongDigest', where: 'body' } },
  { kind: ['manifest', 'blob', 'upload'], action: { kind: 'wrongDigest', where: 'header' } },
  { kind: 'upload', method: 'PUT', action: { kind: 'drop' } },
  { kind: 'manifest', method: 'PUT', action: { kind: 'storeThenFail' } },
];

interface Planned {
  /** The folder that is built. */
  readonly source: string;
  readonly ref: string;
  readonly images: readonly string[];
  readonly force: boolean;
  /** Killed when the registry has seen so many requests of the round. */
  readonly killAfter: number | undefined;
  /** Its version is on another image already. */
  readonly isConflict: boolean;
}

export interface WorldSettings {
  readonly seed: number;
  readonly expect: ExpectStatic;
  /** The variables with which docker is found and works; told of a directory that lasts as long. */
  readonly docker: (directory: string) => Readonly<Record<string, string>>;
}

/** How a run came out. */
type End = 'built' | 'reused' | 'failed' | 'killed';

/** A registry, the checkouts that publish into it, and what its tags have promised so far. */
class World {
  readonly registry: RunningRegistry;
  readonly random: Random;
  readonly #expect: ExpectStatic;
  readonly #directory: string;
  readonly #traces: Traces;
  readonly #docker: Readonly<Record<string, string>>;
  readonly #released = new Map<string, string>();
  readonly #lines = new Map<string, string>();
  #where = '';
  runs = 0;
  readonly ends: Record<End, number> = { built: 0, reused: 0, failed: 0, killed: 0 };

  constructor(registry: RunningRegistry, { seed, expect, docker }: WorldSettings) {
    this.registry = registry;
    this.random = seededRandom(seed);
    this.#expect = expect;
    this.#directory = mkdtempSync(join(tmpdir(), 'random-faults-'));
    this.#docker = docker(this.#directory);
    this.#traces = watchTraces(this.#docker['DOCKER_CONFIG'] ?? '');
    this.#where = `BUILD_ONCE_SEED=${seed}`;
    for (const name of [...VERSIONS, ...BRANCHES]) this.write(name);
  }

  async close(): Promise<void> {
    await this.registry.close();
    this.#traces.remove();
    rmSync(this.#directory, { recursive: true });
  }

  /** Gives a checkout other content. */
  write(name: string): void {
    mkdirSync(join(this.#directory, name), { recursive: true });
    writeFileSync(join(this.#directory, name, 'Dockerfile'), 'FROM scratch\nCOPY data /\n');
    const line = `${name} ${this.random.fraction()}\n`;
    writeFileSync(join(this.#directory, name, 'data'), line.repeat(100 + this.random.below(1000)));
  }

  get images(): readonly [string, string] {
    return [`${this.registry.host}/acme/app`, `${this.registry.host}/acme/mirror`];
  }

  /** One run, and what must hold after it whatever happened to it. */
  async run(planned: Planned, isFaultless = false): Promise<ActionResult> {
    this.runs += 1;
    const { source, ref, images, force, killAfter } = planned;
    const about = `${this.#where}, run ${this.runs}: ${JSON.stringify(planned)}`;
    const { settings } = this.#traces;
    const result = await runAction({
      action: CHECKOUT,
      workspace: join(this.#directory, source),
      event: { ref, sha: Buffer.from(source.padEnd(20)).toString('hex') },
      with: { images: images.join('\n'), platforms: 'linux/amd64,linux/arm64', force: String(force) },
      ...settings,
      env: {
        ...settings.env,
        ...this.#docker,
        // Nobody to ask for the head of a branch.
        GITHUB_API_URL: '',
      },
      ...(killAfter === undefined
        ? {}
        : { interrupt: { signal: 'SIGKILL', when: () => this.registry.requests.length >= killAfter } }),
    });
    this.ends[endOf(result)] += 1;
    const text = `${about}\n${result.log}`;
    this.#expect(await this.registry.integrity(), text).toEqual([]);
    this.#expect(result.log, text).not.toContain('UNEXPECTED:');
    const ends = isFaultless ? [planned.isConflict ? 3 : 0] : planned.isConflict ? [1, 3] : [0, 1];
    if (result.signal === undefined) this.#expect(ends, text).toContain(result.exitCode);
    else this.#expect([result.signal, killAfter], text).toEqual(['SIGKILL', this.#expect.any(Number)]);
    return result;
  }

  /** What must hold when nobody runs. */
  async check(): Promise<void> {
    this.registry.repair();
    const tables = await Promise.all(this.images.map((image) => readTags(image)));
    for (const [at, table] of tables.entries()) {
      const image = this.images[at] ?? '';
      await this.#checkHashTags(image, table);
      for (const [tag, digest] of Object.entries(table)) this.#checkVersion(`${image}:${tag}`, tag, digest, tables);
    }
    const left = this.#traces.left().filter((name) => !name.startsWith('docker-actions-toolkit-'));
    this.#expect(left, this.#where).toEqual([]);
  }

  /** Once every version was released without a fault, every line is on its highest, as one of the images has it. */
  async checkLines(): Promise<void> {
    const tables = await Promise.all(this.images.map((image) => readTags(image)));
    for (const [line, version] of Object.entries({ latest: '2.0.1', 2: '2.0.1', 1: '1.1.1', '1.0': '1.0.1' })) {
      const highest = tables.map((table) => table[version]);
      for (const table of tables) this.#expect(highest, `${this.#where}: ${line}`).toContain(table[line]);
    }
  }

  async #checkHashTags(image: string, table: TagTable): Promise<void> {
    const reference = parseReference(image);
    if (!reference.ok) throw new Error(reference.problem);
    const registries = openRegistries({ env: {} });
    const repository = registries.open(reference.value.repository);
    for (const tag of Object.keys(table).filter((name) => name.startsWith('hash-'))) {
      const bytes = await (await repository.fetch({ tag }))?.bytes();
      const annotations: unknown = JSON.parse(Buffer.from(bytes ?? []).toString('utf8')).annotations;
      const hash = this.#expect.stringMatching(new RegExp(`^${tag.slice(5)}[0-9a-f]{32}$`));
      this.#expect(annotations, `${this.#where}: ${tag}`).toMatchObject({ [INPUTS]: hash });
    }
    registries.close();
  }

  /** A full version never moves, and a version line never goes back. */
  #checkVersion(reference: string, tag: string, digest: string, tables: readonly TagTable[]): void {
    const about = `${this.#where}: ${reference}`;
    if (VERSIONS.some((version) => version === tag)) {
      this.#expect(digest, about).toBe(this.#released.get(reference) ?? digest);
      this.#released.set(reference, digest);
    } else if (/^(?:[12](?:\.[01])?|latest)$/.test(tag)) {
      const versions = VERSIONS.filter((version) => tables.some((table) => table[version] === digest));
      const version = versions.toSorted().at(-1) ?? '';
      this.#expect(version >= (this.#lines.get(reference) ?? '0'), `${about} is on ${version}, and was higher`).toBe(
        true,
      );
      this.#lines.set(reference, version);
    }
  }
}

function endOf({ signal, status, outputs }: ActionResult): End {
  if (signal !== undefined) return 'killed';
  if (status === 'failure') return 'failed';
  return outputs['built'] === 'true' ? 'built' : 'reused';
}

async function isReleased(version: string, images: readonly string[]): Promise<boolean> {
  const tables = await Promise.all(images.map((image) => readTags(image)));
  return tables.every((table) => table[version] !== undefined);
}

function chooseImages({ random, images }: World): readonly string[] {
  const [app, mirror] = images;
  return random.pick([[app], [app], [app], [app, mirror], [mirror, app]]);
}

/** Several versions and branches at once, on a registry that works. */
async function rush(world: World): Promise<void> {
  const sources = [world.random.pick(VERSIONS), world.random.pick(VERSIONS), world.random.pick(VERSIONS), 'main'];
  await Promise.all(
    [...new Set(sources)].map((source) =>
      world.run(
        { ...releaseOf(source), images: chooseImages(world), force: false, killAfter: undefined, isConflict: false },
        true,
      ),
    ),
  );
}

function releaseOf(source: string): Pick<Planned, 'source' | 'ref'> {
  const isVersion = VERSIONS.some((version) => version === source);
  return { source, ref: isVersion ? `refs/tags/v${source}` : `refs/heads/${source}` };
}

/** Runs of one version and of branches, on a registry that fails, on machines that are lost. */
async function fire(world: World): Promise<void> {
  const { random, registry } = world;
  for (const branch of BRANCHES) if (random.chance(0.5)) world.write(branch);
  const version = random.pick(VERSIONS);
  const runs: Planned[] = [];
  for (let count = 1 + random.below(4); count > 0; count -= 1) {
    const images = chooseImages(world);
    const isConflict = random.chance(0.1) && (await isReleased(version, images));
    const named = releaseOf(random.chance(0.5) ? version : random.pick(BRANCHES));
    runs.push({
      ...named,
      ...(isConflict ? { ref: `refs/tags/v${version}`, source: random.pick(BRANCHES) } : {}),
      images,
      force: random.chance(0.15),
      killAfter: random.chance(0.4) ? 1 + random.below(40) : undefined,
      isConflict,
    });
  }
  registry.forgetRequests();
  for (let count = 0; count < 4; count += 1) {
    const seed = 1 + random.below(1_000_000);
    const probability = 0.02 + 0.1 * random.fraction();
    registry.fail({ ...random.pick(FAULTS), probability, seed, times: 1 + random.below(3) });
  }
  await Promise.all(runs.map((planned) => world.run(planned)));
}

/**
 * Plays at least so many runs, in rounds of several at once, with what must hold after each; then a last run of everything
 * without a fault, which must complete. Throws when something does not hold, naming the seed; answers how the runs ended.
 */
export async function playAtRandom(settings: WorldSettings, runs: number): Promise<Readonly<Record<End, number>>> {
  const world = new World(await startRegistry(), settings);
  try {
    while (world.runs < runs) {
      await (world.random.chance(0.15) ? rush(world) : fire(world));
      await world.check();
    }
    for (const source of [...VERSIONS, ...BRANCHES]) {
      const all = { images: world.images, force: false, killAfter: undefined, isConflict: false };
      await world.run({ ...releaseOf(source), ...all }, true);
    }
    await world.check();
    await world.checkLines();
    return world.ends;
  } finally {
    await world.close();
  }
}
