import { type Random, seededRandom } from '../support/random.ts';
import type { BakeCase } from './bake-cases.ts';

const TEXTS = [
  'a',
  'x:${TAG}',
  '${TAG}',
  '$${TAG} %%{x}',
  'ünïcode',
  'a "quoted", text',
  '# no comment',
  ' blanks ',
  'line\nfeed',
  '$HOME',
  '${ N }',
  '',
  'back\\slash',
];
const LISTS = {
  tags: ['a:1', 'b:${TAG}', 'c', '', 'a:1'],
  platforms: ['linux/amd64', 'linux/arm64'],
  annotations: ['a=b', 'index:c=${TAG}', 'd="e"', 'a=b'],
  'no-cache-filter': ['one', 'two', 'one'],
  ulimits: ['nofile=1024:1024', 'nproc=3'],
  entitlements: ['network.host', 'security.insecure'],
  'cache-from': ['type=registry,ref=a/b', 'a/c', { type: 'local', src: 'c' }, 'type=gha,scope=${TAG}', ''],
  'cache-to': ['type=inline', { type: 'registry', ref: 'x/${TAG}', mode: 'max' }],
  output: ['type=docker', { type: 'image', name: 'q' }, 'out', 'type=tar,dest=y'],
  secret: ['id=a,src=key', { id: 'b', env: 'HOME' }, 'id=c,env=TAG'],
  attest: ['type=sbom', 'type=provenance,mode=max', { type: 'provenance', disabled: true }, 'type=sbom,generator=x'],
};
const SINGLES = {
  context: ['.', './a/../b', 'sub', 'https://github.com/acme/app.git#${TAG}', 'cwd://x'],
  dockerfile: ['Dockerfile.x', 'a/../Dockerfile', 'Dockerfile', ''],
  'dockerfile-inline': ['FROM scratch\n', 'FROM a\nRUN echo $${TAG} ${TAG}\n'],
  target: ['prod', '${TAG}'],
  network: ['none', 'host', 'default'],
  'shm-size': ['64m', '1gb'],
  description: ['what', ''],
  'no-cache': [true, false, '${B}'],
  pull: [true, 'false'],
};
/** Of other lists, bake shares memory between targets when an entry stands twice, and mixes them up. */
const REPEATED = ['tags', 'annotations', 'no-cache-filter', 'platforms', 'entitlements'];
const MAPS = ['args', 'labels', 'extra-hosts'];

/** Bake files of a few targets that inherit, link, group and override, which everybody must read in the same way. */
export function randomBake(seed: number): BakeCase {
  const random = seededRandom(seed);
  const names = ['a', 'b', 'c', 'd', 'e'].slice(0, 1 + random.below(5));
  const files: Record<string, string> = {};
  const fileCount = 1 + random.below(3);
  for (let index = 0; index < fileCount; index += 1) {
    const targets = names
      .filter(() => index === 0 || random.chance(0.7))
      .map((name) => [name, attributes(random, names.slice(0, names.indexOf(name)))]);
    const group = {
      default: { targets: some(random, [...names, 'g']) },
      g: { targets: [...some(random, names), random.pick(names)] },
    };
    files[`${index}.json`] = JSON.stringify(
      {
        variable: {
          TAG: { default: random.pick(['v1', 'v${N}']) },
          N: { default: 7 },
          B: { default: random.chance(0.5) },
        },
        target: Object.fromEntries(targets),
        ...(index === 0 || random.chance(0.3) ? { group } : {}),
      },
      undefined,
      random.pick([0, 2]),
    );
  }
  const targets = random.chance(0.5) ? [] : [random.pick([...names, 'g', '*', '[ab]', '?'])];
  const env = {
    ...(random.chance(0.3) ? { TAG: random.pick(['env', '', '${N}']) } : {}),
    ...(random.chance(0.2) ? { B: '1', N: '-2' } : {}),
  };
  return { name: `seed ${seed}`, files, targets, env };
}

function attributes(random: Random, earlier: readonly string[]): Record<string, unknown> {
  const drawn: Record<string, unknown> = {};
  for (const [name, choices] of Object.entries(LISTS))
    if (random.chance(0.25)) drawn[name] = some<unknown>(random, choices, !REPEATED.includes(name));
  for (const [name, choices] of Object.entries(SINGLES))
    if (random.chance(0.2)) drawn[name] = random.pick<unknown>(choices);
  for (const name of MAPS) {
    if (random.chance(0.3))
      drawn[name] = Object.fromEntries(
        some(random, ['K', 'L', 'm.n', '//', 'é']).map((key) => [key, random.pick<unknown>([...TEXTS, null, 3, true])]),
      );
  }
  if (random.chance(0.3))
    drawn['contexts'] = Object.fromEntries(
      some(random, ['x', 'y']).map((key) => [
        key,
        random.pick(['', './p', 'docker-image://alpine', ...earlier.map((name) => `target:${name}`)]),
      ]),
    );
  if (random.chance(0.5)) drawn['inherits'] = some(random, earlier);
  if (random.chance(0.1)) drawn[random.pick(['tags', 'args', 'context', 'cache-from'])] = null;
  return drawn;
}

function some<T>(random: Random, choices: readonly T[], isDistinct = false): T[] {
  const count = random.below(choices.length + 1);
  return Array.from({ length: count }, () => random.pick(choices)).filter(
    (one, index, all) => all.indexOf(one) === index || (!isDistinct && random.chance(0.3)),
  );
}
