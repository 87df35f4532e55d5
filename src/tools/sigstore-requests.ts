import { parseJson, textAt } from '../core/json.ts';
import { quote, toLine } from '../core/printable.ts';
import { isLoopback } from '../core/reference.ts';
import { BuildOnceError, isRegistryError } from '../errors.ts';
import { retry } from '../registry/retry.ts';
import type { Answer, HttpRequest, Transport } from '../registry/transport.ts';

/** A service of Sigstore, and how a message names it. */
export interface Service {
  readonly title: string;
  readonly url: URL;
}

/** What a service is asked. */
export interface ServiceRequest {
  readonly method: 'GET' | 'POST';
  /** JSON. */
  readonly body?: unknown;
  /** The `Authorization` header. */
  readonly authorization?: string;
  /** Statuses besides 2xx that the caller understands. */
  readonly understood?: readonly number[];
}

const MAX_ANSWER_BYTES = 4 << 20;

/**
 * Asks a service, with the retries of the transport. BuildOnceError `SIGN_REFUSED` with what the service says about a request
 * that it does not take, `SIGN_UNAVAILABLE` when no answer comes, `SIGN_CONFIG_INVALID` for plain http to another machine.
 */
export async function askService(transport: Transport, service: Service, request: ServiceRequest): Promise<Answer> {
  const { title, url } = service;
  if (url.protocol !== 'https:' && !isLoopback(url.host)) {
    throw new BuildOnceError('SIGN_CONFIG_INVALID', `${title} is at ${shown(url)}: only https is used`, 1, {
      hint: 'Name it with https:// in the file of sigstore-signing-config.',
    });
  }
  const answer = await exchange(transport, service, request);
  const isFine = answer.status >= 200 && answer.status < 300;
  if (isFine || request.understood?.includes(answer.status) === true) return answer;
  const message = textAt(parseJson(Buffer.from(answer.body).toString()), 'message') ?? '';
  const said = message === '' ? '' : `: ${quote(message)}`;
  throw new BuildOnceError('SIGN_REFUSED', `${title} at ${shown(url)} answered ${answer.status}${said}`, 1, {
    hint: 'See whether the service takes tokens of this issuer, and whether sigstore-signing-config names the right one.',
  });
}

/** The JSON of an answer; BuildOnceError `SIGN_ANSWER_INVALID` when it is none. */
export function jsonOf({ title, url }: Service, answer: Answer): unknown {
  const json = parseJson(Buffer.from(answer.body).toString());
  if (json === undefined) throw invalidAnswer({ title, url }, 'it is not JSON');
  return json;
}

/** BuildOnceError `SIGN_ANSWER_INVALID`. */
export function invalidAnswer({ title, url }: Service, problem: string, cause?: unknown): BuildOnceError {
  return new BuildOnceError('SIGN_ANSWER_INVALID', `the answer of ${title} at ${shown(url)}: ${problem}`, 1, {
    hint: 'Something else may listen there: check the addresses in sigstore-signing-config, and proxies on the way.',
    cause,
  });
}

async function exchange(transport: Transport, { title, url }: Service, request: ServiceRequest): Promise<Answer> {
  const content = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
  const http: HttpRequest = {
    method: request.method,
    url,
    headers: {
      accept: 'application/json',
      ...(content === undefined ? {} : { 'content-type': 'application/json' }),
    },
    authorization: request.authorization,
    ...(content === undefined ? {} : { payload: { content, sizeBytes: content.length } }),
    limitBytes: MAX_ANSWER_BYTES,
  };
  try {
    return await retry(transport.rules, () => transport.attempt(http));
  } catch (cause) {
    if (!isRegistryError(cause) || cause.code === 'ABORTED') throw cause;
    const why = cause.status === undefined ? reasonOf(cause.message) : `it answered ${cause.status}`;
    throw new BuildOnceError('SIGN_UNAVAILABLE', `${title} at ${shown(url)} could not be asked: ${why}`, 1, {
      hint: cause.hint ?? 'Run this job again; see https://status.sigstore.dev for the public services.',
      cause,
    });
  }
}

/** Behind the request that the message of the transport begins with. */
function reasonOf(message: string): string {
  return toLine(message.replace(/^[A-Z]+ \S+: /, ''), 300);
}

function shown(url: URL): string {
  return toLine(`${url.origin}${url.pathname}`, 200);
}
