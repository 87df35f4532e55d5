import { type Digest, digestOf } from '../core/digest.ts';
import { quote } from '../core/printable.ts';
import { formatRepositoryName, isTag, type RepositoryName } from '../core/reference.ts';
import { isRegistryError, RegistryError } from '../errors.ts';
import { MAX_MANIFEST_BYTES, parseManifest, parseTagList } from '../oci/parse.ts';
import { type Descriptor, isManifestMediaType, MEDIA_TYPES } from '../oci/types.ts';
import { openBlob } from './download.ts';
import type { Endpoint } from './endpoint.ts';
import { publicUrl, requestFailure } from './failure.ts';
import { settleRefusedTag } from './immutable-tag.ts';
import { checkManifest, checkStored, headDescriptor, mediaTypeOf } from './manifest-answer.ts';
import type { ManifestCache } from './manifest-cache.ts';
import { pagesFrom } from './pages.ts';
import { enterReferrer, fallbackTag, membersOf, referrerOf, removeReferrer } from './referrers.ts';
import type { Body, Content, PushAccess, RegistryKnowledge, Repository, TagDeletion, Target } from './repository.ts';
import type { Answer, HttpRequest } from './transport.ts';
import { pushBlob, startUpload } from './upload.ts';
import { contentInMemory, verifiedContent } from './verified-content.ts';

const ACCEPT = [
  MEDIA_TYPES.ociIndex,
  MEDIA_TYPES.ociManifest,
  MEDIA_TYPES.dockerIndex,
  MEDIA_TYPES.dockerManifest,
].join(', ');
const MANIFEST = 'the manifest to push';
const TAGS_PER_PAGE = 1000;
const MAX_LISTING_BYTES = 32 * 1024 * 1024;
/** How registries without the referrers API answer. */
const NO_REFERRERS_API = [400, 404, 405, 406, 501];
/** What reading a manifest that cannot be used ends with. */
const DAMAGED = new Set(['DIGEST_INVALID', 'MANIFEST_INVALID', 'SIZE_INVALID', 'TOO_LARGE', 'UNEXPECTED_ANSWER']);

/** A repository of any registry that speaks distribution-spec v1.1.1. Open it with `openRegistries`. */
export class Distribution implements Repository, PushAccess, TagDeletion, RegistryKnowledge {
  readonly name: RepositoryName;
  readonly #endpoint: Endpoint;
  readonly #manifests: ManifestCache;

  constructor(endpoint: Endpoint, manifests: ManifestCache) {
    this.name = endpoint.name;
    this.#endpoint = endpoint;
    this.#manifests = manifests;
  }

  async resolve(target: Target): Promise<Descriptor | undefined> {
    const answer = await this.#endpoint.send(this.#manifestRequest('HEAD', target));
    if (answer.status === 404) return undefined;
    if (answer.status === 200) {
      const descriptor = headDescriptor(answer, 'tag' in target ? undefined : target.digest);
      if (descriptor !== undefined) return descriptor;
    } else if (answer.status !== 405) {
      throw this.#endpoint.failure(answer);
    }
    return (await this.fetch(target))?.descriptor;
  }

  async fetch(target: Target | Descriptor): Promise<Content | undefined> {
    if ('mediaType' in target && !isManifestMediaType(target.mediaType)) return openBlob(this.#endpoint, target);
    const answer = await this.#endpoint.send(this.#manifestRequest('GET', target));
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw this.#endpoint.failure(answer);
    const mediaType = mediaTypeOf(answer);
    const digest = checkManifest(answer, 'tag' in target ? {} : target);
    this.#manifests.keep(digest, answer.body);
    return contentInMemory({ mediaType, digest, sizeBytes: answer.body.length }, answer.body);
  }

  async push(content: Descriptor, body: Body, mountFrom?: RepositoryName): Promise<void> {
    if (!isManifestMediaType(content.mediaType)) return pushBlob(this.#endpoint, content, body, mountFrom);
    const bytes = body instanceof Uint8Array ? body : await verifiedContent(content, MANIFEST, body).bytes();
    if (bytes.length !== content.sizeBytes || digestOf(bytes, content.digest) !== content.digest) {
      throw new RegistryError('DIGEST_INVALID', `${MANIFEST} is not ${content.digest} of ${content.sizeBytes} bytes`);
    }
    const answer = await this.#putManifest(content, content.digest, bytes);
    this.#manifests.keep(content.digest, bytes);
    const referrer = referrerOf(content, bytes);
    if (referrer === undefined || (await this.#listsReferrers(answer, referrer.subject))) return;
    await enterReferrer(this, referrer, this.#endpoint.session.rules);
  }

  async tag(manifest: Descriptor, tag: string): Promise<void> {
    const bytes = this.#manifests.find(manifest.digest) ?? (await this.#bytesOf(manifest));
    if (bytes === undefined) {
      throw new RegistryError(
        'MANIFEST_UNKNOWN',
        `${formatRepositoryName(this.name)} has no ${manifest.digest} to tag`,
      );
    }
    try {
      await this.#putManifest(manifest, checkedTag(tag), bytes);
    } catch (error) {
      await settleRefusedTag(this, { manifest, tag }, error);
    }
  }

  async *tags(): AsyncIterable<string> {
    const seen = new Set<string>();
    for (let last: string | undefined = '', page = 0; last !== undefined; ) {
      const from: string = last === '' ? '' : `&last=${encodeURIComponent(last)}`;
      const known = seen.size;
      for await (const answer of this.#listing(`tags/list?n=${TAGS_PER_PAGE}${from}`)) {
        const tags = parseTagList(answer.body);
        if (!tags.ok)
          throw requestFailure('UNEXPECTED_ANSWER', answer, `the answer is no list of tags: ${tags.problem}`);
        page = tags.value.length;
        last = tags.value.at(-1);
        yield* tags.value.filter((tag) => !seen.has(tag));
        for (const tag of tags.value) seen.add(tag);
      }
      // A page that is full may be cut, though nothing leads to the next one: spec.md#listing-tags.
      if (page < TAGS_PER_PAGE || seen.size === known) return;
    }
  }

  /** From the referrers API and from the fallback tag, whichever there are: a registry may have got the API later. */
  async *referrers(subject: Descriptor, artifactType?: string): AsyncIterable<Descriptor> {
    const seen = new Set<string>();
    for await (const referrer of this.#allReferrers(subject, artifactType)) {
      if (artifactType !== undefined && referrer.artifactType !== artifactType) continue;
      if (seen.has(referrer.digest)) continue;
      seen.add(referrer.digest);
      yield referrer;
    }
  }

  async exists(): Promise<boolean> {
    const answer = await this.#endpoint.send({ method: 'GET', url: this.#endpoint.url('tags/list?n=1') });
    if (answer.status !== 200 && answer.status !== 404) throw this.#endpoint.failure(answer);
    return answer.status === 200;
  }

  async listedReferrers(subject: Digest): Promise<readonly Descriptor[] | undefined> {
    const members: Descriptor[] = [];
    let keepsLists = true;
    const pages = pagesFrom(this.#endpoint.url(`referrers/${subject}`), async (url) => {
      const answer = await this.#endpoint.send({ method: 'GET', url, limitBytes: MAX_LISTING_BYTES });
      if (answer.status === 200 && isIndex(answer)) return answer;
      if (answer.status !== 200 && !NO_REFERRERS_API.includes(answer.status)) throw this.#endpoint.failure(answer);
      // Some say so of a manifest without referrers, and list those of others.
      keepsLists = answer.status === 404 && this.#endpoint.failure(answer).code === 'MANIFEST_UNKNOWN';
      return undefined;
    });
    for await (const answer of pages) members.push(...membersOf(answer.body, publicUrl(answer.url)));
    return keepsLists ? members : undefined;
  }

  get answeredAtMs(): number | undefined {
    return this.#endpoint.answeredAtMs;
  }

  async delete(digest: Digest): Promise<boolean> {
    const subject = await this.#subjectOf(digest);
    this.#manifests.forget(digest);
    const deleted = await this.#deleteManifest(digest, [405, 501]);
    if (subject !== undefined) await removeReferrer(this, { subject, digest }, this.#endpoint.session.rules);
    return deleted;
  }

  async deleteTag(tag: string): Promise<boolean> {
    // Registries that know digests only take the tag for a bad one.
    return this.#deleteManifest(checkedTag(tag), [400, 405, 501]);
  }

  async checkPushAccess(): Promise<void> {
    const url = await startUpload(this.#endpoint);
    const request: HttpRequest = { method: 'DELETE', url };
    // An upload that is not cancelled is the registry's to clean up.
    await this.#endpoint.session.attempt(request, this.#endpoint.access(request)).catch(() => undefined);
  }

  /** What this manifest points at; `undefined` also when it is damaged, which is no reason to keep it. */
  async #subjectOf(digest: Digest): Promise<Digest | undefined> {
    try {
      const bytes = this.#manifests.find(digest) ?? (await this.#bytesOf({ digest }));
      const manifest = bytes === undefined ? undefined : parseManifest(bytes);
      return manifest?.ok ? manifest.value.subject?.digest : undefined;
    } catch (error) {
      if (isRegistryError(error) && DAMAGED.has(error.code)) return undefined;
      throw error;
    }
  }

  async #bytesOf({ digest }: Pick<Descriptor, 'digest'>): Promise<Uint8Array | undefined> {
    const content = await this.fetch({ digest });
    return content?.bytes(MAX_MANIFEST_BYTES);
  }

  #manifestRequest(method: 'GET' | 'HEAD', target: Target | Descriptor): HttpRequest {
    const url = this.#endpoint.url(`manifests/${'tag' in target ? checkedTag(target.tag) : target.digest}`);
    return { method, url, headers: { accept: ACCEPT }, limitBytes: MAX_MANIFEST_BYTES };
  }

  async #putManifest({ mediaType, digest }: Descriptor, reference: string, bytes: Uint8Array): Promise<Answer> {
    const answer = await this.#endpoint.send({
      method: 'PUT',
      url: this.#endpoint.url(`manifests/${reference}`),
      headers: { 'content-type': mediaType },
      payload: { content: bytes, sizeBytes: bytes.length },
    });
    if (answer.status < 200 || answer.status > 299) throw this.#endpoint.failure(answer);
    checkStored(answer, digest);
    return answer;
  }

  /** The registry says that it took note of the subject, and it has the API indeed. */
  async #listsReferrers(stored: Answer, { digest }: Descriptor): Promise<boolean> {
    if (stored.header('oci-subject') === undefined) return false;
    for await (const answer of this.#listing(`referrers/${digest}`, NO_REFERRERS_API)) return isIndex(answer);
    return false;
  }

  async #deleteManifest(reference: string, unsupported: readonly number[]): Promise<boolean> {
    const answer = await this.#endpoint.send({ method: 'DELETE', url: this.#endpoint.url(`manifests/${reference}`) });
    if (answer.status === 404) return false;
    if (answer.status >= 200 && answer.status < 300) return true;
    const failure = this.#endpoint.failure(answer);
    if (!unsupported.includes(answer.status)) throw failure;
    const { status, entries } = failure;
    throw requestFailure('UNSUPPORTED', answer, `the registry cannot delete this: it answered ${answer.status}`, {
      ...(status === undefined ? {} : { status }),
      entries,
    });
  }

  /** The pages of a listing; none where the registry answers one of the `absent` statuses. */
  #listing(part: string, absent: readonly number[] = [404]): AsyncIterable<Answer> {
    return pagesFrom(this.#endpoint.url(part), async (url) => {
      const answer = await this.#endpoint.send({ method: 'GET', url, limitBytes: MAX_LISTING_BYTES });
      if (absent.includes(answer.status)) return undefined;
      if (answer.status !== 200) throw this.#endpoint.failure(answer);
      return answer;
    });
  }

  async *#allReferrers(subject: Descriptor, artifactType: string | undefined): AsyncIterable<Descriptor> {
    const filter = artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`;
    for await (const answer of this.#listing(`referrers/${subject.digest}${filter}`, NO_REFERRERS_API)) {
      if (!isIndex(answer)) break;
      yield* membersOf(answer.body, publicUrl(answer.url));
    }
    const tag = fallbackTag(subject.digest);
    const fallback = await this.fetch({ tag });
    if (fallback?.descriptor.mediaType === MEDIA_TYPES.ociIndex) yield* membersOf(await fallback.bytes(), tag);
  }
}

/** A page for people is no answer of the referrers API. */
function isIndex(answer: Answer): boolean {
  return answer.header('content-type')?.startsWith(MEDIA_TYPES.ociIndex) ?? false;
}

function checkedTag(tag: string): string {
  if (isTag(tag)) return tag;
  throw new RegistryError('TAG_INVALID', `${quote(tag)} is not a tag`);
}
