import path from 'node:path';
import { isDigest } from '../core/digest.ts';
import { parseJson, textAt } from '../core/json.ts';
import { formatReference, type Reference } from '../core/reference.ts';
import { parseTimestamp } from '../core/timestamp.ts';
import { BuildOnceError, isBuildOnceError } from '../errors.ts';
import type { Host } from '../host.ts';
import { openRegistries, type Registries, type RegistriesSettings } from '../registry/open.ts';
import { cacheDirectory } from './cache-directory.ts';
import {
  type DatabaseKind,
  fetchArchive,
  findArchive,
  isComplete,
  JAVA_DATABASE,
  METADATA,
  VULNERABILITY_DATABASE,
} from './trivy-artifact.ts';

/** What Trivy looks packages up in, for all scans of a run. */
export interface TrivyDatabase {
  /** For `--cache-dir`. */
  readonly directory: string;
  /** When its content was collected, as its makers say (RFC 3339); `undefined` when they do not. */
  readonly updatedAt: string | undefined;
  /** Adds, once, what only images with Java archives need: it is ten times as large. */
  addJava(): Promise<void>;
}

/** A cache that outlives this machine, as GitHub's does: what is under a key stays as it is. */
export interface FolderCache {
  /** Puts back what was saved of this directory under the key, else under the newest key that begins with the prefix. */
  restore(directory: string, key: string, prefix?: string): Promise<void>;
  save(directory: string, key: string): Promise<void>;
}

export interface DatabaseSettings {
  /** Mirrors, in the order in which they are asked; those of Trivy's makers when empty. */
  readonly repositories: readonly Reference[];
  readonly javaRepositories: readonly Reference[];
  /** The credentials, proxies and certificates of the run. */
  readonly registries: RegistriesSettings;
  readonly cache: FolderCache | undefined;
}

/** How long a database is good that no mirror confirms. New ones are made every six hours. */
const MAX_AGE_MS = 24 * 60 * 60 * 1000;
const RECORD = 'fetched.json';

/**
 * Makes the vulnerability database ready: asks the mirrors in turn which one is current, and downloads that unless a cache has
 * it. A mirror that refuses (429) or fails is passed over at once. When all do, one that was confirmed less than 24 hours ago is
 * used, with a warning; else BuildOnceError `TRIVY_DATABASE_UNAVAILABLE`.
 */
export async function prepareDatabase(host: Host, settings: DatabaseSettings): Promise<TrivyDatabase> {
  const directory = host.files.makeTemporaryDirectory('build-once-trivy-');
  const add = async (kind: DatabaseKind, mirrors: readonly Reference[]): Promise<string> => {
    const stored = await provide({ host, kind, settings, mirrors: mirrors.length === 0 ? kind.mirrors : mirrors });
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
  readonly mirrors: readonly Reference[];
}

/** What is on this machine: one directory for each digest, complete from the moment that it is there. */
interface Supply extends Need {
  readonly store: string;
  readonly registries: Registries;
}

/** Answers the directory that holds the database. */
async function provide(need: Need): Promise<string> {
  const { host, kind, mirrors, settings } = need;
  // One attempt: the next mirror is the next one.
  const registries = openRegistries({ ...settings.registries, attempts: 1 });
  const supply = { ...need, registries, store: path.join(cacheDirectory(host), kind.cacheName) };
  const failures: string[] = [];
  try {
    for (const mirror of mirrors) {
      try {
        return await provideFrom(supply, mirror);
      } catch (error) {
        host.signal.throwIfAborted();
        if (!isBuildOnceError(error) || error.code === 'UNWRITABLE_FILE') throw error;
        failures.push(`${formatReference(mirror)}: ${error.message}`);
        host.log.info(`no ${kind.title} from ${formatReference(mirror)}: ${error.message}`);
      }
    }
    return await fallBack(supply, failures);
  } finally {
    registries.close();
  }
}

async function provideFrom({ host, kind, settings, store, registries }: Supply, mirror: Reference): Promise<string> {
  const repository = registries.open(mirror.repository);
  const archive = await findArchive(repository, kind, mirror);
  const name = archive.digest.replace(':', '-');
  const directory = path.join(store, name);
  const key = `build-once-${kind.cacheName}-${name}`;
  if (!isComplete(host, kind, directory)) await settings.cache?.restore(store, key);
  const isNew = !isComplete(host, kind, directory);
  if (isNew) {
    host.log.info(`downloading the ${kind.title} from ${formatReference(mirror)}`);
    const staging = host.files.makeTemporaryDirectory('.build-once-', store);
    try {
      await fetchArchive(host, kind, { repository, archive, directory: staging });
      // Another job may have been faster, with the same bytes.
      host.files.move(staging, directory);
    } finally {
      await host.cleanup({ kind: 'remove', path: staging })();
    }
  }
  host.files.write(path.join(directory, RECORD), JSON.stringify({ at: host.now().toISOString() }));
  await removeOld(host, store, directory);
  if (isNew) await settings.cache?.save(store, key);
  return directory;
}

/** What to do when no mirror has answered. */
async function fallBack({ host, kind, settings, store }: Supply, failures: readonly string[]): Promise<string> {
  const prefix = `build-once-${kind.cacheName}-`;
  // A clock that was set back is no reason to trust it for ever.
  const isFresh = (stored: Stored | undefined): boolean =>
    stored !== undefined && Math.abs(host.now().getTime() - stored.atMs) < MAX_AGE_MS;
  if (!isFresh(newestIn(host, store))) await settings.cache?.restore(store, `${prefix}newest`, prefix);
  const newest = newestIn(host, store);
  const reasons = failures.join('; ');
  if (newest !== undefined && isFresh(newest)) {
    host.log.warning(`the ${kind.title} is the one of ${newest.at}, since no mirror gave the current one: ${reasons}`);
    return newest.directory;
  }
  const old = newest === undefined ? '' : ', and the one that is here is older than 24 hours';
  throw new BuildOnceError('TRIVY_DATABASE_UNAVAILABLE', `no mirror gave the ${kind.title}${old}: ${reasons}`, 1, {
    hint: `Try again later, log in to a registry that limits anonymous requests, or name a mirror in ${kind.input}.`,
  });
}

interface Stored {
  readonly directory: string;
  /** When a mirror last said that it is the current one. */
  readonly at: string;
  readonly atMs: number;
}

function storedIn(host: Host, store: string): readonly Stored[] {
  return (host.files.list(store) ?? []).flatMap(({ name }) => {
    const directory = path.join(store, name);
    const record = isDigest(name.replace('-', ':')) ? host.files.readText(path.join(directory, RECORD)) : undefined;
    const at = textAt(parseJson(record ?? ''), 'at') ?? '';
    const atMs = parseTimestamp(at);
    return atMs === undefined ? [] : [{ directory, at, atMs }];
  });
}

function newestIn(host: Host, store: string): Stored | undefined {
  return [...storedIn(host, store)].sort((a, b) => b.atMs - a.atMs)[0];
}

/** Those of the last day may be in use by another job. */
async function removeOld(host: Host, store: string, current: string): Promise<void> {
  const nowMs = host.now().getTime();
  for (const { directory, atMs } of storedIn(host, store))
    if (directory !== current && nowMs - atMs > MAX_AGE_MS) await host.cleanup({ kind: 'remove', path: directory })();
}
