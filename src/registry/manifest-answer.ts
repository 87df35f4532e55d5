import { type Digest, digestOf, parseDigest } from '../core/digest.ts';
import { quote } from '../core/printable.ts';
import { parseManifest } from '../oci/parse.ts';
import { type Descriptor, isManifestMediaType } from '../oci/types.ts';
import { requestFailure } from './failure.ts';
import type { Answer } from './transport.ts';

const NO_REGISTRY = 'Check that the host is a registry, and that no login page or proxy answers in its place.';

/** `Docker-Content-Digest`; `undefined` where the registry sends none, or nothing of use. */
function announcedDigest(answer: Answer): Digest | undefined {
  return parseDigest(answer.header('docker-content-digest')?.trim() ?? '');
}

/** What a HEAD says of a manifest; `undefined` when it leaves something out, so that only a GET can tell. */
export function headDescriptor(answer: Answer, asked: Digest | undefined): Descriptor | undefined {
  const mediaType = contentType(answer);
  const announced = announcedDigest(answer);
  const digest = asked ?? announced;
  const length = answer.header('content-length') ?? '';
  if (!isManifestMediaType(mediaType) || digest === undefined || !/^[0-9]{1,15}$/.test(length)) return undefined;
  checkSame(answer, digest, announced);
  return { mediaType, digest, sizeBytes: Number(length) };
}

/** The media type of a manifest that came: as served, else as the document itself says. */
export function mediaTypeOf(answer: Answer): string {
  const served = contentType(answer);
  if (isManifestMediaType(served)) return served;
  const manifest = parseManifest(answer.body);
  if (manifest.ok) return manifest.value.mediaType;
  const problem = `the answer is ${quote(served)} where a manifest should be: ${manifest.problem}`;
  throw requestFailure('UNEXPECTED_ANSWER', answer, problem, { status: answer.status, hint: NO_REGISTRY });
}

/** RegistryError UNEXPECTED_ANSWER for a page for people that claims success, as login pages and proxies give. */
export function refusePage(answer: Answer): void {
  const type = contentType(answer);
  if (answer.status < 200 || answer.status > 299 || type !== 'text/html') return;
  const problem = `the answer ${answer.status} is a page for people (${type})`;
  throw requestFailure('UNEXPECTED_ANSWER', answer, problem, { status: answer.status, hint: NO_REGISTRY });
}

/** The digest of a manifest that came, checked against what was asked and against what the registry says that it sent. */
export function checkManifest(answer: Answer, asked: Partial<Descriptor>): Digest {
  const bytes = answer.body;
  const announced = announcedDigest(answer);
  for (const expected of [asked.digest, announced]) {
    const actual = expected === undefined ? undefined : digestOf(bytes, expected);
    if (actual !== expected) {
      throw requestFailure('DIGEST_INVALID', answer, `the content should be ${expected}, but is ${actual}`);
    }
  }
  if (asked.sizeBytes !== undefined && asked.sizeBytes !== bytes.length) {
    const problem = `the content should have ${asked.sizeBytes} bytes, but has ${bytes.length}`;
    throw requestFailure('SIZE_INVALID', answer, problem);
  }
  return asked.digest ?? announced ?? digestOf(bytes);
}

/** The answer to a push must not name other content than what was pushed. */
export function checkStored(answer: Answer, pushed: Digest): void {
  checkSame(answer, pushed, announcedDigest(answer));
}

/** Digests of different algorithms cannot be compared. */
function checkSame(answer: Answer, expected: Digest, actual: Digest | undefined): void {
  if (actual === undefined || actual === expected || actual.split(':')[0] !== expected.split(':')[0]) return;
  throw requestFailure('DIGEST_INVALID', answer, `the registry has ${actual} where ${expected} should be`);
}

function contentType(answer: Answer): string {
  return (answer.header('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}
