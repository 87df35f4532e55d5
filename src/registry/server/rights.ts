export type Right = 'pull' | 'push' | 'delete';

/**
 * What is allowed where: a repository's name, `acme/*` for all below `acme/`, or `*` for all. What several entries say of
 * a repository adds up.
 */
export type Rights = Readonly<Record<string, readonly Right[]>>;

export interface RegistryUser {
  readonly name: string;
  readonly password: string;
  /** Everything everywhere when absent. */
  readonly rights?: Rights;
}

/** Who sends a request; `name` is absent for somebody without credentials. */
export interface Caller {
  readonly name?: string;
  readonly rights: Rights;
}

const EVERYTHING: Rights = { '*': ['pull', 'push', 'delete'] };

export function callerOf({ name, rights = EVERYTHING }: RegistryUser): Caller {
  return { name, rights };
}

export function mayDo({ rights }: Caller, right: string, repository: string): boolean {
  return Object.entries(rights).some(([pattern, allowed]) => {
    const named = pattern.endsWith('*') ? repository.startsWith(pattern.slice(0, -1)) : repository === pattern;
    return named && allowed.some((one) => one === right);
  });
}
