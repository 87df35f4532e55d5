import { describe, expect, it } from 'vitest';
import { withoutMissingSecrets } from '../src/untrusted.ts';

describe('a run that gets no secrets', () => {
  it.each([
    [
      'a login without a password',
      { username: 'bot', password: '', registry: 'ghcr.io' },
      { username: '', password: '', registry: '' },
    ],
    ['a registry without a login', { registry: 'ghcr.io', username: '', password: '' }, { registry: '' }],
    ['a secret without a value', { secrets: 'token=\nkey=value' }, { secrets: 'key=value' }],
  ])('goes on without %s', (_, raw, left) => {
    const found = withoutMissingSecrets(raw);
    expect(found.raw).toMatchObject(left);
    expect(found.missing).toHaveLength(1);
  });

  it.each([
    ['a whole login', { username: 'bot', password: 'x', registry: 'ghcr.io' }],
    ['secrets with values', { secrets: '"key=line 1\nline 2="\nother=x' }],
    ['nothing', {}],
  ])('keeps %s', (_, raw) => {
    expect(withoutMissingSecrets(raw)).toEqual({ raw, missing: [] });
  });
});
