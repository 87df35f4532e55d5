import { digestFromHash, hasherFor } from '../core/digest.ts';
import { RegistryError } from '../errors.ts';
import { MAX_MANIFEST_BYTES } from '../oci/parse.ts';
import type { Descriptor } from '../oci/types.ts';
import { only } from './content-store.ts';
import type { Content } from './repository.ts';

/**
 * Content that is checked as it is read: RegistryError SIZE_INVALID or DIGEST_INVALID after the last piece, at the latest.
 * `where` names the place in errors; `open` starts the reading.
 */
export function verifiedContent(descriptor: Descriptor, where: string, open: () => AsyncIterable<Uint8Array>): Content {
  return {
    descriptor,
    stream: () => verify(descriptor, where, open()),
    async bytes(limitBytes = MAX_MANIFEST_BYTES) {
      checkLimit(descriptor, where, limitBytes);
      const bytes = Buffer.alloc(descriptor.sizeBytes);
      let readBytes = 0;
      for await (const piece of verify(descriptor, where, open())) {
        bytes.set(piece, readBytes);
        readBytes += piece.length;
      }
      return bytes;
    },
  };
}

/** Content that is in memory and checked already. */
export function contentInMemory(descriptor: Descriptor, bytes: Uint8Array): Content {
  return {
    descriptor,
    stream: () => only(bytes),
    async bytes(limitBytes = MAX_MANIFEST_BYTES) {
      checkLimit(descriptor, descriptor.digest, limitBytes);
      return bytes;
    },
  };
}

async function* verify(
  { digest, sizeBytes }: Descriptor,
  where: string,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const hash = hasherFor(digest);
  let readBytes = 0;
  for await (const piece of pieces) {
    readBytes += piece.length;
    if (readBytes > sizeBytes) throw wrongSize(where, `more than ${sizeBytes}`, sizeBytes);
    hash.update(piece);
    yield piece;
  }
  if (readBytes !== sizeBytes) throw wrongSize(where, `${readBytes}`, sizeBytes);
  const found = digestFromHash(hash, digest);
  if (found !== digest) throw new RegistryError('DIGEST_INVALID', `${where} has the digest ${found}, not ${digest}`);
}

function checkLimit({ sizeBytes }: Descriptor, where: string, limitBytes: number): void {
  if (sizeBytes <= limitBytes) return;
  throw new RegistryError('TOO_LARGE', `${where} has ${sizeBytes} bytes: ${limitBytes} are the most that is read`);
}

function wrongSize(where: string, found: string, expected: number): RegistryError {
  return new RegistryError('SIZE_INVALID', `${where} has ${found} bytes, not ${expected}`);
}
