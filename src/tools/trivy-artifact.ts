import path from 'node:path';
import type { Digest } from '../core/digest.ts';
import { numberAt, parseJson } from '../core/json.ts';
import { toLine } from '../core/printable.ts';
import type { Reference } from '../core/reference.ts';
import { BuildOnceError } from '../errors.ts';
import type { Host } from '../host.ts';
import type { Descriptor } from '../oci/types.ts';
import { fetchImage } from '../registry/image.ts';
import { openLayout } from '../registry/layout.ts';
import type { Repository } from '../registry/repository.ts';
import { writingTo } from '../unwritable-file.ts';
import { unpack } from './unpack.ts';

/** One of the databases that Trivy reads, as its makers publish it: an OCI artifact whose layer is a gzipped tar archive. */
export interface DatabaseKind {
  readonly title: string;
  /** The input that names its mirrors. */
  readonly input: string;
  /** Its folder in Trivy's cache. */
  readonly folder: string;
  readonly cacheName: string;
  /** The file that it is; `metadata.json` lies beside it. */
  readonly file: string;
  /** The version of its format; its tag as well. */
  readonly schema: number;
  readonly mediaType: string;
  readonly maxBytes: number;
  readonly mirrors: readonly Reference[];
}

export const METADATA = 'metadata.json';

/** https://trivy.dev/docs/v0.70/guide/configuration/db/ */
export const VULNERABILITY_DATABASE: DatabaseKind = {
  title: 'vulnerability database',
  input: 'scan-db-repository',
  folder: 'db',
  cacheName: 'trivy-db',
  file: 'trivy.db',
  schema: 2,
  mediaType: 'application/vnd.aquasec.trivy.db.layer.v1.tar+gzip',
  maxBytes: 2 ** 30,
  mirrors: mirrorsOf('trivy-db'),
};

export const JAVA_DATABASE: DatabaseKind = {
  title: "database of Java's archives",
  input: 'scan-java-db-repository',
  folder: 'java-db',
  cacheName: 'trivy-java-db',
  file: 'trivy-java.db',
  schema: 1,
  mediaType: 'application/vnd.aquasec.trivy.javadb.layer.v1.tar+gzip',
  maxBytes: 8 * 2 ** 30,
  mirrors: mirrorsOf('trivy-java-db'),
};

function mirrorsOf(name: string): readonly Reference[] {
  const mirrors = [
    ['mirror.gcr.io', 'aquasec'],
    ['ghcr.io', 'aquasecurity'],
    ['public.ecr.aws', 'aquasecurity'],
  ] as const;
  return mirrors.map(([registry, owner]) => ({
    repository: { registry, path: `${owner}/${name}` },
    tag: undefined,
    digest: undefined,
  }));
}

/** The archive behind a reference, whose digest is the same at every mirror. BuildOnceError `TRIVY_DATABASE_INVALID`. */
export async function findArchive(repository: Repository, kind: DatabaseKind, at: Reference): Promise<Descriptor> {
  const target = at.digest === undefined ? { tag: at.tag ?? String(kind.schema) } : { digest: at.digest };
  const found = await fetchImage(repository, target);
  const layers = found?.manifest.kind === 'manifest' ? found.manifest.layers : [];
  const archive = layers.find(({ mediaType }) => mediaType === kind.mediaType);
  if (found === undefined) throw invalid(kind, 'there is no such artifact');
  if (archive === undefined) throw invalid(kind, `it has no layer of the type ${kind.mediaType}`);
  if (archive.sizeBytes > kind.maxBytes) throw invalid(kind, `it is larger than ${kind.maxBytes} bytes`);
  return archive;
}

/** The file of an archive in a directory of downloads, when it is there and is what its name says. */
export function archiveIn(host: Host, directory: string, digest: Digest): string | undefined {
  const file = fileOf(directory, digest);
  return host.files.kindOf(file) === 'file' && digest === `sha256:${host.files.digest(file).sha256}` ? file : undefined;
}

/** Downloads an archive into such a directory, and answers its file; its bytes are checked on their way. */
export async function downloadArchive(
  kind: DatabaseKind,
  { repository, archive, directory }: { repository: Repository; archive: Descriptor; directory: string },
): Promise<string> {
  const content = await repository.fetch(archive);
  if (content === undefined) throw invalid(kind, 'its archive is not there');
  await writingTo(directory, () => openLayout(directory).push(archive, () => content.stream()));
  return fileOf(directory, archive.digest);
}

function fileOf(directory: string, digest: Digest): string {
  return path.join(directory, 'blobs', ...digest.split(':'));
}

/** Unpacks an archive into a directory. BuildOnceError `TRIVY_DATABASE_INVALID`, CommandError `UNPACK_FAILED`. */
export async function unpackDatabase(host: Host, kind: DatabaseKind, file: string, directory: string): Promise<void> {
  await unpack(host, file, { directory, members: [kind.file, METADATA] });
  if (!isComplete(host, kind, directory)) throw invalid(kind, `it holds no ${kind.file}`);
  const version = numberAt(parseJson(host.files.readText(path.join(directory, METADATA)) ?? ''), 'Version');
  if (version === kind.schema) return;
  const found = toLine(String(version ?? 'unknown'), 20);
  throw invalid(kind, `its format is version ${found}, and Trivy reads version ${kind.schema}`);
}

/** Whether a directory holds the database, as files and not as links to others. */
export function isComplete(host: Host, kind: DatabaseKind, directory: string): boolean {
  return [kind.file, METADATA].every((name) => host.files.kindOf(path.join(directory, name)) === 'file');
}

function invalid(kind: DatabaseKind, problem: string): BuildOnceError {
  return new BuildOnceError('TRIVY_DATABASE_INVALID', `this is no ${kind.title}: ${problem}`, 1, {
    hint: `Name another mirror in ${kind.input}.`,
  });
}
