import { quote, toLine } from '../core/printable.ts';
import { isRegistryError, RegistryError, type RegistryErrorDetails, type RegistryErrorEntry } from '../errors.ts';
import { parseErrorEntries } from '../oci/parse.ts';
import type { Proxy } from './proxies.ts';

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
  EHOSTUNREACH: 'there is no way to that host',
  EPIPE: 'the connection was cut',
  ENOTFOUND: 'there is no such host',
  ETIMEDOUT: 'there was no answer in time',
};
/** There was no connection at all: with a proxy it is the proxy that was not reached. */
const UNREACHED = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH']);
/** Names of errors of the network that another attempt may cure. */
const PASSING = new Set(
  'EAI_AGAIN ECONNABORTED ECONNREFUSED ECONNRESET EHOSTUNREACH ENETDOWN ENETUNREACH EPIPE ETIMEDOUT'.split(' '),
);
/** OpenSSL's own text is long, and it is the cause that is told after. */
const TLS_FAILURE = /^(?:EPROTO|ERR_SSL_)/;
const MAX_URL_LENGTH = 300;

/** The URL as an error, a log or a counter may show it: without credentials and query. */
export function publicUrl(url: URL): string {
  return toLine(`${url.origin}${url.pathname}`, MAX_URL_LENGTH);
}

/**
 * A failure of a registry with the request that met it. `code` is of distribution-spec v1.1.1 where that has one, else
 * CONNECTION_FAILED, TIMED_OUT, ABORTED, TOO_LARGE, UNEXPECTED_ANSWER, UNAVAILABLE, PLAIN_HTTP_REFUSED or PROXY_REFUSED.
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
  const hint = wantsTls(answer) ? TLS_HINT : status === 404 ? refusal?.creation : refused?.hint;
  const problem = [`the registry answered ${status}${said === '' ? '' : `, ${said}`}`, refused?.login];
  return requestFailure(code, answer, problem.filter((part) => part !== undefined).join(': '), {
    status,
    entries,
    ...(hint === undefined ? {} : { hint }),
  });
}

const TLS_HINT = 'It speaks https there: leave it out of registry-insecure.';

/** Servers for https answer a request in plain http so: Go's and nginx. */
export function wantsTls({ url, status, body }: FailedAnswer): boolean {
  return (
    url.protocol === 'http:' && status === 400 && /to (?:an )?HTTPS (?:server|port)/.test(Buffer.from(body).toString())
  );
}

/** The error for a connection that failed, through `proxy` where there was one, and whether another attempt may help. */
export function connectionFailure(
  request: FailedRequest,
  cause: unknown,
  proxy?: Proxy,
): { error: RegistryError; passing: boolean } {
  const name = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  const known = TLS_FAILURE.test(name) ? 'the two could not agree on a TLS connection' : NETWORK_REASONS[name];
  const reason = known ?? (cause instanceof Error ? toLine(cause.message) : 'unknown reason');
  const status = cause instanceof Error && 'status' in cause ? Number(cause.status) : 0;
  if (proxy !== undefined && name === 'PROXY_REFUSED') return proxyRefusal(request, proxy, status);
  const through = proxy === undefined ? '' : `through the proxy ${describeProxy(proxy)}: `;
  const problem = `${through}${name === '' ? reason : `${reason} (${name})`}`;
  const hint = hintOfConnection(name, proxy);
  const error = requestFailure(NETWORK_CODES[name] ?? 'CONNECTION_FAILED', request, problem, {
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
  return { error, passing: PASSING.has(name) };
}

function codeOf(status: number): string {
  return CODES[status] ?? (status >= 500 ? 'UNAVAILABLE' : 'UNEXPECTED_ANSWER');
}

/** The proxy as a message may show it, with the variable that is to be changed. */
export function describeProxy({ url, variable }: Proxy): string {
  return `${toLine(url.origin, MAX_URL_LENGTH)} (${variable})`;
}

function proxyRefusal(
  request: FailedRequest,
  proxy: Proxy,
  status: number,
): { error: RegistryError; passing: boolean } {
  const { authorization, variable } = proxy;
  const given = authorization === undefined ? 'it got none' : 'it does not take those that it got';
  const why = status === 407 ? `wants credentials, and ${given}` : 'does not let the request pass';
  const hint =
    status === 407
      ? `Put them into ${variable}: http://USER:PASSWORD@HOST:PORT, special characters percent-encoded.`
      : `Let the proxy pass ${toLine(request.url.host, MAX_URL_LENGTH)}, or name that host in NO_PROXY.`;
  const problem = `the proxy ${describeProxy(proxy)} ${why}: it answered ${status}`;
  const error = requestFailure('PROXY_REFUSED', request, problem, { hint });
  return { error, passing: status === 429 || status >= 500 };
}

function hintOfConnection(name: string, proxy: Proxy | undefined): string | undefined {
  if (name === 'ENOTFOUND') {
    const whose = proxy === undefined ? "registry's name" : `proxy's name in ${proxy.variable}`;
    return `Check the spelling of the ${whose}, and the network.`;
  }
  if (UNREACHED.has(name) && proxy !== undefined)
    return `Does the proxy run? ${proxy.variable} has its address; a host that needs no proxy belongs in NO_PROXY.`;
  if (name === 'ECONNREFUSED') return 'Nothing listens there: check host and port, and that the registry runs.';
  if (/WRONG_VERSION|PACKET_LENGTH|EPROTO/.test(name))
    return 'It seems to speak plain http: a host that may is named in registry-insecure.';
  if (/CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/.test(name))
    return 'Its certificate is out of date: renew it, or set the clock of this machine.';
  if (/ALTNAME/.test(name))
    return 'Its certificate is for other names: use one of them, or have it issued for this one.';
  if (/HANDSHAKE|CERTIFICATE_REQUIRED|BAD_CERTIFICATE/.test(name))
    return "It may want a certificate of ours: put NAME.cert and NAME.key into Docker's folder certs.d.";
  if (!/CERT|SIGNED|TLS|SSL|VERIFY/.test(name)) return undefined;
  return 'Its certificate is not trusted: give the file of its authority (PEM) as registry-ca.';
}

/** How registries refuse a manifest whose blobs they do not have. */
const LOST_BLOB = new Set(['MANIFEST_BLOB_UNKNOWN', 'BLOB_UNKNOWN']);

/** Whether a registry has refused a manifest because it has not, or has no more, what the manifest names. */
export function lacksBlob(error: unknown): boolean {
  if (!isRegistryError(error)) return false;
  return [error.code, ...error.entries.map(({ code }) => code)].some((code) => LOST_BLOB.has(code));
}
