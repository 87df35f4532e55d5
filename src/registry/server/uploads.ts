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
    const upload = this.#open.get(reference);
    if (upload === undefined || upload.name !== name) {
      throw new Refusal(404, 'BLOB_UPLOAD_UNKNOWN', `${name} has no upload ${quote(reference)}`);
    }
    upload.lastUsedMs = performance.now();
    switch (method) {
      case 'GET':
        return upload.turns.take(async () => answerEmpty(204, progress(upload)));
      case 'PATCH':
        return upload.turns.take(() => this.#append(upload, call));
      case 'PUT':
        return upload.turns.take(() => this.#finish(upload, call));
      case 'DELETE':
        await this.#end(upload);
        return answerEmpty(204, {});
      default:
        throw refuseMethod(method, 'GET, PATCH, PUT, DELETE');
    }
  }

  /** Drops what clients left unfinished. */
  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((upload) => this.#end(upload)));
  }

  async #begin({ name, query, body }: Call): Promise<Answer> {
    const mount = query.get('mount');
    if (mount !== null) {
      const digest = requireDigest(mount);
      const mounted = await this.#shelves.mountBlob(name, digest, query.get('from') ?? undefined);
      if (mounted) return answerEmpty(201, blobHeaders(name, digest));
    }
    const wanted = query.get('digest');
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

  async #append(upload: Upload, { headers, body }: Call): Promise<Answer> {
    checkContinues(upload, headers['content-range'], headers['content-length']);
    await upload.staged.append(body);
    return answerEmpty(202, progress(upload));
  }

  async #finish(upload: Upload, { query, headers, body }: Call): Promise<Answer> {
    const digest = requireDigest(query.get('digest') ?? '');
    checkContinues(upload, headers['content-range'], headers['content-length']);
    await upload.staged.append(body);
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

/** A chunk that says where it belongs must belong at the end of what is there. */
function checkContinues(upload: Upload, range: string | undefined, lengthBytes: string | undefined): void {
  if (range === undefined) return;
  const [, first, last] = /^(\d{1,15})-(\d{1,15})$/.exec(range) ?? [];
  const { sizeBytes } = upload.staged;
  if (first === undefined || Number(first) !== sizeBytes || Number(last) < sizeBytes) {
    const why = `the chunk ${quote(range)} does not begin at byte ${sizeBytes}`;
    throw new Refusal(416, 'BLOB_UPLOAD_INVALID', why, progress(upload));
  }
  const said = Number(last) + 1 - sizeBytes;
  if (lengthBytes !== undefined && Number(lengthBytes) !== said) {
    throw new Refusal(400, 'SIZE_INVALID', `the chunk ${quote(range)} has ${Number(lengthBytes)} bytes, not ${said}`);
  }
}

function requireDigest(text: string): Digest {
  const digest = parseDigest(text);
  if (digest === undefined) throw new Refusal(400, 'DIGEST_INVALID', `${quote(text)} is no digest`);
  return digest;
}

function blobHeaders(name: string, digest: Digest): Record<string, string> {
  return { Location: `/v2/${name}/blobs/${digest}`, 'Docker-Content-Digest': digest };
}
