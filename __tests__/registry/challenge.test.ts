import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseChallenges } from '../../src/registry/challenge.ts';

test.each<[string, [string, Record<string, string>][]]>([
  ['', []],
  ['Basic', [['basic', {}]]],
  ['Basic realm="test"', [['basic', { realm: 'test' }]]],
  [
    'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"',
    [
      [
        'bearer',
        { realm: 'https://auth.example/token', service: 'registry.example', scope: 'repository:a/b:pull,push' },
      ],
    ],
  ],
  ['BEARER Realm = "x" ,\t SERVICE=y', [['bearer', { realm: 'x', service: 'y' }]]],
  [
    'Bearer realm=https://auth.example/token?a=b,service=c',
    [['bearer', { realm: 'https://auth.example/token?a=b', service: 'c' }]],
  ],
  [
    'Basic realm="a, Bearer realm=\\"b\\"", Bearer realm="c"',
    [
      ['basic', { realm: 'a, Bearer realm="b"' }],
      ['bearer', { realm: 'c' }],
    ],
  ],
  [
    'Negotiate, Basic realm="a"',
    [
      ['negotiate', {}],
      ['basic', { realm: 'a' }],
    ],
  ],
  ['Bearer realm="a", realm="b"', [['bearer', { realm: 'a' }]]],
  ['Bearer realm="", error="invalid_token"', [['bearer', { realm: '', error: 'invalid_token' }]]],
  ['Bearer realm="never closed, service=x', [['bearer', { realm: '' }]]],
  ['="x"', []],
  [',,, ,', []],
])('%j', (header, expected) => {
  expect(parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)])).toEqual(
    expected,
  );
});

test('reads what was written, whatever the values hold', () => {
  const value = fc.string().filter((text) => !/[\r\n]/.test(text));
  fc.assert(
    fc.property(fc.array(fc.record({ realm: value, service: value }), { maxLength: 4 }), (challenges) => {
      const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`;
      const header = challenges
        .map(({ realm, service }) => `Bearer realm=${quoted(realm)},service=${quoted(service)}`)
        .join(', ');
      const read = parseChallenges(header).map(({ parameters }) => Object.fromEntries(parameters));
      expect(read).toEqual(challenges);
    }),
  );
});

test('ends, whatever comes', () => {
  fc.assert(fc.property(fc.string({ maxLength: 2000 }), (header) => void parseChallenges(header)));
  parseChallenges('Bearer realm="'.repeat(50_000));
  parseChallenges(`Bearer realm="${'\\'.repeat(500_000)}`);
});
