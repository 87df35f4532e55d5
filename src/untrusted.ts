import type { RawOptions } from './options.ts';

/** What is left of the inputs of a run that gets no secrets, and the names of what was left out. */
export interface WithoutSecrets {
  readonly raw: RawOptions;
  readonly missing: readonly string[];
}

const LOGIN = ['username', 'password'];

/**
 * GitHub gives the runs of forks and of Dependabot empty texts for secrets. There that is no mistake of the user's: a login
 * that is not whole and secrets without a value are left out, and the run builds without them and pushes nothing.
 */
export function withoutMissingSecrets(raw: RawOptions): WithoutSecrets {
  const given = LOGIN.filter((name) => (raw[name] ?? '') !== '');
  const lacksLogin = given.length === 1 || ((raw['registry'] ?? '') !== '' && given.length === 0);
  const lines = (raw['secrets'] ?? '').split('\n');
  const empty = lines.filter((line) => /^\s*[^\s=#"]+=\s*$/.test(line));
  const secrets = lines.filter((line) => !empty.includes(line)).join('\n');
  return {
    raw: {
      ...raw,
      ...(lacksLogin ? { username: '', password: '', registry: '' } : {}),
      ...(empty.length > 0 ? { secrets } : {}),
    },
    missing: [...(lacksLogin ? ['the login'] : []), ...empty.map((line) => line.trim().replace(/=$/, ''))],
  };
}
