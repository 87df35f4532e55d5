import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { BuildSettings } from '../../src/core/build-options.ts';
import { textAt, valueAt } from '../../src/core/json.ts';
import type { Machine } from '../../src/hosts/machine.ts';
import type { BakeRequest } from '../../src/tools/bake.ts';
import type { Builder, BuilderNeeds } from '../../src/tools/builder.ts';
import { bakeImages, chooseBuilder } from '../../src/tools/buildx.ts';
import type { Docker } from '../../src/tools/docker.ts';
import { openDocker } from '../../src/tools/docker-config.ts';
import { buildSettings } from '../tools/build-settings.ts';
import { type Built, platformsOf, Workshop, watchArguments } from './workshop.ts';

const toolchain = inject('toolchain');
const workshop = new Workshop(toolchain);
const amd64 = { os: 'linux', architecture: 'amd64' };
const arm64 = { os: 'linux', architecture: 'arm64' };
const { registry } = toolchain;
const needs: BuilderNeeds = { platformCount: 2, runs: [amd64, arm64], pushTo: registry, registries: [registry] };
const origin = { url: 'https://github.example/acme/app/actions/runs/1', isPrivate: false };

let host: Machine;
let docker: Docker;
let printed: string[];

beforeEach(() => {
  printed = [];
  host = workshop.host((line) => printed.push(line));
  docker = openDocker(host, []);
});
afterEach(async () => {
  await host.finish();
});
afterAll(() => workshop.remove());

type Image = Partial<BakeRequest['images'][number]> & { readonly dockerfile: string } & {
  readonly change?: Partial<BuildSettings>;
  /** Only others are built on it. */
  readonly isBase?: boolean;
};

/** Builds these images in one call; pushes where the builder can. */
async function bake(builder: Builder, images: Readonly<Record<string, Image>>): Promise<ReadonlyMap<string, Built>> {
  const layouts = new Map<string, string>();
  const request = Object.entries(images).map(([name, { dockerfile, change, isBase, ...image }]) => {
    const layout = path.join(workshop.directory, `layout-${randomUUID()}`);
    layouts.set(name, layout);
    const to =
      builder.delivery === 'push'
        ? ({ kind: 'push', repository: workshop.repository } as const)
        : ({ kind: 'layout', path: layout } as const);
    const context = workshop.contextOf({ Dockerfile: dockerfile });
    const destination = isBase === true ? undefined : to;
    return {
      name,
      settings: buildSettings({ context, ...change }),
      destination,
      pins: [],
      origin: undefined,
      ...image,
    };
  });
  const outcomes = await bakeImages(docker, { images: request, builder });
  return new Map([...outcomes].map(([name, outcome]) => [name, { ...outcome, layout: layouts.get(name) ?? '' }]));
}

function builtOf(built: ReadonlyMap<string, Built>, name: string): Built {
  const found = built.get(name);
  if (found === undefined) throw new Error(`${name} was not built`);
  return found;
}

/** A manifest or a config that was built: from the layout where there is one, else from the registry. */
async function blobOf({ layout }: Built, digest: string, kind: 'blobs' | 'manifests'): Promise<unknown> {
  const file = path.join(layout, 'blobs', ...digest.split(':'));
  if (fs.existsSync(file)) return JSON.parse(fs.readFileSync(file, 'utf8'));
  const address = `http://${registry}/v2/${workshop.repository.path}/${kind}/${digest}`;
  const response = await fetch(address, { headers: { accept: '*/*, application/vnd.oci.image.manifest.v1+json' } });
  if (!response.ok) throw new Error(`${digest} is not in the registry: ${response.status}`);
  return response.json();
}

interface Part {
  readonly platform: string;
  readonly manifest: unknown;
  readonly config: unknown;
  /** What is attested, by its kind. */
  readonly statements: ReadonlyMap<string, unknown>;
}

/** Every manifest of the index, with its configuration. */
async function partsOf(built: Built): Promise<readonly Part[]> {
  const index = await workshop.indexOf(built);
  const entries = listAt(index, 'manifests');
  return Promise.all(
    entries.map(async (entry) => {
      const manifest = await blobOf(built, textAt(entry, 'digest') ?? '', 'manifests');
      const config = await blobOf(built, textAt(manifest, 'config', 'digest') ?? '', 'blobs');
      const statements = new Map<string, unknown>();
      for (const layer of listAt(manifest, 'layers')) {
        const kind = textAt(layer, 'annotations', 'in-toto.io/predicate-type');
        if (kind !== undefined) statements.set(kind, await blobOf(built, textAt(layer, 'digest') ?? '', 'blobs'));
      }
      return { platform: textAt(entry, 'platform', 'architecture') ?? '', manifest, config, statements };
    }),
  );
}

function listAt(value: unknown, key: string): readonly unknown[] {
  const list = valueAt(value, key);
  return Array.isArray(list) ? list : [];
}

/** What is the same whatever the driver. */
function specify(choose: () => Promise<Builder>): void {
  it('builds two images on a third, once, for both platforms', async () => {
    const mark = randomUUID();
    const common = `FROM ${toolchain.baseImage}\nRUN echo ${mark} && cat /proc/sys/kernel/random/uuid > /common\n`;
    const on = (file: string): Image => ({
      dockerfile: `FROM base\nRUN cp /common /${file}\n`,
      change: { buildContexts: [{ name: 'base', value: 'target:the base/1' }] },
    });
    const built = await bake(await choose(), {
      'the base/1': { dockerfile: common, isBase: true },
      one: on('one'),
      two: on('two'),
    });
    expect([...built.keys()]).toEqual(['one', 'two']);
    for (const name of ['one', 'two']) {
      const index = await workshop.indexOf(builtOf(built, name));
      expect(platformsOf(index).filter((platform) => platform !== 'unknown/unknown')).toEqual([
        'linux/amd64',
        'linux/arm64',
      ]);
    }
    // Both have the layer that the base's step made: it ran once for each platform.
    const layersOf = async (name: string): Promise<unknown[]> =>
      (await partsOf(builtOf(built, name)))
        .filter(({ statements }) => statements.size === 0)
        .map(({ config }) => listAt(valueAt(config, 'rootfs'), 'diff_ids')[1]);
    expect(await layersOf('one')).toEqual(await layersOf('two'));
    const ran = printed.filter((line) => new RegExp(`^#\\d+ [\\d.]+ ${mark}$`).test(line));
    expect(ran).toHaveLength(2);
    expect(printed.join('\n')).not.toContain('requesting privileges');
  });

  it('gives the steps of a base their secrets, whichever image they run for', async () => {
    const secret = `s3cr3t-${randomUUID()}`;
    const watch = watchArguments();
    const on = (file: string): Image => ({
      dockerfile: `FROM base\nRUN --mount=type=secret,id=own,required=true cp /common /${file} && sleep 1\n`,
      change: {
        buildContexts: [{ name: 'base', value: 'target:base' }],
        secrets: [{ id: 'own', value: `${secret}-${file}` }],
      },
    });
    const mount = '--mount=type=secret,id=a,required=true';
    await bake(await choose(), {
      base: {
        dockerfile: `FROM ${toolchain.baseImage}\nRUN ${mount} sed s/3/e/g /run/secrets/a > /common && cat /common && sleep 1\n`,
        isBase: true,
        change: { secrets: [{ id: 'a', value: secret }], noCache: true },
      },
      one: on('one'),
      two: on('two'),
    });
    expect(watch.stop()).not.toContain(secret);
    const log = printed.join('\n');
    expect(log).not.toContain(secret);
    expect(log).toContain(secret.replaceAll('3', 'e'));
  });

  it('gives one image what a call of its own gives it', async () => {
    const builder = await choose();
    const value = 'a, "b" ${X} $${Y} %{if} %%{z} $${ \\ \'c\'\nd=e';
    const change: Partial<BuildSettings> = {
      buildArgs: [`A=${value}`, 'FROM_ENV', 'NOT_THERE', 'SOURCE_DATE_EPOCH=0'],
      labels: [`l=${value}`, 'empty', 'k${x}=1'],
      annotations: [`dev.build-once.inputs=${value}`, `manifest[linux/arm64]:m=${value}`],
      addHosts: ['db:10.0.0.1', 'db=10.0.0.2'],
      ulimit: ['nofile=1024:2048'],
      shmSize: '64m',
      network: 'none',
      provenance: 'mode=max',
    };
    const dockerfile = `FROM ${toolchain.baseImage} AS x\nARG A\nARG FROM_ENV=default\nARG NOT_THERE=default\nRUN echo "$A $FROM_ENV $NOT_THERE" > /a && ulimit -n >> /a\nFROM x\n`;
    await host.finish();
    host = workshop.host((line) => printed.push(line), { FROM_ENV: 'of ${the} environment' });
    docker = openDocker(host, []);
    const baked = builtOf(await bake(builder, { 'x y': { dockerfile, change, origin } }), 'x y');
    const alone = await workshop.build(docker, builder, dockerfile, { ...change, origin });
    const [bakedIndex, aloneIndex] = [await workshop.indexOf(baked), await workshop.indexOf(alone)];
    expect(valueAt(bakedIndex, 'annotations')).toEqual(valueAt(aloneIndex, 'annotations'));
    const [bakedParts, aloneParts] = [await partsOf(baked), await partsOf(alone)];
    expect(bakedParts).toHaveLength(4);
    for (const [index, part] of bakedParts.entries()) {
      const other = aloneParts[index];
      if (part.statements.size === 0) {
        expect(part).toEqual(other);
        expect(valueAt(part.config, 'config', 'Labels', 'l')).toBe(value);
      } else {
        const kind = [...part.statements.keys()];
        expect(kind).toEqual([...(other?.statements.keys() ?? [])]);
        for (const name of kind)
          expect(comparable(part.statements.get(name))).toEqual(comparable(other?.statements.get(name)));
      }
    }
  });

  it('uses the base images that were hashed, and does not let them replace an image of the call', async () => {
    const base = `${registry}/base/${randomUUID()}:1`;
    const hashed = await workshop.pushBase(base, 'old');
    await workshop.pushBase(base, 'new');
    const pins = [{ reference: base, digest: hashed }];
    await bake(await choose(), {
      base: { dockerfile: `FROM ${base}\nRUN test "$(cat /which)" = old && echo ours > /which\n`, isBase: true, pins },
      linked: {
        dockerfile: `FROM ${base}\nRUN test "$(cat /which)" = ours\n`,
        change: { buildContexts: [{ name: base, value: 'target:base' }] },
      },
      plain: { dockerfile: `FROM ${base}\nRUN test "$(cat /which)" = old\n`, pins },
    });
  });

  it('makes an index of a single platform, also on a base of two', async () => {
    const built = await bake(await choose(), {
      base: { dockerfile: `FROM ${toolchain.baseImage}\nRUN echo hi > /hi\n` },
      one: {
        dockerfile: 'FROM base\nRUN cat /hi\n',
        change: { platforms: [arm64], provenance: 'false', buildContexts: [{ name: 'base', value: 'target:base' }] },
      },
    });
    expect(platformsOf(await workshop.indexOf(builtOf(built, 'one')))).toEqual(['linux/arm64']);
    expect(built.has('base')).toBe(true);
  });

  describe('that fails', () => {
    const fine = { dockerfile: `FROM ${toolchain.baseImage}\nRUN true\n` };

    it.each<[string, string, RegExp, number]>([
      [
        'a command',
        'RUN true\nRUN echo one \\\n  && echo two \\\n  && exit 7',
        /^the build of "b\/ad" failed at \[linux\/a\w+64 3\/3\] RUN echo one .*exit code: 7\n {2}one\n {2}two$/,
        3,
      ],
      ['an instruction', 'RUNN x', /^the build of "b\/ad" failed: dockerfile parse error on line 2: unknown inst/, 2],
      [
        'a file that is missing',
        'COPY nope /',
        /^the build of "b\/ad" failed at \[linux\/a\w+64 2\/2\] COPY nope \//,
        2,
      ],
    ])('at %s says which image, where and why', async (_, instructions, message, line) => {
      const failed = bake(await choose(), {
        fine,
        'b/ad': { dockerfile: `FROM ${toolchain.baseImage}\n${instructions}\n`, change: { noCache: true } },
        'b ad': fine,
      });
      await expect(failed).rejects.toMatchObject({
        code: 'BUILD_FAILED',
        status: 1,
        target: 'b/ad',
        message: expect.stringMatching(message),
        location: { file: expect.stringMatching(/^context-\w+\/Dockerfile$/), line },
      });
    });

    it('at a base image that is not there says so', async () => {
      const dockerfile = `FROM ${toolchain.authRegistry.host}/x/y:1\n`;
      await expect(bake(await choose(), { fine, bad: { dockerfile } })).rejects.toMatchObject({
        target: 'bad',
        hint: expect.stringContaining('log in'),
        location: { line: 1 },
      });
    });

    it('alone is named as well', async () => {
      const dockerfile = `FROM ${toolchain.baseImage}\nRUN exit 3\n`;
      await expect(bake(await choose(), { alone: { dockerfile } })).rejects.toMatchObject({
        target: 'alone',
        message: expect.stringMatching(/^the build of "alone" failed at \[linux\/\w+ 2\/2\] RUN exit 3: /),
        location: { line: 2 },
      });
    });

    it('in a base is blamed on the base, not on what is built on it', async () => {
      const on = {
        dockerfile: 'FROM base\nRUN true\nRUN true\n',
        change: { buildContexts: [{ name: 'base', value: 'target:base' }] },
      };
      const dockerfile = `FROM ${toolchain.baseImage}\n\nRUN echo here && exit 5\n`;
      await expect(
        bake(await choose(), { one: on, base: { dockerfile, isBase: true, change: { noCache: true } }, two: on }),
      ).rejects.toMatchObject({ target: 'base', location: { line: 3 }, log: ['here'] });
    });
  });
}

/** The statement without what differs from build to build: times, the build's own id, the directory of the context. */
function comparable(statement: unknown): unknown {
  const text = JSON.stringify(statement, (key, value: unknown) =>
    /^(?:startedOn|finishedOn|buildStartedOn|buildFinishedOn|invocationId|buildInvocationID|digestMapping)$/.test(key)
      ? ''
      : value,
  );
  return JSON.parse(text.replaceAll(/context-\w{6}/g, 'context'));
}

describe.skipIf(!toolchain.layers.docker)('the docker driver', () => {
  specify(() => chooseBuilder(docker, 'default', needs));
});

describe.skipIf(!toolchain.layers.buildkit)('a docker-container builder', () => {
  const name = `e2e-${randomUUID()}`;
  beforeAll(async () => {
    const options = ['--driver=docker-container', '--driver-opt=network=host'];
    await workshop.docker('buildx', 'create', `--name=${name}`, ...options, '--bootstrap');
  });
  afterAll(() => workshop.docker('buildx', 'rm', '--force', name));

  specify(() => chooseBuilder(docker, name, needs));

  it('pushes by digest and makes no tag', async () => {
    const builder = await chooseBuilder(docker, name, needs);
    expect(builder.delivery).toBe('push');
    await bake(builder, { a: { dockerfile: 'FROM scratch\nCOPY Dockerfile /\n' } });
    const tags = await fetch(`http://${registry}/v2/${workshop.repository.path}/tags/list`);
    expect(await tags.text()).toMatch(/NAME_UNKNOWN|"tags":(?:null|\[\])/);
  });

  it('stops building at an interrupt', async () => {
    const interrupt = new AbortController();
    const builder = await chooseBuilder(docker, name, needs);
    const write = (line: string): void => {
      printed.push(line);
      if (line.includes('RUN sleep')) interrupt.abort(new Error('interrupted'));
    };
    const interrupted = workshop.host(write, {}, interrupt.signal);
    docker = openDocker(interrupted, []);
    const sleeping = {
      dockerfile: `FROM ${toolchain.baseImage}\nRUN sleep 20\n`,
      change: { noCache: true },
    };
    await expect(bake(builder, { a: sleeping, b: sleeping })).rejects.toThrow('interrupted');
    await interrupted.finish();
    expect(printed.join('\n')).toContain('CANCELED');
  });
});
