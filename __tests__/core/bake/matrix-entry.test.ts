import { describe, expect, it } from 'vitest';
import { matrixOf } from '../../../src/core/bake/matrix.ts';
import { parseMatrixEntry } from '../../../src/core/bake/matrix-entry.ts';

const ENTRY = { files: 'docker-bake.json', targets: 'api' };

describe('an entry of a matrix', () => {
  it('is read as a plan wrote it', () => {
    const missing = ['api', 'web'].map((name) => ({ name, hash: `${name}1`, reason: 'expired', needs: [] }));
    const { entries } = matrixOf(missing, { files: 'a.hcl', 'hash-salt': '2' }, 1);
    expect(parseMatrixEntry(JSON.stringify(entries[0], undefined, 2))).toEqual({
      ok: true,
      value: { inputs: { files: 'a.hcl', 'hash-salt': '2', targets: 'api\nweb' }, hashes: ['api1', 'web1'] },
    });
  });

  it('is nothing where no text is given', () => {
    expect(parseMatrixEntry(' \n')).toEqual({ ok: true, value: undefined });
  });

  it.each([
    ['no JSON', 'api', '"api": one entry of the output matrix is allowed'],
    [
      'a list, as the whole matrix is',
      JSON.stringify([ENTRY]),
      'a list, perhaps the whole matrix: one entry of the output matrix',
    ],
    ['null, as a missing matrix is', 'null', '"null": one entry'],
    ['something else than texts', JSON.stringify({ ...ENTRY, files: ['a'] }), '"files" is no text'],
    [
      'keys that are no inputs of it',
      JSON.stringify({ ...ENTRY, push: 'true' }),
      '"push" is nothing that a plan writes',
    ],
    ['keys of a matrix of one’s own', JSON.stringify({ ...ENTRY, node: 20 }), '"node" is nothing that a plan writes'],
    ['a key of the prototype', '{"files":"a","targets":"b","__proto__":"c"}', '"__proto__" is nothing that a plan'],
    ['no targets', '{"files":"a"}', 'targets missing in'],
  ])('is refused when it is %s', (_, text, problem) => {
    const read = parseMatrixEntry(text);
    expect(read.ok ? '' : read.problem).toContain(problem);
  });
});
