import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { SIGNATURE_PREDICATE } from '../../src/core/signed-statement.ts';
import { CHECKOUT } from '../support/programs.ts';
import { GITHUB_ISSUER, subjectOf } from '../support/sigstore.ts';

const PAGE = readFileSync(join(CHECKOUT, 'docs/admission.md'), 'utf8');
const POLICIES = [...PAGE.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].flatMap(([, text = '']) =>
  parseAllDocuments(text).map((document) => {
    expect([document.errors, document.warnings]).toEqual([[], []]);
    return { kind: String(document.get('kind')), text: JSON.stringify(document.toJSON()), json: document.toJSON() };
  }),
);
const RELEASE = { repository: 'acme/app', ref: 'refs/tags/v1.2.3' };

/** Every value of this key, wherever it stands. */
function valuesOf(json: unknown, key: string): readonly unknown[] {
  if (typeof json !== 'object' || json === null) return [];
  return Object.entries(json).flatMap(([name, value]) => [...(name === key ? [value] : []), ...valuesOf(value, key)]);
}

it('shows one policy of each kind', () => {
  expect(POLICIES.map(({ kind }) => kind)).toEqual(['ImageValidatingPolicy', 'ClusterPolicy', 'ClusterImagePolicy']);
});

it.each(POLICIES)('$kind names who signs, and nobody else', ({ json }) => {
  expect(valuesOf(json, 'issuer')).toEqual([GITHUB_ISSUER]);
  const [pattern, ...more] = valuesOf(json, 'subjectRegExp').map((text) => new RegExp(String(text)));
  expect(more).toEqual([]);
  const accepts = (subject: string): boolean => pattern?.test(subject) === true;
  expect(accepts(subjectOf(RELEASE))).toBe(true);
  for (const other of [
    subjectOf({ ...RELEASE, ref: 'refs/heads/v1' }),
    subjectOf({ ...RELEASE, repository: 'acme/app2' }),
    `https://evil.example/${subjectOf(RELEASE)}`,
    `${subjectOf(RELEASE)}-evil`,
    subjectOf(RELEASE).replace('github.com', 'githubxcom'),
  ])
    expect([other, accepts(other)]).toEqual([other, false]);
});

it.each(POLICIES.filter(({ kind }) => kind !== 'ImageValidatingPolicy'))(
  '$kind asks for the statement that a signature is',
  ({ text }) => expect(text).toContain(JSON.stringify(SIGNATURE_PREDICATE)),
);
