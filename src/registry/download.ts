import type { Descriptor } from '../oci/types.ts';
import type { Endpoint } from './endpoint.ts';
import { connectionFailure, publicUrl } from './failure.ts';
import type { Content } from './repository.ts';
import type { Answer, HttpRequest } from './transport.ts';
import { verifiedContent } from './verified-content.ts';
import { NetworkError } from './wire.ts';

/** How often a download is taken up again where it was cut. */
const MAX_RESUMPTIONS = 5;

/** A blob; `undefined` when it is not there. Its content is checked as it passes, and taken up again when it is cut. */
export async function openBlob(endpoint: Endpoint, descriptor: Descriptor): Promise<Content | undefined> {
  const request: HttpRequest = { method: 'GET', url: endpoint.url(`blobs/${descriptor.digest}`), streamed: true };
  const answer = await endpoint.send(request);
  if (answer.status === 404) return undefined;
  if (answer.status !== 200) throw endpoint.failure(answer);
  return verifiedContent(descriptor, publicUrl(request.url), () => resumed(endpoint, request, answer));
}

async function* resumed(endpoint: Endpoint, request: HttpRequest, first: Answer): AsyncGenerator<Uint8Array> {
  let answer = first;
  let passedBytes = 0;
  let skippedBytes = 0;
  for (let resumptions = 0; ; resumptions += 1) {
    try {
      for await (const chunk of answer.stream ?? []) {
        const fresh = chunk.subarray(skippedBytes);
        skippedBytes -= chunk.length - fresh.length;
        passedBytes += fresh.length;
        if (fresh.length > 0) yield fresh;
      }
      return;
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      const { error: failure, passing } = connectionFailure(request, error.cause, error.proxy);
      if (!passing || resumptions === MAX_RESUMPTIONS) throw failure;
      answer = await endpoint.send({ ...request, headers: { range: `bytes=${passedBytes}-` } });
      skippedBytes = startsAgain(answer) ? passedBytes : 0;
      if (skippedBytes === 0 && !answer.header('content-range')?.startsWith(`bytes ${passedBytes}-`)) throw failure;
    }
  }
}

/** Registries that know no ranges give the whole content once more. */
function startsAgain(answer: Answer): boolean {
  return answer.status === 200 && answer.header('content-range') === undefined;
}
