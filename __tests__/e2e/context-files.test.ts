import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { baseKey } from '../../src/base-configs.ts';
import type { BaseConfig } from '../../src/core/build-scope.ts';
import vectors from '../vectors/context-files.json' with { type: 'json' };
import {
  type BaseImage,
  buildAndLook,
  type Content,
  contentFrom,
  type Observed,
  pushObserver,
  standIns,
} from './observed-build.ts';
import { type PlannedBuild, type Prediction, predict } from './predicted-build.ts';
import { Workshop } from './workshop.ts';

const toolchain = inject('toolchain');
const AMD64 = { os: 'linux', architecture: 'amd64' };

/** What no build without the internet can do, or fails for reasons that are not the context's. */
const NOT_BUILT: ReadonlyMap<string, string> = new Map([
  ['add-git', 'fetches a repository'],
  ['add-git-ssh', 'fetches a repository'],
  ['add-keep-git', 'fetches a repository'],
  ['add-mixed', 'fetches a file'],
  ['flags-all', 'gives files to a user that scratch does not have'],
]);

/** buildx sends nothing for a pattern that is none, and gives up; the reader knows that nothing is copied. */
const GIVEN_UP = new Set(['copy-json-bad', 'copy-json-singlequote']);

/** What a glob before the pivot names is copied where it is there, but buildx sends only what the rest matches as well. */
const NOT_SENT = new Set(['parents-pivot-glob']);

interface Vector {
  readonly id: string;
  readonly dockerfile: string;
  readonly ignore: string;
  readonly files: readonly { readonly path: string; readonly link?: string }[];
  readonly platform?: string;
  readonly target?: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly images?: Readonly<Record<string, BaseImage>>;
}

const files = vectors.cases[0]?.files ?? [];

/** What the vectors leave out, in the same tree. */
const more: readonly Vector[] = [
  { id: 'all with --parents', dockerfile: 'FROM scratch\nCOPY --parents . /x/\n', ignore: '', files },
  {
    id: 'a glob before the pivot, where all is sent',
    dockerfile: 'FROM scratch\nCOPY --parents pack*/./*/package.json /x/\nCOPY . /all/\n',
    ignore: '',
    files,
  },
  {
    id: 'empty directories and odd names',
    dockerfile: 'FROM scratch\nCOPY . /x/\n',
    ignore: '**/*.ts\n!src/lib\n',
    files: [...files, { path: 'empty/' }, { path: 'src/two\nlines' }, { path: 'src/\\back' }, { path: '.hidden/x.sh' }],
  },
];

const built: readonly Vector[] = [...vectors.cases.filter(({ id }) => !NOT_BUILT.has(id)), ...more];

/** Each file holds its own path, so that a file in an image says where it comes from. Scripts may be executed. */
function writeContext(directory: string, { dockerfile, ignore, files }: Vector): void {
  const texts = new Map([
    ['Dockerfile', dockerfile],
    ['.dockerignore', `# of the context\n${ignore}\n`],
  ]);
  for (const { path: name, link } of files) {
    const file = path.join(directory, name);
    fs.mkdirSync(name.endsWith('/') ? file : path.dirname(file), { recursive: true });
    if (name.endsWith('/')) continue;
    if (link !== undefined) fs.symlinkSync(link, file);
    else fs.writeFileSync(file, texts.get(name) ?? `${name}\n`, { mode: name.endsWith('.sh') ? 0o755 : 0o644 });
  }
}

function plan(context: string, { dockerfile, platform, target, buildArgs = {}, images = {} }: Vector): PlannedBuild {
  return {
    context,
    dockerfile,
    platform: platform ?? 'linux/amd64',
    target,
    buildArgs: Object.entries(buildArgs).map(([name, value]) => `${name}=${value}`),
    configs: new Map(Object.entries(images).map(([name, image]) => [baseKey(name, AMD64), configOf(image)])),
  };
}

function configOf({ Env = [], OnBuild = [] }: BaseImage): BaseConfig {
  const pairs = Env.map((pair): [string, string] => [pair.replace(/=.*$/s, ''), pair.replace(/^[^=]*=/, '')]);
  return { environment: new Map(pairs), directory: '/', triggers: OnBuild };
}

/** A later stage may have put a file elsewhere: then it counts as where the earlier one had it, which its path ends with. */
function asPlaced({ dockerfile }: Vector, content: Content, predicted: Content): Content {
  if ((dockerfile.match(/^FROM/gim) ?? []).length < 2) return content;
  const placed = [...content].map(([at, leaf]): [string, string] => {
    const found = [...predicted].find(([name, own]) => own === leaf && at.endsWith(name));
    return [found?.[0] ?? at, leaf];
  });
  return new Map(placed);
}

const sorted = (content: Content) => [...content].sort(([a], [b]) => (a < b ? -1 : 1));

/** `Dockerfile:LINE` of what BuildKit refuses; not all that it says has one. */
const lineOf = (refusal: string) => /^Dockerfile:(\d+)$/m.exec(refusal)?.[1] ?? expect.any(String);

const placeOf = (predicted: Prediction) =>
  'refusal' in predicted ? /line (\d+):/.exec(predicted.refusal)?.[1] : undefined;

const BUILDERS = [
  { driver: 'docker', ready: toolchain.layers.docker },
  { driver: 'docker-container', ready: toolchain.layers.docker && toolchain.layers.buildkit },
] as const;

describe.each(BUILDERS)('an image of a $driver builder holds what was predicted', ({ driver, ready }) => {
  describe.skipIf(!ready)('of the vector', () => {
    const workshop = new Workshop(toolchain);
    const host = workshop.host(() => {});
    const images = `${toolchain.registry}/t/${randomUUID()}`;
    const builder = driver === 'docker' ? 'default' : `e2e-${randomUUID()}`;
    const exact: string[] = [];

    function build(vector: Vector, context: string): Promise<Observed> {
      const { platform, target, buildArgs } = plan(context, vector);
      const policy = standIns({
        'library/unused:*': `${images}:none`,
        'library/node:*': `${images}:node`,
        '*': `${images}:${vector.images === undefined ? 'base' : vector.id}`,
      });
      return buildAndLook(workshop, policy, [
        `--builder=${builder}`,
        `--platform=${platform}`,
        ...(target === undefined ? [] : [`--target=${target}`]),
        ...buildArgs.map((arg) => `--build-arg=${arg}`),
        context,
      ]);
    }

    function write(vector: Vector): string {
      const context = fs.mkdtempSync(path.join(workshop.directory, 'context-'));
      writeContext(context, vector);
      return context;
    }

    beforeAll(async () => {
      await pushObserver(workshop, `${images}:base`);
      // What the vectors copy of other stages is there by these links, and with it all that the stage has read.
      await pushObserver(workshop, `${images}:node`, {}, ['node_modules', 'dist', 'x']);
      for (const { id, images: own = {} } of built) {
        const [image] = Object.values(own);
        if (image !== undefined) await pushObserver(workshop, `${images}:${id}`, image);
      }
      if (builder !== 'default') {
        const options = [`--name=${builder}`, `--driver=${driver}`, '--driver-opt=network=host', '--bootstrap'];
        await workshop.docker('buildx', 'create', ...options);
      }
    });
    afterAll(async () => {
      if (builder !== 'default') await workshop.docker('buildx', 'rm', '--force', builder);
      workshop.remove();
    });

    it.concurrent.for(built)('$id', async (vector) => {
      const context = write(vector);
      const predicted = predict(host, plan(context, vector));
      const observed = await build(vector, context);
      if ('refusal' in observed) {
        // An engine's own BuildKit may be older than a flag.
        if (observed.refusal.includes('unknown flag')) return;
        if (GIVEN_UP.has(vector.id)) expect(predicted).toEqual({ exact: new Map() });
        else expect(placeOf(predicted)).toEqual(lineOf(observed.refusal));
        exact.push(vector.id);
        return;
      }
      const content = contentFrom(context, observed.content);
      if ('exact' in predicted && !NOT_SENT.has(vector.id)) {
        expect(sorted(asPlaced(vector, content, predicted.exact))).toEqual(sorted(predicted.exact));
        exact.push(vector.id);
      } else {
        const all = 'exact' in predicted ? predicted.exact : 'whole' in predicted ? predicted.whole : new Map();
        expect([...all.values()]).toEqual(expect.arrayContaining([...content.values()]));
      }
    });

    it('for every vector that can be built here', () => {
      expect(exact.length).toBeGreaterThanOrEqual(100);
    });
  });
});
