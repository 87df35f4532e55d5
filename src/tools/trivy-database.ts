import path from 'node:path';
import type { Digest } from '../core/digest.ts';
import { parseJson, textAt } from '../core/json.ts';
import { formatReference, type Reference } from '../core/reference.ts';
import { BuildOnceError, isBuildOnceError } from '../errors.ts';
import type { Host } from '../host.ts';
import { openRegistries, type Registries, type RegistriesSettings } from '../registry/open.ts';
import {
  archiveIn,
  type DatabaseKind,
  downloadArchive,
  findArchive,
  JAVA_DATABASE,
  METADATA,
  VULNERABILITY_DATABASE,
} from './trivy-artifact.ts';
import { type DatabaseStore, noteDownload, openStore, restoredIn } from './trivy-store.ts';

/** What Trivy looks packages up in, for all scans of a run. */
export interface TrivyDatabase {
  /** For `--cache-dir`. */
  readonly directory: string;
  /** When its content was collected, as its makers say (RFC 3339); `undefined` when they do not. */
  readonly updatedAt: string | undefined;
  /** Adds, once, what only images with Java archives need: it is ten times as large. */
  addJava(): Promise<void>;
}

/** A cache that outlives this machine, as GitHub's does: what is under a key stays as it is. Neither method throws. */
export interface DirectoryCache {
  /** Whose content is saved and restored; it may be emptied at any time. */
  readonly directory: string;
  /** Puts back what was saved under the key, else under the newest key that begins with the prefix. */
  restore(key: string, prefix?: string): Promise<void>;
  save(key: string): Promise<void>;
}

export interface DatabaseSettings {
  /** Mirrors, in the order in which they are asked; those of Trivy's makers when empty. */
  readonly repositories: readonly Reference[];
  readonly javaRepositories: readonly Reference[];
  /** The credentials, proxies and certificates of the run. */
  readonly registries: RegistriesSettings;
  /** For downloads, whose digests are checked again when they come back. */
  readonly cache: DirectoryCache | undefined;
}

/**
 * Makes the vulnerability database ready: asks the mirrors in turn which one is current, and downloads that unless it is here or
 * in the cache. A mirror that refuses (429) or fails is passed over at once. When all do, one that was confirmed less than 24
 * hours ago is used, with a warning; else BuildOnceError `TRIVY_DATABASE_UNAVAILABLE`.
 */
export async function prepareDatabase(host: Host, settings: DatabaseSettings): Promise<TrivyDatabase> {
  const directory = host.files.makeTemporaryDirectory('build-once-trivy-');
  const add = async (kind: DatabaseKind, mirrors: readonly Reference[]): Promise<string> => {
    const stored = await provide({ host, kind, settings }, mirrors.length === 0 ? kind.mirrors : mirrors);
    host.files.linkDirectory(stored, path.join(directory, kind.folder));
    return stored;
  };
  const stored = await add(VULNERABILITY_DATABASE, settings.repositories);
  let java: Promise<string> | undefined;
  return {
    directory,
    updatedAt: textAt(parseJson(host.files.readText(path.join(stored, METADATA)) ?? ''), 'UpdatedAt'),
    async addJava() {
      java ??= add(JAVA_DATABASE, settings.javaRepositories);
      await java;
    },
  };
}

interface Need {
  readonly host: Host;
  readonly kind: DatabaseKind;
  readonly settings: DatabaseSettings;
}

interface Supply extends Need {
  readonly store: DatabaseStore;
  readonly registries: Registries;
}

/** Answers the directory that holds the database. */
async function provide(need: Need, mirrors: readonly Reference[]): Promise<string> {
  const { host, kind, settings } = need;
  // One attempt: the next mirror is the next one.
  const registries = openRegistries({ ...settings.registries, attempts: 1 });
  const supply = { ...need, registries, store: await openStore(host, kind) };
  const failures: string[] = [];
  try {
    for (const mirror of mirrors) {
      try {
        return await provideFrom(supply, mirror);
      } catch (error) {
        host.signal.throwIfAborted();
        if (!isBuildOnceError(error)) throw error;
        failures.push(`${formatReference(mirror)}: ${error.message}`);
        host.log.info(`no ${kind.title} from ${formatReference(mirror)}: ${error.message}`);
      }
    }
    return await fallBack(supply, failures.join('; '));
  } finally {
    registries.close();
  }
}

async function provideFrom(supply: Supply, mirror: Reference): Promise<string> {
  const { kind, store, registries } = supply;
  const archive = await findArchive(registries.open(mirror.repository), kind, mirror);
  const directory =
    store.find(archive.digest) ??
    (await restore(supply, archive.digest)) ??
    (await withDownloads(supply, async (downloads) => {
      supply.host.log.info(`downloading the ${kind.title} from ${formatReference(mirror)}`);
      const repository = registries.open(mirror.repository);
      const file = await downloadArchive(kind, { repository, archive, directory: downloads });
      const added = await store.add(file, archive.digest);
      noteDownload(supply.host, downloads);
      await supply.settings.cache?.save(keyOf(kind, archive.digest));
      return added;
    }));
  await store.confirm(archive.digest);
  return directory;
}

/** From the cache beyond this machine. */
async function restore(supply: Supply, digest: Digest): Promise<string | undefined> {
  const { host, kind, settings, store } = supply;
  const { cache } = settings;
  if (cache === undefined) return undefined;
  return withDownloads(supply, async (downloads) => {
    await cache.restore(keyOf(kind, digest));
    const file = archiveIn(host, downloads, digest);
    return file === undefined ? undefined : store.add(file, digest);
  });
}

/** What to do when no mirror has answered. */
async function fallBack(supply: Supply, reasons: string): Promise<string> {
  const { host, kind, store } = supply;
  const newest = store.newest() ?? (await restoreNewest(supply));
  const directory = newest === undefined ? undefined : store.find(newest.digest);
  if (newest !== undefined && directory !== undefined) {
    host.log.warning(`the ${kind.title} is the one of ${newest.at}, since no mirror gave the current one: ${reasons}`);
    return directory;
  }
  const problem = `no mirror gave the ${kind.title}, and there is none here of the last 24 hours: ${reasons}`;
  throw new BuildOnceError('TRIVY_DATABASE_UNAVAILABLE', problem, 1, {
    hint: `Try again later, log in to a registry that limits anonymous requests, or name a mirror in ${kind.input}.`,
  });
}

async function restoreNewest(supply: Supply): Promise<ReturnType<typeof restoredIn>> {
  const { host, kind, settings, store } = supply;
  const { cache } = settings;
  if (cache === undefined) return undefined;
  return withDownloads(supply, async (downloads) => {
    await cache.restore(`${keyPrefix(kind)}newest`, keyPrefix(kind));
    const found = restoredIn(host, downloads);
    if (found !== undefined) await store.add(found.archive, found.digest);
    return found;
  });
}

/** An empty directory for downloads, that of the cache where there is one; nothing of it stays. */
async function withDownloads<T>({ host, settings }: Need, work: (directory: string) => Promise<T>): Promise<T> {
  const directory = settings.cache?.directory ?? host.files.makeTemporaryDirectory('build-once-download-');
  const empty = (): Promise<void> => host.cleanup({ kind: 'remove', path: directory })();
  await empty();
  try {
    return await work(directory);
  } finally {
    await empty();
  }
}

function keyOf(kind: DatabaseKind, digest: Digest): string {
  return `${keyPrefix(kind)}${digest.replace(':', '-')}`;
}

function keyPrefix({ cacheName }: DatabaseKind): string {
  return `build-once-${cacheName}-`;
}
