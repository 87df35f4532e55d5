import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { parseRepositoryName } from '../../src/core/reference.ts';
import type { Machine } from '../../src/hosts/machine.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { containersUsing, listLocalRepositories } from '../../src/retention/engine-images.ts';
import { openEngineStore } from '../../src/retention/engine-store.ts';
import type { ImageStore } from '../../src/retention/store.ts';
import type { Docker } from '../../src/tools/docker.ts';
import { installStubDocker, type StubDocker } from '../tools/stub-docker.ts';

const [ONE, TWO, THREE] = ['one', 'two', 'three'].map((text) => digestOf(text));
const PLANNED = { id: ONE ?? '', digest: digestOf('one'), tags: ['1.0', 'latest'] };

/** As docker image inspect prints it. */
interface Inspected {
  readonly Id: unknown;
  readonly RepoTags?: unknown;
  readonly RepoDigests?: unknown;
  readonly Created?: string;
  readonly Metadata?: { readonly LastTagTime: string };
  readonly Size?: number;
}

const IMAGES: readonly Inspected[] = [
  {
    Id: ONE,
    RepoTags: ['myapp:latest', 'myapp:1.0'],
    RepoDigests: [],
    Created: '2026-01-01T00:00:00.5Z',
    Metadata: { LastTagTime: '2026-02-01T00:00:00Z' },
    Size: 500,
  },
  {
    Id: TWO,
    RepoTags: ['ghcr.io/acme/app:1', 'myapp:2'],
    Created: '1970-01-01T00:00:00Z',
    Metadata: { LastTagTime: '2026-03-01T00:00:00Z' },
    Size: 700,
  },
  { Id: THREE, RepoTags: null, RepoDigests: [`ghcr.io/acme/app@${digestOf('manifest')}`], Created: 'never' },
];

let workspace: string;
let host: Machine;
let stub: StubDocker;

beforeEach(() => {
  workspace = fs.mkdtempSync(path.join(os.tmpdir(), 'engine-store-'));
});
afterEach(async () => {
  await host.finish();
  stub.remove();
  fs.rmSync(workspace, { recursive: true });
});

/** An engine with these images, of which `rm` says what `answers` make it say. */
function engineWith(images: readonly unknown[], answers = ''): Docker {
  stub = installStubDocker(`
    const images = ${JSON.stringify(images)};
    const ids = args.slice(args.indexOf('--') + 1);
    ${answers}
    if (args[1] === 'ls') for (const image of images) out(JSON.stringify({ ID: image.Id }));
    if (args[1] === 'inspect') {
      const found = images.filter(({ Id }) => ids.some((id) => String(Id).endsWith(id)));
      for (const image of found) out(JSON.stringify(image));
      return found.length === ids.length ? 0 : 1;
    }
  `);
  const env = { ...process.env, PATH: `${stub.directory}:${process.env['PATH']}` };
  host = createTerminalHost({ cwd: workspace, env, write: () => {} });
  return { host, env: {} };
}

function storeOf(docker: Docker, name: string): ImageStore {
  const repository = parseRepositoryName(name);
  if (!repository.ok) throw new Error(repository.problem);
  return openEngineStore(docker, repository.value);
}

const calls = (): readonly string[] => stub.calls().map(({ argv }) => argv.join(' '));

describe('the images of a repository', () => {
  it('are those that have a tag or a digest in it', async () => {
    const docker = engineWith(IMAGES);
    const inventory = await storeOf(docker, 'myapp').list();
    expect(inventory).toMatchObject({ repository: 'myapp', isComplete: true });
    expect(inventory.entries).toEqual([
      {
        id: ONE,
        digest: ONE,
        tags: ['1.0', 'latest'],
        pushedAtMs: Date.UTC(2026, 0, 1, 0, 0, 0, 500),
        updatedAtMs: Date.UTC(2026, 1, 1),
        createdAtMs: Date.UTC(2026, 0, 1, 0, 0, 0, 500),
        sizeBytes: 500,
      },
      // A build that can be repeated says 1970; when it got its tag is known.
      {
        id: TWO,
        digest: TWO,
        tags: ['2'],
        pushedAtMs: Date.UTC(2026, 2, 1),
        updatedAtMs: Date.UTC(2026, 2, 1),
        createdAtMs: undefined,
        sizeBytes: undefined,
      },
    ]);
    const { entries } = await storeOf(docker, 'ghcr.io/acme/app').list();
    expect(entries.map(({ digest, tags, pushedAtMs }) => ({ digest, tags, pushedAtMs }))).toEqual([
      { digest: TWO, tags: ['1'], pushedAtMs: Date.UTC(2026, 2, 1) },
      { digest: THREE, tags: [], pushedAtMs: undefined },
    ]);
    expect((await listLocalRepositories(docker)).map(({ registry, path }) => `${registry}/${path}`)).toEqual([
      'docker.io/library/myapp',
      'ghcr.io/acme/app',
    ]);
    expect(calls()[0]).toBe('image ls --all --digests --no-trunc --format=json');
  });

  it('are read in portions, and what makes no sense is nobody’s', async () => {
    const many = Array.from({ length: 250 }, (_, number) => ({
      Id: digestOf(`${number}`),
      RepoTags: [`myapp:${number}`],
    }));
    const strange = [
      { Id: 'sha256:zz\u001B[2J', RepoTags: ['myapp:x'] },
      { Id: digestOf('x'), RepoTags: ['<none>:<none>', 7, `myapp:${'y'.repeat(1_000_000)}`, 'myapp:a b'] },
      { Id: digestOf('z'), RepoTags: 'myapp:z', RepoDigests: {} },
      null,
    ];
    const docker = engineWith([...many, ...strange.filter((one) => one !== null)]);
    expect((await storeOf(docker, 'myapp').list()).entries).toHaveLength(250);
    expect(calls().filter((line) => line.startsWith('image inspect'))).toHaveLength(3);
  });

  it('have no parts', async () => {
    expect(await storeOf(engineWith(IMAGES), 'myapp').read(PLANNED.digest)).toEqual({
      kind: 'manifest',
      subject: undefined,
      sizeBytes: 0,
      blobs: [],
    });
  });

  it('cannot be listed without an engine', async () => {
    const docker = engineWith([], `err('Cannot connect to the Docker daemon'); return 1;`);
    await expect(storeOf(docker, 'myapp').list()).rejects.toMatchObject({ code: 'DOCKER_MISSING' });
    await expect(containersUsing(docker)).rejects.toMatchObject({ code: 'DOCKER_MISSING' });
  });
});

describe('a deletion', () => {
  it('goes by the names in this repository, and forces nothing (case 66)', async () => {
    const docker = engineWith(IMAGES);
    expect(await storeOf(docker, 'myapp').remove(PLANNED)).toEqual({ outcome: 'deleted' });
    const untagged = { id: '', digest: digestOf('three'), tags: [] };
    expect(await storeOf(docker, 'ghcr.io/acme/app').remove(untagged)).toEqual({ outcome: 'deleted' });
    expect(calls().filter((line) => line.startsWith('image rm'))).toEqual([
      'image rm -- myapp:1.0 myapp:latest',
      `image rm -- ghcr.io/acme/app@${digestOf('manifest')}`,
    ]);
    expect(calls().join('\n')).not.toMatch(/ -f\b|--force/);
  });

  it('of what is gone, or has no name in this repository, does nothing', async () => {
    const store = storeOf(engineWith(IMAGES), 'myapp');
    expect(await store.remove({ id: '', digest: digestOf('nothing'), tags: ['1'] })).toEqual({ outcome: 'gone' });
    expect(await store.remove({ id: '', digest: digestOf('three'), tags: [] })).toEqual({ outcome: 'gone' });
    expect(calls().filter((line) => line.startsWith('image rm'))).toEqual([]);
  });

  it('of an image without tags that has got one since is refused', async () => {
    const store = storeOf(engineWith(IMAGES), 'myapp');
    expect(await store.remove({ ...PLANNED, tags: [] })).toMatchObject({ outcome: 'refused', isFinal: true });
    expect(calls().filter((line) => line.startsWith('image rm'))).toEqual([]);
  });

  it.each([
    ['conflict: unable to delete myapp:1.0 (must be forced) - container 1 is using its image', true],
    ['something else', false],
  ])('that the engine refuses leaves all as it was: %s', async (message, isFinal) => {
    const rest = [{ ...IMAGES[0], RepoTags: ['myapp:latest'] }];
    const file = path.join(workspace, 'removed');
    const docker = engineWith(
      IMAGES,
      `if (args[1] === 'rm') { write('${file}', ''); err('Error response from daemon: ${message}'); return 1; }
       if (fs.existsSync('${file}')) images.splice(0, 3, ...${JSON.stringify(rest)});`,
    );
    expect(await storeOf(docker, 'myapp').remove(PLANNED)).toMatchObject({
      outcome: 'refused',
      isFinal,
      reason: expect.stringContaining(message),
    });
    expect(calls().filter((line) => line.startsWith('image tag'))).toEqual([`image tag -- ${ONE} myapp:1.0`]);
  });
});

describe('containers', () => {
  it('need the images that they were made from, whether they run or not (case 66)', async () => {
    const ids = [1, 2].map((number) => digestOf(`container ${number}`).slice('sha256:'.length));
    const containers = [
      { Id: ids[0], Name: '/web\u001B[2J', Image: ONE, ImageManifestDescriptor: { digest: TWO } },
      { Id: ids[1], Image: 'gone' },
    ];
    const docker = engineWith(
      containers,
      `if (args[1] === 'ls') { for (const { Id } of images) out(JSON.stringify({ ID: Id })); return 0; }`,
    );
    expect(await containersUsing(docker)).toEqual([
      { by: expect.stringMatching(/^container web[\x20-\x7e]*$/), tags: [], digests: [ONE, TWO] },
      { by: `container ${ids[1]}`, tags: [], digests: [] },
    ]);
    expect(calls()[0]).toBe('container ls --all --no-trunc --format=json');
  });
});

describe('containers that cannot be inspected', () => {
  it.each([
    ['have ended meanwhile', "fs.existsSync('FILE')", []],
    ['may need any image', 'false', undefined],
  ])('%s', async (_, isGone, expected) => {
    const file = path.join(workspace, 'inspected');
    const docker = engineWith(
      [],
      `if (args[1] === 'inspect') { write('${file}', ''); return 1; }
       if (!(${isGone.replace('FILE', file)})) out(JSON.stringify({ ID: '${'a'.repeat(64)}' }));`,
    );
    const using = containersUsing(docker);
    if (expected === undefined) await expect(using).rejects.toMatchObject({ code: 'DOCKER_MISSING' });
    else expect(await using).toEqual(expected);
  });
});

describe('what was deleted', () => {
  it('is lost, unless another name holds it', async () => {
    const store = storeOf(engineWith([IMAGES[1]]), 'myapp');
    expect(await store.save(PLANNED)).toBeUndefined();
    expect(await store.restore(PLANNED, undefined)).toMatchObject({
      outcome: 'lost',
      reason: expect.stringContaining('build it or pull it again'),
    });
    const two = { id: '', digest: digestOf('two'), tags: ['2', '3'] };
    expect(await store.restore(two, undefined)).toEqual({ outcome: 'restored', tags: ['2', '3'] });
    expect(calls().filter((line) => line.startsWith('image tag'))).toEqual([`image tag -- ${TWO} myapp:3`]);
  });
});
