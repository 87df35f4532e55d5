import { expect, it } from 'vitest';
import { counted } from '../../src/core/counted.ts';

it.each([
  [0, 'no context entry'],
  [1, '1 context entry'],
  [2, '2 context entries'],
])('%d is said as "%s"', (count, said) => expect(counted(count, 'context entry', 'context entries')).toBe(said));

it('most words take an s', () => expect(counted(2, 'image')).toBe('2 images'));
