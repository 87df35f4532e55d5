import { expect, test } from 'vitest';
import { type Digest, digestOf } from '../../../src/core/digest.ts';
import { formatFacts, parseFacts } from '../../../src/core/retention/facts-text.ts';
import type { ManifestFacts } from '../../../src/core/retention/inventory.ts';

const [a, b, c] = [digestOf('a'), digestOf('b'), digestOf('c')];
const FACTS = new Map<Digest, ManifestFacts>([
  [a, { kind: 'index', subject: c, sizeBytes: 7, children: [{ digest: b, type: 'unknown', sizeBytes: 3 }] }],
  [b, { kind: 'manifest', subject: undefined, sizeBytes: 3, blobs: [{ digest: c, sizeBytes: 0 }] }],
]);

function textOf(facts: ReadonlyMap<Digest, ManifestFacts>): string {
  return [...formatFacts(facts)].join('');
}

test('what is known of manifests comes back as it was', () => {
  expect(parseFacts(textOf(FACTS))).toEqual(FACTS);
  expect(parseFacts(textOf(new Map()))).toEqual(new Map());
});

test('case 70: a text that was changed or cut anywhere is worth nothing', () => {
  const text = textOf(FACTS);
  for (let at = 0; at < text.length; at += 1) {
    expect(parseFacts(text.slice(0, at)), `cut at ${at}`).toBeUndefined();
    const other = text[at] === '0' ? '1' : '0';
    expect(parseFacts(text.slice(0, at) + other + text.slice(at + 1)), `changed at ${at}`).toBeUndefined();
  }
});

test.each([
  ['no list', '7'],
  ['no digest', `["x",{"kind":"manifest","sizeBytes":1,"blobs":[]}]`],
  ['an unknown kind', `["${a}",{"kind":"x","sizeBytes":1}]`],
  ['a child without a type', `["${a}",{"kind":"index","sizeBytes":1,"children":[{"digest":"${b}","sizeBytes":1}]}]`],
  ['a blob without a size', `["${a}",{"kind":"manifest","sizeBytes":1,"blobs":[{"digest":"${b}"}]}]`],
])('%s is nothing that was written here, whatever its digest', (_, line) => {
  expect(parseFacts(`${digestOf(`${line}\n`)}\n${line}\n`)).toBeUndefined();
});
