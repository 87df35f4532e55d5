import { describe, expect, it } from 'vitest';
import { parseEnvFile } from '../../../src/core/bake/env-file.ts';
import { createFindings } from '../../../src/core/bake/findings.ts';
import { interpolate } from '../../../src/core/bake/interpolation.ts';
import { parseTemplate } from '../../../src/core/bake/template.ts';

describe('a template of HCL', () => {
  it.each([
    ['', []],
    ['a$b%c', [{ text: 'a$b%c' }]],
    ['${A}', [{ variable: 'A' }]],
    ['x-${ A_b-1 }-y', [{ text: 'x-' }, { variable: 'A_b-1' }, { text: '-y' }]],
    ['$${A} %%{B}', [{ text: '${' }, { text: 'A} ' }, { text: '%{' }, { text: 'B}' }]],
    ['e\u0301', [{ text: 'é' }]],
  ])('%j', (text, parts) => expect(parseTemplate(text)).toEqual(parts));

  it.each([
    '${upper(A)}',
    '${a.b}',
    '${A',
    '${}',
    '%{ if A }x%{ endif }',
    '${true}',
    '${~A~}',
    '${"a"}',
    '$$${A}',
    '\ud800',
  ])('%j is for buildx', (text) => expect(parseTemplate(text)).toBeUndefined());
});

describe('an interpolation of compose', () => {
  const variables = new Map([
    ['SET', 'set'],
    ['EMPTY', ''],
  ]);

  function run(text: string) {
    const findings = createFindings();
    const tree = interpolate({ kind: 'text', text, line: 3 }, (name) => variables.get(name), findings.in('c.yaml'));
    return {
      text: tree.kind === 'text' ? tree.text : undefined,
      beyond: findings.beyond.length,
      notices: findings.notices,
    };
  }

  it.each([
    ['$SET/${SET}', 'set/set'],
    ['$$SET', '$SET'],
    ['${EMPTY:-a}${EMPTY-b}${NO-c}', 'ac'],
    ['${SET:+a}${EMPTY:+b}${EMPTY+c}${NO+d}', 'ac'],
    ['${NO:-a$$b}', 'a$b'],
    ['$SETx', ''],
  ])('%j is %j', (text, result) => expect(run(text)).toMatchObject({ text: result, beyond: 0 }));

  it.each(['${SET:?must}', '${NO:-${SET}}', '${SET', '$1', '${A b}', '$'])('%j is for buildx', (text) =>
    expect(run(text).beyond).toBe(1),
  );

  it('says which variable is not set', () => {
    expect(run('$NO').notices).toEqual([
      { file: 'c.yaml', line: 3, message: 'the variable "NO" is not set: it counts as empty' },
    ]);
  });

  it('takes a long text in one go', () => expect(run('${NO-a}'.repeat(200_000)).text).toHaveLength(200_000));
});

describe('a .env file', () => {
  it('has a variable a line', () => {
    const findings = createFindings();
    const text = '\ufeffA=1\r\n# c\n\n export B = two words # c\nC=\'x # y\'\nD="q"\nE=\n__proto__=p\n';
    expect([...parseEnvFile(text, findings.in('.env'))]).toEqual([
      ['A', '1'],
      ['B', 'two words'],
      ['C', 'x # y'],
      ['D', 'q'],
      ['E', ''],
      ['__proto__', 'p'],
    ]);
    expect(findings.beyond).toEqual([]);
  });

  it.each(['A=$B', 'A="a\\n"', 'A', 'A=a"b', "A='a", 'A: b', 'A=a#b'])('%j is for buildx', (line) => {
    const findings = createFindings();
    parseEnvFile(line, findings.in('.env'));
    expect(findings.beyond).toHaveLength(1);
  });
});
