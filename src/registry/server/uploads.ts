import { randomUUID } from 'node:crypto';
import { type Digest, parseDigest } from '../../core/digest.ts';
import { quote } from '../../core/printable.ts';
import type { StagedContent } from '../content-store.ts';
import { Turns } from '../turns.ts';
import { type Answer, answerEmpty, type Call, Refusal, refuseMethod } from './answer.ts';
import type { Shelves } from './shelves.ts';

interface Upload {
  readonly id: string;
  readonly name: string;
  readonly staged: StagedContent;
  /** A client that resumes may come before the cut request has been noticed. */
  readonly turns: Turns;
  /** When it was last asked for, in milliseconds of the process's own clock. */
  lastUsedMs: number;
}

const MAX_IDLE_MS = 3_600_000;

/** `/v2/NAME/blobs/uploads/[ID]`: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-blobs */
export class Uploads {
  readonly #shelves: Shelves;
  readonly #open = new Map<string, Upload>();

  constructor(shelves: Shelves) {
    this.#shelves = shelves;
  }

  async answer(call: Call): Promise<Answer> {
    const { method, name, reference } = call;
    if (reference === '') {
      if (method !== 'POST') throw refuseMethod(method, 'POST');
      return this.#begin(call);
    }
    const upload = this.#require(name, reference);
    upload.lastUsedMs = performance.now();
    if (method === 'DELETE') {
      await this.#end(upload);
      return answerEmpty(204, {});
    }
    const work = this.#workOf(method, upload);
    return upload.turns.take(async () => {
      // The request before this one may have ended it.
      this.#require(name, reference);
      return work(call);
    });
  }

  /** Drops what clients left unfinished; no request may be under way. */
  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((upload) => this.#end(upload)));
  }

  #require(name: string, id: string): Upload {
    const upload = this.#open.get(id);
    if (upload?.name === name) return upload;
    throw new Refusal(404, 'BLOB_UPLOAD_UNKNOWN', `${name} has no upload ${quote(id)}`);
  }

  #workOf(method: string, upload: Upload): (call: Call) => Promise<Answer> {
    switch (method) {
      case 'GET':
        return async () => answerEmpty(204, progress(upload));
      case 'PATCH':
        return (call) => this.#append(upload, call);
      case 'PUT':
        return (call) => this.#finish(upload, call);
      default:
        throw refuseMethod(method, 'GET, PATCH, PUT, DELETE');
    }
  }

  async #begin({ name, query, body }: Call): Promise<Answer> {
    const mount = query.get('mount');
    if (mount !== null) {
      const digest = requireDigest(mount);
      const mounted = await this.#shelves.mountBlob(name, digest, query.get('from') ?? undefined);
      if (mounted) return answerEmpty(201, blobHeaders(name, digest));
    }
    const wanted = query.get('digest');
    checkAlgorithm(query.get('digest-algorithm'));
    const digest = wanted === null ? undefined : requireDigest(wanted);
    await this.#dropIdle();
    const staged = await this.#shelves.store.stage();
    const upload = { id: randomUUID(), name, staged, turns: new Turns(), lastUsedMs: performance.now() };
    if (digest === undefined) {
      this.#open.set(upload.id, upload);
      return answerEmpty(202, progress(upload));
    }
    try {
      await staged.append(body);
      return await this.#store(upload, digest);
    } finally {
      await this.#end(upload);
    }
  }

  async #append(upload: Upload, call: Call): Promise<Answer> {
    await upload.staged.append(chunkOf(upload, call));
    return answerEmpty(202, progress(upload));
  }

  async #finish(upload: Upload, call: Call): Promise<Answer> {
    const digest = requireDigest(call.query.get('digest') ?? '');
    await upload.staged.append(chunkOf(upload, call));
    try {
      return await this.#store(upload, digest);
    } finally {
      await this.#end(upload);
    }
  }

  async #store({ name, staged }: Upload, digest: Digest): Promise<Answer> {
    if (await this.#shelves.addBlob(name, digest, staged)) return answerEmpty(201, blobHeaders(name, digest));
    throw new Refusal(
      400,
      'DIGEST_INVALID',
      `the ${staged.sizeBytes} bytes that came do not have the digest ${digest}`,
    );
  }

  async #dropIdle(): Promise<void> {
    const oldestMs = performance.now() - MAX_IDLE_MS;
    const idle = [...this.#open.values()].filter(({ lastUsedMs }) => lastUsedMs < oldestMs);
    await Promise.all(idle.map((upload) => this.#end(upload)));
  }

  async #end(upload: Upload): Promise<void> {
    this.#open.delete(upload.id);
    await upload.staged.discard();
  }
}

/** `0-0` also stands for nothing yet: the specification has no other word for it, and registries agree on this one. */
function progress({ id, name, staged }: Upload): Record<string, string> {
  return {
    Location: `/v2/${name}/blobs/uploads/${id}`,
    Range: `0-${Math.max(0, staged.sizeBytes - 1)}`,
    'Docker-Upload-UUID': id,
  };
}

/**
 * The body: a stream that goes on where the upload stands, or a chunk that says where it belongs, which must be there and
 * have the size it says. https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-a-blob-in-chunks
 */
function chunkOf(upload: Upload, { headers, body }: Call): AsyncIterable<Uint8Array> {
  const range = headers['content-range'];
  if (range === undefined) return body;
  const [, first, last] = /^(\d{1,15})-(\d{1,15})$/.exec(range) ?? [];
  const { sizeBytes } = upload.staged;
  if (first === undefined || Number(first) !== sizeBytes || Number(last) < sizeBytes) {
    const why = `the chunk ${quote(range)} does not begin at byte ${sizeBytes}`;
    throw new Refusal(416, 'BLOB_UPLOAD_INVALID', why, progress(upload));
  }
  const saidBytes = Number(last) + 1 - sizeBytes;
  const length = headers['content-length'];
  if (length !== undefined && Number(length) !== saidBytes) throw wrongSize(range, `${Number(length)}`);
  return ofSize(body, saidBytes, range);
}

/** Passes on what fits, so that the place that the upload tells stays true. */
async function* ofSize(body: AsyncIterable<Uint8Array>, saidBytes: number, range: string): AsyncGenerator<Uint8Array> {
  let cameBytes = 0;
  for await (const piece of body) {
    if (cameBytes + piece.length > saidBytes) throw wrongSize(range, 'more');
    cameBytes += piece.length;
    yield piece;
  }
  if (cameBytes < saidBytes) throw wrongSize(range, `${cameBytes}`);
}

function wrongSize(range: string, came: string): Refusal {
  return new Refusal(400, 'SIZE_INVALID', `the chunk ${quote(range)} has another size: ${came} bytes came`);
}

/** Of the specification after v1.1.1 (end-4c): a hint, since the digest at the end says it again. */
function checkAlgorithm(algorithm: string | null): void {
  if (algorithm === null || algorithm === 'sha256' || algorithm === 'sha512') return;
  throw new Refusal(400, 'DIGEST_INVALID', `${quote(algorithm)} is no algorithm that digests are kept in`);
}

function requireDigest(text: string): Digest {
  const digest = parseDigest(text);
  if (digest === undefined) throw new Refusal(400, 'DIGEST_INVALID', `${quote(text)} is no digest`);
  return digest;
}

function blobHeaders(name: string, digest: Digest): Record<string, string> {
  return { Location: `/v2/${name}/blobs/${digest}`, 'Docker-Content-Digest': digest };
}
