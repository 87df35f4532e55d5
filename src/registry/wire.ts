import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import type { SecureContext } from 'node:tls';
import { RegistryError } from '../errors.ts';
import { type Proxies, type Proxy, proxyRefused } from './proxies.ts';
import type { Body } from './repository.ts';
import type { Trust } from './trust.ts';
import type { Tunnel, TunnelSettings } from './tunnel.ts';

/** What a request carries. */
export interface Payload {
  readonly content: Body;
  readonly sizeBytes: number;
}

/** One request, before redirects and repetitions. */
export interface WireRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: Payload | undefined;
  /** From now to the end of the answer; `undefined` for as long as it takes. */
  readonly deadlineMs: number | undefined;
}

export interface WireSettings {
  readonly signal: AbortSignal | undefined;
  /** Until the connection is there, TLS included. */
  readonly connectTimeoutMs: number;
  /** The longest silence on a connection. */
  readonly idleTimeoutMs: number;
  readonly proxies: Proxies;
  readonly trust: Trust;
  /** Told of every proxy once, when a request is to go through it. */
  readonly onProxy: ((proxy: Proxy) => void) | undefined;
}

/** The head of an answer, whose content is still to be read. */
export interface Arrival {
  readonly message: IncomingMessage;
  /** What it came through. */
  readonly proxy: Proxy | undefined;
}

/** Connections to http and https servers, kept open between requests. */
export interface Wire {
  /** Sends the request and resolves with the head of the answer. NetworkError, or what reading the payload threw. */
  exchange(request: WireRequest): Promise<Arrival>;
  /** Closes the connections that are idle. */
  close(): void;
}

/** The network failed, as opposed to what was sent or asked; `cause` says how. */
export class NetworkError extends Error {
  /** What the request went through. */
  readonly proxy: Proxy | undefined;

  constructor(message: string, details: { readonly cause: unknown; readonly proxy?: Proxy | undefined }) {
    super(message, { cause: details.cause });
    this.proxy = details.proxy;
  }
}

export function openWire(settings: WireSettings): Wire {
  const direct = openDirect(settings.trust);
  const tunnels = new Map<Proxy, Promise<Tunnel>>();
  const running = new Set<() => void>();
  // One for all requests: a listener that was taken away still leads to the next one, so that with one for each the garbage of
  // every request since would be kept by that of the first.
  settings.signal?.addEventListener('abort', () => running.forEach((cut) => cut()), { once: true });
  const tunnelThrough = (proxy: Proxy): Promise<Tunnel> => {
    const known = tunnels.get(proxy);
    if (known !== undefined) return known;
    settings.onProxy?.(proxy);
    const opening = loadTunnel(proxy, settings);
    tunnels.set(proxy, opening);
    return opening;
  };
  return {
    async exchange(request) {
      const proxy = settings.proxies.for(request.url);
      const line = proxy === undefined ? direct : await tunnelThrough(proxy);
      const outgoing = line.start(request.url, { method: request.method, headers: headersOf(request) });
      const message = await exchange(outgoing, request, { ...settings, proxy, running });
      if (proxy === undefined || message.statusCode !== 407) return { message, proxy };
      message.destroy();
      throw new NetworkError('no answer', { cause: proxyRefused(407), proxy });
    },
    close() {
      direct.close();
      for (const tunnel of tunnels.values()) {
        tunnel.then(
          (opened) => opened.close(),
          // Whoever wanted it has the error.
          () => undefined,
        );
      }
    },
  };
}

/** A bundle of its own: most runs have no proxy. */
async function loadTunnel(proxy: Proxy, settings: TunnelSettings): Promise<Tunnel> {
  const { openTunnel } = await import(/* webpackIgnore: true */ './tunnel.ts');
  return openTunnel(proxy, settings);
}

/** Connections that go straight to the server. */
function openDirect(trust: Trust): Tunnel {
  const http = new HttpAgent({ keepAlive: true });
  const https = new Map<SecureContext | undefined, HttpsAgent>();
  return {
    start(url, options) {
      if (url.protocol !== 'https:') return requestHttp(url, { ...options, agent: http });
      // Loaded when needed: TLS reads every root certificate, which a registry on this machine has no use for.
      const module = process.getBuiltinModule('node:https');
      const secureContext = trust.contextFor(url);
      const tls = secureContext === undefined ? {} : { secureContext };
      const agent = https.get(secureContext) ?? new module.Agent({ keepAlive: true, ...tls });
      https.set(secureContext, agent);
      return module.request(url, { ...options, agent });
    },
    close() {
      for (const agent of [http, ...https.values()]) agent.destroy();
    },
  };
}

/** The content in pieces; a cut is a NetworkError. */
export async function* contentOf({ message, proxy }: Arrival): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of message) yield chunk;
  } catch (cause) {
    throw new NetworkError('the answer was cut', { cause, proxy });
  }
}

/** At most this many bytes of the content; the connection is closed when there is more. */
export async function readUpTo(arrival: Arrival, limitBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of contentOf(arrival)) {
    chunks.push(chunk);
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, limitBytes);
}

function headersOf({ method, headers, payload }: WireRequest): Record<string, string> {
  const sizeBytes = payload?.sizeBytes ?? (method === 'POST' || method === 'PUT' ? 0 : undefined);
  return { ...headers, ...(sizeBytes === undefined ? {} : { 'content-length': String(sizeBytes) }) };
}

function exchange(
  outgoing: ClientRequest,
  { payload, deadlineMs }: WireRequest,
  settings: Guarded & { readonly proxy: Proxy | undefined },
): Promise<IncomingMessage> {
  const state = { answered: false };
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void => reject(new NetworkError('no answer', { cause, proxy: settings.proxy }));
    outgoing.on('error', fail);
    // Not every end is an error: after a switch of protocols (RFC 9110, 15.2.2) nothing else is heard of the connection.
    outgoing.once('close', () => fail(Object.assign(new Error('no answer'), { code: 'ECONNRESET' })));
    outgoing.once('response', (message) => {
      state.answered = true;
      // Whoever reads it learns of the error; while nobody does, it must not end the process.
      message.on('error', () => undefined);
      // An answer that came before the whole payload was sent leaves a connection that nothing can follow on.
      message.once('close', () => outgoing.writableEnded || outgoing.destroy());
      resolve(message);
    });
    guard(outgoing, settings, deadlineMs);
    if (payload === undefined) outgoing.end();
    else {
      send(outgoing, payload, () => state.answered || outgoing.destroyed).catch((error: unknown) => {
        reject(error);
        outgoing.destroy();
      });
    }
  });
}

interface Guarded extends WireSettings {
  /** How to cut each request that is under way. */
  readonly running: Set<() => void>;
}

/** Cuts the request when it takes too long or the run is interrupted. */
function guard(
  outgoing: ClientRequest,
  { signal, connectTimeoutMs, idleTimeoutMs, running }: Guarded,
  deadlineMs: number | undefined,
): void {
  const state: { message?: IncomingMessage } = {};
  const cut = (error: Error): unknown => (state.message ?? outgoing).destroy(error);
  const onTimeout = (): unknown => cut(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' }));
  const onAbort = (): void => void cut(Object.assign(new Error('interrupted'), { code: 'ABORT_ERR' }));
  outgoing.once('response', (message) => {
    state.message = message;
  });
  outgoing.setTimeout(idleTimeoutMs, onTimeout);
  const deadline = deadlineMs === undefined ? undefined : setTimeout(onTimeout, deadlineMs);
  outgoing.once('close', () => clearTimeout(deadline));
  outgoing.once('socket', (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(onTimeout, connectTimeoutMs);
    const connected = (): void => clearTimeout(timer);
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', connected);
    outgoing.once('close', connected);
  });
  running.add(onAbort);
  outgoing.once('close', () => running.delete(onAbort));
  if (signal?.aborted) onAbort();
}

/** Stops early when nobody waits for more: the answer is there already, or the connection is gone. */
async function send(outgoing: ClientRequest, { content, sizeBytes }: Payload, isOver: () => boolean): Promise<void> {
  if (content instanceof Uint8Array) {
    if (content.length !== sizeBytes) throw wrongSize(content.length, sizeBytes);
    outgoing.end(content);
    return;
  }
  let sentBytes = 0;
  let last: Uint8Array | undefined;
  for await (const chunk of content()) {
    if (isOver()) return;
    if (chunk.length === 0) continue;
    sentBytes += chunk.length;
    if (sentBytes > sizeBytes) throw wrongSize(sentBytes, sizeBytes);
    // What completes the content waits until it has ended well: content that is found wrong at its end never arrives whole.
    if (sentBytes === sizeBytes) last = Buffer.from(chunk);
    else await written(outgoing, chunk);
  }
  if (isOver()) return;
  if (sentBytes !== sizeBytes) throw wrongSize(sentBytes, sizeBytes);
  outgoing.end(last);
}

/** Resolves when the chunk has been handed to the system, since its memory may be used again then, or nobody wants it. */
function written(outgoing: ClientRequest, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      outgoing.off('close', go);
      outgoing.off('response', go);
      resolve();
    };
    outgoing.on('close', go);
    outgoing.on('response', go);
    outgoing.write(chunk, go);
    if (outgoing.destroyed) go();
  });
}

function wrongSize(sizeBytes: number, expectedBytes: number): RegistryError {
  const problem = `the content to push has ${sizeBytes} bytes or more, but its descriptor says ${expectedBytes}`;
  return new RegistryError('SIZE_INVALID', problem);
}
