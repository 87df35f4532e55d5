import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openRegistries } from '../../src/registry/open.ts';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { describeRepositoryContract } from './contract.ts';
import { ABSENT, codeOf, requestsTo } from './registry-requests.ts';
import { randomLayer } from './sample-image.ts';

describeRepositoryContract('the embedded registry', async () => {
  const registry = await startRegistry();
  const registries = openRegistries({ env: {} });
  return {
    repository: registries.open({ registry: registry.host, path: 'acme/app' }),
    async close() {
      registries.close();
      await registry.close();
    },
  };
});

let registry: RunningRegistry;
beforeEach(async () => {
  registry = await startRegistry();
});
afterEach(() => registry.close());

const { ask, pushBlob } = requestsTo(() => registry);

describe('the base', () => {
  it('says that it is a registry', async () => {
    const response = await ask('GET', '/v2/');
    expect(response.status).toBe(200);
    expect(response.headers.get('docker-distribution-api-version')).toBe('registry/2.0');
  });

  it.each(['0.0.0.0', '::', '192.168.1.1', 'example.com', 'localhost.evil.example'])(
    'does not listen on %s, which others can reach',
    async (host) => {
      await expect(startRegistry({ host })).rejects.toMatchObject({ code: 'BAD_INPUT' });
    },
  );

  it('says when the port is taken', async () => {
    const port = Number(registry.host.split(':')[1]);
    await expect(startRegistry({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('counts requests by what they were for', async () => {
    await ask('GET', 'manifests/none');
    await ask('HEAD', `blobs/${ABSENT}`);
    await ask('GET', 'tags/list?n=3');
    expect(registry.requests).toEqual([
      { method: 'GET', path: '/v2/acme/app/manifests/none', status: 404, kind: 'manifest' },
      { method: 'HEAD', path: `/v2/acme/app/blobs/${ABSENT}`, status: 404, kind: 'blob' },
      { method: 'GET', path: '/v2/acme/app/tags/list?n=3', status: 404, kind: 'tags' },
    ]);
    registry.forgetRequests();
    expect(registry.requests).toEqual([]);
  });

  it('can be closed twice', async () => {
    await registry.close();
    await registry.close();
  });
});

describe('refusals', () => {
  const upload = 'blobs/uploads/00000000-0000-4000-8000-000000000000';
  it.each([
    ['GET', '/v2/unknown/tags/list', 404, 'NAME_UNKNOWN'],
    ['GET', '/v2/unknown/manifests/1', 404, 'NAME_UNKNOWN'],
    ['DELETE', '/v2/unknown/manifests/1', 404, 'NAME_UNKNOWN'],
    ['GET', `/v2/unknown/blobs/${ABSENT}`, 404, 'NAME_UNKNOWN'],
    ['DELETE', `/v2/unknown/blobs/${ABSENT}`, 404, 'NAME_UNKNOWN'],
    ['GET', '/v2/Upper/manifests/1', 404, 'NAME_INVALID'],
    ['POST', '/v2/Upper/blobs/uploads/', 400, 'NAME_INVALID'],
    ['POST', '/v2/a..b/blobs/uploads/', 400, 'NAME_INVALID'],
    ['POST', `/v2/${'a'.repeat(256)}/blobs/uploads/`, 400, 'NAME_INVALID'],
    ['PUT', '/v2/a%0Ab/manifests/1', 400, 'NAME_INVALID'],
    ['GET', 'manifests/absent', 404, 'MANIFEST_UNKNOWN'],
    ['GET', `manifests/${ABSENT}`, 404, 'MANIFEST_UNKNOWN'],
    ['GET', 'manifests/.no-tag', 404, 'MANIFEST_UNKNOWN'],
    ['GET', 'manifests/sha256:abc', 404, 'MANIFEST_UNKNOWN'],
    ['PUT', 'manifests/.no-tag', 400, 'MANIFEST_INVALID'],
    ['PUT', 'manifests/sha256:abc', 400, 'DIGEST_INVALID'],
    ['PUT', 'manifests/1?tag=.no-tag', 400, 'MANIFEST_INVALID'],
    ['DELETE', 'manifests/absent', 404, 'MANIFEST_UNKNOWN'],
    ['DELETE', `manifests/${ABSENT}`, 404, 'MANIFEST_UNKNOWN'],
    ['PATCH', 'manifests/1', 405, 'UNSUPPORTED'],
    ['GET', `blobs/${ABSENT}`, 404, 'BLOB_UNKNOWN'],
    ['GET', 'blobs/sha256:abc', 404, 'BLOB_UNKNOWN'],
    ['DELETE', `blobs/${ABSENT}`, 404, 'BLOB_UNKNOWN'],
    ['DELETE', 'blobs/sha256:abc', 400, 'DIGEST_INVALID'],
    ['PUT', `blobs/${ABSENT}`, 405, 'UNSUPPORTED'],
    ['GET', 'blobs/uploads/', 405, 'UNSUPPORTED'],
    ['POST', 'blobs/uploads/?digest=md5:abc', 400, 'DIGEST_INVALID'],
    ['POST', 'blobs/uploads/?mount=abc', 400, 'DIGEST_INVALID'],
    ['PATCH', upload, 404, 'BLOB_UPLOAD_UNKNOWN'],
    ['PUT', `${upload}?digest=${ABSENT}`, 404, 'BLOB_UPLOAD_UNKNOWN'],
    ['GET', upload, 404, 'BLOB_UPLOAD_UNKNOWN'],
    ['DELETE', upload, 404, 'BLOB_UPLOAD_UNKNOWN'],
    ['GET', 'referrers/sha256:abc', 400, 'DIGEST_INVALID'],
    ['POST', 'tags/list', 405, 'UNSUPPORTED'],
    ['GET', 'tags/list?n=-1', 400, 'UNSUPPORTED'],
    ['GET', 'elsewhere', 404, 'UNSUPPORTED'],
    ['GET', '/v2/%', 404, 'UNSUPPORTED'],
    ['GET', '/v1/', 404, 'UNSUPPORTED'],
  ])('answers %s %s with %i %s', async (method, where, status, code) => {
    await pushBlob(randomLayer());
    const response = await ask(method, where);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await codeOf(response)).toBe(code);
  });

  it('repeats nothing dangerous of what was sent', async () => {
    const response = await ask('GET', `manifests/${encodeURIComponent('\u001b[31m\n::set-output')}`);
    const text = await response.text();
    expect(text).not.toMatch(/\\u001b|\\n/);
    expect(text.length).toBeLessThan(1000);
  });
});
