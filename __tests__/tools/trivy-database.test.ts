import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { parseReference, type Reference } from '../../src/core/reference.ts';
import { isBuildOnceError } from '../../src/errors.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { type DatabaseSettings, type DirectoryCache, prepareDatabase } from '../../src/tools/trivy-database.ts';
import { JAVA_DATABASE_LAYER, openByName, packArchive, pushDatabase } from '../support/trivy-database.ts';

const HOUR_MS = 60 * 60 * 1000;

let directory: string;
let hosts: ReturnType<typeof createTerminalHost>[];
let mirrors: RunningRegistry[];
let lines: string[];
let nowMs: number;
beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'trivy-database-test-'));
  mirrors = [await startRegistry(), await startRegistry()];
  hosts = [];
  lines = [];
  nowMs = Date.UTC(2026, 10, 21);
});
afterEach(async () => {
  for (const host of hosts) await host.finish();
  await Promise.all(mirrors.map((mirror) => mirror.close()));
  fs.rmSync(directory, { recursive: true });
});

function open(env: Readonly<Record<string, string>> = {}): ReturnType<typeof createTerminalHost> {
  const host = createTerminalHost({
    cwd: directory,
    env: { PATH: process.env['PATH'], HOME: directory, ...env },
    write: (line) => void lines.push(line),
  });
  hosts.push(host);
  return { ...host, now: () => new Date(nowMs) };
}

/** What is in a database does not matter here; `content` tells one from another. */
function database(content: string, version: unknown = 2, name = 'trivy.db'): Promise<Buffer> {
  return packArchive((at) => {
    fs.writeFileSync(path.join(at, name), content);
    fs.writeFileSync(
      path.join(at, 'metadata.json'),
      JSON.stringify({ Version: version, UpdatedAt: '2026-11-20T06:00:00Z' }),
    );
  });
}

async function publish(
  index: number,
  archive: Buffer,
  more: { tag?: string; mediaType?: string; name?: string } = {},
): Promise<void> {
  const { repository, close } = openByName(`${mirrors[index]?.host}/${more.name ?? 'trivy-db'}`);
  await pushDatabase(repository, archive, more);
  close();
}

function references(name = 'trivy-db'): readonly Reference[] {
  return mirrors.map(({ host }) => {
    const reference = parseReference(`${host}/${name}`);
    if (!reference.ok) throw new Error(reference.problem);
    return reference.value;
  });
}

function settings(more: Partial<DatabaseSettings> = {}): DatabaseSettings {
  return {
    repositories: references(),
    javaRepositories: references('trivy-java-db'),
    registries: { env: {} },
    cache: undefined,
    ...more,
  };
}

async function contentOf(work: Promise<{ readonly directory: string }>): Promise<string> {
  return fs.readFileSync(path.join((await work).directory, 'db/trivy.db'), 'utf8');
}

const blobs = (index: number): number =>
  mirrors[index]?.requests.filter(({ method, path: at }) => method === 'GET' && at.includes('/blobs/')).length ?? 0;

async function refusal(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isBuildOnceError(error)) throw new Error('it was not refused', { cause: error });
  return { code: error.code, message: error.message };
}

/** Every mirror refuses everything. */
function refuseAll(): void {
  for (const mirror of mirrors)
    mirror.fail({ action: { kind: 'status', status: 429, headers: { 'Retry-After': '30' } } });
}

describe('the vulnerability database', () => {
  it('comes from the first mirror, without its credentials in the log', async () => {
    await publish(0, await database('one'));
    const found = await prepareDatabase(open(), settings());
    expect(fs.readFileSync(path.join(found.directory, 'db/trivy.db'), 'utf8')).toBe('one');
    expect(found.updatedAt).toBe('2026-11-20T06:00:00Z');
    expect(mirrors[1]?.requests).toEqual([]);
  });

  it('is downloaded once on a machine, as long as the mirror says that it is the current one', async () => {
    await publish(0, await database('one'));
    await prepareDatabase(open(), settings());
    expect(blobs(0)).toBe(1);
    mirrors[0]?.forgetRequests();
    expect(await contentOf(prepareDatabase(open(), settings()))).toBe('one');
    expect(blobs(0)).toBe(0);
    await publish(0, await database('two'));
    expect(await contentOf(prepareDatabase(open(), settings()))).toBe('two');
  });

  it('is the same one at another mirror, and is not downloaded again', async () => {
    const archive = await database('one');
    await publish(0, archive);
    await prepareDatabase(open(), settings());
    await publish(1, archive, { tag: 'other' });
    await publish(1, archive);
    mirrors[0]?.fail({ action: { kind: 'drop' } });
    expect(await contentOf(prepareDatabase(open(), settings()))).toBe('one');
    expect(blobs(1)).toBe(0);
  });

  it.each([
    ['refuses (429)', { kind: 'status', status: 429, headers: { 'Retry-After': '30' } }],
    ['is down (503)', { kind: 'status', status: 503 }],
    ['asks for a login', { kind: 'status', status: 401 }],
    ['forbids it', { kind: 'status', status: 403 }],
    ['does not have it', { kind: 'status', status: 404 }],
    ['cuts the connection', { kind: 'drop' }],
    ['is a login page', { kind: 'html' }],
    ['gives other bytes', { kind: 'wrongDigest', where: 'body' }],
    ['gives half of it', { kind: 'truncate' }],
  ] as const)('comes from the next mirror at once when one %s', async (_, action) => {
    await publish(0, await database('first'));
    await publish(1, await database('second'));
    mirrors[0]?.fail({ action });
    const waits: number[] = [];
    const registries = { env: {}, onRetry: ({ waitMs }: { waitMs: number }) => void waits.push(waitMs) };
    expect(await contentOf(prepareDatabase(open(), settings({ registries })))).toBe('second');
    expect(waits).toEqual([]);
    expect(lines.join('\n')).toContain(`no vulnerability database from ${mirrors[0]?.host}/trivy-db`);
  });

  it('comes from the next mirror when only the download fails', async () => {
    const archive = await database('first');
    await publish(0, archive);
    await publish(1, await database('second'));
    mirrors[0]?.fail({ action: { kind: 'status', status: 502 }, kind: 'blob' });
    expect(await contentOf(prepareDatabase(open(), settings()))).toBe('second');
    expect(fs.readdirSync(path.join(directory, '.cache/build-once/trivy-db'))).toHaveLength(1);
  });

  it.each([
    ['a format that Trivy does not read', 'version 3', () => database('x', 3)],
    ['no format', 'version unknown', () => database('x', '2')],
    ['no database', 'could not be unpacked', () => database('x', 2, 'other.db')],
    [
      'a link',
      'holds no trivy.db',
      () =>
        packArchive((at) => {
          fs.symlinkSync('/etc/passwd', path.join(at, 'trivy.db'));
          fs.writeFileSync(path.join(at, 'metadata.json'), '{}');
        }),
    ],
    ['no archive', 'could not be unpacked', () => Promise.resolve(Buffer.from('no archive'))],
  ])('is refused, and nothing of it kept, when it has %s', async (_, why, make) => {
    const archive = await make();
    await publish(0, archive);
    await publish(1, archive);
    const error = await refusal(prepareDatabase(open(), settings()));
    expect(error.code).toBe('TRIVY_DATABASE_UNAVAILABLE');
    expect(error.message).toContain(why);
    for (const host of hosts.splice(0)) await host.finish();
    expect(fs.readdirSync(path.join(directory, '.cache/build-once/trivy-db'))).toEqual([]);
  });

  it('is refused from an artifact of another kind', async () => {
    await publish(0, await database('x'), { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' });
    const [only] = references();
    const error = await refusal(prepareDatabase(open(), settings({ repositories: only === undefined ? [] : [only] })));
    expect(error.message).toContain('no layer of the type');
  });

  it('is taken by two jobs at once', async () => {
    await publish(0, await database('one'));
    const found = await Promise.all([1, 2, 3].map(() => contentOf(prepareDatabase(open(), settings()))));
    expect(found).toEqual(['one', 'one', 'one']);
    for (const host of hosts.splice(0)) await host.finish();
    expect(fs.readdirSync(path.join(directory, '.cache/build-once/trivy-db'))).toHaveLength(1);
  });

  it('is for this run where nothing can be kept', async () => {
    await publish(0, await database('one'));
    const file = path.join(directory, 'a-file');
    fs.writeFileSync(file, '');
    expect(await contentOf(prepareDatabase(open({ XDG_CACHE_HOME: file }), settings()))).toBe('one');
    expect(lines.join('\n')).toContain('nothing is kept for the next run');
  });

  it('needs no home', async () => {
    await publish(0, await database('one'));
    expect(await contentOf(prepareDatabase(open({ HOME: '' }), settings()))).toBe('one');
  });

  it('of long ago goes when there is a new one', async () => {
    await publish(0, await database('one'));
    await prepareDatabase(open(), settings());
    await publish(0, await database('two'));
    nowMs += 23 * HOUR_MS;
    await prepareDatabase(open(), settings());
    const store = path.join(directory, '.cache/build-once/trivy-db');
    expect(fs.readdirSync(store)).toHaveLength(2);
    nowMs += 2 * HOUR_MS;
    await prepareDatabase(open(), settings());
    expect(fs.readdirSync(store)).toHaveLength(1);
  });
});

describe('when no mirror answers', () => {
  it('one that was confirmed less than 24 hours ago is used, with a warning', async () => {
    await publish(0, await database('one'));
    await prepareDatabase(open(), settings());
    refuseAll();
    nowMs += 24 * HOUR_MS - 1000;
    expect(await contentOf(prepareDatabase(open(), settings()))).toBe('one');
    expect(lines.join('\n')).toMatch(
      /warning: the vulnerability database is the one of 2026-11-21T00:00:00\.000Z, since no mirror.*429/,
    );
  });

  it.each([24, -25])('one of %i hours ago is not', async (hours) => {
    await publish(0, await database('one'));
    await prepareDatabase(open(), settings());
    refuseAll();
    nowMs += hours * HOUR_MS;
    const error = await refusal(prepareDatabase(open(), settings()));
    expect(error.code).toBe('TRIVY_DATABASE_UNAVAILABLE');
    expect(error.message).toMatch(/none here of the last 24 hours: .*429.*; .*429/s);
  });

  it('and there is none, says what each of them said', async () => {
    refuseAll();
    const { code, message } = await refusal(prepareDatabase(open(), settings()));
    expect(code).toBe('TRIVY_DATABASE_UNAVAILABLE');
    for (const mirror of mirrors) expect(message).toContain(mirror.host);
  });
});

describe('a cache beyond this machine', () => {
  /** As GitHub's: what is under a key stays, and a prefix finds the newest. */
  function remote(): DirectoryCache & {
    readonly keys: () => readonly string[];
    readonly places: () => readonly string[];
  } {
    const kept = new Map<string, string>();
    const exchange = path.join(directory, 'exchange');
    return {
      directory: exchange,
      keys: () => [...kept.keys()],
      places: () => [...kept.values()],
      async restore(key, prefix) {
        const found =
          kept.get(key) ?? [...kept].findLast(([name]) => prefix !== undefined && name.startsWith(prefix))?.[1];
        if (found !== undefined) fs.cpSync(found, exchange, { recursive: true });
      },
      async save(key) {
        const copy = fs.mkdtempSync(path.join(directory, 'remote-'));
        fs.cpSync(exchange, copy, { recursive: true });
        if (!kept.has(key)) kept.set(key, copy);
      },
    };
  }
  /** A machine that has nothing yet. */
  const fresh = () => open({ XDG_CACHE_HOME: fs.mkdtempSync(path.join(directory, 'machine-')) });

  it('spares the download, by the digest of what the mirror has', async () => {
    const archive = await database('one');
    await publish(0, archive);
    const cache = remote();
    await prepareDatabase(fresh(), settings({ cache }));
    expect(cache.keys()).toEqual([`build-once-trivy-db-${digestOf(archive).replace(':', '-')}`]);
    mirrors[0]?.forgetRequests();
    expect(await contentOf(prepareDatabase(fresh(), settings({ cache })))).toBe('one');
    expect(blobs(0)).toBe(0);
    await publish(0, await database('two'));
    expect(await contentOf(prepareDatabase(fresh(), settings({ cache })))).toBe('two');
    expect(cache.keys()).toHaveLength(2);
  });

  it('is not believed when what comes back is something else', async () => {
    const archive = await database('one');
    await publish(0, archive);
    const cache = remote();
    await prepareDatabase(fresh(), settings({ cache }));
    const [place = ''] = cache.places();
    fs.writeFileSync(path.join(place, 'blobs', digestOf(archive).replace(':', '/')), await database('evil'));
    expect(await contentOf(prepareDatabase(fresh(), settings({ cache })))).toBe('one');
    refuseAll();
    expect((await refusal(prepareDatabase(fresh(), settings({ cache })))).code).toBe('TRIVY_DATABASE_UNAVAILABLE');
  });

  it('keeps nothing on this machine that is not needed', async () => {
    await publish(0, await database('one'));
    const cache = remote();
    await prepareDatabase(fresh(), settings({ cache }));
    expect(fs.existsSync(cache.directory)).toBe(false);
  });

  it('helps when no mirror answers', async () => {
    await publish(0, await database('one'));
    const cache = remote();
    await prepareDatabase(fresh(), settings({ cache }));
    refuseAll();
    nowMs += HOUR_MS;
    expect(await contentOf(prepareDatabase(fresh(), settings({ cache })))).toBe('one');
    nowMs += 24 * HOUR_MS;
    expect((await refusal(prepareDatabase(fresh(), settings({ cache })))).code).toBe('TRIVY_DATABASE_UNAVAILABLE');
  });
});

describe("the database of Java's archives", () => {
  it('comes only when it is needed, once', async () => {
    await publish(0, await database('one'));
    const java = await database('java', 1, 'trivy-java.db');
    await publish(0, java, { name: 'trivy-java-db', tag: '1', mediaType: JAVA_DATABASE_LAYER });
    const found = await prepareDatabase(open(), settings());
    expect(fs.readdirSync(found.directory)).toEqual(['db']);
    await Promise.all([found.addJava(), found.addJava()]);
    expect(fs.readFileSync(path.join(found.directory, 'java-db/trivy-java.db'), 'utf8')).toBe('java');
    expect(blobs(0)).toBe(2);
  });
});
