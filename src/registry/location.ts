import { quote } from '../core/printable.ts';
import { isLoopback } from '../core/reference.ts';
import { type FailedRequest, requestFailure } from './failure.ts';

/**
 * Resolves what a registry pointed at (`Location`, `Link`, a token realm) against the URL that was asked. Only https is
 * taken, or http from a loopback registry to loopback, so that no registry can send us to services of this machine.
 * Credentials in it are dropped. RegistryError UNEXPECTED_ANSWER or PLAIN_HTTP_REFUSED.
 */
export function resolveLocation(text: string, request: FailedRequest): URL {
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
  const allowed =
    url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.host) && isLoopback(request.url.host));
  if (allowed) return url;
  throw requestFailure(
    'PLAIN_HTTP_REFUSED',
    request,
    `the registry pointed to ${quote(url.origin)}, which is not https`,
  );
}
