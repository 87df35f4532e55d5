import { parseDigest } from '../../core/digest.ts';
import { quote } from '../../core/printable.ts';
import type { ByteRange } from '../content-store.ts';
import { type Answer, answerEmpty, type Call, Refusal, refuseMethod } from './answer.ts';
import type { Shelves } from './shelves.ts';

/** `/v2/NAME/blobs/DIGEST` */
export async function answerBlob(shelves: Shelves, call: Call): Promise<Answer> {
  const { method, name, reference, headers } = call;
  if (method !== 'GET' && method !== 'HEAD' && method !== 'DELETE') throw refuseMethod(method, 'GET, HEAD, DELETE');
  const digest = parseDigest(reference);
  if (digest === undefined && method === 'DELETE')
    throw new Refusal(400, 'DIGEST_INVALID', `${quote(reference)} is no digest`);
  shelves.requireShelf(name);
  const sizeBytes = digest === undefined ? undefined : await shelves.blobSize(name, digest);
  if (digest === undefined || sizeBytes === undefined) {
    throw new Refusal(404, 'BLOB_UNKNOWN', `${name} has no blob ${quote(reference)}`);
  }
  if (method === 'DELETE') {
    await shelves.removeBlob(name, digest);
    return answerEmpty(202, {});
  }
  const about = {
    'Content-Type': 'application/octet-stream',
    'Docker-Content-Digest': digest,
    'Accept-Ranges': 'bytes',
  };
  const range = method === 'GET' ? parseRange(headers.range, sizeBytes) : undefined;
  if (range === undefined) return { status: 200, headers: about, sizeBytes, body: shelves.store.read(digest) };
  return {
    status: 206,
    headers: { ...about, 'Content-Range': `bytes ${range.first}-${range.last}/${sizeBytes}` },
    sizeBytes: range.last + 1 - range.first,
    body: shelves.store.read(digest, range),
  };
}

/**
 * One range of bytes (RFC 9110, section 14). `undefined` is the whole content: no header, several ranges, another unit or
 * something malformed, all of which a server may ignore. A range that ends before it begins is answered with 416: the
 * specification's own tests ask for that.
 */
function parseRange(header: string | undefined, sizeBytes: number): ByteRange | undefined {
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (from === '' && to === '') return undefined;
  const first = from === '' ? Math.max(0, sizeBytes - Number(to)) : Number(from);
  const last = from === '' || to === '' ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1);
  if (first <= last) return { first, last };
  throw new Refusal(416, 'SIZE_INVALID', `${quote(header ?? '')} is outside of ${sizeBytes} bytes`, {
    'Content-Range': `bytes */${sizeBytes}`,
  });
}
