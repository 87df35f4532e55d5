import { describe, expect, it } from 'vitest';
import { withFigures } from '../../bench/figures.ts';
import { comparedRow, countedRow } from './sample-results.ts';

const source = {
  rows: [comparedRow(), countedRow()],
  ids: ['fast', 'requests', 'later'],
  settings: { files: '1,000' },
};

describe('a sentence', () => {
  it('takes its figures from the rows, and its numbers from what the bench is set up with', () => {
    const text = 'Ours is {{fast.ours}}, {{ fast.median }}; {{requests.number}} requests for {{setting.files}} files.';
    expect(withFigures(text, source)).toBe('Ours is 100 ms, 12.5× faster; 4 requests for 1,000 files.');
  });

  it('cannot be written while a figure of it is not measured', () => {
    expect(withFigures('It is {{later.median}}.', source)).toBeUndefined();
  });

  it.each([
    ['{{fats.ours}}', '{{fats.ours}}: there is no "fats"; did you mean "fast"?'],
    ['{{fast.our}}', '{{fast.our}}: there is no "our"; did you mean "ours"?'],
    ['{{later.nothing}}', '{{later.nothing}}: there is no "nothing"'],
    ['{{setting.file}}', '{{setting.file}}: there is no "file"; did you mean "files"?'],
    ['{{requests.ours}}', '{{requests.ours}}: the row has no ours'],
    ['{{fast}}', '{{fast}}: there is no ""'],
    ['{{fast.toString}}', '{{fast.toString}}: there is no "toString"'],
  ])('that asks for %s is an error', (text, message) => {
    expect(() => withFigures(text, source)).toThrow(message);
  });
});
