import { createHash, timingSafeEqual } from 'node:crypto';
import { parseRepositoryName } from '../../core/reference.ts';
import { formatScope, repositoryScope, type Scope } from '../scope.ts';
import { Refusal } from './answer.ts';
import { type Caller, callerOf, mayDo, type RegistryUser, type Rights } from './rights.ts';
import type { Route } from './route.ts';
import { allowedPart, allows, Tokens } from './tokens.ts';

/** How the registry asks who somebody is. */
export type RegistryAuth = {
  readonly users: readonly RegistryUser[];
  /** What is allowed without credentials, as `{ 'public/*': ['pull'] }`; nothing when absent. */
  readonly anonymous?: Rights;
} & (
  | { readonly kind: 'basic' }
  | {
      /** With tokens of the registry's own `/token`, by password and by identity token. */
      readonly kind: 'bearer';
      /** 300,000 when absent. */
      readonly tokenLifetimeMs?: number;
      /** After how many requests a token counts as expired, so that it happens in the middle of a run; never when absent. */
      readonly tokenUses?: number;
    }
);

/** A request, as far as its rights go. */
export interface GuardedRequest {
  readonly method: string;
  readonly route: Route;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  /** `http://127.0.0.1:5000`: as the client reaches the registry. */
  readonly origin: string;
}

const SERVICE = 'build-once-registry';
const DEFAULT_LIFETIME_MS = 300_000;

/** Lets requests pass or refuses them, by who sends them. */
export class Guard {
  readonly #auth: RegistryAuth;
  readonly #anonymous: Caller;
  /** The token service, where there is one. */
  readonly tokens: Tokens | undefined;

  constructor(auth: RegistryAuth) {
    this.#auth = auth;
    this.#anonymous = { rights: auth.anonymous ?? {} };
    this.tokens =
      auth.kind === 'basic'
        ? undefined
        : new Tokens({
            lifetimeMs: auth.tokenLifetimeMs ?? DEFAULT_LIFETIME_MS,
            uses: auth.tokenUses ?? Number.POSITIVE_INFINITY,
            login: (name, password) => this.#login(name, password),
            anonymous: this.#anonymous,
          });
  }

  /** Who the password of a `Basic` header belongs to; `undefined` without one. A wrong one is a Refusal. */
  caller(authorization: string | undefined): Caller | undefined {
    const encoded = /^basic +([\w+/=-]+) *$/i.exec(authorization ?? '')?.[1];
    if (encoded === undefined) return undefined;
    const text = Buffer.from(encoded, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    return this.#login(text.slice(0, Math.max(0, colon)), text.slice(colon + 1));
  }

  /**
   * Who may do this. Throws 401 with a challenge for somebody unknown and for a token that is too old or too narrow, and
   * 403 for somebody known who has not the right.
   */
  admit(request: GuardedRequest): Caller {
    const wanted = scopesOf(request);
    return this.#auth.kind === 'basic' ? this.#admitUser(request, wanted) : this.#admitToken(request, wanted);
  }

  /** Whether the caller may read what a mount is to take; a mount that may not is an upload like any other. */
  mayMount(caller: Caller, query: URLSearchParams): boolean {
    const from = query.get('from');
    return from !== null && mayDo(caller, 'pull', from);
  }

  #admitUser({ authorization, method, route }: GuardedRequest, wanted: readonly Scope[]): Caller {
    const challenge = { 'WWW-Authenticate': `Basic realm="${SERVICE}"` };
    const caller = this.#callerOr(authorization, challenge) ?? this.#anonymous;
    // As registries do it: who asks what this is, learns how to log in.
    const known = caller.name !== undefined || route.kind !== 'base';
    if (known && mayAll(caller, wanted)) return caller;
    if (caller.name !== undefined) throw denied(method, route, caller.name);
    throw new Refusal(401, 'UNAUTHORIZED', 'this needs a login', challenge);
  }

  #callerOr(authorization: string | undefined, challenge: Readonly<Record<string, string>>): Caller | undefined {
    try {
      return this.caller(authorization);
    } catch (error) {
      throw error instanceof Refusal ? new Refusal(error.status, error.code, error.message, challenge) : error;
    }
  }

  #admitToken({ authorization, method, route, query, origin }: GuardedRequest, wanted: readonly Scope[]): Caller {
    const challenge = (problem?: string): Readonly<Record<string, string>> => {
      const scopes = [...wanted, ...mountScopes(query)];
      const scope = scopes.length === 0 ? '' : `,scope="${scopes.map(formatScope).join(' ')}"`;
      const error = problem === undefined ? '' : `,error="${problem}"`;
      return { 'WWW-Authenticate': `Bearer realm="${origin}/token",service="${SERVICE}"${scope}${error}` };
    };
    if (authorization === undefined) throw new Refusal(401, 'UNAUTHORIZED', 'this needs a token', challenge());
    const token = /^bearer +(\S+) *$/i.exec(authorization)?.[1] ?? '';
    const grant = this.tokens?.use(token);
    if (grant === undefined) {
      throw new Refusal(401, 'UNAUTHORIZED', 'the token is unknown or expired', challenge('invalid_token'));
    }
    const { caller } = grant;
    const source = mountScopes(query).filter((scope) => mayAll(caller, [scope]));
    if (allows(grant, [...wanted, ...source])) return caller;
    if (caller.name !== undefined && !mayAll(caller, wanted)) throw denied(method, route, caller.name);
    throw new Refusal(401, 'UNAUTHORIZED', 'the token does not allow this', challenge('insufficient_scope'));
  }

  #login(name: string, password: string): Caller {
    const user = this.#auth.users.find((one) => one.name === name);
    if (user !== undefined && sameText(user.password, password)) return callerOf(user);
    throw new Refusal(401, 'UNAUTHORIZED', 'the user or the password is wrong');
  }
}

/** What a request needs. To cancel an upload is a part of pushing. */
function scopesOf({ method, route }: GuardedRequest): readonly Scope[] {
  if (route.kind === 'catalog') return [{ resource: 'registry:catalog', actions: ['*'] }];
  if (route.name === '') return [];
  if (method === 'GET' || method === 'HEAD') return [repositoryScope(route.name, ['pull'])];
  if (method === 'DELETE' && route.kind !== 'upload') return [repositoryScope(route.name, ['delete'])];
  return [repositoryScope(route.name, ['pull', 'push'])];
}

/** What is read besides: the repository that a blob is mounted from. */
function mountScopes(query: URLSearchParams): readonly Scope[] {
  const from = query.get('from') ?? '';
  return query.has('mount') && parseRepositoryName(`127.0.0.1/${from}`).ok ? [repositoryScope(from, ['pull'])] : [];
}

function mayAll(caller: Caller, wanted: readonly Scope[]): boolean {
  return wanted.every((scope) => allowedPart(caller, scope).actions.length === scope.actions.length);
}

function denied(method: string, { name }: Route, user: string): Refusal {
  return new Refusal(403, 'DENIED', `${user} may not ${method} in ${name === '' ? 'this registry' : name}`);
}

function sameText(a: string, b: string): boolean {
  const hash = (text: string): Uint8Array => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}
