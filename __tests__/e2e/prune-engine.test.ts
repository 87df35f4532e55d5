import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { type Digest, parseDigest } from '../../src/core/digest.ts';
import { parseRepositoryName } from '../../src/core/reference.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { containersUsing, listLocalRepositories } from '../../src/retention/engine-images.ts';
import { openEngineStore } from '../../src/retention/engine-store.ts';
import type { ImageStore } from '../../src/retention/store.ts';
import type { Docker } from '../../src/tools/docker.ts';
import { parseAssignments } from '../support/layers.ts';
import { CHECKOUT, mustRun, NODE_DIRECTORY, run, TOOLCHAIN_SCRIPTS } from '../support/programs.ts';
import { shiftedClock } from '../support/shifted-clock.ts';
import { makeDockerConfig } from '../support/toolchain.ts';

const toolchain = inject('toolchain');
const isPrivate = toolchain.buildxPlugin.endsWith('/usr/libexec/docker/cli-plugins/docker-buildx');

const HOUR_MS = 3_600_000;

/** An engine of its own with Docker's store before containerd's. */
let classic: { readonly directory: string; readonly host: string } | undefined;
const script = (directory: string, file: string, ...args: string[]): Promise<unknown> =>
  mustRun(['bash', join(TOOLCHAIN_SCRIPTS, file), directory, ...args], {
    env: { ...process.env, CONTAINERD_STORE: 'false', OWNER_PID: String(process.pid) },
  });
beforeAll(async () => {
  if (!toolchain.layers.docker || !isPrivate) return;
  const directory = mkdtempSync(join(process.env['TOOLCHAIN_RUNS'] ?? tmpdir(), 'bo-classic-'));
  await script(directory, 'up.sh', 'engine');
  const { DOCKER_HOST = '' } = parseAssignments(readFileSync(join(directory, 'env'), 'utf8'));
  classic = { directory, host: DOCKER_HOST };
}, 60_000);
afterAll(async () => {
  if (classic === undefined) return;
  await script(classic.directory, 'down.sh', 'wipe');
  rmSync(classic.directory, { recursive: true, force: true });
});

describe
  .skipIf(!toolchain.layers.docker)
  .each([
    ['with the containerd image store', (): string | undefined => toolchain.env['DOCKER_HOST']],
    ...(isPrivate ? [['without it', (): string | undefined => classic?.host] as const] : []),
  ] as const)('the local engine %s', (_, dockerHost) => {
  let directory: string;
  let docker: Docker;
  let finish: () => Promise<unknown>;
  let store: ImageStore;
  let repository: string;
  let other: string;
  let made: Digest[];
  let containers: string[];

  const env = (): Record<string, string> => ({
    ...toolchain.env,
    DOCKER_CONFIG: join(directory, 'config'),
    DOCKER_HOST: dockerHost() ?? '',
  });
  const call = (...args: string[]): Promise<string> =>
    mustRun(['docker', ...args], { env: { ...process.env, ...env() } }).then((text) => text.trim());
  /** An image that holds a file of its own. */
  const make = async (...names: readonly string[]): Promise<Digest> => {
    writeFileSync(join(directory, 'file'), randomUUID());
    await mustRun(['tar', '-cf', join(directory, 'file.tar'), '-C', directory, 'file']);
    const id = parseDigest(await call('image', 'import', '--change=ENTRYPOINT ["/file"]', join(directory, 'file.tar')));
    if (id === undefined) throw new Error('not imported');
    for (const name of names) await call('image', 'tag', id, name);
    made.push(id);
    return id;
  };
  const tagsOf = async (id: Digest) => (await store.look({ id, digest: id, tags: [] }))?.tags;
  const planned = (digest: Digest, ...tags: string[]) => ({ id: digest, digest, tags });

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'build-once-engine-'));
    made = [];
    containers = [];
    const config = makeDockerConfig(toolchain, directory);
    await mustRun(['mv', config, join(directory, 'config')]);
    const host = createTerminalHost({ cwd: directory, env: { ...process.env, ...env() }, write: () => {} });
    finish = () => host.finish();
    docker = { host, env: {} };
    repository = `ghcr.io/acme/${randomUUID()}`;
    other = `local-${randomUUID()}`;
    const name = parseRepositoryName(repository);
    if (!name.ok) throw new Error(name.problem);
    store = openEngineStore(docker, name.value);
  });
  afterEach(async () => {
    for (const container of containers) await call('container', 'rm', '--force', container);
    for (const id of made) await run(['docker', 'image', 'rm', '--force', id], { env: { ...process.env, ...env() } });
    await finish();
    rmSync(directory, { recursive: true, force: true });
  });

  it('lists a repository with its tags, and those of no other', async () => {
    const startMs = Date.now() - 1000;
    const first = await make(`${repository}:1.0.0`, `${repository}:latest`, `${other}:1`);
    const second = await make(`${repository}:2.0.0`);
    await make(`${other}:2`);
    await make();
    const { entries, isComplete, repository: name } = await store.list();
    expect(name).toBe(repository);
    expect(isComplete).toBe(true);
    const tags = new Map(entries.map((entry) => [entry.digest, entry.tags]));
    expect(tags).toEqual(
      new Map([
        [first, ['1.0.0', 'latest']],
        [second, ['2.0.0']],
      ]),
    );
    for (const { pushedAtMs, updatedAtMs } of entries) {
      expect(pushedAtMs).toBeGreaterThan(startMs);
      expect(updatedAtMs).toBeGreaterThanOrEqual(pushedAtMs ?? 0);
    }
    // What another name holds is not freed.
    expect(entries.find(({ digest }) => digest === first)?.sizeBytes).toBeUndefined();
    expect(entries.find(({ digest }) => digest === second)?.sizeBytes).toBeGreaterThan(0);
    const repositories = (await listLocalRepositories(docker)).map(({ path }) => path);
    expect(repositories).toContain(repository.slice('ghcr.io/'.length));
    expect(repositories).toContain(`library/${other}`);
  });

  it('deletes an image with all of its tags, and says the second time that it is gone', async () => {
    const id = await make(`${repository}:1.0.0`, `${repository}:1.0`);
    expect(await store.remove(planned(id, '1.0', '1.0.0'))).toEqual({ outcome: 'deleted' });
    expect((await store.list()).entries).toEqual([]);
    expect(await store.remove(planned(id, '1.0', '1.0.0'))).toEqual({ outcome: 'gone' });
    expect(await store.save(planned(id))).toBeUndefined();
    expect(await store.restore(planned(id, '1.0'), undefined)).toMatchObject({ outcome: 'lost' });
  });

  it('keeps the image of a stopped container, and all of its tags (case 66)', async () => {
    const id = await make(`${repository}:1.0.0`, `${repository}:1.0`);
    containers.push(await call('container', 'create', `--name=c-${randomUUID()}`, `${repository}:1.0.0`));
    const using = await containersUsing(docker);
    expect(using.flatMap(({ digests }) => digests)).toContain(id);
    expect(using.some(({ by }) => by.startsWith('container c-'))).toBe(true);
    const removal = await store.remove(planned(id, '1.0', '1.0.0'));
    expect(removal).toMatchObject({ outcome: 'refused', isFinal: true, reason: expect.stringContaining('using') });
    expect(await tagsOf(id)).toEqual(['1.0', '1.0.0']);
  });

  it('takes its tags off an image that another name holds', async () => {
    const id = await make(`${repository}:1`, `${other}:1`);
    expect(await store.remove(planned(id, '1'))).toEqual({ outcome: 'deleted' });
    expect(await call('image', 'inspect', '--format={{.Id}}', `${other}:1`)).toBe(id);
    expect(await store.restore(planned(id, '1'), undefined)).toEqual({ outcome: 'restored', tags: ['1'] });
    expect(await store.restore(planned(id, '1'), undefined)).toEqual({ outcome: 'present', tags: ['1'] });
  });

  it('takes one tag off an image that stays', async () => {
    const id = await make(`${repository}:keep`, `${repository}:go`);
    expect(await store.removeTag(planned(id, 'go', 'keep'), 'go')).toEqual({ outcome: 'deleted' });
    expect(await store.removeTag(planned(id, 'go', 'keep'), 'go')).toEqual({ outcome: 'gone' });
    expect(await tagsOf(id)).toEqual(['keep']);
  });

  it('tells what came since, and gives back no tag that another image has', async () => {
    const old = await make(`${repository}:1`, `${repository}:latest`, `${other}:1`);
    const inventory = await store.list();
    expect(await store.changes(inventory)).toEqual([]);
    const moved = await make(`${repository}:latest`);
    expect((await store.changes(inventory))?.map(({ digest }) => digest)).toEqual([moved]);
    await store.remove(planned(old, '1'));
    expect(await store.restore(planned(old, '1', 'latest'), undefined)).toEqual({ outcome: 'restored', tags: ['1'] });
    expect(await tagsOf(moved)).toEqual(['latest']);
  });

  it('deletes an image without a tag that was pulled from this repository', async () => {
    const name = `${toolchain.registry}/t/${randomUUID()}`;
    const parsed = parseRepositoryName(name);
    if (!parsed.ok) throw new Error(parsed.problem);
    const pulled = openEngineStore(docker, parsed.value);
    const id = await make(`${name}:1`);
    await call('image', 'push', '--quiet', `${name}:1`);
    const digest = (await call('image', 'inspect', '--format={{index .RepoDigests 0}}', `${name}:1`)).split('@')[1];
    await call('image', 'rm', `${name}:1`);
    await call('image', 'rm', '--force', id).catch(() => undefined);
    await call('image', 'pull', '--quiet', `${name}@${digest}`);
    const { entries } = await pulled.list();
    expect(entries.map(({ tags }) => tags)).toEqual([[]]);
    const [entry] = entries;
    if (entry === undefined) throw new Error('not listed');
    made.push(entry.digest);
    await call('image', 'tag', entry.digest, `${other}:1`);
    expect(await pulled.remove(planned(entry.digest))).toEqual({ outcome: 'deleted' });
    expect((await pulled.list()).entries).toEqual([]);
    expect(await call('image', 'inspect', '--format={{.Id}}', `${other}:1`)).toBe(entry.digest);
  });

  /** The program as it is shipped, at a time when the images of this test are hours old, unless they are to be young. */
  const cli = (args: readonly string[], { laterMs = 5 * HOUR_MS } = {}): Promise<string> => {
    const own = { ...env(), HOME: directory, NODE_OPTIONS: shiftedClock(directory, laterMs) };
    return mustRun([join(NODE_DIRECTORY, 'node'), join(CHECKOUT, 'dist/cli.js'), ...args], {
      cwd: directory,
      env: { ...process.env, ...own },
    });
  };

  it('cleanup keeps one, what a stopped container needs, and all other repositories: 66', async () => {
    const used = await make(`${other}:a`);
    const middle = await make(`${other}:b`, `${other}:b2`);
    const newest = await make(`${other}:c`);
    const foreign = await make(`${repository}:1`);
    containers.push(await call('container', 'create', `--name=c-${randomUUID()}`, `${other}:a`));
    const cleanup = ['cleanup', '--local', '--keep', '1', '--repo', other];
    expect(await cli(cleanup, { laterMs: 0 })).toContain('no image to delete');
    const said = await cli(cleanup);
    expect(said).toContain(`${other}: 1 image to delete, 2 to keep`);
    expect(said).toMatch(/keep +1 image by container c-/);
    const names = await call('image', 'ls', '--no-trunc', '--format={{.ID}} {{.Tag}}', other);
    expect(names.split('\n').toSorted()).toEqual([`${newest} c`, `${used} a`].toSorted());
    expect(await tagsOf(foreign)).toEqual(['1']);
    expect(names).not.toContain(middle);
    await expect(cli(['undo', journalIn(said), '--local'])).rejects.toThrow('build it or pull it again');
  });

  it('prune keeps three where nothing else is said, and deletes nothing unless it is to', async () => {
    const tags = ['a', 'b', 'c', 'd', 'e'];
    for (const tag of tags) await make(`${other}:${tag}`);
    const left = async () =>
      (await call('image', 'ls', '--format={{.Tag}}', other)).split('\n').filter((tag) => tag !== '');
    const prune = ['prune', '--local', `--images=${other}`];
    expect(await cli(prune)).toContain('2 images to delete, 3 to keep');
    expect(await left()).toHaveLength(5);
    await cli([...prune, '--apply']);
    expect((await left()).toSorted()).toEqual(['c', 'd', 'e']);
  });
});

function journalIn(said: string): string {
  return /what was deleted is in (\S+): /.exec(said)?.[1] ?? '';
}
