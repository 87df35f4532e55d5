import type { GhcrFault, RepoData } from './options.ts';
import type { Call, GhcrPackage, Reply, Service } from './service.ts';
import { spoil } from './service.ts';
import type { PackageStore, Version } from './store.ts';

const PACKAGES = /^\/(?:orgs\/([^/]+)|users\/([^/]+)|user)\/packages(?:\/container\/([^/]+)(\/.*)?)?$/;
const VERSION = /^\/versions\/(\d+)(\/restore)?$/;
const REPO = /^\/repos\/([^/]+\/[^/]+)(?:\/(.*))?$/;
const REPO_LISTS: Readonly<Record<string, keyof RepoData>> = {
  releases: 'releases',
  pulls: 'pulls',
  branches: 'branches',
  tags: 'tags',
  deployments: 'deployments',
};
const UNDELETABLE =
  'Publicly visible package versions with more than 5000 downloads cannot be deleted. Contact GitHub support for further assistance.';
const LAST_TAGGED = 'You cannot delete the last tagged version of a package. You must delete the package instead.';
const LAST = 'You cannot delete the last version of a package. You must delete the package instead.';

const refusal = (status: number, message: string): Reply => ({ status, json: { message } });
const NOT_FOUND = refusal(404, 'Not Found');
const NO_VERSION = refusal(404, 'Package version not found.');

/** The parts of GitHub's REST API that retention asks: https://docs.github.com/en/rest/packages/packages */
export async function answerApi(call: Call, service: Service): Promise<Reply | 'cut'> {
  const { settings, limits } = service;
  const { authorization, method, path } = call;
  const headers = (): Readonly<Record<string, string>> => ({
    ...limits.headers(authorization),
    ...(settings.scopes === undefined ? {} : { 'x-oauth-scopes': settings.scopes }),
  });
  if (path === '/rate_limit')
    return { status: 200, json: rateLimit(limits.headers(authorization)), headers: headers() };
  const refused = limits.enter(method, authorization);
  if (refused !== undefined) {
    return { ...refusal(403, refused.message), headers: { ...headers(), ...refused.headers } };
  }
  if (!isLetIn(call, service)) return { ...refusal(401, 'Bad credentials'), headers: headers() };
  const reply = await route(call, service);
  return reply === 'cut' ? reply : { ...reply, headers: { ...headers(), ...reply.headers } };
}

function rateLimit(headers: Readonly<Record<string, string>>): unknown {
  const [limit, remaining, used, reset] = ['limit', 'remaining', 'used', 'reset'].map((name) =>
    Number(headers[`x-ratelimit-${name}`]),
  );
  const rate = { limit, remaining, used, reset };
  return { resources: { core: rate }, rate };
}

function isLetIn({ authorization }: Call, { settings }: Service): boolean {
  const token = /^(?:token|Bearer) (.+)$/i.exec(authorization)?.[1];
  return token !== undefined && (settings.token === undefined || token === settings.token);
}

/** Tokens of workflows and of apps are nobody's. */
function isApp({ authorization }: Call): boolean {
  return authorization.includes('ghs_');
}

async function route(call: Call, service: Service): Promise<Reply | 'cut'> {
  const { method, path } = call;
  const { owner, ownerType } = service.settings;
  const isOwner = (name: string): boolean => name.toLowerCase() === owner.toLowerCase();
  if (method === 'GET' && path === '/user') {
    if (isApp(call)) return refusal(403, 'Resource not accessible by integration');
    return { status: 200, json: { login: ownerType === 'User' ? owner : 'someone', type: 'User' } };
  }
  const [, who] = /^\/(?:users|orgs)\/([^/]+)$/.exec(path) ?? [];
  if (who !== undefined) {
    const isThere = isOwner(who) && !(path.startsWith('/orgs/') && ownerType === 'User');
    return isThere ? { status: 200, json: { login: owner, type: ownerType, id: 7 } } : NOT_FOUND;
  }
  const repo = REPO.exec(path);
  if (repo !== null) return withFaults('repo', { call, service }, () => answerRepo(call, service, repo));
  const [matched, org, user, name, rest = ''] = PACKAGES.exec(path) ?? [];
  const own = org ?? user;
  if (matched === undefined || (own !== undefined && !isOwner(own))) return NOT_FOUND;
  if (ownerType === 'User' ? org !== undefined || (own === undefined && isApp(call)) : own === undefined)
    return NOT_FOUND;
  if (name === undefined) return listPackages(call, service);
  return answerPackage(call, service, { name: decodeURIComponent(name), rest });
}

function answerRepo(call: Call, { settings }: Service, [, name = '', rest]: RegExpExecArray): Reply {
  const data = settings.repos[name.toLowerCase()];
  if (data === undefined) return NOT_FOUND;
  const [owner = '', repo = ''] = name.split('/');
  if (rest === undefined)
    return { status: 200, json: { name: repo, owner: { login: owner, type: settings.ownerType } } };
  const list = REPO_LISTS[rest];
  const rows = list === undefined ? undefined : data[list];
  return rows === undefined ? NOT_FOUND : page(call, rows);
}

/** Tokens of workflows and of apps may not list what an organisation has. */
function listPackages(call: Call, service: Service): Reply {
  if (service.settings.scopes === undefined || isApp(call))
    return refusal(403, 'Resource not accessible by integration');
  const seen = [...service.packages.values()].filter(({ shape }) => !['hidden', 'none'].includes(shape.access));
  return page(
    call,
    seen.map((one) => describePackage(one, service)),
  );
}

interface PackageRoute {
  readonly name: string;
  /** After the name: `/versions/1`. */
  readonly rest: string;
}

async function answerPackage(call: Call, service: Service, { name, rest }: PackageRoute): Promise<Reply | 'cut'> {
  const { method } = call;
  const one = service.find(name);
  if (one === undefined || one.shape.access === 'hidden') return refusal(404, 'Package not found.');
  if (one.shape.access === 'none') return refusal(403, 'You need at least read:packages scope to get a package.');
  const about = { call, service };
  if (rest === '' && method === 'GET') {
    return withFaults('package', about, () => ({ status: 200, json: describePackage(one, service) }));
  }
  if (rest === '/versions' && method === 'GET') return listVersions(call, service, one);
  const [, number, restore] = VERSION.exec(rest) ?? [];
  const id = Number(number);
  if (number === undefined) return NOT_FOUND;
  if (restore !== undefined) {
    if (method !== 'POST') return NOT_FOUND;
    return withFaults('restore', about, () => (one.store.restore(id) ? { status: 204 } : NO_VERSION));
  }
  if (method === 'DELETE') {
    await service.wait(service.settings.deleteLatencyMs);
    return withFaults('delete', about, () => deleteVersion(id, one, service));
  }
  const version = one.store.stale.has(id) ? undefined : one.store.byId.get(id);
  return withFaults('version', about, () =>
    version === undefined ? NO_VERSION : { status: 200, json: describeVersion(version, one, service) },
  );
}

async function listVersions(call: Call, service: Service, one: GhcrPackage): Promise<Reply | 'cut'> {
  const { settings } = service;
  service.lists += 1;
  const count = service.lists;
  await service.wait(settings.listLatencyMs);
  return withFaults('list', { call, service }, () => {
    const rows = call.url.searchParams.get('state') === 'deleted' ? one.store.deleted : one.store.list();
    const reply = page(call, rows, (version) => describeVersion(version, one, service));
    if (count === settings.pushAfterLists) service.race(one);
    return reply;
  });
}

function deleteVersion(id: number, { store, shape }: GhcrPackage, { settings }: Service): Reply {
  const version = store.byId.get(id);
  if (settings.scopes !== undefined && !settings.scopes.includes('delete:packages')) {
    return refusal(403, 'You need at least delete:packages scope to delete a package version.');
  }
  if (version === undefined || store.stale.has(id) || shape.access === 'write')
    return refusal(404, 'Package not found.');
  if (shape.visibility === 'public' && version.downloads > 5000) return refusal(400, UNDELETABLE);
  if (settings.lastTaggedRule && version.tags.length > 0 && !hasOther(store, version, ({ tags }) => tags.length > 0)) {
    return refusal(400, LAST_TAGGED);
  }
  if (store.byDigest.size <= 1) return refusal(400, LAST);
  store.remove(version);
  return { status: 204 };
}

function hasOther(store: PackageStore, version: Version, matches: (other: Version) => boolean): boolean {
  for (const other of store.byDigest.values()) if (other !== version && matches(other)) return true;
  return false;
}

async function withFaults(
  on: GhcrFault['on'],
  { call, service }: { readonly call: Call; readonly service: Service },
  answer: () => Reply,
): Promise<Reply | 'cut'> {
  const fault = service.fault(on, `${call.url.pathname}${call.url.search}`);
  return fault === undefined ? answer() : spoil(fault, answer);
}

/** A page of a list, with links to the others. */
function page<T>(call: Call, rows: readonly T[], describe: (row: T) => unknown = (row) => row): Reply {
  const per = Math.min(100, Math.max(1, Number(call.url.searchParams.get('per_page') ?? 30)));
  const number = Math.max(1, Number(call.url.searchParams.get('page') ?? 1));
  const last = Math.max(1, Math.ceil(rows.length / per));
  const link = (to: number, rel: string): string => {
    const url = new URL(call.url);
    url.searchParams.set('page', String(to));
    return `<${url.href}>; rel="${rel}"`;
  };
  const before = number > 1 ? [link(number - 1, 'prev'), link(1, 'first')] : [];
  const after = number < last ? [link(number + 1, 'next'), link(last, 'last')] : [];
  const links = [...before, ...after];
  return {
    status: 200,
    json: rows.slice((number - 1) * per, number * per).map(describe),
    ...(links.length === 0 ? {} : { headers: { link: links.join(', ') } }),
  };
}

function describePackage({ name, shape, store }: GhcrPackage, { settings }: Service): unknown {
  return {
    id: 4242,
    name,
    package_type: 'container',
    owner: { login: settings.owner, type: settings.ownerType },
    version_count: store.byDigest.size,
    visibility: shape.visibility,
    created_at: '2024-01-01T00:00:00Z',
    updated_at: timeText(settings.now()),
  };
}

function describeVersion(version: Version, { store }: GhcrPackage, { settings }: Service): unknown {
  const tags = store.tagsBefore(version, settings.listLagMs);
  return {
    id: version.id,
    name: version.digest,
    created_at: timeText(version.createdAtMs),
    updated_at: timeText(version.updatedAtMs),
    metadata: { package_type: 'container', container: { tags } },
  };
}

function timeText(atMs: number): string {
  return new Date(atMs).toISOString().replace(/\.\d+Z/, 'Z');
}
