/** What a token is to allow on one repository: https://distribution.github.io/distribution/spec/auth/scope/ */
export interface Scope {
  /** `repository:acme/app`. */
  readonly resource: string;
  readonly actions: readonly string[];
}

const MAX_SCOPE_LENGTH = 4096;

export function repositoryScope(path: string, actions: readonly string[]): Scope {
  return { resource: `repository:${path}`, actions };
}

/** `repository:acme/app:pull,push`; the same text for the same scope. */
export function formatScope({ resource, actions }: Scope): string {
  return `${resource}:${[...actions].sort().join(',')}`;
}

/** Parses the scopes of a challenge, separated by spaces. What is no scope is left out. */
export function parseScopes(text: string): readonly Scope[] {
  if (text.length > MAX_SCOPE_LENGTH) return [];
  return text.split(' ').flatMap((word) => {
    const colon = word.lastIndexOf(':');
    if (!/^[\x21-\x7e]+$/.test(word) || colon <= 0) return [];
    return [{ resource: word.slice(0, colon), actions: word.slice(colon + 1).split(',') }];
  });
}

/** One scope for each resource, with all of its actions, sorted. */
export function mergeScopes(scopes: readonly Scope[]): readonly Scope[] {
  const actions = new Map<string, Set<string>>();
  for (const scope of scopes) {
    const known = actions.get(scope.resource) ?? new Set();
    for (const action of scope.actions) known.add(action);
    actions.set(scope.resource, known);
  }
  return [...actions.keys()]
    .sort()
    .map((resource) => ({ resource, actions: [...(actions.get(resource) ?? [])].sort() }));
}

/** True when what is granted allows everything that is wanted. */
export function coversScopes(granted: readonly Scope[], wanted: readonly Scope[]): boolean {
  return wanted.every(({ resource, actions }) => {
    const own = granted.find((scope) => scope.resource === resource);
    return own !== undefined && actions.every((action) => own.actions.includes(action));
  });
}

/** The one that is written to, else the first. */
export function mainScope(scopes: readonly Scope[]): Scope | undefined {
  return scopes.find(({ actions }) => actions.includes('push')) ?? scopes[0];
}

/** The same resources, for reading only. */
export function readingScopes(scopes: readonly Scope[]): readonly Scope[] {
  return scopes.map(({ resource }) => ({ resource, actions: ['pull'] }));
}
