import { randomUUID } from 'node:crypto';
import { coversScopes, formatScope, parseScopes, type Scope } from '../scope.ts';
import { type Answer, answerJson, Refusal, readBody, refuseMethod } from './answer.ts';
import { type Caller, mayDo } from './rights.ts';

/** A question to the token endpoint. */
export interface TokenRequest {
  readonly method: string;
  readonly query: URLSearchParams;
  /** The form of a POST. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Who the `Authorization` header says it is; `undefined` when there is none. */
  readonly caller: Caller | undefined;
}

/** What the endpoint knows of the people around it. */
export interface TokenPolicy {
  readonly lifetimeMs: number;
  /** How many requests a token is good for. */
  readonly uses: number;
  /** Whoever has this name and password, or throws a Refusal. */
  readonly login: (name: string, password: string) => Caller;
  /** Somebody without credentials. */
  readonly anonymous: Caller;
}

export interface Grant {
  readonly caller: Caller;
  readonly scopes: readonly Scope[];
}

interface Issued extends Grant {
  readonly expiresAtMs: number;
  usesLeft: number;
}

const MAX_FORM_BYTES = 64 * 1024;

/**
 * The token service of the registry itself. GET with a password, or with none:
 * https://distribution.github.io/distribution/spec/auth/token/
 * POST with a password or an identity token: https://distribution.github.io/distribution/spec/auth/oauth/
 */
export class Tokens {
  readonly #policy: TokenPolicy;
  readonly #issued = new Map<string, Issued>();
  readonly #identities = new Map<string, Caller>();

  constructor(policy: TokenPolicy) {
    this.#policy = policy;
  }

  /** What this token allows, counting the use; `undefined` when it is not, or no longer, one of ours. */
  use(token: string): Grant | undefined {
    const issued = this.#issued.get(token);
    if (issued === undefined) return undefined;
    if (issued.expiresAtMs <= performance.now() || issued.usesLeft <= 0) {
      this.#issued.delete(token);
      return undefined;
    }
    issued.usesLeft -= 1;
    return issued;
  }

  /** No access token that was given out is good any more; identity tokens stay. */
  expire(): void {
    this.#issued.clear();
  }

  async answer(request: TokenRequest): Promise<Answer> {
    if (request.method === 'POST') return this.#answerForm(await readForm(request));
    if (request.method !== 'GET') throw refuseMethod(request.method, 'GET, POST');
    const { caller = this.#policy.anonymous, query } = request;
    const token = this.#issue(caller, query.getAll('scope').join(' '));
    const offline = query.get('offline_token') === 'true' ? this.#identify(caller) : {};
    return answerJson({ ...token, token: token.access_token, ...offline });
  }

  #answerForm(form: URLSearchParams): Answer {
    const type = form.get('grant_type');
    const scope = form.getAll('scope').join(' ');
    if (type === 'refresh_token') {
      const refreshToken = form.get('refresh_token') ?? '';
      const caller = this.#identities.get(refreshToken);
      if (caller === undefined) throw new Refusal(401, 'UNAUTHORIZED', 'the refresh token is not one of this registry');
      return answerJson({ ...this.#issue(caller, scope), refresh_token: refreshToken });
    }
    if (type !== 'password') throw new Refusal(400, 'UNSUPPORTED', 'the grant type is password or refresh_token');
    const caller = this.#policy.login(form.get('username') ?? '', form.get('password') ?? '');
    const offline = form.get('access_type') === 'offline' ? this.#identify(caller) : {};
    return answerJson({ ...this.#issue(caller, scope), ...offline });
  }

  /** A token for as much of what is asked as the caller may do. */
  #issue(caller: Caller, asked: string) {
    const { lifetimeMs, uses } = this.#policy;
    const scopes = parseScopes(asked).map((scope) => allowedPart(caller, scope));
    const token = randomUUID();
    this.#issued.set(token, { caller, scopes, expiresAtMs: performance.now() + lifetimeMs, usesLeft: uses });
    return {
      access_token: token,
      scope: scopes.map(formatScope).join(' '),
      expires_in: Math.max(1, Math.floor(lifetimeMs / 1000)),
      issued_at: new Date().toISOString(),
    };
  }

  /** An identity token, for those who have a name. */
  #identify(caller: Caller): { readonly refresh_token?: string } {
    if (caller.name === undefined) return {};
    const token = randomUUID();
    this.#identities.set(token, caller);
    return { refresh_token: token };
  }
}

/** True when the grant allows all of this. */
export function allows(grant: Grant, wanted: readonly Scope[]): boolean {
  return wanted.every((scope) => grant.scopes.some((granted) => coversScopes([granted], [scope])));
}

/** The actions of a scope that the caller may do; to list the repositories, it takes a name. */
export function allowedPart(caller: Caller, { resource, actions }: Scope): Scope {
  const repository = /^repository:(.+)$/s.exec(resource)?.[1];
  if (repository !== undefined)
    return { resource, actions: actions.filter((action) => mayDo(caller, action, repository)) };
  return { resource, actions: resource === 'registry:catalog' && caller.name !== undefined ? actions : [] };
}

async function readForm({ body }: TokenRequest): Promise<URLSearchParams> {
  return new URLSearchParams(Buffer.from(await readBody(body, 'a form', MAX_FORM_BYTES)).toString('utf8'));
}
