import { expect, it } from 'vitest';
import { parseAttest } from '../../src/core/attestation.ts';
import { parsed } from '../../src/core/parsed.ts';

it.each([
  'type=sbom',
  'TYPE=sbom',
  ' type=SBOM',
  'type=provenance,mode=max,whatever=else',
  'type=sbom,disabled=1',
  'type=sbom,"generator=a,b"',
])('the attestation %j is taken', (text) => expect(parseAttest(text)).toEqual(parsed(text)));

it.each([
  ['sbom', '"sbom": "sbom" is not KEY=VALUE'],
  ['type=sbom,', '"" is not KEY=VALUE'],
  ['generator=x', '"generator=x" has no type: type=sbom and type=provenance are allowed'],
  ['type=', 'has no type'],
  ['type=sbmo', '"sbmo" is no type of attestation'],
  ['type=sbom,disabled=maybe', 'disabled is "maybe": true or false is allowed'],
  ['type=sbom,generator="x"', 'is not comma-separated KEY=VALUE'],
])('the attestation %j is none', (text, problem) => {
  expect(parseAttest(text)).toEqual({ ok: false, problem: expect.stringContaining(problem) });
});
