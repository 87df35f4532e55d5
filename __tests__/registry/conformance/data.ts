import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { type Digest, digestOf, parseDigest } from '../../../src/core/digest.ts';
import { formatDescriptor } from '../../../src/oci/format.ts';
import { type Descriptor, MEDIA_TYPES } from '../../../src/oci/types.ts';
import { type Piece, pieceOf } from '../sample-image.ts';

/** Content of one kind, as the specification's own conformance suite pushes it. */
export interface DataSet {
  readonly name: string;
  readonly blobs: readonly Piece[];
  /** In the order of their push. */
  readonly manifests: readonly Piece[];
  readonly tags: ReadonlyMap<string, Piece>;
  /** Pushed with their manifests, in the query. */
  readonly tagsInQuery: boolean;
  /** What the referrers API must list, by subject. */
  readonly referrers: ReadonlyMap<Digest, readonly Readonly<Record<string, unknown>>[]>;
}

interface Fields {
  readonly artifactType?: string;
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

const SHA512 = parseDigest(`sha512:${'0'.repeat(128)}`);
const EXAMPLE_V1 = 'application/vnd.example.oci.conformance.v1';
const EXAMPLE_V2 = 'application/vnd.example.oci.conformance.v2';
const ANNOTATIONS = { 'org.opencontainers.conformance': 'hello conformance test' };

interface Making {
  /** The algorithm of every digest; sha256 when absent. */
  readonly like?: Digest | undefined;
  /** Descriptors hold their content, as image-spec v1.1.1 allows. */
  readonly data?: boolean;
  /** Documents have a field that no specification knows. */
  readonly extra?: boolean;
  readonly tagsInQuery?: boolean;
}

/** A set that grows: whatever is made is in it. */
class Maker {
  readonly #making: Making;
  readonly #blobs = new Map<Digest, Piece>();
  readonly #manifests: Piece[] = [];
  readonly #tags = new Map<string, Piece>();
  readonly #referrers = new Map<Digest, Readonly<Record<string, unknown>>[]>();

  constructor(making: Making = {}) {
    this.#making = making;
  }

  blob(content: Uint8Array | string, mediaType: string): Piece {
    const blob = pieceOf(content, mediaType, this.#making.like);
    this.#blobs.set(blob.descriptor.digest, blob);
    return blob;
  }

  layer(compress = true): Piece {
    const content = randomBytes(1536);
    return compress ? this.blob(gzipSync(content), MEDIA_TYPES.ociLayerGzip) : this.blob(content, MEDIA_TYPES.ociLayer);
  }

  config(architecture = 'amd64'): Piece {
    const config = { os: 'linux', architecture, rootfs: { type: 'layers', diff_ids: [] }, ...this.#extra() };
    return this.blob(JSON.stringify(config), MEDIA_TYPES.ociConfig);
  }

  image(fields: Fields = {}, layers: readonly Piece[] = [this.layer(), this.layer()], config = this.config()): Piece {
    const content = { config: this.#point(config), layers: layers.map((layer) => this.#point(layer)) };
    return this.#document(MEDIA_TYPES.ociManifest, content, fields, config.descriptor.mediaType);
  }

  artifact(fields: Fields = {}, layerType = EXAMPLE_V1): Piece {
    const layers = [this.blob(randomBytes(2048), layerType)];
    return this.image({ artifactType: EXAMPLE_V1, ...fields }, layers, this.blob('{}', MEDIA_TYPES.ociEmpty));
  }

  index(fields: Fields = {}, members: readonly Piece[] = [this.image(), this.image()]): Piece {
    const platforms = [
      { os: 'linux', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm64' },
    ];
    const manifests = members.map((member, position) => ({
      ...this.#point(member),
      platform: platforms[position % 2],
    }));
    return this.#document(MEDIA_TYPES.ociIndex, { manifests }, fields);
  }

  tag(name: string, manifest: Piece): this {
    this.#tags.set(name, manifest);
    return this;
  }

  forget(blob: Piece): void {
    this.#blobs.delete(blob.descriptor.digest);
  }

  made(name: string): DataSet {
    return {
      name,
      blobs: [...this.#blobs.values()],
      manifests: this.#manifests,
      tags: this.#tags,
      tagsInQuery: this.#making.tagsInQuery ?? false,
      referrers: this.#referrers,
    };
  }

  #extra(): Readonly<Record<string, string>> {
    return this.#making.extra === true ? { 'org.example.custom': 'kept as it came' } : {};
  }

  #point({ descriptor, bytes }: Piece): Readonly<Record<string, unknown>> {
    const data = this.#making.data === true ? { data: Buffer.from(bytes).toString('base64') } : {};
    return { ...formatDescriptor(descriptor), ...data };
  }

  #document(mediaType: string, content: object, { subject, ...fields }: Fields, configType?: string): Piece {
    const pointer = subject === undefined ? {} : { subject: formatDescriptor(subject) };
    const json = { schemaVersion: 2, mediaType, ...content, ...pointer, ...fields, ...this.#extra() };
    const document = pieceOf(JSON.stringify(json), mediaType, this.#making.like);
    this.#manifests.push(document);
    if (subject === undefined) return document;
    const artifactType = fields.artifactType ?? configType;
    const { annotations } = fields;
    this.#referrers.set(subject.digest, [
      ...(this.#referrers.get(subject.digest) ?? []),
      {
        ...formatDescriptor(document.descriptor),
        ...(artifactType === undefined ? {} : { artifactType }),
        ...(annotations === undefined ? {} : { annotations }),
      },
    ]);
    return document;
  }
}

function simple(name: string, make: (maker: Maker) => Piece, making: Making = {}): DataSet {
  const maker = new Maker(making);
  return maker.tag(name, make(maker)).made(name);
}

/** Without tags: in a push by tag, the registry chooses the algorithm. */
function sha512(): DataSet {
  const maker = new Maker({ like: SHA512 });
  maker.index();
  return maker.made('sha512');
}

function largeManifest(maker: Maker): Piece {
  const entries = Array.from(
    { length: 390 },
    (_, number) => [`large-annotation-${number}`, 'A'.repeat(10_000)] as const,
  );
  return maker.image({ annotations: Object.fromEntries(entries) });
}

function artifactsWithSubject(): DataSet {
  const maker = new Maker();
  const image = maker.image();
  const subject = image.descriptor;
  maker.image({ subject });
  const [first, second] = [EXAMPLE_V1, EXAMPLE_V2].map((artifactType, number) =>
    maker.artifact(
      { artifactType, subject, annotations: { ...ANNOTATIONS, [`org.example.${number}`]: 'unique' } },
      number === 0 ? EXAMPLE_V1 : 'application/octet-stream',
    ),
  );
  maker
    .tag('image', image)
    .tag('tagged-artifact1', first ?? image)
    .tag('tagged-artifact2', second ?? image);
  return maker.made('artifacts-with-subject');
}

function indexWithSubject(): DataSet {
  const maker = new Maker();
  const index = maker.index();
  const subject = index.descriptor;
  const untyped = maker.index({ subject }, []);
  const artifact = maker.index({ subject, artifactType: EXAMPLE_V1, annotations: ANNOTATIONS }, [maker.artifact()]);
  return maker.tag('index', index).tag('untyped', untyped).tag('tagged-artifact', artifact).made('index-with-subject');
}

function missingSubject(maker: Maker): Piece {
  const subject = { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf('missing content'), sizeBytes: 123 };
  return maker.artifact({ subject, annotations: ANNOTATIONS });
}

function nonDistributable(maker: Maker): Piece {
  const foreign = ['tar', 'tar+gzip'].map((suffix) =>
    maker.blob(randomBytes(256), `application/vnd.oci.image.layer.nondistributable.v1.${suffix}`),
  );
  for (const layer of foreign) maker.forget(layer);
  return maker.image({}, [...foreign, maker.layer()]);
}

/** An index one of whose images is elsewhere. */
function sparseIndex(maker: Maker): Piece {
  return maker.index({}, [maker.image(), pieceOf(randomBytes(1024), MEDIA_TYPES.ociManifest)]);
}

function tagsInQuery(name: string, like?: Digest): DataSet {
  const maker = new Maker({ like, tagsInQuery: true });
  const [one, two] = [maker.image(), maker.image()];
  const index = maker.index({}, [one, two]);
  maker.tag(`${name}-0`, one).tag(`${name}-1`, two).tag(`${name}-2`, index).tag(name, index);
  return maker.made(name);
}

/** Every kind of content that a registry must take. */
export const DATA_SETS: readonly DataSet[] = [
  simple('image', (maker) => maker.image()),
  simple('image-uncompressed', (maker) => maker.image({}, [maker.layer(false), maker.layer(false)])),
  simple('large-manifest', largeManifest),
  simple('index', (maker) => maker.index()),
  simple('nested-index', (maker) => maker.index({}, [maker.index(), maker.index()])),
  simple('empty-index', (maker) => maker.index({}, [])),
  simple('artifact', (maker) => maker.artifact()),
  simple('artifact-index', (maker) => maker.index({ artifactType: EXAMPLE_V1 }, [maker.artifact(), maker.artifact()])),
  simple('artifact-without-layers', (maker) => {
    const empty = maker.blob('{}', MEDIA_TYPES.ociEmpty);
    return maker.image({ artifactType: EXAMPLE_V1 }, [empty], empty);
  }),
  artifactsWithSubject(),
  indexWithSubject(),
  simple('missing-subject', missingSubject),
  simple('data-field', (maker) => maker.image(), { data: true }),
  simple('non-distributable-layers', nonDistributable),
  simple('custom-fields', (maker) => maker.index(), { extra: true }),
  simple('no-layers', (maker) => maker.image({}, [])),
  simple('sparse-index', sparseIndex),
  sha512(),
  tagsInQuery('tag-param-sha256'),
  tagsInQuery('tag-param-sha512', SHA512),
];
