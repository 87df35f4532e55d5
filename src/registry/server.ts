import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { setTimeout as wait } from 'node:timers/promises';
import { isLoopback, parseRegistryHost, parseRepositoryName } from '../core/reference.ts';
import { UsageError } from '../errors.ts';
import { ContentFolder } from './content-folder.ts';
import { MemoryStore } from './content-store.ts';
import { type Answer, answerJson, answerRefusal, type Call, Refusal, refuseMethod } from './server/answer.ts';
import { answerBlob } from './server/blobs.ts';
import { Catalog } from './server/catalog.ts';
import { deliver } from './server/delivery.ts';
import { type FaultAction, type FaultRule, Faults } from './server/faults.ts';
import { Guard, type RegistryAuth } from './server/guard.ts';
import { findIntegrityProblems, type IntegrityProblem } from './server/integrity.ts';
import { openJournal } from './server/journal.ts';
import { answerCatalog, answerReferrers, answerTags } from './server/listings.ts';
import { answerManifest } from './server/manifests.ts';
import { Restricted, type Restrictions } from './server/restrictions.ts';
import { parseRoute, type RequestKind, type Route } from './server/route.ts';
import { sabotage, type Work } from './server/sabotage.ts';
import { Shelves } from './server/shelves.ts';
import { Uploads } from './server/uploads.ts';

export type { FaultAction, FaultRule } from './server/faults.ts';
export type { RegistryAuth } from './server/guard.ts';
export type { IntegrityProblem } from './server/integrity.ts';
export type { ImmutableTags, Restrictions } from './server/restrictions.ts';
export type { RegistryUser, Right, Rights } from './server/rights.ts';
export type { RequestKind } from './server/route.ts';

export interface RegistryOptions extends Restrictions {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** An address of this machine only, `127.0.0.1` when absent. */
  readonly host?: string;
  /** Where to keep the content, so that it survives a restart; in memory when absent. One registry per directory. */
  readonly directory?: string;
  /** Asks for a login; everybody may do everything when absent. */
  readonly auth?: RegistryAuth;
  /** Speaks https with this key and certificate, both PEM. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** How long each request waits first, or those of a kind. */
  readonly latencyMs?: number | Readonly<Partial<Record<RequestKind, number>>>;
  /** What goes wrong from the start; see `RunningRegistry.fail`. */
  readonly faults?: readonly FaultRule[];
  /** How many requests `requests` keeps, the newest; 10,000 when absent. */
  readonly keepRequests?: number;
}

/** A request that came. */
export interface ServedRequest {
  readonly method: string;
  /** As it was sent, with its query. */
  readonly path: string;
  /** `undefined` when it got no answer: a fault cut it, or the client left. */
  readonly status: number | undefined;
  readonly kind: RequestKind;
  /** Whom the registry let in, where it asks for a login. */
  readonly user?: string;
  /** The fault that hit it. */
  readonly fault?: FaultAction['kind'];
}

export interface RunningRegistry {
  /** `127.0.0.1:PORT`: what image references begin with. */
  readonly host: string;
  /** `http://127.0.0.1:PORT`, or https. */
  readonly url: string;
  /** The newest requests since the start, or since `forgetRequests`, in the order of their answers. */
  readonly requests: readonly ServedRequest[];
  forgetRequests(): void;
  /** From now on requests that match are hit; the first rule that hits counts. */
  fail(rule: FaultRule): void;
  /** No request is hit any more. */
  repair(): void;
  /** No access token that was given out is good any more; identity tokens and passwords stay. */
  expireTokens(): void;
  /** Reads everything that tags lead to, and lists what is missing or damaged; empty when all is well. */
  integrity(): Promise<readonly IntegrityProblem[]>;
  /** Cuts every connection and frees the port; content in memory is gone. */
  close(): Promise<void>;
}

const KEPT_REQUESTS = 10_000;

/**
 * Starts a registry of OCI distribution-spec v1.1.1 in this process, for tests and demonstrations:
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
 * Rejects with UsageError when the host is not loopback, with the system's error when the port is taken or the key and
 * certificate are none.
 */
export async function startRegistry(options: RegistryOptions = {}): Promise<RunningRegistry> {
  const { port = 0, host = '127.0.0.1', directory, auth, tls } = options;
  if (!isLoopback(host.includes(':') ? `[${host}]` : host)) {
    throw new UsageError([{ input: 'host', message: 'the embedded registry listens on this machine only: 127.0.0.1' }]);
  }
  const shelves = await openShelves(directory);
  const uploads = new Uploads(shelves);
  const requests: ServedRequest[] = [];
  const scheme = tls === undefined ? 'http' : 'https';
  const services: Services = {
    shelves,
    uploads,
    requests,
    options,
    scheme,
    restricted: new Restricted(options, shelves),
    guard: auth && new Guard(auth),
    faults: new Faults(options.faults),
    closing: new AbortController(),
  };
  const visits = new Set<Promise<void>>();
  const server = openServer(tls, (request, response) => {
    const visit = serve(request, response, services).finally(() => visits.delete(visit));
    visits.add(visit);
  });
  const address = await listen(server, port, host);
  return {
    host: address,
    url: `${scheme}://${address}`,
    requests,
    forgetRequests: () => requests.splice(0),
    fail: (rule) => services.faults.add(rule),
    repair: () => services.faults.clear(),
    expireTokens: () => services.guard?.tokens?.expire(),
    integrity: () => findIntegrityProblems(shelves),
    close: async () => {
      services.closing.abort();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      // What they write may be looked at, or removed, from here on.
      await Promise.all(visits);
      await uploads.close();
    },
  };
}

interface Services {
  readonly shelves: Shelves;
  readonly uploads: Uploads;
  readonly requests: ServedRequest[];
  readonly options: RegistryOptions;
  readonly scheme: string;
  readonly restricted: Restricted;
  readonly guard: Guard | undefined;
  readonly faults: Faults;
  readonly closing: AbortController;
}

/** A request on its way through the registry. */
interface Visit {
  readonly request: IncomingMessage;
  readonly method: string;
  readonly route: Route;
  readonly query: URLSearchParams;
  user?: string;
}

async function openShelves(directory: string | undefined): Promise<Shelves> {
  if (directory === undefined) return new Shelves(new Catalog(), new MemoryStore());
  const store = new ContentFolder(directory);
  await store.removeStaged();
  return new Shelves(await openJournal(directory, store), store);
}

function openServer(tls: RegistryOptions['tls'], answer: RequestListener): Server {
  const server = tls === undefined ? createServer(answer) : createSecureServer({ ...tls }, answer);
  // Large layers take their time, and a client's idle connection must not be cut as it is used again.
  server.requestTimeout = 0;
  server.keepAliveTimeout = 60_000;
  return server;
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
  const visit: Visit = { request, method, route: parseRoute(path), query: new URLSearchParams(query.join('?')) };
  const { kind } = visit.route;
  const action = services.faults.next({ method, path: url, kind });
  const log = (status: number | undefined): void => {
    const { user } = visit;
    const fault = action?.kind;
    const about = { ...(user === undefined ? {} : { user }), ...(fault === undefined ? {} : { fault }) };
    services.requests.push({ method, path: url, status, kind, ...about });
    const { keepRequests = KEPT_REQUESTS } = services.options;
    if (services.requests.length > keepRequests) services.requests.shift();
  };
  let logged = false;
  try {
    await delay(services, kind);
    // A handler that has read enough must not take the connection with it.
    const body = request.iterator({ destroyOnReturn: false });
    const work: Work = (content) => answerOf(visit, content, services);
    const delivery = action === undefined ? { answer: await work(body) } : await sabotage(action, body, work);
    log(delivery.answer?.status);
    logged = true;
    await deliver(delivery, method, response);
    // What is left of a body that was refused stands before the next request on this connection.
    request.resume();
  } catch {
    if (!logged) log(undefined);
    // The client is gone, or the content ended early: all that is left to do is to not pretend that it is whole.
    request.socket.destroy();
  }
}

async function delay({ options: { latencyMs = 0 }, closing }: Services, kind: RequestKind): Promise<void> {
  const durationMs = typeof latencyMs === 'number' ? latencyMs : (latencyMs[kind] ?? 0);
  if (durationMs > 0) await wait(durationMs, undefined, { signal: closing.signal });
}

async function answerOf(visit: Visit, body: AsyncIterable<Uint8Array>, services: Services): Promise<Answer> {
  const { request, method, route, query } = visit;
  try {
    if (route.kind === 'token' && services.guard?.tokens !== undefined) {
      const caller = services.guard.caller(request.headers.authorization);
      if (caller?.name !== undefined) visit.user = caller.name;
      return await services.guard.tokens.answer({ method, query, body, caller });
    }
    admit(visit, services);
    return await services.restricted.answer(visit, () => dispatch(visit, body, services));
  } catch (error) {
    if (error instanceof Refusal) return answerRefusal(error);
    if (request.destroyed && !request.complete) throw error;
    const message = error instanceof Error ? error.message : 'unknown';
    return answerJson({ errors: [{ code: 'UNKNOWN', message, detail: null }] }, {}, 500);
  }
}

/** Refuses what the caller may not do, and forgets a mount from where the caller may not read. */
function admit(visit: Visit, { guard, scheme }: Services): void {
  if (guard === undefined) return;
  const { request, method, route, query } = visit;
  const { authorization, host = '' } = request.headers;
  const origin = `${scheme}://${parseRegistryHost(host).ok ? host : `127.0.0.1:${request.socket.localPort ?? 0}`}`;
  const caller = guard.admit({ method, route, query, authorization, origin });
  if (caller.name !== undefined) visit.user = caller.name;
  if (!guard.mayMount(caller, query)) query.delete('mount');
}

async function dispatch(
  { request, method, route, query }: Visit,
  body: AsyncIterable<Uint8Array>,
  { shelves, uploads }: Services,
): Promise<Answer> {
  const { headers } = request;
  const call = (): Call => ({
    method,
    name: requireName(method, route.name),
    reference: route.reference,
    query,
    headers,
    body,
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
    case 'token':
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
