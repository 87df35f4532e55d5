import { type ClientRequest, Agent as HttpAgent, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { type Proxy, proxyRefused } from './proxies.ts';
import type { Trust } from './trust.ts';

export interface TunnelSettings {
  readonly signal: AbortSignal | undefined;
  /** Until the connection to the target is there: proxy, CONNECT and TLS together. */
  readonly connectTimeoutMs: number;
  readonly trust: Trust;
}

/** Connections through one proxy, kept open between requests for each target. The proxy resolves the targets' names. */
export interface Tunnel {
  /** Begins a request, as `http.request` does. The error for a proxy that does not let it pass has `status`, its answer. */
  start(
    url: URL,
    options: { readonly method: string; readonly headers: Readonly<Record<string, string>> },
  ): ClientRequest;
  /** Closes the connections that are idle. */
  close(): void;
}

/** Nothing is connected before the first request. BuildOnceError CERTIFICATES_INVALID, here and in `start`. */
export function openTunnel(proxy: Proxy, settings: TunnelSettings): Tunnel {
  const tls = proxy.url.protocol === 'https:' ? tlsOptions(proxy.url, settings.trust) : undefined;
  const request = tls === undefined ? requestHttp : requestHttps;
  const openAgent = (keepAlive: boolean): HttpAgent =>
    tls === undefined ? new HttpAgent({ keepAlive }) : new HttpsAgent({ keepAlive, ...tls });
  const plain = openAgent(true);
  const secure = new Map<string, HttpsAgent>();
  /** CONNECT, which leaves its connection to the target. */
  const beginConnect = (target: URL): ClientRequest => {
    const authority = `${target.hostname}:${target.port === '' ? '443' : target.port}`;
    const headers = { host: authority, ...credentialsOf(proxy) };
    return request(proxy.url, { method: 'CONNECT', path: authority, headers, agent: openAgent(false) });
  };
  return {
    start(url, { method, headers }) {
      if (url.protocol === 'https:') {
        const agent = secure.get(url.host) ?? tunnelAgent(() => beginConnect(url), url, settings);
        secure.set(url.host, agent);
        return requestHttps(url, { method, headers, agent });
      }
      // The proxy is to fetch it: it gets the whole URL (RFC 9112, 3.2.2).
      const path = `${url.origin}${url.pathname}${url.search}`;
      const toProxy = { host: url.host, ...headers, ...credentialsOf(proxy) };
      return request(proxy.url, { method, path, headers: toProxy, agent: plain });
    },
    close() {
      for (const agent of [plain, ...secure.values()]) agent.destroy();
    },
  };
}

function credentialsOf({ authorization }: Proxy): Readonly<Record<string, string>> {
  return authorization === undefined ? {} : { 'proxy-authorization': authorization.reveal() };
}

/** The connections to one target, each with TLS inside of what the proxy passes on. */
function tunnelAgent(beginConnect: () => ClientRequest, target: URL, settings: TunnelSettings): HttpsAgent {
  const agent = new HttpsAgent({ keepAlive: true });
  const tls = tlsOptions(target, settings.trust);
  agent.createConnection = (_options, callback) => {
    openSecure(beginConnect(), tls, settings).then(
      (socket) => callback?.(null, socket),
      // The type wants a stream even so; nobody looks at it.
      (error: unknown) => callback?.(error instanceof Error ? error : new Error('no tunnel'), new Duplex()),
    );
    return undefined;
  };
  return agent;
}

/** TLS with the target once CONNECT (RFC 9110, 9.3.6) is answered. Requests have no timeouts before they have a socket: here are theirs. */
function openSecure(outgoing: ClientRequest, tls: ConnectionOptions, settings: TunnelSettings): Promise<Duplex> {
  const { signal, connectTimeoutMs } = settings;
  return new Promise((resolve, reject) => {
    let current: { destroy(): unknown } = outgoing;
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    const fail = (error: Error): void => {
      settle();
      current.destroy();
      reject(error);
    };
    const failAs = (code: string, message: string) => (): void => fail(Object.assign(new Error(message), { code }));
    const onAbort = failAs('ABORT_ERR', 'interrupted');
    const timer = setTimeout(failAs('ETIMEDOUT', 'timed out'), connectTimeoutMs);
    signal?.addEventListener('abort', onAbort);
    outgoing.on('error', fail);
    outgoing.once('connect', ({ statusCode: status = 0 }, socket) => {
      current = socket;
      socket.on('error', fail);
      if (status < 200 || status > 299) {
        fail(proxyRefused(status));
        return;
      }
      const secure = connectTls({ ...tls, socket });
      current = secure;
      secure.on('error', fail);
      secure.once('secureConnect', () => {
        settle();
        resolve(secure);
      });
    });
    outgoing.end();
    if (signal?.aborted) onAbort();
  });
}

function tlsOptions(target: URL, trust: Trust): ConnectionOptions {
  const host = target.hostname.replace(/^\[|\]$/g, '');
  const secureContext = trust.contextFor(target);
  return {
    host,
    // Node would take the name from the header Host. An address is no name to ask for (RFC 6066, 3).
    servername: isIP(host) === 0 ? host : '',
    ALPNProtocols: ['http/1.1'],
    ...(secureContext === undefined ? {} : { secureContext }),
  };
}
