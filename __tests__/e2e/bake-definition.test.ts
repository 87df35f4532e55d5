import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { BuildSettings } from '../../src/core/build-options.ts';
import { csvRecord } from '../../src/core/csv.ts';
import { valueAt } from '../../src/core/json.ts';
import { type BakeImage, bakeDefinition, bakeTargets } from '../../src/tools/bake-definition.ts';
import type { Destination } from '../../src/tools/buildx-arguments.ts';
import { mustRun } from '../support/programs.ts';
import { buildSettings } from '../tools/build-settings.ts';
import { Workshop } from './workshop.ts';

const toolchain = inject('toolchain');
const workshop = new Workshop(toolchain);
const socket = path.join(workshop.directory, 'agent.sock');
const agent = net.createServer();
const env = { FROM_ENV: 'a ${FROM_ENV} %{b}', EMPTY: '' };

const secretFiles = ['plain', 'with ${x}', 'with "quotes", commas', 'with %{if}'].map((name) =>
  path.join(workshop.directory, name),
);

beforeAll(async () => {
  for (const file of secretFiles) fs.writeFileSync(file, 'x');
  agent.listen(socket);
  await new Promise((resolve) => agent.once('listening', resolve));
});
afterAll(() => {
  agent.close();
  workshop.remove();
});

const pieces = [
  ...'${}%{}"\'\\\n\t ,=:;#/*~a1é🐳\u0001\u007f\u2028<>&',
  '${',
  '$${',
  '%{',
  '%%{',
  '${FROM_ENV}',
  '%{if true}',
  '%{endif}',
  '$$',
  '//',
  '${"',
];
/** What HCL, CSV, JSON and shells might take for something else. */
const text = fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((parts) => parts.join('').normalize('NFC'));
const name = fc
  .array(fc.constantFrom(...pieces, '//', '__proto__', 'a', 'b'), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.join('').replace(/[=:]/g, '').normalize('NFC'))
  .filter((key) => key.trim() !== '');
const word = fc.constantFrom('a', 'b-c', 'D.e', 'f/g');
const entries = <T>(entry: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(entry, { maxLength: 3 });
const directory = text.map((part) => path.posix.normalize(`/d/${part}x`));

const settings: fc.Arbitrary<Partial<BuildSettings>> = fc.record({
  context: directory,
  file: directory,
  target: fc.option(
    text.filter((one) => one !== ''),
    { nil: undefined },
  ),
  platforms: fc.constantFrom(
    [{ os: 'linux', architecture: 'amd64' }],
    [
      { os: 'linux', architecture: 'arm64' },
      { os: 'linux', architecture: 'arm', variant: 'v7' },
    ],
  ),
  buildArgs: fc.array(
    fc.oneof(
      fc.tuple(name, text).map((pair) => pair.join('=')),
      fc.constantFrom('FROM_ENV', 'EMPTY', 'NOT_THERE', 'BUILDKIT_MULTI_PLATFORM=0'),
    ),
    { maxLength: 6 },
  ),
  buildContexts: entries(fc.record({ name, value: directory })),
  labels: entries(
    fc.oneof(
      fc.tuple(name, text).map((pair) => pair.join('=')),
      name,
    ),
  ),
  annotations: entries(fc.tuple(word, text).map((pair) => pair.join('='))),
  secrets: fc.uniqueArray(fc.record({ id: name, value: text }), { maxLength: 3, selector: ({ id }) => id }),
  secretFiles: fc.uniqueArray(
    fc.record({ id: name.map((id) => `file ${id}`), path: fc.constantFrom(...secretFiles) }),
    { maxLength: 2, selector: ({ id }) => id },
  ),
  ssh: fc.constantFrom<string[]>([], ['default'], [`k=${socket}`, 'default']),
  addHosts: entries(fc.tuple(name, fc.constantFrom('10.0.0.1', '::1', 'host-gateway')).map((pair) => pair.join('='))),
  allow: fc.constantFrom<string[]>([], ['network.host', 'security.insecure'], ['network.host,security.insecure']),
  network: fc.constantFrom(undefined, 'none', 'default', 'host'),
  noCache: fc.boolean(),
  pull: fc.boolean(),
  noCacheFilters: fc.uniqueArray(name, { maxLength: 2 }),
  shmSize: fc.constantFrom(undefined, '64m', '2gb'),
  ulimit: fc.constantFrom<string[]>([], ['nofile=1024:2048', 'core=0']),
  provenance: fc.constantFrom(undefined, 'true', 'false', 'mode=max'),
  sbom: fc.constantFrom(undefined, 'true', 'false', 'generator=x/y'),
  cacheFrom: fc.uniqueArray(
    text.map((part) => csvRecord(['type=local', `src=/c/${part}`])),
    { maxLength: 2 },
  ),
  cacheTo: fc.uniqueArray(
    text.map((part) => csvRecord(['type=registry', `ref=x/${part}`, 'mode=max'])),
    { maxLength: 2 },
  ),
});

const destination: fc.Arbitrary<Destination> = fc.oneof(
  directory.map((folder) => ({ kind: 'layout', path: folder }) as const),
  fc.constant({ kind: 'push', repository: { registry: 'ghcr.io', path: 'acme/app' } } as const),
);
const origin = fc.constantFrom(undefined, { url: 'https://github.example/a,"b"/${c}', isPrivate: true });

/** As `--print` of buildx 0.29 shows these values: escaped again. */
const escaped = (value: string): string => value.replace(/[$%](?=\{)/g, '$&$&');

function cut(line: string): [string, string] {
  const at = line.indexOf('=');
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
}

/** What `--print` has to show of an image, by what its user said. */
function expectedOf(image: BakeImage, firstSecret: number): unknown {
  const given = image.settings;
  const args = new Map<string, string>();
  for (const arg of given.buildArgs) {
    const [key, value] = arg.includes('=') ? cut(arg) : [arg, new Map(Object.entries(env)).get(arg)];
    if (value !== undefined) args.set(key, value);
  }
  if (given.platforms.length === 1) args.set('BUILDKIT_MULTI_PLATFORM', '1');
  const hosts = new Map<string, string>();
  for (const [host, address] of given.addHosts.map(cut)) {
    const known = hosts.get(host);
    hosts.set(host, known === undefined ? address : `${known},${address}`);
  }
  const entitlements = new Set(given.allow.flatMap((one) => one.split(',')));
  if (given.network === 'host') entitlements.add('network.host');
  return withoutAbsent({
    context: given.context,
    dockerfile: given.file,
    target: given.target,
    platforms: given.platforms.map((one) => [one.os, one.architecture, one.variant].filter(Boolean).join('/')),
    args: objectOf([...args].map(([key, value]) => [key, escaped(value)])),
    contexts: objectOf(given.buildContexts.map((one) => [one.name, one.value])),
    labels: objectOf(given.labels.map(cut).map(([key, value]) => [key, escaped(value)])),
    annotations: [...new Set(given.annotations.map((one) => escaped(`index,manifest:${one}`)))],
    secret: [
      ...given.secrets.map(({ id }, index) => ({ id, env: `BUILD_ONCE_SECRET_${firstSecret + index}` })),
      ...given.secretFiles.map(({ id, path: src }) => ({ id, src })),
    ],
    ssh: given.ssh.map((one) => (one === 'default' ? { id: 'default' } : { id: 'k', paths: [socket] })),
    'extra-hosts': objectOf([...hosts]),
    entitlements: [...entitlements],
    network: given.network,
    pull: given.pull || undefined,
    'no-cache': given.noCache || undefined,
    'no-cache-filter': given.noCacheFilters,
    'shm-size': given.shmSize,
    ulimits: given.ulimit,
    'cache-from': given.cacheFrom.map((one) => ({ type: 'local', src: pathOf(one, 'src') })),
    'cache-to': given.cacheTo.map((one) => ({ type: 'registry', ref: pathOf(one, 'ref'), mode: 'max' })),
    attest: [...attestedAs('provenance', given.provenance, image), ...attestedAs('sbom', given.sbom, image)],
    output: [
      image.destination?.kind === 'layout'
        ? { type: 'oci', tar: 'false', dest: image.destination.path }
        : {
            type: 'image',
            name: 'ghcr.io/acme/app',
            'push-by-digest': 'true',
            'name-canonical': 'true',
            push: 'true',
            'oci-mediatypes': 'true',
          },
    ],
  });
}

function attestedAs(type: string, value: string | undefined, image: BakeImage): unknown[] {
  if (value === 'false') return [{ type, disabled: true }];
  if (type === 'sbom') {
    if (value === undefined) return [];
    return [value === 'true' ? { type } : { type, generator: 'x/y' }];
  }
  const run = image.origin === undefined ? {} : { 'builder-id': image.origin.url };
  if (value === 'mode=max') return [{ type, mode: 'max', ...run }];
  if (value === 'true') return [{ type, ...run }];
  return image.origin === undefined ? [] : [{ type, mode: 'min', 'inline-only': 'true', ...run }];
}

/** The attribute of a record that this test wrote itself. */
function pathOf(record: string, key: string): string {
  const field = /(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g;
  const values = [...record.matchAll(field)].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '');
  return cut(values.find((one) => one.startsWith(`${key}=`)) ?? '')[1];
}

function objectOf(pairs: readonly (readonly [string, string])[]): Readonly<Record<string, string>> {
  return Object.fromEntries(pairs);
}

function withoutAbsent(record: Readonly<Record<string, unknown>>): unknown {
  return Object.fromEntries(
    Object.entries(record).filter(
      ([, value]) => value !== undefined && !(typeof value === 'object' && Object.keys(value ?? {}).length === 0),
    ),
  );
}

describe.skipIf(!toolchain.layers.docker)('what real bake reads', () => {
  it('is what was asked for, to the letter', async () => {
    const image = fc.record({ name: text, settings: settings.map(buildSettings), destination, origin });
    const images = fc.uniqueArray(image, { minLength: 6, maxLength: 12, selector: (one) => one.name });
    const check = async (all: readonly BakeImage[]): Promise<void> => {
      const targets = bakeTargets(all);
      const file = path.join(workshop.contextOf({ 'bake.json': bakeDefinition(targets, env) }), 'bake.json');
      const names = targets.map(({ target }) => target);
      const said: unknown = JSON.parse(
        await mustRun(['docker', 'buildx', 'bake', '--print', `--file=${file}`, '--', ...names], {
          env: { ...workshop.env, ...env, SSH_AUTH_SOCK: socket },
        }),
      );
      let firstSecret = 0;
      for (const [index, one] of all.entries()) {
        expect(valueAt(said, 'target', names[index] ?? '')).toEqual(expectedOf(one, firstSecret));
        firstSecret += one.settings.secrets.length;
      }
    };
    await fc.assert(fc.asyncProperty(images, check), { numRuns: Number(process.env['BUILD_ONCE_RUNS'] ?? 25) });
  });
});
