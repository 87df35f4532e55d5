import { quote, toLine } from '../core/printable.ts';
import { RegistryError, type RegistryErrorDetails, type RegistryErrorEntry } from '../errors.ts';
import { parseErrorEntries } from '../oci/parse.ts';

/** What failed: enough to name it, nothing secret. */
export interface FailedRequest {
  readonly method: string;
  readonly url: URL;
}

export interface FailedAnswer extends FailedRequest {
  readonly status: number;
  /** As far as it was read. */
  readonly body: Uint8Array;
}

/** distribution-spec v1.1.1, "Error Codes". */
const SPECIFIED_CODES = new Set(
  (
    'BLOB_UNKNOWN BLOB_UPLOAD_INVALID BLOB_UPLOAD_UNKNOWN DIGEST_INVALID MANIFEST_BLOB_UNKNOWN MANIFEST_INVALID ' +
    'MANIFEST_UNKNOWN NAME_INVALID NAME_UNKNOWN SIZE_INVALID UNAUTHORIZED DENIED UNSUPPORTED TOOMANYREQUESTS'
  ).split(' '),
);
const CODES: Readonly<Record<number, string>> = {
  401: 'UNAUTHORIZED',
  403: 'DENIED',
  404: 'NAME_UNKNOWN',
  405: 'UNSUPPORTED',
  413: 'TOO_LARGE',
  429: 'TOOMANYREQUESTS',
  501: 'UNSUPPORTED',
};
const NETWORK_CODES: Readonly<Record<string, string>> = { ABORT_ERR: 'ABORTED', ETIMEDOUT: 'TIMED_OUT' };
const NETWORK_REASONS: Readonly<Record<string, string>> = {
  ABORT_ERR: 'the run was interrupted',
  EAI_AGAIN: 'the name server does not answer',
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  ENOTFOUND: 'there is no such host',
  ETIMEDOUT: 'there was no answer in time',
};
/** Names of errors of the network that another attempt may cure. */
const PASSING = new Set(
  'EAI_AGAIN ECONNABORTED ECONNREFUSED ECONNRESET EHOSTUNREACH ENETDOWN ENETUNREACH EPIPE ETIMEDOUT'.split(' '),
);
const MAX_URL_LENGTH = 300;

/** The URL as an error, a log or a counter may show it: without credentials and query. */
export function publicUrl(url: URL): string {
  return toLine(`${url.origin}${url.pathname}`, MAX_URL_LENGTH);
}

/**
 * A failure of a registry with the request that met it. `code` is of distribution-spec v1.1.1 where that has one, else
 * CONNECTION_FAILED, TIMED_OUT, ABORTED, TOO_LARGE, UNEXPECTED_ANSWER, UNAVAILABLE or PLAIN_HTTP_REFUSED.
 */
export function requestFailure(
  code: string,
  request: FailedRequest,
  problem: string,
  details: RegistryErrorDetails = {},
): RegistryError {
  const url = publicUrl(request.url);
  return new RegistryError(code, `${request.method} ${url}: ${problem}`, { method: request.method, url, ...details });
}

/** What to say of a 401, 403 or 404 besides. */
export interface Refusal {
  readonly hint: string;
  /** What to do when there is no such repository (404). */
  readonly creation?: string;
  /** That credentials were sent; `undefined` when none were. */
  readonly login: string | undefined;
}

/** The error for a status that is not what was hoped for, with the registry's own codes and words. */
export function answerFailure(answer: FailedAnswer, refusal?: Refusal): RegistryError {
  const { status } = answer;
  const entries: readonly RegistryErrorEntry[] = parseErrorEntries(answer.body).map(({ code, message }) => ({
    code,
    message: toLine(message, 300),
  }));
  const said = entries.map(({ code, message }) => (message === '' ? code : `${code} ${quote(message)}`)).join(', ');
  const code = entries.find((entry) => SPECIFIED_CODES.has(entry.code))?.code ?? codeOf(status);
  const refused = status === 401 || status === 403 ? refusal : undefined;
  const hint = status === 404 ? refusal?.creation : refused?.hint;
  const problem = [`the registry answered ${status}${said === '' ? '' : `, ${said}`}`, refused?.login];
  return requestFailure(code, answer, problem.filter((part) => part !== undefined).join(': '), {
    status,
    entries,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The error for a connection that failed, and whether another attempt may help. */
export function connectionFailure(request: FailedRequest, cause: unknown): { error: RegistryError; passing: boolean } {
  const name = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  const reason = NETWORK_REASONS[name] ?? (cause instanceof Error ? toLine(cause.message) : 'unknown reason');
  const problem = name === '' ? reason : `${reason} (${name})`;
  const hint = hintOfConnection(name);
  const error = requestFailure(NETWORK_CODES[name] ?? 'CONNECTION_FAILED', request, problem, {
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
  return { error, passing: PASSING.has(name) };
}

function codeOf(status: number): string {
  return CODES[status] ?? (status >= 500 ? 'UNAVAILABLE' : 'UNEXPECTED_ANSWER');
}

function hintOfConnection(name: string): string | undefined {
  if (name === 'ENOTFOUND') return "Check the spelling of the registry's name, and the network.";
  if (/WRONG_VERSION|PACKET_LENGTH|EPROTO/.test(name))
    return 'It seems to speak plain http, which is for loopback only.';
  if (!/CERT|SIGNED|TLS|SSL|VERIFY/.test(name)) return undefined;
  return "The registry's certificate is not trusted: name the file of its authority in NODE_EXTRA_CA_CERTS.";
}
