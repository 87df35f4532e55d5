import { quote } from '../core/printable.ts';
import { isLoopback } from '../core/reference.ts';
import { type FailedRequest, requestFailure } from './failure.ts';

/** Hosts that the user lets us speak plain http to, as in `URL.host`; this machine needs no such leave. */
export type PlainHosts = ReadonlySet<string>;

/** These registries as hosts of http URLs, which say nothing of port 80. */
export function plainHosts(registries: readonly string[]): PlainHosts {
  return new Set(registries.map((registry) => new URL(`http://${registry}`).host));
}

/**
 * Resolves what a registry pointed at (`Location`, `Link`, a token realm) against the URL that was asked. Only https is
 * taken, http to `plainHosts`, or http from a loopback registry to loopback, so that no registry can send us to services of
 * this machine. Credentials in it are dropped. RegistryError UNEXPECTED_ANSWER or PLAIN_HTTP_REFUSED.
 */
export function resolveLocation(text: string, request: FailedRequest & { readonly plainHosts?: PlainHosts }): URL {
  let url: URL;
  try {
    url = new URL(text, request.url);
  } catch (cause) {
    throw requestFailure('UNEXPECTED_ANSWER', request, `the registry pointed to ${quote(text)}, which is no URL`, {
      cause,
    });
  }
  url.username = '';
  url.password = '';
  url.hash = '';
  const isPlain = isLoopback(url.host) ? isLoopback(request.url.host) : request.plainHosts?.has(url.host) === true;
  const allowed = url.protocol === 'https:' || (url.protocol === 'http:' && isPlain);
  if (allowed) return url;
  throw requestFailure(
    'PLAIN_HTTP_REFUSED',
    request,
    `the registry pointed to ${quote(url.origin)}, which is not https`,
    { hint: `If it has to be so, name ${quote(url.host)} in registry-insecure.` },
  );
}
