import { type ClientRequest, Agent as HttpAgent, request as requestHttp } from 'node:http';
import { type AgentOptions, Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { Proxy } from './proxies.ts';
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

/** Nothing is connected before the first request. */
export function openTunnel(proxy: Proxy, settings: TunnelSettings): Tunnel {
  const overTls = proxy.url.protocol === 'https:';
  const request = overTls ? requestHttps : requestHttp;
  const plain = overTls ? new HttpsAgent(agentOptions(proxy.url, settings)) : new HttpAgent({ keepAlive: true });
  const secure = new Map<string, HttpsAgent>();
  return {
    start(url, { method, headers }) {
      if (url.protocol === 'https:') {
        const agent = secure.get(url.host) ?? tunnelAgent(proxy, url, settings);
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

function agentOptions(target: URL, settings: TunnelSettings): AgentOptions {
  return { keepAlive: true, ...tlsOptions(target, settings) };
}

function credentialsOf({ authorization }: Proxy): Readonly<Record<string, string>> {
  return authorization === undefined ? {} : { 'proxy-authorization': authorization.reveal() };
}

/** The connections to one target, each with TLS inside of what the proxy passes on. */
function tunnelAgent(proxy: Proxy, target: URL, settings: TunnelSettings): HttpsAgent {
  const agent = new HttpsAgent({ keepAlive: true });
  agent.createConnection = (_options, callback) => {
    connectThrough(proxy, target, settings).then(
      (socket) => callback?.(null, socket),
      // The type wants a stream even so; nobody looks at it.
      (error: unknown) => callback?.(error instanceof Error ? error : new Error('no tunnel'), new Duplex()),
    );
    return undefined;
  };
  return agent;
}

/** CONNECT (RFC 9110, 9.3.6), then TLS with the target. An agent hears of timeouts only once it has the socket: we see to them. */
function connectThrough(proxy: Proxy, target: URL, settings: TunnelSettings): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const state: { current?: { destroy(): unknown } } = {};
    const fail = (error: Error): void => {
      settle();
      state.current?.destroy();
      reject(error);
    };
    const failAs = (code: string, message: string) => (): void => fail(Object.assign(new Error(message), { code }));
    const onAbort = failAs('ABORT_ERR', 'interrupted');
    const timer = setTimeout(failAs('ETIMEDOUT', 'timed out'), settings.connectTimeoutMs);
    const settle = (): void => {
      clearTimeout(timer);
      settings.signal?.removeEventListener('abort', onAbort);
    };
    settings.signal?.addEventListener('abort', onAbort);
    if (settings.signal?.aborted) onAbort();
    const outgoing = beginConnect(proxy, target, settings);
    state.current = outgoing;
    outgoing.on('error', fail);
    // Some proxies answer with content, which is no tunnel either.
    outgoing.once('response', (message) => fail(refusal(message.statusCode ?? 0)));
    outgoing.once('connect', (message, socket) => {
      state.current = socket;
      socket.on('error', fail);
      const status = message.statusCode ?? 0;
      if (status < 200 || status > 299) {
        fail(refusal(status));
        return;
      }
      const secure = connectTls({ socket, ...tlsOptions(target, settings) });
      state.current = secure;
      secure.on('error', fail);
      secure.once('secureConnect', () => {
        settle();
        resolve(secure);
      });
    });
    outgoing.end();
  });
}

function beginConnect(proxy: Proxy, target: URL, settings: TunnelSettings): ClientRequest {
  const authority = `${target.hostname}:${target.port === '' ? '443' : target.port}`;
  const options = { method: 'CONNECT', path: authority, headers: { host: authority, ...credentialsOf(proxy) } };
  if (proxy.url.protocol !== 'https:') return requestHttp(proxy.url, { ...options, agent: new HttpAgent() });
  const agent = new HttpsAgent({ ...agentOptions(proxy.url, settings), keepAlive: false });
  return requestHttps(proxy.url, { ...options, agent });
}

function tlsOptions(target: URL, { trust }: TunnelSettings) {
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

function refusal(status: number): Error {
  return Object.assign(new Error('the proxy refused'), { code: 'PROXY_REFUSED', status });
}
