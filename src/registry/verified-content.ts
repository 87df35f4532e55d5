import { digestFromHash, hasherFor } from '../core/digest.ts';
import { RegistryError } from '../errors.ts';
import type { Descriptor } from '../oci/types.ts';
import type { Content } from './repository.ts';

const DEFAULT_LIMIT_BYTES = 4 * 1024 * 1024;

/**
 * Content that is checked as it is read: RegistryError SIZE_INVALID or DIGEST_INVALID after the last piece, at the latest.
 * `where` names the place in errors; `open` starts the reading.
 */
export function verifiedContent(descriptor: Descriptor, where: string, open: () => AsyncIterable<Uint8Array>): Content {
  return {
    descriptor,
    stream: () => verify(descriptor, where, open()),
    async bytes(limitBytes = DEFAULT_LIMIT_BYTES) {
      if (descriptor.sizeBytes > limitBytes) {
        throw new RegistryError('TOO_LARGE', `${where} has ${descriptor.sizeBytes} bytes: ${limitBytes} are allowed`);
      }
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

function wrongSize(where: string, found: string, expected: number): RegistryError {
  return new RegistryError('SIZE_INVALID', `${where} has ${found} bytes, not ${expected}`);
}
