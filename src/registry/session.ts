import { textAt } from '../core/json.ts';
import { quote } from '../core/printable.ts';
import { isLoopback } from '../core/reference.ts';
import { isRegistryError, RegistryError } from '../errors.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import { basicAuthorization, type Credentials, describeRefusal } from './credentials.ts';
import { wantsTls } from './failure.ts';
import { resolveLocation } from './location.ts';
import { type Attempt, type RetryRules, retry } from './retry.ts';
import { coversScopes, formatScope, mainScope, mergeScopes, parseScopes, readingScopes, type Scope } from './scope.ts';
import { fetchToken, type Token, type TokenService } from './token.ts';
import type { Answer, HttpRequest, Transport } from './transport.ts';

/** How often one request renews its authorisation: others may use up each token before it. */
const MAX_RENEWALS = 5;

/** What a request needs, and what to say when it is refused. */
export interface Access {
  readonly scopes: readonly Scope[];
  readonly hint: string;
}

/** What a token is to allow; `main` decides whose login it takes, and is never the registry's to say. */
interface Wanted extends Access {
  readonly main: Scope | undefined;
}

/**
 * Requests to one registry, authorised as it asks. Nothing is known at first: the first request goes without credentials
 * and learns what is wanted. Tokens are kept by scope, renewed before they expire and when refused; requests that need the
 * same token at the same time share one exchange.
 */
export class Session {
  readonly #plain: URL;
  /** Where the registry is asked: over https, once one of this machine turned out to speak TLS. */
  #origin: URL;
  #hasAnswered = false;
  readonly #transport: Transport;
  readonly #credentials: (scope: Scope | undefined) => Promise<Credentials | undefined>;
  readonly #granted: { readonly scopes: readonly Scope[]; readonly token: Token }[] = [];
  readonly #exchanges = new Map<string, Promise<Token>>();
  /** Scopes that were refused, so that reads do not ask for them again. */
  readonly #refused = new Set<string>();
  /** By header, how often it was sent. */
  readonly #sent = new Map<string, number>();
  #service: TokenService | undefined;
  /** What the registry asks for, where that is a header that needs no exchange: basic authentication, or a token of the user's. */
  #fixed: readonly Challenge[] | undefined;
  #refusal: string | undefined;

  /** `origin` is the registry's: a URL elsewhere gets no authorisation. `credentials` are asked for by what they are to allow. */
  constructor(
    origin: URL,
    transport: Transport,
    credentials: (scope: Scope | undefined) => Promise<Credentials | undefined>,
  ) {
    this.#plain = origin;
    this.#origin = origin;
    this.#transport = transport;
    this.#credentials = credentials;
  }

  /** What the URLs of requests begin with; requests that began with an earlier one are as good. */
  get origin(): URL {
    return this.#origin;
  }

  /** How a failure that may pass is to be repeated. */
  get rules(): RetryRules {
    return this.#transport.rules;
  }

  /** What to say of a 401 or 403 from the registry itself, once credentials went to it as they are. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** The answer, whatever its status, after the repetitions that may help. */
  send(request: HttpRequest, access: Access, attempts = this.rules.attempts): Promise<Answer> {
    return retry({ ...this.rules, attempts }, () => this.attempt(request, access));
  }

  /**
   * Connects, learns what the registry asks for and gets the token, so that the first request finds it all. Nothing that goes
   * wrong is said here: that request meets it again.
   */
  async greet(access: Access): Promise<void> {
    const request: HttpRequest = { method: 'GET', url: new URL('/v2/', this.#origin) };
    try {
      const outcome = await this.#transport.attempt(request);
      if ('value' in outcome && outcome.value.status === 401 && outcome.value.url.origin === this.#origin.origin)
        await this.#renew(outcome.value, request, { access, refused: undefined });
    } catch {}
  }

  /** One try, with renewals of the authorisation as long as they may help; see `Transport.attempt`. */
  async attempt(request: HttpRequest, access: Access): Promise<Attempt<Answer>> {
    const { origin } = request.url;
    if (origin !== this.#plain.origin && origin !== this.#origin.origin) return this.#transport.attempt(request);
    const asked = { ...request, url: withProtocol(request.url, this.#origin.protocol) };
    const outcome = await this.#authorized(asked, access);
    if (this.#hasAnswered || asked.url.protocol === 'https:' || !isLoopback(asked.url.host) || !mayWantTls(outcome)) {
      this.#hasAnswered ||= 'value' in outcome;
      return outcome;
    }
    return (await this.#secured(asked, access)) ?? outcome;
  }

  /** The same over TLS, and everything after it when there is an answer; `undefined` when the registry speaks none. */
  async #secured(request: HttpRequest, access: Access): Promise<Attempt<Answer> | undefined> {
    try {
      const outcome = await this.#authorized({ ...request, url: withProtocol(request.url, 'https:') }, access);
      if (!('value' in outcome)) return undefined;
      this.#origin = withProtocol(this.#origin, 'https:');
      return outcome;
    } catch (error) {
      // What is said of its certificate helps; that it speaks plain http is known.
      if (isRegistryError(error) && /WRONG_VERSION|PACKET_LENGTH|EPROTO/.test(textAt(error.cause, 'code') ?? ''))
        return undefined;
      throw error;
    }
  }

  async #authorized(request: HttpRequest, access: Access): Promise<Attempt<Answer>> {
    let authorization =
      (await this.#fixedHeader(access)) ?? (await this.#tokenFor(request, wantedBy(access)))?.authorization;
    for (let renewals = 0; ; renewals += 1) {
      this.#count(authorization);
      const outcome = await this.#transport.attempt({ ...request, authorization });
      if (!('value' in outcome) || outcome.value.status !== 401) return outcome;
      // A storage that a redirect led to has no say in what the registry wants.
      if (outcome.value.url.origin !== request.url.origin) return outcome;
      // What is new and was sent by nobody else was refused for what it is: another one would be no better.
      if (renewals > 0 && !this.#isShared(authorization)) return outcome;
      if (renewals === MAX_RENEWALS) return outcome;
      const renewed = await this.#renew(outcome.value, request, { access, refused: authorization });
      if (renewed === undefined) return outcome;
      authorization = renewed;
    }
  }

  #count(authorization: string | undefined): void {
    if (authorization !== undefined) this.#sent.set(authorization, (this.#sent.get(authorization) ?? 0) + 1);
  }

  #isShared(authorization: string | undefined): boolean {
    return authorization !== undefined && (this.#sent.get(authorization) ?? 0) > 1;
  }

  async #fixedHeader({ scopes }: Access): Promise<string | undefined> {
    return this.#fixed && fixedHeader(this.#fixed, await this.#credentials(mainScope(scopes)));
  }

  /** Another value for the header after a 401, or `undefined` when there is none to try. */
  async #renew(
    answer: Answer,
    request: HttpRequest,
    { access, refused }: { readonly access: Access; readonly refused: string | undefined },
  ): Promise<string | undefined> {
    const challenges = parseChallenges(answer.header('www-authenticate') ?? '');
    const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'));
    const credentials = await this.#credentials(mainScope(access.scopes));
    const fixed = fixedHeader(challenges, credentials);
    if (bearer === undefined || fixed !== undefined) {
      if (fixed === undefined || fixed === refused) return undefined;
      this.#fixed = challenges;
      this.#refusal = credentials && describeRefusal(credentials);
      return fixed;
    }
    this.#service = serviceOf(bearer, answer);
    const stale = this.#granted.findIndex(({ token }) => token.authorization === refused);
    if (stale >= 0) this.#granted.splice(stale, 1);
    const scopes = mergeScopes([...access.scopes, ...parseScopes(bearer.parameters.get('scope') ?? '')]);
    const token = await this.#tokenFor(request, { ...wantedBy(access), scopes });
    return token?.authorization === refused ? undefined : token?.authorization;
  }

  /** A token for these scopes; for less when a read asked for more than it needs and was refused. */
  async #tokenFor({ method }: HttpRequest, wanted: Wanted): Promise<Token | undefined> {
    if (this.#service === undefined) return undefined;
    const key = keyOf(wanted);
    const reading = readingOnly(wanted);
    const mayDoWithLess = (method === 'GET' || method === 'HEAD') && keyOf(reading) !== key;
    if (mayDoWithLess && this.#refused.has(key)) return this.#token(reading, this.#service);
    try {
      return await this.#token(wanted, this.#service);
    } catch (error) {
      const isRefusal = isRegistryError(error) && (error.status === 401 || error.status === 403);
      if (!isRefusal || !mayDoWithLess) throw error;
      this.#refused.add(key);
      return this.#token(reading, this.#service);
    }
  }

  async #token(wanted: Wanted, service: TokenService): Promise<Token> {
    const nowMs = this.rules.clock.now();
    const held = this.#granted.find(
      ({ scopes, token }) => token.renewAtMs > nowMs && coversScopes(scopes, wanted.scopes),
    );
    if (held !== undefined) return held.token;
    const key = keyOf(wanted);
    const running = this.#exchanges.get(key);
    if (running !== undefined) return running;
    const exchange = this.#exchange(wanted, service).finally(() => this.#exchanges.delete(key));
    this.#exchanges.set(key, exchange);
    return exchange;
  }

  async #exchange({ scopes, hint, main }: Wanted, service: TokenService): Promise<Token> {
    const credentials = await this.#credentials(main);
    const token = await fetchToken(this.#transport, service, { scopes, hint, credentials });
    const outlived = this.#granted.findIndex((grant) => coversScopes(scopes, grant.scopes));
    if (outlived >= 0) this.#granted.splice(outlived, 1);
    this.#granted.push({ scopes, token });
    return token;
  }
}

function withProtocol(url: URL, protocol: string): URL {
  return url.protocol === protocol ? url : new URL(`${protocol}${url.href.slice(url.protocol.length)}`);
}

/** Servers for TLS cut what is not, or say so; what they say to HEAD is not read. */
function mayWantTls(outcome: Attempt<Answer>): boolean {
  if ('value' in outcome)
    return wantsTls(outcome.value) || (outcome.value.method === 'HEAD' && outcome.value.status === 400);
  return isRegistryError(outcome.failure) && /^(?:ECONNRESET|EPIPE)$/.test(textAt(outcome.failure.cause, 'code') ?? '');
}

function wantedBy(access: Access): Wanted {
  return { ...access, main: mainScope(access.scopes) };
}

function readingOnly({ scopes, hint, main }: Wanted): Wanted {
  return { scopes: readingScopes(scopes), hint, main: main && readingScopes([main])[0] };
}

/** Who asks belongs to it: a scope of the registry's may stand among those of several. */
function keyOf({ scopes, main }: Wanted): string {
  return [main === undefined ? '' : main.resource, ...scopes.map(formatScope)].join(' ');
}

function fixedHeader(challenges: readonly Challenge[], credentials: Credentials | undefined): string | undefined {
  const offers = (scheme: string): boolean => challenges.some((challenge) => challenge.scheme === scheme);
  if (credentials === undefined || 'identityToken' in credentials) return undefined;
  if ('registryToken' in credentials)
    return offers('bearer') ? `Bearer ${credentials.registryToken.reveal()}` : undefined;
  // Tokens are the narrower right, where there is a choice.
  return offers('basic') && !offers('bearer')
    ? basicAuthorization(credentials.username, credentials.password)
    : undefined;
}

function serviceOf(challenge: Challenge, answer: Answer): TokenService {
  const realm = challenge.parameters.get('realm') ?? '';
  if (!/^https?:\/\//i.test(realm)) {
    throw new RegistryError('UNEXPECTED_ANSWER', `the token realm of ${answer.url.host} is no URL: ${quote(realm)}`);
  }
  return { realm: resolveLocation(realm, answer), service: challenge.parameters.get('service') };
}
