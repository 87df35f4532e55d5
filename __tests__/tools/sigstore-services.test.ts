import { describe, expect, test } from 'vitest';
import { chooseServices } from '../../src/tools/sigstore-services.ts';

const NOW = new Date('2026-11-21T12:00:00Z');

interface Fields {
  readonly version?: number;
  readonly start?: string;
  readonly end?: string;
  readonly operator?: string;
}

function service(name: string, { version = 1, start = '2024-01-01T00:00:00Z', end, operator = 'a' }: Fields = {}) {
  return {
    url: `https://${name}.example`,
    majorApiVersion: version,
    validFor: { start, ...(end === undefined ? {} : { end }) },
    operator,
  };
}

function choose(fields: Readonly<Record<string, unknown>>): string {
  const services = chooseServices(
    JSON.stringify({
      mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json',
      caUrls: [service('ca')],
      rekorTlogUrls: [service('log')],
      rekorTlogConfig: { selector: 'ANY' },
      ...fields,
    }),
    NOW,
  );
  if (!services.ok) return services.problem;
  const { authority, logs, timestamps } = services.value;
  const names = [authority, ...logs, ...timestamps].map(({ url }) => url.hostname.replace('.example', ''));
  return names.join(' ');
}

describe('of a signing config', () => {
  test.each<[string, Readonly<Record<string, unknown>>, string]>([
    ['the one of each', {}, 'ca log'],
    [
      'the newest that is valid today',
      {
        caUrls: [
          service('old', { start: '2021-01-01T00:00:00Z' }),
          service('new', { start: '2026-01-01T00:00:00Z' }),
          service('next', { start: '2027-01-01T00:00:00Z' }),
          service('gone', { start: '2026-02-01T00:00:00Z', end: '2026-11-21T12:00:00Z' }),
        ],
      },
      'new log',
    ],
    [
      'those whose API is known',
      { rekorTlogUrls: [service('v2', { version: 2, start: '2026-01-01T00:00:00Z' }), service('v1')] },
      'ca v1',
    ],
    ['any one operator', { rekorTlogUrls: [service('x', { operator: 'x' }), service('y', { operator: 'y' })] }, 'ca x'],
    [
      'all operators, one service of each',
      {
        rekorTlogUrls: [
          service('x', { operator: 'x' }),
          service('x2', { operator: 'x', start: '2025-01-01T00:00:00Z' }),
          service('y', { operator: 'y' }),
        ],
        rekorTlogConfig: { selector: 'ALL' },
      },
      'ca x2 y',
    ],
    [
      'as many as it wants',
      {
        tsaUrls: ['t', 'u', 'v'].map((operator) => service(operator, { operator })),
        tsaConfig: { selector: 'EXACT', count: 2 },
      },
      'ca log t u',
    ],
    ['no time stamps that it does not want', { tsaUrls: [service('t')], tsaConfig: {} }, 'ca log'],
  ])('are chosen: %s', (_, fields, expected) => {
    expect(choose(fields)).toBe(expected);
  });

  test.each<[string, Readonly<Record<string, unknown>>, RegExp]>([
    ['is another file', { mediaType: 'application/json' }, /^its mediaType is "application\/json", not /],
    ['has no authority today', { caUrls: [service('ca', { end: '2025-01-01T00:00:00Z' })] }, /certificate authority/],
    [
      'has logs of an unknown API only',
      { rekorTlogUrls: [service('v2', { version: 2 })] },
      /1 × transparency log of API 1/,
    ],
    [
      'has too few operators',
      { rekorTlogConfig: { selector: 'EXACT', count: 2 } },
      /2 × transparency log .+ and 1 are/,
    ],
    [
      'wants all of none',
      { rekorTlogUrls: [], rekorTlogConfig: { selector: 'ALL' } },
      /1 × transparency log .+ and 0 are/,
    ],
    ['wants no log', { rekorTlogConfig: {} }, /it names no transparency log/],
    ['wants what nobody knows', { rekorTlogConfig: { selector: 'SOME' } }, /selector/i],
    ['has an address that is none', { caUrls: [{ ...service('ca'), url: 'fulcio' }] }, /certificate authority/],
    ['has lists of something else', { caUrls: 7 }, /certificate authority|./],
  ])('nothing is chosen that %s', (_, fields, expected) => {
    expect(choose(fields)).toMatch(expected);
    expect(choose(fields)).toMatch(/\S+ \S+/);
  });

  test.each(['', '{', '[]', 'null', '7'])('nothing is chosen from %j', (text) => {
    expect(chooseServices(text, NOW)).toMatchObject({ ok: false });
  });
});
