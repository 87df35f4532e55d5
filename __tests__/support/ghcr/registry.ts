import { digestOf } from '../../../src/core/digest.ts';
import { MEDIA_TYPES } from '../../../src/oci/types.ts';
import { BUNDLE_TYPE } from './images.ts';
import { type Call, type GhcrPackage, type Reply, type Service, spoil } from './service.ts';
import type { PackageStore } from './store.ts';

const ROUTE = /^\/v2\/([^/]+)\/(.+)\/(manifests|tags|blobs|referrers)\/(.+)$/;
const HEADERS = { 'docker-distribution-api-version': 'registry/2.0' };

/** What a request is about, once it is let in. */
interface Visit {
  readonly call: Call;
  readonly service: Service;
  readonly store: PackageStore;
  /** `acme/app`. */
  readonly name: string;
  readonly reference: string;
}

const refusal = (status: number, code: string, headers: Readonly<Record<string, string>> = {}): Reply => ({
  status,
  json: { errors: [{ code, message: code.toLowerCase().replaceAll('_', ' ') }] },
  headers,
});

/** ghcr.io as a registry, with its tokens. */
export async function answerRegistry(call: Call, service: Service): Promise<Reply | 'cut'> {
  const reply = await answer(call, service);
  return reply === 'cut' ? reply : { ...reply, headers: { ...HEADERS, ...reply.headers } };
}

async function answer(call: Call, service: Service): Promise<Reply | 'cut'> {
  const { method, path, url } = call;
  if (path === '/token') return grant(call, service);
  if (!service.limits.enterRegistry()) return refusal(429, 'TOOMANYREQUESTS', { 'retry-after': '1' });
  const [, owner = '', name = '', kind, reference = ''] = ROUTE.exec(path) ?? [];
  if (!isLetIn(call, service)) {
    const scope = `repository:${kind === undefined ? 'user/image' : `${owner}/${name}`}:${isRead(method) ? 'pull' : 'pull,push'}`;
    const realm = `${url.origin}/token`;
    const challenge = `Bearer realm="${realm}",service="${url.hostname}",scope="${scope}"`;
    return refusal(401, 'UNAUTHORIZED', { 'www-authenticate': challenge });
  }
  if (kind === undefined) return path === '/v2/' ? { status: 200, json: {} } : refusal(404, 'NAME_UNKNOWN');
  const one = findPackage(service, owner, name);
  if (one === undefined) return refusal(404, 'NAME_UNKNOWN');
  const visit: Visit = { call, service, store: one.store, name: `${owner}/${name}`, reference };
  if (kind === 'tags') return listTags(visit);
  if (kind === 'referrers') return listReferrers(visit);
  if (kind === 'blobs') return answerBlob(visit);
  if (method === 'PUT') return putManifest(visit);
  const act = method === 'DELETE' ? deleteManifest : getManifest;
  const fault = service.fault(method === 'DELETE' ? 'delete' : 'manifest', path);
  return fault === undefined ? act(visit) : spoil(fault, () => act(visit));
}

function findPackage(service: Service, owner: string, name: string): GhcrPackage | undefined {
  const one = owner.toLowerCase() === service.settings.owner.toLowerCase() ? service.find(name) : undefined;
  return one?.shape.access === 'hidden' ? undefined : one;
}

function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

async function grant({ url, authorization, path }: Call, service: Service): Promise<Reply | 'cut'> {
  const { token, now, registryTokenTtlS } = service.settings;
  const fault = service.fault('token', path);
  if (fault !== undefined) return spoil(fault, () => ({ status: 200 }));
  const password = Buffer.from(authorization.replace(/^Basic /i, ''), 'base64')
    .toString()
    .split(':')[1];
  if (token !== undefined && password !== token) return refusal(403, 'DENIED');
  const scope = url.searchParams.get('scope') ?? '';
  const granted = Buffer.from(`${scope}|${now()}|${service.tokens.size}`).toString('base64');
  service.tokens.set(granted, now() + registryTokenTtlS * 1000);
  return {
    status: 200,
    json: { token: granted, expires_in: registryTokenTtlS, issued_at: new Date(now()).toISOString() },
  };
}

/** With a token of its own, or with GitHub's token in base64. */
function isLetIn({ authorization }: Call, { tokens, settings }: Service): boolean {
  const [, scheme = '', value = ''] = /^(\w+) (.+)$/.exec(authorization) ?? [];
  if (scheme.toLowerCase() === 'basic') return true;
  if (scheme.toLowerCase() !== 'bearer') return false;
  const endMs = tokens.get(value);
  if (endMs !== undefined) return endMs > settings.now();
  return /^(?:ghp_|ghs_|gho_|github_pat_)/.test(Buffer.from(value, 'base64').toString());
}

function listTags({ store, call, name }: Visit): Reply {
  const all = [...store.tags.keys()];
  const count = Math.min(1000, Number(call.url.searchParams.get('n') ?? 100)) || 100;
  const last = call.url.searchParams.get('last');
  const start = last === null ? 0 : all.indexOf(last) + 1;
  const tags = all.slice(start, start + count);
  const next = `</v2/${name}/tags/list?last=${encodeURIComponent(tags.at(-1) ?? '')}&n=${count}>; rel="next"`;
  return { status: 200, json: { name, tags }, headers: start + count < all.length ? { link: next } : {} };
}

function listReferrers({ store, service, reference }: Visit): Reply {
  if (!service.settings.referrersApi) return refusal(404, 'MANIFEST_UNKNOWN');
  const found = [...store.byDigest.values()].filter(({ subject }) => subject === reference);
  const manifests = found.map(({ digest }) => ({
    mediaType: MEDIA_TYPES.ociManifest,
    digest,
    size: Buffer.byteLength(store.bodies.get(digest)?.body ?? ''),
    artifactType: BUNDLE_TYPE,
  }));
  const json = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests };
  return { status: 200, json, headers: { 'content-type': MEDIA_TYPES.ociIndex } };
}

async function answerBlob({ call, store, name, reference }: Visit): Promise<Reply> {
  const { method, url } = call;
  const upload = `${url.origin}/v2/${name}/blobs/uploads/${store.blobs.size}`;
  if (method === 'POST') return { status: 202, headers: { location: upload } };
  if (method === 'PATCH') return { status: 202, headers: { location: upload } };
  if (method === 'DELETE') return { status: 204 };
  if (method === 'PUT') {
    const digest = url.searchParams.get('digest') ?? '';
    store.blobs.set(digest, await call.body());
    return { status: 201, headers: { location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest } };
  }
  const body = store.blobs.get(reference);
  const headers = { 'content-type': 'application/octet-stream' };
  return body === undefined ? refusal(404, 'BLOB_UNKNOWN') : { status: 200, body, headers };
}

async function putManifest({ call, store, name, reference }: Visit): Promise<Reply> {
  const content = (await call.body()).toString();
  const digest = digestOf(content);
  if (reference.startsWith('sha256:') && reference !== digest) return refusal(400, 'DIGEST_INVALID');
  try {
    const tags = reference.startsWith('sha256:') ? [] : [reference];
    store.put(content, call.contentType ?? MEDIA_TYPES.ociManifest, { kind: 'pushed', tags });
  } catch {
    return refusal(400, 'MANIFEST_INVALID');
  }
  return { status: 201, headers: { location: `/v2/${name}/manifests/${digest}`, 'docker-content-digest': digest } };
}

function deleteManifest({ store, service, reference }: Visit): Reply {
  if (!service.settings.ociDelete) return refusal(405, 'UNSUPPORTED');
  const digest = reference.startsWith('sha256:') ? reference : store.tags.get(reference);
  const version = digest === undefined ? undefined : store.byDigest.get(digest);
  if (version === undefined) return refusal(404, 'MANIFEST_UNKNOWN');
  if (reference.startsWith('sha256:')) store.remove(version);
  else {
    version.tags = version.tags.filter((tag) => tag !== reference);
    store.tags.delete(reference);
  }
  return { status: 202 };
}

function getManifest({ store, reference }: Visit): Reply {
  const digest = reference.startsWith('sha256:') ? reference : store.tags.get(reference);
  const version = digest === undefined ? undefined : store.byDigest.get(digest);
  const content = digest === undefined ? undefined : store.bodies.get(digest);
  if (version === undefined || content === undefined) return refusal(404, 'MANIFEST_UNKNOWN');
  // ghcr.io takes each for a download.
  version.downloads += 1;
  const headers = { 'content-type': content.mediaType, 'docker-content-digest': version.digest };
  return { status: 200, body: content.body, headers };
}
