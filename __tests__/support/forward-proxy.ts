import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { listen } from './listen.ts';
import { relay } from './relay.ts';

/** What a client asked of the proxy. */
export interface ProxiedRequest {
  readonly method: string;
  /** `registry.test:443` of CONNECT, else the whole URL. */
  readonly target: string;
  readonly authorization: string | undefined;
}

export interface ForwardProxySettings {
  /** Where names lead, as `name:port` to `127.0.0.1:port`; all others are 502. Only the proxy can resolve them. */
  readonly routes: Readonly<Record<string, string>>;
  /** The `Proxy-Authorization` that it wants. */
  readonly authorization?: string;
  /** Instead of passing a request on: the status of the answer, `cut` or `silent`. */
  readonly fault?: (request: ProxiedRequest, index: number) => number | 'cut' | 'silent' | undefined;
  /** Key and certificate of a proxy over TLS. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** A proxy as companies have it: whole URLs for http, CONNECT for https. */
export interface ForwardProxy {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  readonly requests: readonly ProxiedRequest[];
  /** The clients' connections that CONNECT was asked on, while they are open. */
  readonly tunnels: ReadonlySet<Duplex>;
  close(): Promise<void>;
}

export async function startForwardProxy(settings: ForwardProxySettings): Promise<ForwardProxy> {
  const requests: ProxiedRequest[] = [];
  const tunnels = new Set<Duplex>();
  /** The status to refuse with; `undefined` when the request may pass, or nobody gets an answer. */
  const judge = (incoming: IncomingMessage, socket: Duplex): number | 'none' | undefined => {
    const { method = '', url: target = '', headers } = incoming;
    const seen = { method, target, authorization: headers['proxy-authorization'] };
    requests.push(seen);
    const fault = settings.fault?.(seen, requests.length - 1);
    if (fault === 'cut') socket.destroy();
    if (fault === 'cut' || fault === 'silent') return 'none';
    if (settings.authorization !== undefined && seen.authorization !== settings.authorization) return 407;
    return fault;
  };
  const forward: RequestListener = (incoming, answer) => {
    const refused = judge(incoming, incoming.socket);
    if (refused === 'none') return;
    const target = URL.canParse(incoming.url ?? '') ? new URL(incoming.url ?? '') : undefined;
    const route = target && settings.routes[`${target.hostname}:${target.port || '80'}`];
    if (refused !== undefined || target === undefined || route === undefined) {
      answer.writeHead(refused ?? 502, { 'proxy-authenticate': 'Basic realm="proxy"' }).end('refused');
    } else {
      const { 'proxy-authorization': _, ...headers } = incoming.headers;
      const [hostname, port] = route.split(':');
      relay(incoming, answer, { hostname, port, path: `${target.pathname}${target.search}`, headers });
    }
  };
  const server = settings.tls === undefined ? createServer(forward) : createTlsServer(settings.tls, forward);
  server.on('connect', (incoming: IncomingMessage, socket: Duplex) => {
    tunnels.add(socket);
    socket.on('close', () => tunnels.delete(socket));
    socket.on('error', () => undefined);
    const refused = judge(incoming, socket);
    if (refused === 'none') return;
    const route = settings.routes[incoming.url ?? ''];
    if (refused !== undefined || route === undefined) {
      socket.end(`HTTP/1.1 ${refused ?? 502} Refused\r\nContent-Length: 0\r\n\r\n`);
    } else tunnel(socket, route);
  });
  return {
    url: `${settings.tls === undefined ? 'http' : 'https'}://${await listen(server)}`,
    requests,
    tunnels,
    close: async () => {
      for (const socket of tunnels) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function tunnel(socket: Duplex, route: string): void {
  const [host = '', port] = route.split(':');
  const target = connect(Number(port), host, () => {
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    socket.pipe(target).pipe(socket);
  });
  target.on('error', () => socket.destroy());
  socket.on('close', () => target.destroy());
}
