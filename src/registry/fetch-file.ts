import path from 'node:path';
import { type Digest, parseDigest } from '../core/digest.ts';
import { RegistryError } from '../errors.ts';
import { writingTo } from '../unwritable-file.ts';
import { ContentFolder } from './content-folder.ts';
import { publicUrl, requestFailure } from './failure.ts';
import { type Attempt, retry } from './retry.ts';
import { type Answer, createTransport, type HttpRequest, type Transport, type TransportSettings } from './transport.ts';
import { NetworkError } from './wire.ts';

/** A file of a web server, known by its checksum. */
export interface WantedFile {
  readonly url: URL;
  /** Hexadecimal. */
  readonly sha256: string;
  readonly maxBytes: number;
}

/**
 * Downloads a file into a directory and answers its path there. It appears whole and with the right checksum, or not at all;
 * a cut download starts again. RegistryError `DIGEST_INVALID` for other content, `TOO_LARGE`, or as of a registry;
 * BuildOnceError `UNWRITABLE_FILE`.
 */
export async function fetchFile(file: WantedFile, directory: string, settings: TransportSettings): Promise<string> {
  const digest = parseDigest(`sha256:${file.sha256}`);
  if (digest === undefined) throw new TypeError('not a checksum');
  const transport = createTransport(settings);
  const folder = new ContentFolder(directory);
  try {
    await writingTo(directory, () => retry(transport.rules, () => attempt(transport, { file, folder, digest })));
    return path.join(directory, 'blobs', ...digest.split(':'));
  } finally {
    transport.close();
  }
}

interface Download {
  readonly file: WantedFile;
  readonly folder: ContentFolder;
  readonly digest: Digest;
}

async function attempt(transport: Transport, { file, folder, digest }: Download): Promise<Attempt<true>> {
  const request: HttpRequest = { method: 'GET', url: file.url, streamed: true };
  const outcome = await transport.attempt(request);
  if (!('value' in outcome)) return outcome;
  const answer = outcome.value;
  if (answer.status !== 200)
    throw requestFailure('UNEXPECTED_ANSWER', request, `the answer is ${answer.status}`, { status: answer.status });
  const staged = await folder.stage();
  try {
    await staged.append(limited(answer, file));
    if (await staged.commit(digest)) return { value: true };
    // The length fits, so that it is other content; a connection that was cut is the case below.
    throw new RegistryError(
      'DIGEST_INVALID',
      `GET ${publicUrl(file.url)}: ${staged.sizeBytes} bytes that are not what was asked for: their sha256 is not ${file.sha256}`,
    );
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error;
    return { failure: requestFailure('CONNECTION_FAILED', request, 'the connection was cut', { cause: error.cause }) };
  } finally {
    await staged.discard();
  }
}

async function* limited(answer: Answer, { url, maxBytes }: WantedFile): AsyncGenerator<Uint8Array> {
  let leftBytes = maxBytes;
  for await (const piece of answer.stream ?? []) {
    leftBytes -= piece.length;
    if (leftBytes < 0) throw requestFailure('TOO_LARGE', { method: 'GET', url }, `it is larger than ${maxBytes} bytes`);
    yield piece;
  }
}
