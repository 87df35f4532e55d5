import { expect, test } from 'vitest';
import { plainHosts, resolveLocation } from '../../src/registry/location.ts';

const resolve = (text: string, from: string): string =>
  resolveLocation(text, { method: 'GET', url: new URL(from) }).href;

test.each([
  ['https://registry.example/v2/a?x=1', '/b', 'https://registry.example/b'],
  ['https://registry.example/v2/a?x=1', '?y=%2F', 'https://registry.example/v2/a?y=%2F'],
  ['https://registry.example/', 'https://storage.example/blob?sig=a', 'https://storage.example/blob?sig=a'],
  ['https://registry.example/', '//storage.example/blob', 'https://storage.example/blob'],
  ['https://registry.example/', 'https://user:pw@storage.example/#x', 'https://storage.example/'],
  ['http://127.0.0.1:5000/', 'http://localhost:5001/token', 'http://localhost:5001/token'],
  ['http://127.0.0.1:5000/', 'https://auth.example/token', 'https://auth.example/token'],
])('from %s to %s is %s', (from, location, url) => {
  expect(resolve(location, from)).toBe(url);
});

test.each([
  ['https://registry.example/', 'http://registry.example/'],
  ['https://registry.example/', 'http://127.0.0.1:2375/images'],
  ['https://registry.example/', 'http://localhost/'],
  ['https://registry.example/', 'http://[::1]/'],
  ['http://127.0.0.1:5000/', 'http://169.254.169.254/latest'],
  ['http://127.0.0.1:5000/', 'http://127.0.0.1.evil.example/'],
  ['http://127.0.0.1:5000/', 'file:///etc/passwd'],
  ['http://127.0.0.1:5000/', 'javascript:alert(1)'],
])('from %s to %s is refused', (from, location) => {
  expect(() => resolve(location, from)).toThrow(expect.objectContaining({ code: 'PLAIN_HTTP_REFUSED' }));
});

const listed = plainHosts(['registry.lan:5000', 'mirror.lan:80']);

test.each([
  ['https://registry.example/', 'http://registry.lan:5000/blob'],
  ['http://registry.lan:5000/', 'http://mirror.lan/token'],
  ['http://registry.lan:5000/', 'https://storage.example/blob'],
])('from %s to %s is taken when the host is one that may speak plain http', (from, location) => {
  const url = resolveLocation(location, { method: 'GET', url: new URL(from), plainHosts: listed });
  expect(url.href).toBe(location);
});

test.each([
  ['http://registry.lan:5000/', 'http://registry.lan:5001/'],
  ['http://registry.lan:5000/', 'http://storage.lan/'],
  ['http://registry.lan:5000/', 'http://127.0.0.1:2375/images'],
])('from %s to %s is refused, though the first may speak plain http', (from, location) => {
  expect(() => resolveLocation(location, { method: 'GET', url: new URL(from), plainHosts: listed })).toThrow(
    expect.objectContaining({ code: 'PLAIN_HTTP_REFUSED', hint: expect.stringContaining('registry-insecure') }),
  );
});
