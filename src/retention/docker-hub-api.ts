import { parseJson, textAt } from '../core/json.ts';
import { isRegistryError, RegistryError } from '../errors.ts';
import type { Credentials } from '../registry/credentials.ts';
import { answerFailure, requestFailure } from '../registry/failure.ts';
import { retry } from '../registry/retry.ts';
import type { Answer, HttpRequest, Transport } from '../registry/transport.ts';
import { spent } from './store.ts';

/** What Docker Hub's API answered. */
export interface DockerHubAnswer {
  readonly status: number;
  /** `undefined` where it is none. */
  readonly json: unknown;
  /** When it was sent, by Docker Hub's clock, in milliseconds since 1970; `undefined` where it does not say. */
  readonly sentAtMs: number | undefined;
  /** The error for a status that is not what was hoped for. */
  failure(): RegistryError;
}

const ORIGIN = 'https://hub.docker.com';
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
const LOGIN_HINT =
  'Log in to docker.io with a user and an access token that may delete ("Read, Write, Delete"): ' +
  'https://app.docker.com/settings/personal-access-tokens.';

/**
 * The API of Docker Hub, beside its registry: https://docs.docker.com/reference/api/hub/latest/. The login is the registry's,
 * exchanged for a token that is renewed when it is refused. What is over the limit of requests is repeated when Docker Hub
 * says; BuildOnceError `RETENTION_SPENT` when that does not help.
 */
export class DockerHubApi {
  readonly #transport: Transport;
  readonly #credentials: () => Promise<Credentials | undefined>;
  #token: Promise<string | undefined> | undefined;

  constructor(transport: Transport, credentials: () => Promise<Credentials | undefined>) {
    this.#transport = transport;
    this.#credentials = credentials;
  }

  /** The address below Docker Hub's own, with its query. RegistryError when the login is refused. */
  async send(method: 'GET' | 'DELETE', path: string): Promise<DockerHubAnswer> {
    const token = await this.#login();
    const answer = await this.#ask(method, path, token);
    if (answer.status !== 401 || token === undefined) return readAnswer(answer);
    this.#token = undefined;
    return readAnswer(await this.#ask(method, path, await this.#login()));
  }

  /** RegistryError `UNAUTHORIZED` when there is no login that could delete. */
  async requireLogin(): Promise<void> {
    if ((await this.#login()) !== undefined) return;
    throw new RegistryError('UNAUTHORIZED', 'there is no user and password or access token for docker.io', {
      hint: LOGIN_HINT,
    });
  }

  /** The part of an address that `send` takes; `undefined` where it is another server's. */
  pathOf(url: string): string | undefined {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    return parsed?.origin === ORIGIN ? `${parsed.pathname}${parsed.search}` : undefined;
  }

  #login(): Promise<string | undefined> {
    this.#token ??= this.#exchange();
    return this.#token;
  }

  /** Only a user's password or access token can be exchanged; without one, what is public can be read. */
  async #exchange(): Promise<string | undefined> {
    const credentials = await this.#credentials();
    if (credentials === undefined || !('password' in credentials)) return undefined;
    const login = { identifier: credentials.username, secret: credentials.password.reveal() };
    const content = Buffer.from(JSON.stringify(login));
    const answer = await this.#repeat({
      method: 'POST',
      url: new URL('/v2/auth/token', ORIGIN),
      headers: { 'content-type': 'application/json' },
      payload: { content, sizeBytes: content.length },
    });
    if (answer.status !== 200) {
      throw answerFailure(answer, { hint: LOGIN_HINT, login: 'the given user and password were refused' });
    }
    const token = textAt(jsonOf(answer), 'access_token');
    if (token !== undefined && /^[\x21-\x7e]+$/.test(token)) return token;
    throw requestFailure('UNEXPECTED_ANSWER', answer, 'the answer holds no token', { status: answer.status });
  }

  #ask(method: 'GET' | 'DELETE', path: string, token: string | undefined): Promise<Answer> {
    const authorization = token === undefined ? undefined : `Bearer ${token}`;
    return this.#repeat({ method, url: new URL(path, ORIGIN), authorization, limitBytes: MAX_ANSWER_BYTES });
  }

  async #repeat(request: HttpRequest): Promise<Answer> {
    try {
      return await retry(this.#transport.rules, () => this.#transport.attempt(request));
    } catch (error) {
      if (!isRegistryError(error) || error.status !== 429) throw error;
      throw spent(error.message);
    }
  }
}

function readAnswer(answer: Answer): DockerHubAnswer {
  const sentAtMs = Date.parse(answer.header('date') ?? '');
  return {
    status: answer.status,
    json: jsonOf(answer),
    sentAtMs: Number.isNaN(sentAtMs) ? undefined : sentAtMs,
    failure: () => answerFailure(answer, { hint: LOGIN_HINT, login: undefined }),
  };
}

function jsonOf({ body }: Answer): unknown {
  return parseJson(Buffer.from(body).toString('utf8'));
}
