import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RegistryOptions, type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { installLayoutBuilder, type LayoutBuilder } from '../support/layout-builder.ts';
import { type Login, plantImage } from '../support/planted-image.ts';
import { CHECKOUT } from '../support/programs.ts';
import { readTags, type TagTable } from '../support/publication.ts';
import { type ActionResult, type ActionRun, runAction } from '../support/runner.ts';

const RELEASE = { name: 'push', ref: 'refs/tags/v1.9.1', sha: 'a'.repeat(40) };
const RELEASED = ['1.9.1', '1.9', '1', 'latest'];
const OTHER = { 'dev.build-once.inputs': 'e'.repeat(64) };
/** The first is logged in to by inputs, the second by Docker's configuration; both under the same name. */
const LOGINS = [
  { username: 'owner', password: 'pass-of-the-first' },
  { username: 'owner', password: 'pass-of-the-second' },
] as const;

let registries: RunningRegistry[];
let directory: string;
let builder: LayoutBuilder;

beforeEach(() => {
  registries = [];
  directory = mkdtempSync(join(tmpdir(), 'several-registries-'));
  builder = installLayoutBuilder(directory);
  mkdirSync(join(directory, 'workspace'));
  writeFileSync(join(directory, 'workspace/Dockerfile'), 'FROM scratch\nCOPY data /\n');
  writeFileSync(join(directory, 'workspace/data'), 'data '.repeat(10_000));
});
afterEach(async () => {
  await Promise.all(registries.map((registry) => registry.close()));
  rmSync(directory, { recursive: true });
});

/** A registry with a login, and an image in it. */
interface Place {
  readonly registry: RunningRegistry;
  readonly login: Login;
  readonly image: string;
  tags(): Promise<TagTable>;
  plant(tags: readonly string[], annotations?: Readonly<Record<string, string>>): Promise<string>;
  /** `PUT manifest`, with each how often, of what changed something. */
  writes(): readonly string[];
}

async function openPlace(login: Login, options: RegistryOptions = {}): Promise<Place> {
  const users = [{ name: login.username, password: login.password }];
  const registry = await startRegistry({ auth: { kind: 'bearer', users }, ...options });
  registries.push(registry);
  const image = `${registry.host}/acme/app`;
  return {
    registry,
    login,
    image,
    tags: () => readTags(image, login),
    plant: (tags, annotations = {}) => plantImage({ image, tags, annotations, login }),
    writes: () =>
      registry.requests
        .filter(({ method, status = 500 }) => method !== 'GET' && method !== 'HEAD' && status < 400)
        .map(({ method, kind }) => `${method} ${kind}`),
  };
}

async function openPlaces(
  first: RegistryOptions = {},
  second: RegistryOptions = { auth: { kind: 'basic', users: [{ name: 'owner', password: LOGINS[1].password }] } },
): Promise<readonly [Place, Place]> {
  return [await openPlace(LOGINS[0], first), await openPlace(LOGINS[1], second)];
}

function publish(places: readonly Place[], more: Partial<ActionRun> = {}): Promise<ActionResult> {
  const auths = places.map(({ registry, login: { username, password } }) => [
    registry.host,
    { auth: Buffer.from(`${username}:${password}`).toString('base64') },
  ]);
  const config = join(directory, 'docker-config');
  mkdirSync(config, { recursive: true });
  const stored = auths.slice(1);
  writeFileSync(join(config, 'config.json'), JSON.stringify({ auths: Object.fromEntries(stored) }));
  const images = places.map(({ image }) => image).join('\n');
  return runAction({
    action: CHECKOUT,
    workspace: join(directory, 'workspace'),
    event: RELEASE,
    ...more,
    with: {
      images,
      platforms: 'linux/amd64,linux/arm64',
      registry: places[0]?.registry.host ?? '',
      ...places[0]?.login,
    },
    env: { PATH: builder.path, DOCKER_CONFIG: config, GITHUB_API_URL: '' },
  });
}

/** Those tags, all on the digest of this run, beside the hash tag. */
function askedOf({ outputs }: ActionResult, tags: readonly string[] = RELEASED): TagTable {
  const { digest = '', hash = '' } = outputs;
  return Object.fromEntries([`hash-${hash.slice(0, 32)}`, ...tags].map((tag) => [tag, digest]));
}

describe('an image for two registries', () => {
  it('is built once and is the same in both', async () => {
    const [first, second] = await openPlaces();
    const result = await publish([first, second]);
    expect(result, result.log).toMatchObject({ status: 'success', outputs: { built: 'true' } });
    expect(builder.builds()).toBe(1);
    for (const place of [first, second]) {
      expect(await place.tags()).toEqual(askedOf(result));
      expect(await place.registry.integrity()).toEqual([]);
    }
    const everyTag = [first, second].flatMap(({ image }) =>
      Object.keys(askedOf(result)).map((tag) => `${image}:${tag}`),
    );
    expect(result.outputs['tags']?.split('\n').sort()).toEqual(everyTag.sort());
  });

  it.each([
    ['the first', [0, 1]],
    ['the second', [1, 0]],
  ] as const)('is copied, not built, when only %s has it', async (_, [has, lacks]) => {
    const places = await openPlaces();
    const [there, missing] = [places[has], places[lacks]];
    const built = await publish([there], { event: { name: 'push' } });
    expect(built, built.log).toMatchObject({ status: 'success', outputs: { built: 'true' } });
    for (const { registry } of places) registry.forgetRequests();
    const result = await publish(places);
    expect(result, result.log).toMatchObject({ status: 'success', outputs: { built: 'false', reason: 'hit' } });
    expect(result.outputs['digest']).toBe(built.outputs['digest']);
    expect(builder.builds()).toBe(1);
    expect(await missing.tags()).toEqual(askedOf(result));
    expect(await there.tags()).toEqual({ ...askedOf(result), main: built.outputs['digest'] });
    expect(await missing.registry.integrity()).toEqual([]);
    expect(there.writes().filter((write) => /^(?:PATCH|PUT) upload$/.test(write))).toEqual([]);
  });

  it('gets mounted, and travels not at all, where the other is of the same registry', async () => {
    const [first] = await openPlaces();
    const mirror = { ...first, image: `${first.image}-mirror` };
    const built = await publish([first]);
    first.registry.forgetRequests();
    const result = await publish([first, mirror]);
    expect(result, result.log).toMatchObject({ status: 'success', outputs: { built: 'false' } });
    expect(result.outputs['digest']).toBe(built.outputs['digest']);
    expect(await readTags(mirror.image, mirror.login)).toEqual(askedOf(result));
    expect(first.registry.requests.filter(({ kind, method }) => kind === 'blob' && method === 'GET')).toEqual([]);
    const uploads = first.registry.requests.filter(({ kind, status }) => kind === 'upload' && status !== 401);
    expect(uploads.filter(({ method }) => /^(?:PATCH|PUT)$/.test(method))).toEqual([]);
    expect(uploads.filter(({ path }) => path.includes('mount=')).map(({ status }) => status)).toContain(201);
  });

  it('moves each version line under the releases of its own registry', async () => {
    const [first, second] = await openPlaces();
    const higher = await second.plant(['2.0.1', '2.0', '2', 'latest'], OTHER);
    const before = await first.plant(['1.9.0', '1.9', '1', 'latest'], OTHER);
    const result = await publish([first, second]);
    expect(result, result.log).toMatchObject({ status: 'success' });
    expect(await first.tags()).toEqual({ '1.9.0': before, ...askedOf(result) });
    expect(await second.tags()).toEqual({
      ...askedOf(result, ['1.9.1', '1.9', '1']),
      '2.0.1': higher,
      '2.0': higher,
      '2': higher,
      latest: higher,
    });
    expect(result.outputs['tags']).not.toContain(`${second.image}:latest`);
  });

  it.each([
    ['the first', [0, 1]],
    ['the second', [1, 0]],
  ] as const)(
    'is refused, and nothing is written anywhere, when the version is taken in %s',
    async (_, [taken, free]) => {
      const places = await openPlaces();
      const before = await places[taken].plant(['1.9.1', 'latest'], OTHER);
      for (const { registry } of places) registry.forgetRequests();
      const result = await publish(places);
      expect(result).toMatchObject({ status: 'failure', exitCode: 3 });
      expect(result.log).toContain('IMMUTABLE_TAG_EXISTS');
      expect(result.log).toContain(`${places[taken].image}:1.9.1`);
      expect(builder.builds()).toBe(0);
      expect(places.flatMap((place) => place.writes())).toEqual([]);
      expect(await places[taken].tags()).toEqual({ '1.9.1': before, latest: before });
      expect(await places[free].tags()).toEqual({});
    },
  );

  it.each([
    ['the first', 0],
    ['the second', 1],
  ] as const)('gets no tag anywhere when %s has the version taken while it is built', async (_, taken) => {
    // The rest of the run takes longer than the other run's tag.
    const places = await openPlaces({ latencyMs: { upload: 250 } });
    const meanwhile: { planting: Promise<string> | undefined } = { planting: undefined };
    const result = await publish(places, {
      interrupt: {
        signal: 'SIGKILL',
        when: async () => {
          const isBuilding = places[0].registry.requests.some(({ kind }) => kind === 'upload');
          if (!isBuilding || meanwhile.planting !== undefined) return false;
          meanwhile.planting = places[taken].plant(['1.9.1'], OTHER);
          await meanwhile.planting;
          return false;
        },
      },
    });
    expect(result, result.log).toMatchObject({ status: 'failure', exitCode: 3 });
    expect(builder.builds()).toBe(1);
    expect(await places[taken].tags()).toEqual({ '1.9.1': await meanwhile.planting });
    expect(await places[1 - taken]?.tags()).toEqual({});
  });

  it('moves no line in either when the copy to the second fails, and completes later without a build', async () => {
    const [first, second] = await openPlaces();
    const before = await first.plant(['1.9.0', '1.9', '1', 'latest'], OTHER);
    second.registry.fail({ kind: 'upload', method: 'PUT', action: { kind: 'status', status: 403 } });
    const failed = await publish([first, second]);
    expect(failed, failed.log).toMatchObject({ status: 'failure', exitCode: 1 });
    expect(failed.log).toContain('DENIED');
    expect(await first.tags()).toMatchObject({ '1.9': before, '1': before, latest: before });
    expect(await second.tags()).toEqual({});
    second.registry.repair();
    const result = await publish([first, second]);
    expect(result, result.log).toMatchObject({ status: 'success', outputs: { built: 'false', reason: 'hit' } });
    expect(await first.tags()).toEqual({ '1.9.0': before, ...askedOf(result) });
    expect(await second.tags()).toEqual(askedOf(result));
    expect(builder.builds()).toBe(1);
  });
});
