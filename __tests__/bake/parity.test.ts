import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import type { RawOptions } from '../../src/options.ts';
import { type CommandName, runCommand } from '../../src/pipeline.ts';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { plantImage } from '../support/planted-image.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { writeTree } from '../support/write-tree.ts';

const SEEDS = Array.from({ length: Number(process.env['PARITY_RUNS'] ?? 6) }, (_, index) => index + 1);
const NAMES = ['a', 'b', 'c', 'd', 'e'];

let registry: RunningRegistry;
let root: string;
let lines: string[];

beforeAll(async () => {
  registry = await startRegistry();
  const image = `${registry.host}/base`;
  const platforms = ['linux/amd64', 'linux/arm64'];
  await plantImage({ image: `${image}/plain`, tags: ['latest'], platforms });
  await plantImage({ image: `${image}/env`, tags: ['1'], platforms, environment: ['DIR=one', 'PATH=/bin'] });
  await plantImage({ image: `${image}/differing`, tags: ['1'], platforms, environment: ['DIR=two'], differing: true });
  await plantImage({ image: `${image}/late`, tags: ['1'], platforms, onBuild: ['COPY two /late', 'ARG LATE'] });
});
afterAll(() => registry.close());
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'build-once-parity-'));
  lines = [];
});
afterEach(() => rmSync(root, { recursive: true }));

async function run(command: CommandName, inputs: RawOptions) {
  const env = { PATH: '/nonexistent', HOME: root, DOCKER_CONFIG: root, FROM_OUTSIDE: 'outside' };
  const host = createTerminalHost({ cwd: root, env, write: (line) => lines.push(line) });
  return runCommand(command, inputs, host);
}

/** One image, as a target of a bake file and as inputs of a step of its own. */
interface Image {
  readonly name: string;
  readonly target: Readonly<Record<string, unknown>>;
  readonly inputs: RawOptions;
}

function some<T>(random: Random, choices: readonly T[]): readonly T[] {
  return choices.filter(() => random.chance(0.4));
}

function dockerfileOf(random: Random): string {
  const base = (name: string): string => `${registry.host}/base/${name}`;
  const bases = [
    'scratch',
    base('plain'),
    base('plain:latest'),
    base('env:1'),
    base('differing:1'),
    base('late:1'),
    'named',
  ];
  const steps = [
    'COPY one /one',
    'COPY two/ /two',
    'COPY *.txt /',
    'COPY . /all',
    'COPY $DIR /dir',
    'COPY --from=named / /named',
    'COPY --from=first /one /',
    'ARG A=1',
    'ENV B=$A',
    'LABEL l=$A',
    'RUN --mount=type=bind,from=named,target=/m true',
    'RUN --mount=type=secret,id=s true',
    'ADD --chmod=600 one/x /x',
  ];
  const stage = (): string => some(random, steps).join('\n');
  const platform = random.chance(0.3) ? '--platform=$BUILDPLATFORM ' : '';
  const first = stage().replace('COPY --from=first /one /', '');
  return `${random.pick(['', '# a\n', 'ARG DIR=one\n'])}FROM ${platform}${random.pick(bases)} AS first\nENV DIR=one\n${first}\nFROM ${random.pick([...bases, 'first'])}\n${stage()}\n`;
}

const trees = (random: Random, at: string): Readonly<Record<string, string>> => ({
  [`${at}/one/x`]: `${random.below(3)}`,
  [`${at}/two/y`]: `${random.below(3)}`,
  [`${at}/two/package.json`]: '{}',
  [`${at}/z.txt`]: `${random.below(3)}`,
  ...(random.chance(0.5) ? { [`${at}/.dockerignore`]: random.pick(['two/y', '*.md\n!one', '.git\n**/x', '']) } : {}),
});

function randomImage(random: Random, name: string): Image {
  const context = random.pick(['repo/x', 'repo/y', 'repo/x/two/../../y', 'repo']);
  const file = `repo/files/${name}.Dockerfile`;
  const tree: Record<string, string> = { [file]: dockerfileOf(random) };
  if (random.chance(0.3)) tree[`${file}.dockerignore`] = random.pick(['one/x', 'y\n', '**\n!two\n!one']);
  writeTree(root, tree);
  const args = {
    ...(random.chance(0.5) && { A: random.pick(['1', '2', '$x']) }),
    ...(random.chance(0.2) && { DIR: 'two' }),
  };
  const labels = random.chance(0.5) ? { l: name, 'org.opencontainers.image.version': '1' } : {};
  const named = random.pick(['repo/x', 'repo/y/one', `docker-image://${registry.host}/base/env:1`]);
  const platforms = some(random, ['linux/amd64', 'linux/arm64']);
  const secrets = random.chance(0.3);
  const target = {
    context,
    dockerfile: relative(context, file),
    args,
    labels,
    contexts: { named },
    platforms,
    ...(random.chance(0.2) ? { target: 'first' } : {}),
    ...(secrets ? { secret: ['id=s,env=FROM_OUTSIDE'] } : {}),
    ...(random.chance(0.2) ? { network: 'none' } : {}),
    ...(random.chance(0.2) ? { annotations: ['index:a=b'] } : {}),
    ...(random.chance(0.2) ? { attest: ['type=provenance,mode=max'] } : {}),
  };
  const pairs = (map: object): string =>
    Object.entries(map)
      .map(([key, value]) => `${key}=${value}`)
      .join('\n');
  const inputs = {
    context,
    file,
    'build-args': pairs(args),
    labels: pairs(labels),
    'build-contexts': `named=${named}`,
    platforms: platforms.join(','),
    target: 'target' in target ? target.target : '',
    'secret-envs': secrets ? 's=FROM_OUTSIDE' : '',
    network: 'network' in target ? 'none' : '',
    annotations: 'annotations' in target ? 'index:a=b' : '',
    attests: 'attest' in target ? 'type=provenance,mode=max' : '',
  };
  return { name, target, inputs };
}

const ALL = { tags: 'main', scan: 'false' };

describe('the content hash of an image', () => {
  it.each(SEEDS)('is one, whether it is built alone or among others, in whatever order (seed %i)', async (seed) => {
    const random = seededRandom(seed);
    writeTree(root, { ...trees(random, 'repo/x'), ...trees(random, 'repo/y'), ...trees(random, 'repo') });
    const images = NAMES.map((name) => randomImage(random, name));
    const prefix = `${registry.host}/t${seed}`;
    const step: RawOptions = random.pick<RawOptions>([
      {},
      { base: 'tag' },
      { 'hash-scope': 'manifests' },
      { 'hash-ignore': 'one', 'hash-salt': 's' },
      { 'hash-files': 'repo/x/two' },
    ]);
    const alone = new Map<string, unknown>();
    const unique = new Set<string>();
    for (const { name, inputs } of images) {
      lines = [];
      const { report, error } = await run('build', { ...ALL, ...step, ...inputs, images: `${prefix}/${name}` });
      alone.set(name, report.hash ?? error?.message);
      if (lines.some((line) => line.includes('every run builds'))) unique.add(name);
    }
    const definition = (order: readonly Image[]) =>
      writeTree(root, {
        'docker-bake.json': JSON.stringify({
          target: Object.fromEntries(order.map(({ name, target }) => [name, target])),
        }),
      });
    for (const targets of [NAMES, [...NAMES].reverse(), some(random, NAMES)]) {
      if (targets.length === 0) continue;
      definition(random.chance(0.5) ? images : images.toReversed());
      const given = { ...step, files: 'docker-bake.json', targets: targets.join('\n'), images: `${prefix}/{{name}}` };
      const { report, error } = await run('plan', { ...ALL, ...given });
      const matrix: readonly { name: string; hash: string }[] = JSON.parse(report.outputs.matrix ?? '[]');
      const hashes = new Map(matrix.map(({ name, hash }) => [name, hash]));
      for (const name of targets) {
        const expected = alone.get(name);
        const found = hashes.get(name) ?? error?.message;
        if (hashes.has(name) && !unique.has(name)) expect([seed, name, found]).toEqual([seed, name, expected]);
        else if (!hashes.has(name)) expect(String(expected)).not.toMatch(/^[0-9a-f]{64}$/);
      }
    }
  });
});
