import { numberAt, parseJson, textAt } from '../core/json.ts';
import { basicAuthorization, type Credentials, describeRefusal } from './credentials.ts';
import { answerFailure, requestFailure } from './failure.ts';
import { type Attempt, retry } from './retry.ts';
import { formatScope, type Scope } from './scope.ts';
import type { Answer, HttpRequest, Transport } from './transport.ts';

/** Where a registry's tokens come from, as its challenge says. */
export interface TokenService {
  readonly realm: URL;
  readonly service: string | undefined;
}

/** A bearer token. */
export interface Token {
  /** The value of the `Authorization` header. */
  readonly authorization: string;
  /** When to fetch another one, a little before it expires; milliseconds since 1970. */
  readonly renewAtMs: number;
}

const CLIENT_ID = 'build-once';
/** "For compatibility with older clients, a token should never be returned with less than 60 seconds to live." */
const DEFAULT_LIFETIME_SECONDS = 60;
const MAX_SKEW_MS = 10_000;

/**
 * Fetches a token for these scopes: by GET with the password or without credentials
 * (https://distribution.github.io/distribution/spec/auth/token/), by POST with an identity token
 * (https://distribution.github.io/distribution/spec/auth/oauth/). A refusal is a RegistryError with `hint`.
 */
export async function fetchToken(
  transport: Transport,
  service: TokenService,
  wanted: { readonly scopes: readonly Scope[]; readonly credentials: Credentials | undefined; readonly hint: string },
): Promise<Token> {
  const { clock } = transport.rules;
  const request =
    wanted.credentials !== undefined && 'identityToken' in wanted.credentials
      ? refreshRequest(service, wanted.scopes, wanted.credentials.identityToken.reveal())
      : tokenRequest(service, wanted.scopes, wanted.credentials);
  const askedAtMs = clock.now();
  const answer = await retry(transport.rules, (): Promise<Attempt<Answer>> => transport.attempt(request));
  if (answer.status !== 200) {
    const login = wanted.credentials && describeRefusal(wanted.credentials);
    throw answerFailure(answer, { hint: wanted.hint, login });
  }
  return readToken(answer, askedAtMs);
}

function tokenRequest(
  service: TokenService,
  scopes: readonly Scope[],
  credentials: Credentials | undefined,
): HttpRequest {
  const url = new URL(service.realm);
  if (service.service !== undefined) url.searchParams.set('service', service.service);
  for (const scope of scopes) url.searchParams.append('scope', formatScope(scope));
  if (credentials === undefined || !('password' in credentials)) return { method: 'GET', url };
  return { method: 'GET', url, authorization: basicAuthorization(credentials.username, credentials.password) };
}

function refreshRequest({ realm, service }: TokenService, scopes: readonly Scope[], refreshToken: string): HttpRequest {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: CLIENT_ID,
    ...(service === undefined ? {} : { service }),
    scope: scopes.map(formatScope).join(' '),
    refresh_token: refreshToken,
  });
  const content = Buffer.from(form.toString());
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return { method: 'POST', url: realm, headers, payload: { content, sizeBytes: content.length } };
}

function readToken(answer: Answer, askedAtMs: number): Token {
  const json = parseJson(Buffer.from(answer.body).toString('utf8'));
  const token = textAt(json, 'token') ?? textAt(json, 'access_token');
  if (token === undefined || !/^[\x21-\x7e]+$/.test(token)) {
    throw requestFailure('UNEXPECTED_ANSWER', answer, 'the answer holds no token', { status: answer.status });
  }
  const lifetimeMs = Math.max(0, numberAt(json, 'expires_in') ?? DEFAULT_LIFETIME_SECONDS) * 1000;
  const renewAtMs = askedAtMs + lifetimeMs - Math.min(MAX_SKEW_MS, lifetimeMs / 5);
  return { authorization: `Bearer ${token}`, renewAtMs };
}
