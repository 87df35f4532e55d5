import { describe, expect, onTestFinished, test } from 'vitest';
import { isBuildOnceError } from '../../src/errors.ts';
import { createTransport } from '../../src/registry/transport.ts';
import { openGitHubApi } from '../../src/retention/github-api.ts';
import { Pace } from '../../src/retention/pace.ts';
import { loadGitHub } from '../../src/tools/load.ts';
import { fakeClock, serve } from '../registry/scripted-server.ts';
import { hasOpenssl } from '../support/certificates.ts';
import { startNamedGhcr } from '../support/ghcr/named-ghcr.ts';

type Script = Parameters<typeof serve>[0];

async function open(script: Script, signal?: AbortSignal) {
  const server = await serve(script);
  const clock = fakeClock();
  const transport = createTransport({ clock, signal });
  onTestFinished(() => transport.close());
  const pace = new Pace({ clock, reserve: 0, signal });
  return {
    server,
    clock,
    api: openGitHubApi({ apiUrl: `http://${server.host}/api/v3`, token: 'ghp_secret', transport, pace }),
  };
}

async function failureOf(work: Promise<unknown>): Promise<{ readonly code: string; readonly text: string }> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isBuildOnceError(error)) throw new TypeError(`no BuildOnceError: ${String(error)}`);
  return { code: error.code, text: `${error.message} ${error.hint}` };
}

const GET = { method: 'GET', path: '/orgs/acme/packages/container/a%2Fb/versions?per_page=100' } as const;

describe("GitHub's API", () => {
  test('is asked as GitHub asks to be, below its address', async () => {
    const { api, server } = await open((_, response) => {
      response
        .writeHead(200, { 'content-type': 'application/json', 'x-oauth-scopes': 'repo' })
        .end('[{"id":9007199254740991}]');
    });
    const answer = await api.send(GET);
    expect(answer).toMatchObject({ status: 200, json: [{ id: 9_007_199_254_740_991 }] });
    expect(answer.header('x-oauth-scopes')).toBe('repo');
    expect(server.seen).toMatchObject([
      {
        method: 'GET',
        path: `/api/v3${GET.path}`,
        headers: { authorization: 'token ghp_secret', accept: 'application/vnd.github.v3+json' },
      },
    ]);
  });

  test('tells its own time (case 59)', async () => {
    const { api } = await open((_, response) => {
      response.setHeader('date', 'Thu, 19 Nov 2026 12:00:00 GMT');
      response.end('{}');
    });
    expect((await api.send(GET)).dateMs).toBe(Date.UTC(2026, 10, 19, 12));
  });

  test.each([
    [204, '', undefined],
    [404, '{"message":"Not Found"}', { message: 'Not Found' }],
    [403, '{"message":"Must have admin rights"}', { message: 'Must have admin rights' }],
    [400, '{"message":"last version"}', { message: 'last version' }],
    [200, '<html>Log in</html>', undefined],
  ])('answers %i once, whatever it says', async (status, body, json) => {
    const { api, server } = await open((_, response) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    });
    expect(await api.send({ method: 'DELETE', path: '/x' })).toMatchObject({ status, json });
    expect(server.lines()).toEqual(['DELETE /api/v3/x']);
  });

  test('asks again after 500 and after a cut connection', async () => {
    const { api, server } = await open((_, response, index) => {
      if (index === 0) response.writeHead(500).end();
      else if (index === 1) response.destroy();
      else response.end('{"ok":true}');
    });
    expect((await api.send(GET)).json).toEqual({ ok: true });
    expect(server.seen).toHaveLength(3);
  });

  test('is unavailable when it stays so', async () => {
    const { api, server } = await open((_, response) => response.writeHead(502).end('\u001b[31mBad Gateway'));
    const { code, text } = await failureOf(api.send(GET));
    expect(code).toBe('GITHUB_UNAVAILABLE');
    expect(text).toContain('502');
    expect(text).not.toMatch(/registry|\u001b|ghp_secret/);
    expect(server.seen).toHaveLength(5);
  });

  test.each<[string, Record<string, string>, number, number]>([
    ['403 with Retry-After', { 'retry-after': '5' }, 403, 5000],
    ['429 with Retry-After', { 'retry-after': '5' }, 429, 5000],
    ['429 alone', {}, 429, 60_000],
  ])('waits after %s and goes on', async (_, headers, status, waitMs) => {
    const { api, clock } = await open((_, response, index) => {
      if (index === 0) response.writeHead(status, headers).end('{}');
      else response.end('{"ok":true}');
    });
    expect((await api.send(GET)).json).toEqual({ ok: true });
    expect(clock.sleeps).toEqual([waitMs]);
  });

  test('ends the run where the allowance of the hour is used up', async () => {
    const { api, server } = await open((_, response) => {
      const reset = String(Math.ceil(Date.now() / 1000) + 60);
      response.writeHead(403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset }).end('{}');
    });
    expect((await failureOf(api.send(GET))).code).toBe('RETENTION_SPENT');
    expect(server.seen).toHaveLength(1);
  });

  test('ends with the interruption', async () => {
    const controller = new AbortController();
    const { api } = await open(() => controller.abort(), controller.signal);
    expect((await failureOf(api.send(GET))).code).toBe('ABORTED');
  });

  test('is loaded on its own', async () => {
    expect((await loadGitHub()).openGitHubApi).toBeTypeOf('function');
  });

  test.skipIf(!hasOpenssl).each([undefined, 'ghes.example'])(
    'goes through the proxy of the run, and trusts its authorities (%s)',
    async (server) => {
      const named = await startNamedGhcr(server === undefined ? {} : { server });
      onTestFinished(() => named.close());
      const send = (settings: Parameters<typeof createTransport>[0]) => {
        const clock = fakeClock();
        const transport = createTransport({ clock, attempts: 1, ...settings });
        onTestFinished(() => transport.close());
        const pace = new Pace({ clock, reserve: 0 });
        return openGitHubApi({ apiUrl: named.env.GITHUB_API_URL, token: 'ghp_x', transport, pace }).send({
          method: 'GET',
          path: '/orgs/acme/packages/container/app',
        });
      };
      const { env, authorities } = named;
      expect(await send({ env, authorities })).toMatchObject({ status: 200, json: { name: 'app' } });
      expect(named.proxy.requests[0]).toMatchObject({ method: 'CONNECT', target: `${server ?? 'api.github.com'}:443` });
      expect((await failureOf(send({ env }))).text).toContain('registry-ca');
    },
  );
});
