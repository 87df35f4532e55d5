import { expect, test } from 'vitest';
import { parsePlainRegistry } from '../../src/core/plain-registry.ts';

test.each([
  ['registry.lan:5000', 'registry.lan:5000'],
  ['Registry.LAN', 'registry.lan'],
  ['10.0.0.7:5000', '10.0.0.7:5000'],
  ['notghcr.io', 'notghcr.io'],
  ['ghcr.io.lan', 'ghcr.io.lan'],
])('%s may be spoken to over plain http', (text, value) => {
  expect(parsePlainRegistry(text)).toEqual({ ok: true, value });
});

test.each([
  ['http://registry.lan:5000', 'leave it out, as in "registry.lan:5000"'],
  ['HTTPS://registry.lan/path', 'leave it out, as in "registry.lan"'],
  ['registry.lan/app', 'is not a registry'],
  ['10.0.0.0/8', 'is not a registry'],
  ['*', 'is not a registry'],
  ['ghcr.io', 'always spoken to over https'],
  ['GHCR.io:443', 'always spoken to over https'],
  ['docker.pkg.github.com', 'always spoken to over https'],
  ['index.docker.io', 'always spoken to over https'],
])('%s may not', (text, problem) => {
  expect(parsePlainRegistry(text)).toMatchObject({ ok: false, problem: expect.stringContaining(problem) });
});
