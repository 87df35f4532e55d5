import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { isLoopback, parseRepositoryName } from '../core/reference.ts';
import { UsageError } from '../errors.ts';
import { ContentFolder } from './content-folder.ts';
import { MemoryStore } from './content-store.ts';
import { type Answer, answerJson, answerRefusal, type Call, Refusal, refuseMethod } from './server/answer.ts';
import { answerBlob } from './server/blobs.ts';
import { Catalog } from './server/catalog.ts';
import { openJournal } from './server/journal.ts';
import { answerCatalog, answerReferrers, answerTags } from './server/listings.ts';
import { answerManifest } from './server/manifests.ts';
import { parseRoute, type RequestKind, type Route } from './server/route.ts';
import { Shelves } from './server/shelves.ts';
import { Uploads } from './server/uploads.ts';

export type { RequestKind } from './server/route.ts';

export interface RegistryOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** An address of this machine only, `127.0.0.1` when absent: the registry asks nobody who they are. */
  readonly host?: string;
  /** Where to keep the content, so that it survives a restart; in memory when absent. One registry per directory. */
  readonly directory?: string;
}

/** A request that was answered. */
export interface ServedRequest {
  readonly method: string;
  /** As it was sent, with its query. */
  readonly path: string;
  readonly status: number;
  readonly kind: RequestKind;
}

export interface RunningRegistry {
  /** `127.0.0.1:PORT`: what image references begin with. */
  readonly host: string;
  /** Every request since the start, or since `forgetRequests`, in the order of their answers. */
  readonly requests: readonly ServedRequest[];
  forgetRequests(): void;
  /** Cuts every connection and frees the port; content in memory is gone. */
  close(): Promise<void>;
}

/**
 * Starts a registry of OCI distribution-spec v1.1.1 in this process, for tests and demonstrations:
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
 * Rejects with UsageError when the host is not loopback, with the system's error when the port is taken.
 */
export async function startRegistry(options: RegistryOptions = {}): Promise<RunningRegistry> {
  const { port = 0, host = '127.0.0.1', directory } = options;
  if (!isLoopback(host.includes(':') ? `[${host}]` : host)) {
    throw new UsageError([{ input: 'host', message: 'the embedded registry listens on this machine only: 127.0.0.1' }]);
  }
  const shelves = await openShelves(directory);
  const uploads = new Uploads(shelves);
  const requests: ServedRequest[] = [];
  const server = createServer((request, response) => {
    void serve(request, response, { shelves, uploads, requests });
  });
  // Large layers take their time, and a client's idle connection must not be cut as it is used again.
  server.requestTimeout = 0;
  server.keepAliveTimeout = 60_000;
  const address = await listen(server, port, host);
  return {
    host: address,
    requests,
    forgetRequests: () => requests.splice(0),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await uploads.close();
    },
  };
}

interface Services {
  readonly shelves: Shelves;
  readonly uploads: Uploads;
  readonly requests: ServedRequest[];
}

async function openShelves(directory: string | undefined): Promise<Shelves> {
  if (directory === undefined) return new Shelves(new Catalog(), new MemoryStore());
  const store = new ContentFolder(directory);
  await store.removeStaged();
  return new Shelves(await openJournal(directory, store), store);
}

async function listen(server: Server, port: number, host: string): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('the registry has no port');
  return `${host.includes(':') ? `[${host}]` : host}:${address.port}`;
}

async function serve(request: IncomingMessage, response: ServerResponse, services: Services): Promise<void> {
  const { method = '', url = '' } = request;
  const [path = '', ...query] = url.split('?');
  const route = parseRoute(path);
  try {
    const answer = await answerOf(request, route, query.join('?'), services);
    services.requests.push({ method, path: url, status: answer.status, kind: route.kind });
    await send(answer, method, response);
    // What is left of a body that was refused stands before the next request on this connection.
    request.resume();
  } catch {
    // The client is gone, or the content ended early: all that is left to do is to not pretend that it is whole.
    response.destroy();
  }
}

async function answerOf(request: IncomingMessage, route: Route, query: string, services: Services): Promise<Answer> {
  try {
    return await dispatch(request, route, new URLSearchParams(query), services);
  } catch (error) {
    if (error instanceof Refusal) return answerRefusal(error);
    if (request.destroyed && !request.complete) throw error;
    const message = error instanceof Error ? error.message : 'unknown';
    return answerJson({ errors: [{ code: 'UNKNOWN', message, detail: null }] }, {}, 500);
  }
}

async function dispatch(
  request: IncomingMessage,
  route: Route,
  query: URLSearchParams,
  { shelves, uploads }: Services,
): Promise<Answer> {
  const { method = '', headers } = request;
  const call = (): Call => ({
    method,
    name: requireName(method, route.name),
    reference: route.reference,
    query,
    headers,
    // A handler that has read enough must not take the connection with it.
    body: request.iterator({ destroyOnReturn: false }),
  });
  switch (route.kind) {
    case 'base':
      if (method !== 'GET' && method !== 'HEAD') throw refuseMethod(method, 'GET, HEAD');
      return answerJson({});
    case 'catalog':
      return answerCatalog(shelves, method, query);
    case 'tags':
      return answerTags(shelves, call());
    case 'referrers':
      return answerReferrers(shelves, call());
    case 'manifest':
      return answerManifest(shelves, call());
    case 'blob':
      return answerBlob(shelves, call());
    case 'upload':
      return uploads.answer(call());
    case 'other':
      break;
  }
  throw new Refusal(404, 'UNSUPPORTED', 'there is no such endpoint');
}

/** What cannot exist cannot be found; to write it is a mistake. */
function requireName(method: string, name: string): string {
  if (parseRepositoryName(`127.0.0.1/${name}`).ok) return name;
  const status = method === 'GET' || method === 'HEAD' ? 404 : 400;
  throw new Refusal(status, 'NAME_INVALID', `${name} is not the name of a repository`);
}

async function send(answer: Answer, method: string, response: ServerResponse): Promise<void> {
  const length = answer.sizeBytes === undefined ? {} : { 'Content-Length': answer.sizeBytes };
  response.writeHead(answer.status, {
    'Docker-Distribution-API-Version': 'registry/2.0',
    ...answer.headers,
    ...length,
  });
  if (method === 'HEAD' || answer.body === undefined) response.end();
  else if (answer.body instanceof Uint8Array) response.end(answer.body);
  else await pipeline(answer.body, response);
}
