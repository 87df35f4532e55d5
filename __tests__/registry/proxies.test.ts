import { describe, expect, test } from 'vitest';
import { readProxies } from '../../src/registry/proxies.ts';

const PROXY = 'http://proxy.test:3128';

/** Where a request goes: `straight`, or the variable that names its proxy. */
function wayOf(url: string, env: Readonly<Record<string, string>>): string {
  return readProxies(env).for(new URL(url))?.variable ?? 'straight';
}

describe('the proxy of a request', () => {
  test.each<[string, Record<string, string>, string]>([
    ['http://a.test/', {}, 'straight'],
    ['http://a.test/', { HTTP_PROXY: PROXY }, 'HTTP_PROXY'],
    ['https://a.test/', { HTTP_PROXY: PROXY }, 'straight'],
    ['https://a.test/', { HTTPS_PROXY: PROXY }, 'HTTPS_PROXY'],
    ['http://a.test/', { HTTPS_PROXY: PROXY }, 'straight'],
    ['https://a.test/', { HTTPS_PROXY: PROXY, https_proxy: PROXY }, 'https_proxy'],
    ['https://a.test/', { HTTPS_PROXY: PROXY, https_proxy: ' ' }, 'HTTPS_PROXY'],
    ['https://a.test/', { ALL_PROXY: PROXY }, 'ALL_PROXY'],
    ['http://a.test/', { all_proxy: PROXY }, 'all_proxy'],
    ['https://a.test/', { ALL_PROXY: PROXY, HTTPS_PROXY: PROXY }, 'HTTPS_PROXY'],
  ])('of %s with %j is %s', (url, env, way) => {
    expect(wayOf(url, env)).toBe(way);
  });

  test.each(['localhost', '127.0.0.1', '127.9.9.9:5000', '[::1]:5000'])(
    'is none for %s, which is this machine',
    (host) => {
      expect(wayOf(`http://${host}/`, { HTTP_PROXY: PROXY })).toBe('straight');
    },
  );

  test('is the usual one for a name below localhost, which may lead anywhere', () => {
    expect(wayOf('http://app.localhost:5000/', { HTTP_PROXY: PROXY })).toBe('HTTP_PROXY');
  });
});

test.each<[string, string, boolean]>([
  ['example.test', 'example.test', true],
  ['example.test', 'EXAMPLE.test', true],
  ['example.test', 'a.example.test', true],
  ['example.test', 'badexample.test', false],
  ['.example.test', 'a.example.test', true],
  ['.example.test', 'example.test', false],
  ['*.example.test', 'a.b.example.test', true],
  ['*.example.test', 'example.test', false],
  ['*', 'anything.test', true],
  ['other.test, example.test', 'example.test', true],
  ['other.test example.test', 'example.test', true],
  ['example.test:5000', 'example.test:5000', true],
  ['example.test:5000', 'a.example.test:5000', true],
  ['example.test:5000', 'example.test', false],
  ['example.test:443', 'example.test', true],
  ['10.1.2.3', '10.1.2.3', true],
  ['10.1.2.3', '10.1.2.30', false],
  ['10.1.2.3:5000', '10.1.2.3:5000', true],
  ['10.1.2.3:5000', '10.1.2.3', false],
  ['10.0.0.0/8', '10.200.0.1:5000', true],
  ['10.0.0.0/8', '11.0.0.1', false],
  ['10.0.0.0/99', '10.0.0.1', false],
  ['10.0.0.0/8', '[fd00::1]', false],
  ['fd00::/8', '[fd12::9]', true],
  ['fd00:0:0::1', '[fd00::1]', true],
  ['[fd00::1]:5000', '[fd00::1]:5000', true],
  ['[fd00::1]:5000', '[fd00::1]', false],
  [':5000, , /8, [', 'example.test:5000', false],
])('NO_PROXY=%s with https://%s: %s', (text, host, isExempt) => {
  expect(wayOf(`https://${host}/`, { HTTPS_PROXY: PROXY, NO_PROXY: text })).toBe(isExempt ? 'straight' : 'HTTPS_PROXY');
  expect(wayOf(`https://${host}/`, { HTTPS_PROXY: PROXY, NO_PROXY: 'x', no_proxy: text })).toBe(
    isExempt ? 'straight' : 'HTTPS_PROXY',
  );
});

test.each([
  ['http://proxy.test', 'http://proxy.test'],
  ['https://proxy.test:8443/', 'https://proxy.test:8443'],
  ['proxy.test:3128', 'http://proxy.test:3128'],
  ['10.0.0.1:3128', 'http://10.0.0.1:3128'],
  ['kim:pw@proxy.test:3128', 'http://proxy.test:3128'],
])('%s means %s', (text, origin) => {
  const proxies = readProxies({ HTTP_PROXY: text });
  expect(proxies.problems).toEqual([]);
  expect(proxies.for(new URL('http://a.test'))?.url.origin).toBe(origin);
});

test('credentials are decoded, and do not show', () => {
  const proxy = readProxies({ HTTPS_PROXY: 'http://kim%40acme:p%C3%A4ss%3Aword@proxy.test:3128' }).for(
    new URL('https://a.test'),
  );
  const expected = Buffer.from('kim@acme:päss:word').toString('base64');
  expect(proxy?.authorization?.reveal()).toBe(`Basic ${expected}`);
  expect(`${JSON.stringify(proxy)} ${proxy?.url.href} ${String(proxy?.authorization)}`).not.toMatch(
    /kim|ss|word|S2lt/i,
  );
});

test.each<[Record<string, string>, Record<string, string>]>([
  [{}, {}],
  [{ NO_PROXY: 'a.lan' }, {}],
  [{ https_proxy: 'proxy.lan:3128' }, { HTTPS_PROXY: 'http://proxy.lan:3128' }],
  [
    { ALL_PROXY: PROXY, no_proxy: 'a.lan, b.lan' },
    { HTTP_PROXY: PROXY, HTTPS_PROXY: PROXY, NO_PROXY: 'a.lan, b.lan' },
  ],
  [{ HTTP_PROXY: PROXY, HTTPS_PROXY: 'http://kim:pw@proxy.lan:3128' }, { HTTP_PROXY: PROXY }],
  [{ HTTPS_PROXY: 'http://kim:pw@proxy.lan:3128', NO_PROXY: 'a.lan' }, {}],
])('%j is %j for another program', (env, variables) => {
  expect(readProxies(env).variables).toEqual(variables);
});

describe('a variable that names no proxy is a problem', () => {
  test.each([
    ['foo', 'names no proxy'],
    ['http://', 'names no proxy'],
    ['http://secret:pw@', 'names no proxy'],
    ['http://secret@proxy.test:port', 'names no proxy'],
    ['http://proxy.test\u001b[31m:1', 'names no proxy'],
    ['a secret:1', 'names no proxy'],
    ['socks5://secret:pw@proxy.test:1080', 'another kind, socks5://'],
    ['http://proxy.test:3128/secret', 'more than a proxy'],
    ['http://secret:%zz@proxy.test:3128', 'not percent-encoded'],
  ])('%j', (text, expected) => {
    const { problems } = readProxies({ https_proxy: text });
    expect(problems).toEqual([{ input: 'https_proxy', message: expect.stringContaining(expected) }]);
    expect(problems[0]?.message).not.toContain('secret');
  });

  test('once, when it stands for both', () => {
    expect(readProxies({ ALL_PROXY: 'socks5://x:1' }).problems).toHaveLength(1);
  });

  test('only when something would use it', () => {
    expect(readProxies({ ALL_PROXY: 'socks5://x:1', HTTP_PROXY: PROXY, HTTPS_PROXY: PROXY }).problems).toEqual([]);
  });
});
