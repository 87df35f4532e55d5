import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOf } from '../../src/core/digest.ts';
import { parseReference } from '../../src/core/reference.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import type { Descriptor } from '../../src/oci/types.ts';
import { openRegistries } from '../../src/registry/open.ts';
import type { Repository } from '../../src/registry/repository.ts';
import { prepareDatabase } from '../../src/tools/trivy-database.ts';
import { mustRun, TOOLCHAIN_SCRIPTS } from './programs.ts';
import type { Toolchain } from './toolchain.ts';

/** What a small database knows; the format of tools/toolchain/go/mkdb. */
export interface Advisories {
  readonly updatedAt: string;
  readonly nextUpdate: string;
  readonly sources: Readonly<Record<string, unknown>>;
  readonly advisories: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, unknown>>>>>>;
  readonly vulnerabilities: Readonly<Record<string, unknown>>;
}

/** What is known of tools/toolchain/vulnapp. */
export function vulnappAdvisories(): Advisories {
  return JSON.parse(readFileSync(join(TOOLCHAIN_SCRIPTS, 'vulnapp/advisories.json'), 'utf8'));
}

/** A gzipped tar archive of these files, as the databases are published. */
export async function packArchive(files: (directory: string) => Promise<void> | void): Promise<Buffer> {
  const directory = mkdtempSync(join(tmpdir(), 'trivy-database-'));
  try {
    const content = join(directory, 'content');
    mkdirSync(content);
    await files(content);
    const archive = join(directory, 'db.tar.gz');
    await mustRun(['tar', '-czf', archive, '-C', content, ...readdirSync(content)]);
    return readFileSync(archive);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** A vulnerability database that real Trivy reads; `env` leads to mkdb. */
export function makeDatabase(env: Readonly<Record<string, string>>, advisories: Advisories): Promise<Buffer> {
  return packArchive((directory) =>
    mustRun(['mkdb', directory], { env, stdin: JSON.stringify(advisories) }).then(() => undefined),
  );
}

const DATABASE_LAYER = 'application/vnd.aquasec.trivy.db.layer.v1.tar+gzip';
export const JAVA_DATABASE_LAYER = 'application/vnd.aquasec.trivy.javadb.layer.v1.tar+gzip';

/** Pushes an archive as the artifact that Trivy's databases are; answers the descriptor of its manifest. */
export async function pushDatabase(
  repository: Repository,
  archive: Uint8Array,
  { tag = '2', mediaType = DATABASE_LAYER }: { readonly tag?: string; readonly mediaType?: string } = {},
): Promise<Descriptor> {
  const config = Buffer.from('{}');
  const configType = 'application/vnd.aquasec.trivy.config.v1+json';
  const layer = { mediaType, digest: digestOf(archive), sizeBytes: archive.length };
  await repository.push(layer, archive);
  await repository.push({ mediaType: configType, digest: digestOf(config), sizeBytes: config.length }, config);
  const type = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: type,
      config: { mediaType: configType, digest: digestOf(config), size: config.length },
      layers: [{ mediaType, digest: layer.digest, size: archive.length }],
    }),
  );
  const descriptor = { mediaType: type, digest: digestOf(manifest), sizeBytes: manifest.length };
  await repository.push(descriptor, manifest);
  await repository.tag(descriptor, tag);
  return descriptor;
}

/** Opens a repository by its full name, `127.0.0.1:5000/trivy-db`, for pushing. */
export function openByName(name: string): { readonly repository: Repository; readonly close: () => void } {
  const reference = parseReference(name);
  if (!reference.ok) throw new Error(reference.problem);
  const registries = openRegistries({ env: {} });
  return { repository: registries.open(reference.value.repository, 'push'), close: () => registries.close() };
}

/** With this no mirror of the databases can be reached, on any machine, and what {@link seedDatabase} left is used. */
export const NO_MIRROR = { HTTPS_PROXY: 'http://127.0.0.1:9' } as const;

/** Pushes what is known of vulnapp as a mirror of the databases; answers its name, for `scan-db-repository`. */
export async function pushMirror({ env, registry }: Toolchain): Promise<string> {
  const name = `${registry}/db-${randomUUID()}`;
  const { repository, close } = openByName(name);
  await pushDatabase(repository, await makeDatabase(env, vulnappAdvisories()));
  close();
  return name;
}

/** Leaves what is known of vulnapp in a cache folder, for `XDG_CACHE_HOME`, as if a run had just downloaded it. */
export async function seedDatabase(toolchain: Toolchain, cache: string): Promise<void> {
  const { repository, close } = openByName(await pushMirror(toolchain));
  const host = createTerminalHost({ env: { ...toolchain.env, XDG_CACHE_HOME: cache }, write: () => undefined });
  try {
    await prepareDatabase(host, {
      repositories: [{ repository: repository.name, tag: undefined, digest: undefined }],
      javaRepositories: [],
      registries: { env: {} },
      cache: undefined,
    });
  } finally {
    close();
    await host.finish();
  }
}
