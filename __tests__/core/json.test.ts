import fc from 'fast-check';
import { expect, it } from 'vitest';
import { booleanAt, numberAt, textAt, valueAt } from '../../src/core/json.ts';

const json: unknown = JSON.parse(
  '{"a":{"b":[{"c":"deep"}],"empty":"","zero":0,"no":false,"null":null},"__proto__":{"x":"own"},"length":3}',
);

it.each([
  [['a', 'b', '0', 'c'], 'deep'],
  [['a', 'zero'], 0],
  [['a', 'null'], null],
  [['a', 'null', 'x'], undefined],
  [['a', 'b', 'c'], undefined],
  [['a', 'b', '1'], undefined],
  [['nope', 'b'], undefined],
  [['constructor'], undefined],
  [['a', 'toString'], undefined],
  [['a', '__proto__'], undefined],
  [['__proto__', 'x'], 'own'],
  [['a', 'b', '0', 'c', 'length'], undefined],
])('the value at %j is %j', (path, value) => {
  expect(valueAt(json, ...path)).toEqual(value);
});

it('of another type is absent', () => {
  expect(textAt(json, 'a', 'b', '0', 'c')).toBe('deep');
  expect(textAt(json, 'a', 'empty')).toBeUndefined();
  expect(textAt(json, 'a', 'zero')).toBeUndefined();
  expect(numberAt(json, 'a', 'zero')).toBe(0);
  expect(numberAt(json, 'a', 'no')).toBeUndefined();
  expect(booleanAt(json, 'a', 'no')).toBe(false);
  expect(booleanAt(json, 'a', 'null')).toBeUndefined();
});

it('of anything never throws', () => {
  fc.assert(
    fc.property(fc.anything(), fc.array(fc.string()), (value, path) => {
      valueAt(value, ...path);
      expect(textAt(value, ...path) ?? 'x').not.toBe('');
    }),
  );
});
