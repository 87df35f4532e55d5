import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Digest } from '../../../src/core/digest.ts';
import { listen } from '../listen.ts';
import { answerApi } from './api.ts';
import { type ImageParts, type MadeImage, makeImage } from './images.ts';
import { inspect, type PackageIntegrity } from './integrity.ts';
import type { LimitCounts } from './limits.ts';
import type { GhcrOptions, GhcrSettings } from './options.ts';
import { answerRegistry } from './registry.ts';
import { type Call, type GhcrPackage, type Reply, Service } from './service.ts';
import type { PackageStore } from './store.ts';

export type { PackageIntegrity } from './integrity.ts';
export type { GhcrFault, GhcrOptions, PackageShape, RepoData } from './options.ts';
export type { PackageStore, Version } from './store.ts';

/** A request that came. */
export interface GhcrRequest {
  readonly method: string;
  /** With its query, as it was asked. */
  readonly path: string;
  /** `DELETE /orgs/:o/packages/container/:p/versions/:id`, `GET /v2/:repo/manifests/:ref`. */
  readonly route: string;
  /** `undefined` when the connection was cut. */
  readonly status: number | undefined;
}

/** A stand-in for GitHub's API of packages and for ghcr.io, on one port. */
export interface Ghcr {
  /** `http://127.0.0.1:PORT`, or https; what listens for both. */
  readonly url: string;
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** May be changed while it runs. */
  readonly settings: GhcrSettings;
  readonly requests: readonly GhcrRequest[];
  readonly limits: LimitCounts;
  forgetRequests(): void;
  /** How many requests of this route came, with this status where one is given. */
  count(route: string | RegExp, status?: number): number;
  /** What is in a package, `app` when absent: to look into, and to change. */
  store(name?: string): PackageStore;
  /** Another image is pushed, now or so long ago. */
  push(parts: ImageParts & { readonly package?: string; readonly minutesAgo?: number }): MadeImage;
  tag(tag: string, digest: Digest, name?: string): void;
  /** What a user of the package would notice. */
  integrity(name?: string): PackageIntegrity;
  listen(): Promise<string>;
  close(): Promise<void>;
}

/** Makes the stand-in, with its packages filled; it answers once it listens. */
export function createGhcr(options: GhcrOptions = {}): Ghcr {
  const service = new Service(options);
  const { settings, limits } = service;
  const requests: GhcrRequest[] = [];
  const server = open(settings, (request, response) => void serve({ request, response, service, requests }));
  const address = { host: '' };
  const scheme = settings.tls === undefined ? 'http' : 'https';
  const find = (name = 'app'): GhcrPackage => {
    const one = service.find(name);
    if (one === undefined) throw new TypeError(`there is no package ${name}`);
    return one;
  };
  return {
    get url() {
      return `${scheme}://${address.host}`;
    },
    get host() {
      return address.host;
    },
    settings,
    requests,
    limits: limits.counts,
    forgetRequests: () => void requests.splice(0),
    count: (route, status) =>
      requests.filter(
        (one) =>
          (typeof route === 'string' ? one.route === route : route.test(one.route)) &&
          (status === undefined || one.status === status),
      ).length,
    store: (name) => find(name).store,
    push({ package: name, minutesAgo, ...parts }) {
      const { store, shape } = find(name);
      const atMs = minutesAgo === undefined ? undefined : settings.now() - minutesAgo * 60_000;
      return makeImage({ store, shape, name: `push ${store.bodies.size}`, atMs }, parts);
    },
    tag: (tag, digest, name) => find(name).store.tag(tag, digest),
    integrity: (name) => inspect(find(name).store),
    async listen() {
      address.host = await listen(server);
      return `${scheme}://${address.host}`;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function open({ tls }: GhcrSettings, answer: (request: IncomingMessage, response: ServerResponse) => void): Server {
  const server = tls === undefined ? createServer(answer) : createSecureServer({ ...tls }, answer);
  server.keepAliveTimeout = 60_000;
  return server;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly service: Service;
  readonly requests: GhcrRequest[];
}

async function serve({ request, response, service, requests }: Exchange): Promise<void> {
  const { settings, limits } = service;
  const { method = '', url: target = '/' } = request;
  const call = callOf(request, settings);
  const isRegistry = call.path === '/token' || call.path.startsWith('/v2/');
  const route = isRegistry ? registryRoute(call) : apiRoute(call);
  limits.inFlight += 1;
  limits.counts.peakConcurrent = Math.max(limits.counts.peakConcurrent, limits.inFlight);
  response.on('close', () => {
    limits.inFlight -= 1;
  });
  await service.wait(settings.latencyMs, settings.jitterMs);
  settings.onRequest?.(route, requests.filter((one) => one.route === route).length + 1);
  const reply = isRegistry ? await answerRegistry(call, service) : await answerApi(call, service);
  const status = reply === 'cut' ? undefined : reply.status;
  requests.push({ method, path: target, route, status });
  if (reply === 'cut') request.socket.destroy();
  else send(response, reply, { date: new Date(settings.now()).toUTCString(), isHead: method === 'HEAD' });
}

function callOf(request: IncomingMessage, { tls }: GhcrSettings): Call {
  const { method = '', url: target = '/', headers } = request;
  const url = new URL(target, `${tls === undefined ? 'http' : 'https'}://${headers.host ?? 'localhost'}`);
  return {
    method,
    // GitHub Enterprise Server has its API below this.
    path: url.pathname.replace(/^\/api\/v3(?=\/)/, ''),
    url,
    authorization: headers.authorization ?? '',
    contentType: headers['content-type'],
    body: async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(Buffer.from(chunk));
      return Buffer.concat(chunks);
    },
  };
}

function send(
  response: ServerResponse,
  reply: Reply,
  { date, isHead }: { readonly date: string; readonly isHead: boolean },
): void {
  const body = Buffer.from(reply.body ?? (reply.json === undefined ? '' : JSON.stringify(reply.json)));
  response.writeHead(reply.status, {
    'content-type': 'application/json; charset=utf-8',
    ...(reply.status === 204 ? {} : { 'content-length': body.length }),
    date,
    ...reply.headers,
  });
  response.end(isHead ? undefined : body);
}

function apiRoute({ method, path }: Call): string {
  const route = path
    .replace(/^\/(users|orgs)\/[^/]+/, '/$1/:o')
    .replace(/^\/repos\/[^/]+\/[^/]+/, '/repos/:o/:r')
    .replace(/\/container\/[^/]+/, '/container/:p')
    .replace(/\/versions\/\d+/, '/versions/:id');
  return `${method} ${route}`;
}

function registryRoute({ method, path }: Call): string {
  const [, kind, reference = ''] = /^\/v2\/.+\/(manifests|tags|blobs|referrers)\/(.+)$/.exec(path) ?? [];
  if (kind === undefined) return `${method} ${path}`;
  const rest = kind === 'tags' ? 'list' : reference.startsWith('uploads') ? 'uploads' : ':ref';
  return `${method} /v2/:repo/${kind}/${rest}`;
}
