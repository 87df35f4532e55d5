import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isBuildOnceError } from '../../src/errors.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { fetchTarget } from '../../src/tools/sigstore-tuf.ts';
import { type ScriptedServer, serve } from '../registry/scripted-server.ts';
import { startForwardProxy } from '../support/forward-proxy.ts';
import { makeDirectory } from '../support/signing.ts';
import { makeTufKey, makeTufRepository, type TufFiles } from '../support/tuf-repository.ts';

const TRANSPORT = { attempts: 1 };

function openHost(directory: string): ReturnType<typeof createTerminalHost> {
  const host = createTerminalHost({ cwd: directory, env: { HOME: directory }, write: () => undefined });
  onTestFinished(() => host.finish());
  return host;
}

async function publish(held: { files: TufFiles['files'] }): Promise<ScriptedServer> {
  return serve(({ path }, response) => {
    const content = held.files.get(path);
    response.writeHead(content === undefined ? 404 : 200).end(content);
  });
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isBuildOnceError(error)) throw new Error('it did not fail with an error of ours', { cause: error });
  return `${error.code}: ${error.message.replace(/"http:[^"]+"/, 'URL')}`;
}

describe('a file of a TUF repository', () => {
  test('is verified by the root that is known, and kept for the next time', async () => {
    const directory = makeDirectory();
    const { files, root } = makeTufRepository({ targets: { 'trusted_root.json': 'first' } });
    const server = await publish({ files });
    const repository = { url: `http://${server.host}`, root };
    const fetchIt = () => fetchTarget(openHost(directory), TRANSPORT, { repository, name: 'trusted_root.json' });
    expect(await fetchIt()).toBe('first');
    const first = server.lines().length;
    expect(await fetchIt()).toBe('first');
    // Whether there is anything newer is asked each time.
    expect(server.lines().slice(first)).toEqual(['GET /2.root.json', 'GET /timestamp.json']);
    expect(readdirSync(join(directory, '.cache/build-once/tuf'))).toEqual([server.host.replace(':', '_')]);
  });

  test('is the newer one once there is one', async () => {
    const [directory, key] = [makeDirectory(), makeTufKey()];
    const held = makeTufRepository({ targets: { a: 'old' }, key });
    const published = { files: held.files };
    const server = await publish(published);
    const repository = { url: `http://${server.host}`, root: held.root };
    expect(await fetchTarget(openHost(directory), TRANSPORT, { repository, name: 'a' })).toBe('old');
    published.files = makeTufRepository({ targets: { a: 'new' }, key, version: 2 }).files;
    expect(await fetchTarget(openHost(directory), TRANSPORT, { repository, name: 'a' })).toBe('new');
    published.files = held.files;
    expect(await codeOf(fetchTarget(openHost(directory), TRANSPORT, { repository, name: 'a' }))).toMatch(
      /^VERIFY_ROOT_UNAVAILABLE: the TUF repository URL is of no use: .*version/,
    );
  });

  test.each<[string, () => TufFiles, RegExp]>([
    [
      'signed by somebody else',
      () => ({ ...makeTufRepository({ targets: { a: 'x' } }), root: makeTufRepository({ targets: {} }).root }),
      /timestamp was signed by 0\/1 keys/,
    ],
    ['out of date', () => makeTufRepository({ targets: { a: 'x' }, expires: '2020-01-01T00:00:00Z' }), /expired/],
    ['that is not there', () => makeTufRepository({ targets: { b: 'x' } }), /it has no "a"/],
    [
      'that was changed',
      () => {
        const made = makeTufRepository({ targets: { a: 'good' } });
        const files = new Map(
          [...made.files].map(([path, content]) => [path, path.endsWith('.a') ? Buffer.from('evil') : content]),
        );
        return { ...made, files };
      },
      /of no use: /,
    ],
    [
      'of a repository that is none',
      () => ({ ...makeTufRepository({ targets: {} }), files: new Map() }),
      /answer is 404/,
    ],
  ])('%s is refused', async (_, make, problem) => {
    const { files, root } = make();
    const server = await publish({ files });
    const repository = { url: `http://${server.host}`, root };
    const found = await codeOf(fetchTarget(openHost(makeDirectory()), TRANSPORT, { repository, name: 'a' }));
    expect(found).toMatch(/^VERIFY_ROOT_UNAVAILABLE: the TUF repository URL is of no use: /);
    expect(found).toMatch(problem);
  });

  test('that cannot be asked for is an error that says why, and what to do', async () => {
    const { root } = makeTufRepository({ targets: {} });
    const repository = { url: 'http://127.0.0.1:1', root };
    const failing = fetchTarget(openHost(makeDirectory()), TRANSPORT, { repository, name: 'a' });
    await expect(failing).rejects.toMatchObject({
      code: 'VERIFY_ROOT_UNAVAILABLE',
      message: expect.stringContaining('the connection was refused'),
      hint: expect.stringContaining('Nothing listens there'),
    });
  });

  test('comes through the proxy of the environment', async () => {
    const { files, root } = makeTufRepository({ targets: { a: 'x' } });
    const server = await publish({ files });
    const proxy = await startForwardProxy({ routes: { 'tuf.test:80': server.host } });
    const transport = { ...TRANSPORT, env: { HTTP_PROXY: proxy.url } };
    const repository = { url: 'http://tuf.test', root };
    expect(await fetchTarget(openHost(makeDirectory()), transport, { repository, name: 'a' })).toBe('x');
    expect(proxy.requests.length).toBeGreaterThan(3);
    await proxy.close();
  });
});
