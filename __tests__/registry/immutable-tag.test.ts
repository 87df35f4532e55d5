import { describe, expect, test } from 'vitest';
import type { Digest } from '../../src/core/digest.ts';
import { digestOf } from '../../src/core/digest.ts';
import { openRepository } from './open-repository.ts';
import { sampleImage } from './sample-image.ts';
import { type ScriptedServer, serve } from './scripted-server.ts';

const { descriptor: MANIFEST, bytes: MANIFEST_BYTES } = sampleImage().manifest;
const OTHER = digestOf('other');

interface Refusal {
  readonly status: number;
  readonly code?: string;
  readonly message?: string;
}

/** Refuses to set tags, and says that they are on `held`. */
function serveRefusing({ status, code, message }: Refusal, held: Digest | undefined): Promise<ScriptedServer> {
  return serve(({ method, path }, response) => {
    if (method === 'PUT' && path.includes('sha256:')) response.writeHead(201).end();
    else if (method === 'PUT') {
      response.writeHead(status).end(code === undefined ? '' : JSON.stringify({ errors: [{ code, message }] }));
    } else if (held === undefined) response.writeHead(404).end();
    else {
      const headers = {
        'content-type': MANIFEST.mediaType,
        'content-length': MANIFEST.sizeBytes,
        'docker-content-digest': held,
      };
      response.writeHead(200, headers).end();
    }
  });
}

async function setTag(refusal: Refusal, held: Digest | undefined): Promise<void> {
  const server = await serveRefusing(refusal, held);
  const repository = openRepository(server.host);
  await repository.push(MANIFEST, MANIFEST_BYTES);
  await repository.tag(MANIFEST, '1.2.3');
}

const ECR =
  "The image tag '1.2.3' already exists in the 'acme/app' repository and cannot be overwritten because it is immutable.";

const IMMUTABLE: readonly [string, Refusal][] = [
  ['409 TAG_IMMUTABLE', { status: 409, code: 'TAG_IMMUTABLE', message: 'no' }],
  ['409 without words', { status: 409 }],
  ['412 without words', { status: 412 }],
  [
    '412 of Harbor',
    {
      status: 412,
      code: 'PRECONDITION',
      message: "Failed to process request due to 'app:1.2.3' configured as immutable.",
    },
  ],
  ['400 of Amazon ECR', { status: 400, code: 'TAG_INVALID', message: ECR }],
  ['400 ImageTagAlreadyExistsException', { status: 400, code: 'ImageTagAlreadyExistsException', message: 'no' }],
  ['403 DENIED', { status: 403, code: 'DENIED', message: 'tag is immutable' }],
  ['405 UNSUPPORTED', { status: 405, code: 'UNSUPPORTED', message: 'Cannot overwrite a locked tag' }],
];

describe('a tag that the registry does not let be set', () => {
  test.each(IMMUTABLE)('and is on this manifest already is success: %s', async (_, refusal) => {
    await setTag(refusal, MANIFEST.digest);
  });

  test.each(IMMUTABLE)('and is on another manifest is refused, naming both: %s', async (_, refusal) => {
    await expect(setTag(refusal, OTHER)).rejects.toMatchObject({
      code: 'IMMUTABLE_TAG',
      exitCode: 3,
      message: expect.stringMatching(
        new RegExp(`/acme/app:1\\.2\\.3: it is on ${OTHER} and was to be on ${MANIFEST.digest}`),
      ),
      hint: expect.stringContaining('immutability rule'),
    });
  });

  test.each(IMMUTABLE)('and is not there fails as the registry says: %s', async (_, refusal) => {
    await expect(setTag(refusal, undefined)).rejects.toMatchObject({ exitCode: 1, status: refusal.status });
  });

  test.each<[string, Refusal, Digest]>([
    ['a missing right, whatever the tag is on', { status: 403, code: 'DENIED', message: 'no' }, MANIFEST.digest],
    ['a missing login', { status: 401, code: 'UNAUTHORIZED', message: 'immutable' }, MANIFEST.digest],
    ['a manifest that the registry does not like', { status: 400, code: 'MANIFEST_INVALID', message: 'no' }, OTHER],
    ['a size', { status: 413 }, OTHER],
  ])('for %s is that failure', async (_, refusal, held) => {
    await expect(setTag(refusal, held)).rejects.toMatchObject({ exitCode: 1, status: refusal.status });
  });

  test('after a write whose answer was lost is success', async () => {
    const kept: { written: boolean } = { written: false };
    const server = await serve(({ method, path }, response) => {
      const headers = { 'content-type': MANIFEST.mediaType, 'docker-content-digest': MANIFEST.digest };
      if (method !== 'PUT') response.writeHead(200, { ...headers, 'content-length': MANIFEST.sizeBytes }).end();
      else if (path.includes('sha256:')) response.writeHead(201).end();
      else if (kept.written) response.writeHead(409, headers).end();
      else {
        kept.written = true;
        response.destroy();
      }
    });
    const repository = openRepository(server.host);
    await repository.push(MANIFEST, MANIFEST_BYTES);
    await repository.tag(MANIFEST, '1.2.3');
    expect(server.lines().slice(1)).toEqual([
      'PUT /v2/acme/app/manifests/1.2.3',
      'PUT /v2/acme/app/manifests/1.2.3',
      'HEAD /v2/acme/app/manifests/1.2.3',
    ]);
  });
});
