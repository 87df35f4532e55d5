import { type Random, seededRandom } from '../support/random.ts';
import type { BakeCase } from './bake-cases.ts';

const VALUES: Readonly<Record<string, readonly string[]>> = {
  context: ['.', './a/../b', '"${DIR:-sub}"', 'https://github.com/acme/app.git#main', '""'],
  dockerfile: ['Dockerfile.x', 'a/../Dockerfile', '"${TAG}"'],
  dockerfile_inline: ['"FROM scratch\\nRUN $$x ${TAG}\\n"'],
  target: ['prod', '"$TAG"', '"7"'],
  network: ['none', 'host'],
  args: [
    '[A=1, "B=${TAG}", HOME, NO]',
    '{A: 1, B: "x y", C: , HOME: , D: true, "e.f": "#"}',
    '{<<: *common, A: own}',
    '[]',
  ],
  labels: ['[a=b, c]', '{a: "b, c", "d.e": 3, f: }', '{}'],
  tags: ['["acme/a:${TAG}", b]', '[]'],
  platforms: ['[linux/amd64]', '[linux/arm64, linux/amd64]'],
  cache_from: ['[acme/cache, "type=local,src=c"]', '["type=gha,scope=$TAG"]'],
  cache_to: ['["type=inline"]', '["type=registry,ref=x/y,mode=max"]'],
  no_cache: ['true', 'false', '"true"'],
  pull: ['true', 'false'],
  shm_size: ['64m', '1gb', '1024', '"2048k"', '3b'],
  ulimits: ['{nproc: {soft: 1, hard: 2}}'],
  extra_hosts: ['["a:1.2.3.4", "b=::1", "a=::2"]', '{a: 1.2.3.4, b: [1.1.1.1]}'],
  additional_contexts: ['{x: ./y, z: "docker-image://alpine:${TAG}"}', '["x=service:last"]', '{x: "target:last"}'],
  secrets: ['[file]', '[{source: env}, file]'],
  provenance: ['true', 'mode=min', 'false'],
  sbom: ['true', 'false', '"generator=x/y"'],
  'x-bake': [
    '{tags: ["q:$TAG"], platforms: linux/amd64}',
    '{no-cache: true, cache-from: [z], output: [type=docker]}',
    '{secret: "id=env,env=HOME", contexts: {x: "target:last", w: ./w}}',
  ],
};
const SHORT = ['.', './dir', '"${DIR}"', '"dir/$TAG"'];

/** A compose file of a few services, with variables, an anchor and links to the last of them. */
export function randomCompose(seed: number): BakeCase {
  const random = seededRandom(seed);
  const names = ['a', 'b.c', 'web-1'].slice(0, 1 + random.below(3));
  const services = [...names.map((name) => `  ${name}:\n${service(random)}`), '  last: {build: ./last}'];
  const file = `x-common: &common {Z: z, A: "\${TAG}"}\nservices:\n${services.join('\n')}\nsecrets: {file: {file: ./key}, env: {environment: HOME}}\n`;
  const env = { TAG: random.pick(['v1', '', 'a.b']), ...(random.chance(0.5) ? { DIR: 'there' } : {}) };
  const targets = random.chance(0.6) ? [] : [random.pick([...names, '*'])];
  return { name: `seed ${seed}`, files: { 'compose.yaml': file }, targets, env };
}

function service(random: Random): string {
  const image = random.chance(0.4) ? `    image: "acme/x:\${TAG:-none}"\n` : '';
  if (random.chance(0.2)) return `${image}    build: ${random.pick(SHORT)}`;
  const keys = Object.entries(VALUES).filter(() => random.chance(0.25));
  const lines = keys.map(([key, values]) => `      ${key}: ${random.pick(values)}`);
  return lines.length === 0 ? `${image}    build: {}` : `${image}    build:\n${lines.join('\n')}`;
}
