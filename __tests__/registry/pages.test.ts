import { describe, expect, test } from 'vitest';
import { openRepository } from './open-repository.ts';
import { all } from './sample-image.ts';
import { serve } from './scripted-server.ts';

describe('tags', () => {
  const list = (tags: readonly string[]): string => JSON.stringify({ name: 'acme/app', tags });

  test.each<[string, (host: string) => string]>([
    ['relative', () => '</v2/acme/app/tags/list?n=1000&last=2>; rel="next"'],
    ['absolute', (host) => `<http://${host}/v2/acme/app/tags/list?n=1000&last=2>;rel=next`],
    ['beside others', () => '<https://example.org/>; rel="help", <?last=2>; title="x"; rel="last next"'],
  ])('follow links that are %s', async (_, link) => {
    const server = await serve(({ path }, response) =>
      path.includes('last=2')
        ? response.end(list(['3']))
        : response.writeHead(200, { link: link(server.host) }).end(list(['1', '2'])),
    );
    expect(await all(openRepository(server.host).tags())).toEqual(['1', '2', '3']);
    expect(server.lines()[0]).toBe('GET /v2/acme/app/tags/list?n=1000');
  });

  const many = Array.from({ length: 2500 }, (_, number) => `t${String(number).padStart(5, '0')}`);
  test.each<[string, (query: URLSearchParams) => readonly string[], number]>([
    ['in one page that is longer than was asked for', () => many, 2],
    [
      'in full pages that lead to none',
      (query) => {
        const from = query.get('last') === null ? 0 : many.indexOf(query.get('last') ?? '') + 1;
        return many.slice(from, from + Number(query.get('n')));
      },
      3,
    ],
  ])('come whole %s, each once', async (_, page, requests) => {
    const server = await serve(({ path }, response) =>
      response.end(list(page(new URL(path, 'http://registry').searchParams))),
    );
    expect(await all(openRepository(server.host).tags())).toEqual(many);
    expect(server.seen).toHaveLength(requests);
  });

  test('are none where there is no repository', async () => {
    const server = await serve((_, response) => response.writeHead(404).end('{"errors":[{"code":"NAME_UNKNOWN"}]}'));
    expect(await all(openRepository(server.host).tags())).toEqual([]);
  });

  test.each<[string, string]>([
    ['in a circle', '</v2/acme/app/tags/list?n=1000>; rel="next"'],
    ['to another server', '<https://example.org/v2/acme/app/tags/list>; rel="next"'],
    ['to plain http', '<http://example.org/v2/acme/app/tags/list>; rel="next"'],
  ])('do not follow links that lead %s', async (_, link) => {
    const server = await serve((_seen, response) => response.writeHead(200, { link }).end(list(['1'])));
    await expect(all(openRepository(server.host).tags())).rejects.toMatchObject({
      code: expect.stringMatching(/UNEXPECTED_ANSWER|PLAIN_HTTP_REFUSED/),
    });
    expect(server.seen).toHaveLength(1);
  });

  test('that are no list are an error', async () => {
    const server = await serve((_, response) => response.end('<html>'));
    await expect(all(openRepository(server.host).tags())).rejects.toMatchObject({ code: 'UNEXPECTED_ANSWER' });
  });
});
