import { describe, expect, it } from 'vitest';
import { RegistryError } from '../src/errors.ts';
import { imageNotFound, placed } from '../src/hashed-images.ts';

const NOT_OURS = 'No stage above and no named context is called "common".';
const NAMED = [
  ['Dockerfile:2', 'common', true],
  ['Dockerfile:2', 'common:1', false],
  ['Dockerfile:2', 'acme/common', false],
  ['build-contexts', 'common', false],
] as const;

describe('an image that cannot be had', () => {
  it.each(NAMED)('named by %s as %s may be meant for a stage or a named context: %s', async (place, name, expected) => {
    const missing = imageNotFound(place, name).hint ?? '';
    expect(missing.includes(NOT_OURS)).toBe(expected);
    const fail = () => Promise.reject(new RegistryError('UNAUTHORIZED', 'no', { hint: 'Log in.' }));
    const refused = await placed(place, name, fail).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'UNAUTHORIZED', hint: expected ? `Log in. ${NOT_OURS}` : 'Log in.' });
  });
});
