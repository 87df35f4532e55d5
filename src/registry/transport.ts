import { setMaxListeners } from 'node:events';
import { quote } from '../core/printable.ts';
import { UsageError } from '../errors.ts';
import { answerFailure, connectionFailure, publicUrl, requestFailure } from './failure.ts';
import { type PlainHosts, plainHosts, resolveLocation } from './location.ts';
import { type Proxy, readProxies } from './proxies.ts';
import {
  type Attempt,
  type Clock,
  parseRetryAfter,
  parseRetryTime,
  type RetryNotice,
  type RetryRules,
  systemClock,
} from './retry.ts';
import { openTrust } from './trust.ts';
import { type Arrival, contentOf, NetworkError, openWire, type Payload, readUpTo, type Wire } from './wire.ts';

/** One request as it went over the wire; `status` is `undefined` when no answer came. */
export interface RequestRecord {
  readonly method: string;
  /** Without credentials and query. */
  readonly url: string;
  readonly status: number | undefined;
}

export interface TransportSettings {
  /** Where proxies and certificates are looked up; none when absent. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Authorities of certificates to trust besides the usual ones, in PEM form. */
  readonly authorities?: string | undefined;
  /** Registries that may be spoken to over plain http, besides this machine. */
  readonly plainRegistries?: readonly string[];
  /** Told of every proxy once, when a request is to go through it. */
  readonly onProxy?: ((proxy: Proxy) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told of every request: redirects, token exchanges and repetitions too. */
  readonly onRequest?: ((request: RequestRecord) => void) | undefined;
  /** Told of every wait before a repetition. */
  readonly onRetry?: ((notice: RetryNotice) => void) | undefined;
  readonly clock?: Clock | undefined;
  /** How often a request is tried in all; 5 when absent. */
  readonly attempts?: number | undefined;
  /** Until a connection is there, TLS included; 15 s when absent. */
  readonly connectTimeoutMs?: number | undefined;
  /** The longest silence on a connection; 60 s when absent. */
  readonly idleTimeoutMs?: number | undefined;
  /** From a request to the end of its answer, content that is streamed either way aside; 60 s when absent. */
  readonly answerTimeoutMs?: number | undefined;
}

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** The `Authorization` header: for the origin of `url` only, dropped by a redirect that leaves it. */
  readonly authorization?: string | undefined;
  readonly payload?: Payload;
  /** The longest answer that is taken into memory; 1 MiB when absent. A longer one is RegistryError TOO_LARGE. */
  readonly limitBytes?: number;
  /** Leaves the content of a successful answer in `stream`. */
  readonly streamed?: boolean;
  /** Statuses that are an answer here, although they may pass. */
  readonly answers?: readonly number[];
}

/** The answer at the end of all redirects. */
export interface Answer {
  readonly method: string;
  /** Where it came from in the end. */
  readonly url: URL;
  /** Where it may point over plain http. */
  readonly plainHosts: PlainHosts;
  readonly status: number;
  /** A header's value, by its name in lower case; repeated headers are joined by commas. */
  header(name: string): string | undefined;
  /** The whole content; of an error the first 64 KiB. */
  readonly body: Uint8Array;
  /** The content in pieces, when the request was `streamed` and succeeded. A cut is a NetworkError. */
  readonly stream: AsyncIterable<Uint8Array> | undefined;
}

/** The one way to a registry: nothing else makes requests. */
export interface Transport {
  /**
   * Makes the request once and follows its redirects. A cut connection and the statuses 408, 425, 429 and 5xx are failures
   * that may pass; every other status is an answer. Throws a RegistryError that no repetition cures.
   */
  attempt(request: HttpRequest): Promise<Attempt<Answer>>;
  /** How a failure that may pass is to be repeated. */
  readonly rules: RetryRules;
  /** Closes idle connections, so that the process can end. */
  close(): void;
}

const MAX_REDIRECTS = 5;
const MAX_ERROR_BYTES = 64 * 1024;
const DEFAULT_LIMIT_BYTES = 1024 * 1024;
const DEFAULT_ATTEMPTS = 5;
const DEFAULT_CONNECT_TIMEOUT_MS = 15_000;
const DEFAULT_IDLE_TIMEOUT_MS = 60_000;
const DEFAULT_ANSWER_TIMEOUT_MS = 60_000;

/** Opens the way to registries; no connection is made before the first request. UsageError when a proxy makes no sense. */
export function createTransport(settings: TransportSettings = {}): Transport {
  const { onRequest, onRetry, onProxy, clock = systemClock, env = {}, authorities } = settings;
  const answerTimeoutMs = settings.answerTimeoutMs ?? DEFAULT_ANSWER_TIMEOUT_MS;
  const proxies = readProxies(env);
  if (proxies.problems.length > 0) throw new UsageError(proxies.problems);
  // What another request's failure has left over must not go on, nor be tried again, once nobody waits for it.
  const closing = new AbortController();
  const signal = settings.signal === undefined ? closing.signal : AbortSignal.any([settings.signal, closing.signal]);
  // Of many images, many wait at once before they ask again; Node would warn of a leak on standard error.
  setMaxListeners(0, signal);
  const wire = openWire({
    signal,
    proxies,
    trust: openTrust({ authorities, env }),
    onProxy,
    connectTimeoutMs: settings.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
    idleTimeoutMs: settings.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS,
  });
  const line = { wire, onRequest, answerTimeoutMs, plainHosts: plainHosts(settings.plainRegistries ?? []) };
  return {
    rules: { clock, signal, onRetry, attempts: settings.attempts ?? DEFAULT_ATTEMPTS },
    async attempt(request) {
      try {
        const answer = await follow(line, request);
        if (!isPassing(answer.status) || request.answers?.includes(answer.status)) return { value: answer };
        return {
          failure: answerFailure(answer),
          retryAfterMs:
            parseRetryAfter(answer.header('retry-after'), clock.now()) ??
            parseRetryTime(answer.header('x-retry-after'), clock.now()),
        };
      } catch (cause) {
        if (!(cause instanceof NetworkError)) throw cause;
        const { error, passing } = connectionFailure(request, cause.cause, cause.proxy);
        if (passing) return { failure: error };
        throw error;
      }
    },
    close() {
      closing.abort();
      wire.close();
    },
  };
}

/** Too busy, too early, or broken for now: RFC 9110, RFC 6585, RFC 8470. What is not implemented stays so. */
function isPassing(status: number): boolean {
  return [408, 425, 429].includes(status) || (status >= 500 && status !== 501 && status !== 505);
}

interface Line {
  readonly wire: Wire;
  readonly onRequest: ((request: RequestRecord) => void) | undefined;
  readonly answerTimeoutMs: number;
  readonly plainHosts: PlainHosts;
}

async function follow(line: Line, first: HttpRequest): Promise<Answer> {
  let request = first;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
    const arrival = await exchange(line, request);
    const target = redirectOf({ ...request, plainHosts: line.plainHosts }, arrival);
    if (target === undefined) return await answerOf({ ...request, plainHosts: line.plainHosts }, arrival, line);
    await readBriefly(arrival, line);
    const authorization = target.origin === request.url.origin ? request.authorization : undefined;
    request = { ...request, url: target, authorization };
  }
  throw requestFailure('UNEXPECTED_ANSWER', first, `the registry redirected more than ${MAX_REDIRECTS} times`);
}

async function exchange({ wire, onRequest, answerTimeoutMs }: Line, request: HttpRequest): Promise<Arrival> {
  const { method, url, authorization, payload } = request;
  const headers = {
    'user-agent': 'build-once',
    ...request.headers,
    ...(authorization === undefined ? {} : { authorization }),
  };
  const record = { method, url: publicUrl(url) };
  try {
    const deadlineMs = takesItsTime(request) ? undefined : answerTimeoutMs;
    const arrival = await wire.exchange({ method, url, headers, payload, deadlineMs });
    onRequest?.({ ...record, status: arrival.message.statusCode });
    return arrival;
  } catch (error) {
    onRequest?.({ ...record, status: undefined });
    throw error;
  }
}

/** Content of any size passes; where it stands still is seen by the silence. */
function takesItsTime({ streamed, payload }: HttpRequest): boolean {
  return streamed === true || typeof payload?.content === 'function';
}

/** Where the answer redirects to. Only 307 and 308 keep a method that writes (RFC 9110, 15.4). */
function redirectOf(request: HttpRequest & Pick<Answer, 'plainHosts'>, { message }: Arrival): URL | undefined {
  const status = message.statusCode ?? 0;
  const reads = request.method === 'GET' || request.method === 'HEAD';
  const redirects = status === 307 || status === 308 || (reads && [301, 302, 303].includes(status));
  const location = message.headers.location;
  if (!redirects || location === undefined) return undefined;
  const target = resolveLocation(location, request);
  if (request.method === 'POST' && request.payload !== undefined && target.origin !== request.url.origin) {
    // It may hold a refresh token.
    throw requestFailure('UNEXPECTED_ANSWER', request, `the registry redirected a form to ${quote(target.origin)}`);
  }
  return target;
}

/** What comes with an error or a redirect; content that may take its time is not among it. */
async function readBriefly(arrival: Arrival, { answerTimeoutMs }: Line): Promise<Uint8Array> {
  const late = Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' });
  const timer = setTimeout(() => arrival.message.destroy(late), answerTimeoutMs);
  try {
    return await readUpTo(arrival, MAX_ERROR_BYTES);
  } finally {
    clearTimeout(timer);
  }
}

async function answerOf(
  request: HttpRequest & Pick<Answer, 'plainHosts'>,
  arrival: Arrival,
  line: Line,
): Promise<Answer> {
  const { method, url, plainHosts } = request;
  const { message } = arrival;
  const status = message.statusCode ?? 0;
  const head = { method, url, plainHosts, status, header: (name: string) => headerOf(message, name) };
  const succeeded = status >= 200 && status < 300;
  if (!succeeded) return { ...head, body: await readBriefly(arrival, line), stream: undefined };
  if (request.streamed) return { ...head, body: new Uint8Array(), stream: contentOf(arrival) };
  const limitBytes = request.limitBytes ?? DEFAULT_LIMIT_BYTES;
  const announcedBytes = method === 'HEAD' ? 0 : Number(headerOf(message, 'content-length') ?? 0);
  if (announcedBytes <= limitBytes) {
    const body = await readUpTo(arrival, limitBytes + 1);
    if (body.length <= limitBytes) return { ...head, body, stream: undefined };
  }
  message.destroy();
  throw requestFailure('TOO_LARGE', request, `the answer is larger than ${limitBytes} bytes`, { status });
}

function headerOf(message: Arrival['message'], name: string): string | undefined {
  const value = message.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
