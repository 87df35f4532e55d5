import { describe, expect, test } from 'vitest';
import type { Descriptor } from '../../src/oci/types.ts';
import type { RegistryRepository } from '../../src/registry/open.ts';
import { openRepository } from './open-repository.ts';
import { all, inPieces, randomLayer } from './sample-image.ts';
import { serve } from './scripted-server.ts';

describe('reading a blob', () => {
  const blob = randomLayer(300_000);
  const read = async (repository: RegistryRepository, descriptor: Descriptor = blob.descriptor): Promise<Buffer> =>
    Buffer.concat(await all((await repository.fetch(descriptor))?.stream() ?? inPieces(Buffer.of())));

  test('goes on where the connection was cut', async () => {
    const server = await serve(({ headers }, response, index) => {
      const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
      const rest = blob.bytes.subarray(start);
      response.writeHead(start === 0 ? 200 : 206, {
        'content-length': rest.length,
        ...(start === 0 ? {} : { 'content-range': `bytes ${start}-${blob.bytes.length - 1}/${blob.bytes.length}` }),
      });
      if (index === 2) response.end(rest);
      else response.write(rest.subarray(0, 100_000), () => response.destroy());
    });
    expect(await read(openRepository(server.host))).toEqual(blob.bytes);
    expect(server.seen).toHaveLength(3);
    expect(server.seen[0]?.headers.range).toBeUndefined();
  });

  test.each([1, 100_000, 299_999])('passes over what it has where the registry knows no ranges, at %i', async (at) => {
    const server = await serve((_, response, index) => {
      response.writeHead(200, { 'content-length': blob.bytes.length });
      if (index === 3) response.end(blob.bytes);
      // The second one is cut before the first.
      else response.write(blob.bytes.subarray(0, index === 1 ? Math.ceil(at / 2) : at), () => response.destroy());
    });
    expect(await read(openRepository(server.host))).toEqual(blob.bytes);
    expect(server.seen).toHaveLength(4);
  });

  test('fails when the registry goes on at another place', async () => {
    const server = await serve((_, response, index) => {
      const headers = index === 0 ? {} : { 'content-range': 'bytes 0-299999/300000' };
      response.writeHead(index === 0 ? 200 : 206, { 'content-length': blob.bytes.length, ...headers });
      if (index === 0) response.write(blob.bytes.subarray(0, 1000), () => response.destroy());
      else response.end(blob.bytes);
    });
    await expect(read(openRepository(server.host))).rejects.toMatchObject({ code: 'CONNECTION_FAILED' });
  });

  test('fails when the connection is cut again and again', async () => {
    const server = await serve(({ headers }, response) => {
      const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
      response.writeHead(start === 0 ? 200 : 206, {
        'content-length': 5000,
        'content-range': `bytes ${start}-299999/300000`,
      });
      response.write(blob.bytes.subarray(start, start + 10), () => response.destroy());
    });
    await expect(read(openRepository(server.host))).rejects.toMatchObject({ code: 'CONNECTION_FAILED' });
    expect(server.seen).toHaveLength(6);
  });

  test.each<[string, Uint8Array, string]>([
    ['other', blob.bytes.map((byte) => byte ^ 1), 'DIGEST_INVALID'],
    ['less', blob.bytes.subarray(1), 'SIZE_INVALID'],
    ['more', Buffer.concat([blob.bytes, Buffer.of(0)]), 'SIZE_INVALID'],
  ])('notices %s content', async (_, bytes, code) => {
    const server = await serve((_seen, response) => response.writeHead(200).end(bytes));
    await expect(read(openRepository(server.host))).rejects.toMatchObject({ code });
  });

  test('follows to a storage without taking the credentials along', async () => {
    const storage = await serve((_, response) => response.end(blob.bytes));
    const home = await serve(({ headers }, response) =>
      headers.authorization === undefined
        ? response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
        : response.writeHead(307, { location: `http://${storage.host}/blob?signature=x` }).end(),
    );
    const explicit = { registry: home.host, username: 'kim', password: 'secret' };
    expect(await read(openRepository(home.host, { explicit }))).toEqual(blob.bytes);
    expect(storage.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test('ends with the run', async () => {
    const controller = new AbortController();
    const server = await serve((_, response) =>
      response.writeHead(200, { 'content-length': 300_000 }).write(blob.bytes.subarray(0, 10)),
    );
    const content = await openRepository(server.host, { signal: controller.signal }).fetch(blob.descriptor);
    controller.abort();
    await expect(content?.bytes()).rejects.toMatchObject({ code: 'ABORTED' });
  });
});
