import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Digest } from '../core/digest.ts';
import { parseJson, textAt } from '../core/json.ts';
import { quote } from '../core/printable.ts';
import { formatRepositoryName, isTag, type RepositoryName } from '../core/reference.ts';
import { RegistryError } from '../errors.ts';
import { describeReferrer, partsOf } from '../oci/links.ts';
import { MAX_MANIFEST_BYTES, parseManifest } from '../oci/parse.ts';
import type { Descriptor, Index, Manifest } from '../oci/types.ts';
import { isManifestMediaType } from '../oci/types.ts';
import { ContentFolder, STAGED_PREFIX, unlessMissing } from './content-folder.ts';
import { collect, only } from './content-store.ts';
import {
  EMPTY_LAYOUT_INDEX,
  formatLayoutIndex,
  type LayoutIndex,
  parseLayoutIndex,
  withManifest,
  withoutManifest,
  withoutTag,
  withTag,
} from './layout-index.ts';
import type { Body, Content, Repository, TagDeletion, Target } from './repository.ts';
import { Turns } from './turns.ts';
import { verifiedContent } from './verified-content.ts';

/** A repository in a folder. */
export interface Layout extends Repository, TagDeletion {
  /** What `index.json` lists, each once, tagged or not: a build's result is the only one. */
  roots(): Promise<readonly Descriptor[]>;
}

/**
 * An OCI image layout folder as a repository; made by the first push when it is not there.
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
 * Its tags are the `org.opencontainers.image.ref.name` of `index.json`. A manifest that is pushed without a tag is listed
 * there too, until an index that names it is pushed. One process may write at a time; readers may be many.
 */
export function openLayout(directory: string): Layout {
  return new LayoutFolder(path.resolve(directory));
}

const VERSION = '1.0.0';

class LayoutFolder implements Layout {
  /** For messages only: no registry has this name. */
  readonly name: RepositoryName;
  readonly #directory: string;
  readonly #content: ContentFolder;
  readonly #turns = new Turns();

  constructor(directory: string) {
    this.name = { registry: 'oci-layout', path: directory.replace(/^\//, '') };
    this.#directory = directory;
    this.#content = new ContentFolder(directory);
  }

  async resolve(target: Target): Promise<Descriptor | undefined> {
    if ('digest' in target) return this.#describe(target.digest);
    const { entries } = await this.#readIndex();
    const tagged = entries.find(({ tag }) => tag === target.tag)?.descriptor;
    return tagged === undefined ? undefined : this.#describe(tagged.digest);
  }

  async fetch(target: Target | Descriptor): Promise<Content | undefined> {
    const descriptor = 'mediaType' in target ? target : await this.resolve(target);
    if (descriptor === undefined || (await this.#content.sizeOf(descriptor.digest)) === undefined) return undefined;
    return verifiedContent(descriptor, this.#place(descriptor.digest), () => this.#content.stream(descriptor.digest));
  }

  async push(content: Descriptor, body: Body): Promise<void> {
    if (isManifestMediaType(content.mediaType)) return this.#pushManifest(content, body);
    if ((await this.#content.sizeOf(content.digest)) === content.sizeBytes) return;
    await this.#write(content, body instanceof Uint8Array ? only(body) : body());
  }

  async tag(manifest: Descriptor, tag: string): Promise<void> {
    if (!isTag(tag)) throw new RegistryError('TAG_INVALID', `${quote(tag)} is not a tag`);
    const known = await this.#describe(manifest.digest);
    if (known === undefined)
      throw new RegistryError('MANIFEST_UNKNOWN', `${this.#place(manifest.digest)} does not exist`);
    await this.#changeIndex((index) => withTag(index, known, tag));
  }

  async *tags(): AsyncGenerator<string> {
    const { entries } = await this.#readIndex();
    // Any text may stand there, also a whole reference; what is no tag could not be asked for.
    yield* new Set(entries.flatMap(({ tag }) => (tag !== undefined && isTag(tag) ? [tag] : [])));
  }

  async *referrers(subject: Descriptor, artifactType?: string): AsyncGenerator<Descriptor> {
    for await (const { descriptor, manifest } of this.#manifests()) {
      if (manifest.subject?.digest !== subject.digest) continue;
      const referrer = describeReferrer(manifest, descriptor.digest, descriptor.sizeBytes);
      if (artifactType === undefined || referrer.artifactType === artifactType) yield referrer;
    }
  }

  async delete(digest: Digest): Promise<boolean> {
    const manifest = await this.#describe(digest);
    if (manifest === undefined) return false;
    await this.#changeIndex((index) => withoutManifest(index, manifest));
    return this.#content.remove(digest);
  }

  async deleteTag(tag: string): Promise<boolean> {
    const { entries } = await this.#readIndex();
    if (!entries.some((entry) => entry.tag === tag)) return false;
    await this.#changeIndex((index) => withoutTag(index, tag));
    return true;
  }

  async roots(): Promise<readonly Descriptor[]> {
    const { entries } = await this.#readIndex();
    const roots = new Map<Digest, Descriptor>();
    for (const { descriptor } of entries) {
      if (descriptor === undefined) continue;
      const { mediaType, digest, sizeBytes } = descriptor;
      roots.set(digest, { mediaType, digest, sizeBytes });
    }
    return [...roots.values()];
  }

  async #pushManifest(content: Descriptor, body: Body): Promise<void> {
    const bytes =
      body instanceof Uint8Array
        ? body
        : await verifiedContent(content, this.#place(content.digest), body).bytes(MAX_MANIFEST_BYTES);
    const manifest = parseManifest(bytes, content.mediaType);
    if (!manifest.ok) {
      throw new RegistryError('MANIFEST_INVALID', `${this.#place(content.digest)} is no manifest: ${manifest.problem}`);
    }
    await this.#write(content, only(bytes));
    await this.#changeIndex((index) => withManifest(index, content, partsOf(manifest.value)));
  }

  async #write(content: Descriptor, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    const place = this.#place(content.digest);
    const staged = await this.#content.stage();
    try {
      // Reading it through the check stops a body without end, and names what is wrong.
      await staged.append(verifiedContent(content, place, () => pieces).stream());
      if (!(await staged.commit(content.digest)))
        throw new RegistryError('DIGEST_INVALID', `${place} changed on its way`);
    } finally {
      await staged.discard();
    }
  }

  /** `undefined` when there is no such content, or it is no manifest. */
  async #describe(digest: Digest): Promise<Descriptor | undefined> {
    const sizeBytes = await this.#content.sizeOf(digest);
    if (sizeBytes === undefined || sizeBytes > MAX_MANIFEST_BYTES) return undefined;
    const manifest = parseManifest(await collect(this.#content.read(digest)));
    return manifest.ok ? { mediaType: manifest.value.mediaType, digest, sizeBytes } : undefined;
  }

  /** Every manifest that `index.json` leads to, each once. */
  async *#manifests(): AsyncGenerator<{ readonly descriptor: Descriptor; readonly manifest: Index | Manifest }> {
    const seen = new Set<Digest>();
    const ahead = [...(await this.roots())];
    for (let descriptor = ahead.shift(); descriptor !== undefined; descriptor = ahead.shift()) {
      if (seen.has(descriptor.digest) || !isManifestMediaType(descriptor.mediaType)) continue;
      seen.add(descriptor.digest);
      const content = await this.fetch(descriptor);
      const manifest = content === undefined ? undefined : parseManifest(await content.bytes(), descriptor.mediaType);
      if (manifest === undefined || !manifest.ok) continue;
      yield { descriptor, manifest: manifest.value };
      if (manifest.value.kind === 'index') ahead.push(...partsOf(manifest.value));
    }
  }

  async #readIndex(): Promise<LayoutIndex> {
    const text = await unlessMissing(readFile(path.join(this.#directory, 'index.json'), 'utf8'));
    if (text === undefined) return EMPTY_LAYOUT_INDEX;
    await this.#checkVersion();
    const index = parseLayoutIndex(text);
    if (index.ok) return index.value;
    throw new RegistryError('LAYOUT_INVALID', `index.json of ${formatRepositoryName(this.name)}: ${index.problem}`);
  }

  async #changeIndex(change: (index: LayoutIndex) => LayoutIndex): Promise<void> {
    await this.#turns.take(async () => {
      const index = change(await this.#readIndex());
      await this.#replace('oci-layout', JSON.stringify({ imageLayoutVersion: VERSION }));
      await this.#replace('index.json', formatLayoutIndex(index));
    });
  }

  /** Whole or not at all, also for a reader at this moment. */
  async #replace(name: string, text: string): Promise<void> {
    const staged = path.join(this.#directory, `${STAGED_PREFIX}${randomUUID()}`);
    await mkdir(path.join(this.#directory, 'blobs'), { recursive: true });
    await writeFile(staged, text);
    await rename(staged, path.join(this.#directory, name));
  }

  async #checkVersion(): Promise<void> {
    const text = await unlessMissing(readFile(path.join(this.#directory, 'oci-layout'), 'utf8'));
    const version = textAt(parseJson(text ?? ''), 'imageLayoutVersion');
    if (version === VERSION) return;
    const found = version === undefined ? 'has no oci-layout file with a version' : `has the version ${quote(version)}`;
    throw new RegistryError('LAYOUT_INVALID', `${formatRepositoryName(this.name)} ${found}: ${VERSION} is supported`);
  }

  #place(digest: Digest): string {
    return `${formatRepositoryName(this.name)}@${digest}`;
  }
}
