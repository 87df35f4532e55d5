import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { onTestFinished } from 'vitest';
import { textAt, valueAt } from '../../src/core/json.ts';
import { openRegistries, type RegistryRepository } from '../../src/registry/open.ts';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { makeAuthority } from './certificates.ts';
import { startForwardProxy } from './forward-proxy.ts';
import { listen } from './listen.ts';
import { relay } from './relay.ts';

/** A request as Docker Hub saw it: `hub DELETE /v2/…`, `registry GET /v2/…`. */
export interface HubRequest {
  readonly line: string;
  readonly authorization: string | undefined;
}

export interface DockerHubSettings {
  /** How many tags a page has, whatever is asked for. */
  readonly pageSize?: number;
  /** Tags whose digest the API does not tell. */
  readonly withoutDigest?: readonly string[];
  /** Answers instead of Docker Hub: a status, with headers. */
  readonly fault?: (line: string) => { readonly status: number; readonly headers?: Record<string, string> } | undefined;
  /** Happens before a request is answered. */
  readonly before?: (line: string, repository: RegistryRepository) => Promise<unknown>;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Docker Hub under its own names, for those who come through this proxy and trust this authority. */
export interface DockerHub {
  readonly env: Readonly<Record<string, string>>;
  readonly authorities: string;
  readonly login: { readonly registry: 'docker.io'; readonly username: string; readonly password: string };
  readonly requests: readonly HubRequest[];
  /** The registry itself, past all that Docker Hub counts. */
  readonly registry: RunningRegistry;
  readonly repository: RegistryRepository;
  /** No token that was given out is good any more. */
  expireTokens(): void;
}

const API = 'hub.docker.com';
const REGISTRY = 'registry-1.docker.io';
const LOGIN = { registry: 'docker.io', username: 'kim', password: 'dckr_pat_s3cret' } as const;

/**
 * Starts Docker Hub's API and registry for one test, as far as pruning goes. Reading a manifest is a pull, told by the API; a
 * manifest that a tag or an index needs is not deleted.
 */
export async function startDockerHub(settings: DockerHubSettings = {}): Promise<DockerHub> {
  const registry = await startRegistry({});
  const registries = openRegistries({ env: {} });
  const hub = new Hub(registry, registries.open({ registry: registry.host, path: 'acme/app' }, 'push'), settings);
  const authority = makeAuthority();
  const server = createServer({ ...authority.issue(API, REGISTRY) }, (request, response) => {
    void hub.answer(request, response);
  });
  const host = await listen(server);
  const proxy = await startForwardProxy({ routes: { [`${API}:443`]: host, [`${REGISTRY}:443`]: host } });
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    registries.close();
    await proxy.close();
    await registry.close();
  });
  return {
    env: { HTTPS_PROXY: proxy.url, DOCKER_CONFIG: '/nonexistent' },
    authorities: authority.cert,
    login: LOGIN,
    requests: hub.requests,
    registry,
    repository: hub.repository,
    expireTokens: () => hub.expireTokens(),
  };
}

class Hub {
  readonly requests: HubRequest[] = [];
  readonly repository: RegistryRepository;
  readonly #registry: RunningRegistry;
  readonly #settings: DockerHubSettings;
  readonly #pushes = new Map<string, number>();
  readonly #pulls = new Map<string, number>();
  #token = 1;

  constructor(registry: RunningRegistry, repository: RegistryRepository, settings: DockerHubSettings) {
    this.#registry = registry;
    this.repository = repository;
    this.#settings = settings;
  }

  expireTokens(): void {
    this.#token += 1;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    const isApi = headers.host === API;
    const line = `${isApi ? 'hub' : 'registry'} ${method} ${url}`;
    this.requests.push({ line, authorization: headers.authorization });
    await this.#settings.before?.(line, this.repository);
    const fault = this.#settings.fault?.(line);
    if (fault !== undefined) return void response.writeHead(fault.status, fault.headers).end();
    if (isApi) return this.#answerApi(request, response);
    const [, reference = ''] = /\/manifests\/([^?]+)$/.exec(url) ?? [];
    const nowMs = this.#settings.now?.() ?? Date.now();
    if (method === 'PUT' && reference !== '') this.#pushes.set(reference, nowMs);
    if (method === 'GET' && reference !== '') this.#pulls.set(reference, nowMs);
    if (method === 'DELETE' && (await this.#isNeeded(reference))) return void response.writeHead(403).end();
    const [hostname, port] = this.#registry.host.split(':');
    relay(request, response, { hostname, port });
  }

  async #answerApi(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    const send = (status: number, json: unknown = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
    };
    if (url === '/v2/auth/token') return this.#logIn(request, send);
    const isKnown = headers.authorization === `Bearer token-${this.#token}`;
    if (headers.authorization !== undefined && !isKnown) return send(401, { message: 'unauthorized' });
    const [, path = '', tag] = /^\/v2\/namespaces\/acme\/repositories\/([^/?]+)\/tags(?:\/([^/?]+))?/.exec(url) ?? [];
    if (path !== 'app') return send(404, { message: 'object not found' });
    if (method === 'GET' && tag === undefined) {
      const page = await this.#page(new URL(url, `https://${API}`));
      return page === undefined ? send(404) : send(200, page);
    }
    if (method !== 'DELETE' || tag === undefined) return send(405);
    if (!isKnown) return send(401);
    if (!(await this.repository.deleteTag(tag))) return send(404);
    response.writeHead(204).end();
  }

  async #logIn(request: IncomingMessage, send: (status: number, json?: unknown) => void): Promise<void> {
    let body = '';
    for await (const piece of request) body += String(piece);
    const login: unknown = JSON.parse(body);
    const isRight = textAt(login, 'identifier') === LOGIN.username && textAt(login, 'secret') === LOGIN.password;
    send(isRight ? 200 : 401, isRight ? { access_token: `token-${this.#token}` } : {});
  }

  async #page(url: URL): Promise<unknown> {
    const size = Math.min(this.#settings.pageSize ?? 100, Number(url.searchParams.get('page_size')));
    const number = Number(url.searchParams.get('page') ?? 1);
    const all: Awaited<ReturnType<Hub['tag']>>[] = [];
    for await (const name of this.repository.tags()) all.push(await this.tag(name));
    // The one that was pushed last comes first.
    all.sort((a, b) => b.last_updated.localeCompare(a.last_updated) || a.name.localeCompare(b.name));
    const results = all.slice((number - 1) * size, number * size);
    if (results.length === 0 && number > 1) return undefined;
    const next = new URL(url);
    next.searchParams.set('page', String(number + 1));
    return { count: all.length, next: number * size < all.length ? next.href : null, previous: null, results };
  }

  async tag(name: string) {
    const content = await this.repository.fetch({ tag: name });
    if (content === undefined) throw new Error(`${name} is not there`);
    const { digest, mediaType } = content.descriptor;
    const members = valueAt(JSON.parse(Buffer.from(await content.bytes()).toString()), 'manifests');
    const digests = Array.isArray(members) ? members.map((member) => textAt(member, 'digest') ?? '') : [digest];
    const timeOf = (times: ReadonlyMap<string, number>, ...keys: readonly string[]): string | null => {
      const found = keys.flatMap((key) => times.get(key) ?? []);
      return found.length === 0 ? null : new Date(Math.max(...found)).toISOString();
    };
    return {
      name,
      ...(this.#settings.withoutDigest?.includes(name) ? {} : { digest, media_type: mediaType }),
      last_updated: timeOf(this.#pushes, name) ?? '',
      tag_last_pushed: timeOf(this.#pushes, name),
      tag_last_pulled: timeOf(this.#pulls, name, digest),
      images: digests.map((image) => ({
        digest: image,
        size: 1000,
        last_pushed: timeOf(this.#pushes, image),
        last_pulled: timeOf(this.#pulls, image),
      })),
    };
  }

  async #isNeeded(reference: string): Promise<boolean> {
    for await (const name of this.repository.tags()) {
      const tag = await this.tag(name);
      if ([tag.digest, ...tag.images.map(({ digest }) => digest)].includes(reference)) return true;
    }
    return false;
  }
}
