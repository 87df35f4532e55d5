import { quote } from '../core/printable.ts';
import type { RepositoryName } from '../core/reference.ts';
import { isRegistryError, type RegistryError } from '../errors.ts';
import type { Descriptor } from '../oci/types.ts';
import type { Endpoint } from './endpoint.ts';
import { requestFailure } from './failure.ts';
import { resolveLocation } from './location.ts';
import { refusePage } from './manifest-answer.ts';
import type { Body } from './repository.ts';
import { type Attempt, retry } from './retry.ts';
import type { Answer, HttpRequest } from './transport.ts';

/**
 * Pushes a blob: nothing when it is there, a mount when another repository of the same registry has it, else one monolithic
 * upload, which starts again from the beginning when it is cut.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#post-then-put
 */
export async function pushBlob(
  endpoint: Endpoint,
  blob: Descriptor,
  body: Body,
  mountFrom?: RepositoryName,
): Promise<void> {
  if (await hasBlob(endpoint, blob)) return;
  const mount = mountFrom === undefined ? undefined : await mountBlob(endpoint, blob, mountFrom);
  if (mount === 'mounted') return;
  // A registry that does not mount begins an upload instead.
  const uploads = mount === undefined ? [] : [mount];
  await retry(endpoint.session.rules, async () => {
    const upload = uploads.pop() ?? (await startUpload(endpoint));
    return sendBlob(endpoint, {
      method: 'PUT',
      url: withDigest(upload, blob),
      payload: { content: body, sizeBytes: blob.sizeBytes },
    });
  });
}

/** Starts an upload: the URL to send the blob to, or to cancel it with. */
export async function startUpload(endpoint: Endpoint): Promise<URL> {
  const answer = await endpoint.send({ method: 'POST', url: endpoint.url('blobs/uploads/') });
  if (answer.status !== 202) throw endpoint.failure(answer);
  return uploadOf(answer);
}

async function hasBlob(endpoint: Endpoint, { digest }: Descriptor): Promise<boolean> {
  const answer = await endpoint.send({ method: 'HEAD', url: endpoint.url(`blobs/${digest}`) });
  if (answer.status === 404) return false;
  refusePage(answer);
  if (answer.status === 200) return true;
  throw endpoint.failure(answer);
}

/** Whether it was mounted, or the URL of the upload that was begun instead; `undefined` when the registry refused both. */
async function mountBlob(
  endpoint: Endpoint,
  { digest }: Descriptor,
  from: RepositoryName,
): Promise<'mounted' | URL | undefined> {
  if (from.registry !== endpoint.name.registry || from.path === endpoint.name.path) return undefined;
  const query = `mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from.path)}`;
  try {
    const answer = await endpoint.send({ method: 'POST', url: endpoint.url(`blobs/uploads/?${query}`) }, from);
    if (answer.status === 201) return 'mounted';
    return answer.status === 202 ? uploadOf(answer) : undefined;
  } catch (error) {
    // No right to read there, or a registry that fails at mounting, is no reason not to push here.
    const status = isRegistryError(error) ? error.status : undefined;
    if (status === 401 || status === 403 || (status !== undefined && status >= 500)) return undefined;
    throw error;
  }
}

/** A failure that may pass, or an upload that the registry has lost track of, is one to start again. */
async function sendBlob(endpoint: Endpoint, request: HttpRequest): Promise<Attempt<undefined>> {
  const headers = { 'content-type': 'application/octet-stream' };
  const outcome = await endpoint.session.attempt({ ...request, headers }, endpoint.access(request));
  if (!('value' in outcome)) return outcome;
  const { status } = outcome.value;
  if (status >= 200 && status < 300) return { value: undefined };
  if (status === 413) throw refusedForSize(outcome.value, request.payload?.sizeBytes ?? 0);
  const failure = endpoint.failure(outcome.value);
  if (status === 404 || status === 416 || failure.code === 'BLOB_UPLOAD_INVALID') return { failure };
  throw failure;
}

/** Registries take layers of any size; it is a proxy in front of one that does not, and answers with a page of its own. */
function refusedForSize(answer: Answer, sizeBytes: number): RegistryError {
  const problem = `a body of ${sizeBytes} bytes is too large for ${quote(answer.url.host)} or a proxy before it`;
  return requestFailure('TOO_LARGE', answer, `${problem}: it answered 413`, {
    status: answer.status,
    hint: 'Raise the limit of the proxy (nginx: client_max_body_size 0), push past it, or make the layer smaller.',
  });
}

function uploadOf(answer: Answer): URL {
  const location = answer.header('location');
  if (location !== undefined) return resolveLocation(location, answer);
  throw requestFailure('UNEXPECTED_ANSWER', answer, 'the registry began an upload, but did not say where');
}

/** The registry's own query stays as it is, byte for byte: it may be signed. */
function withDigest(upload: URL, { digest }: Descriptor): URL {
  const url = new URL(upload);
  url.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return url;
}
