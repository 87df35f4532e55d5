import path from 'node:path';
import { type Digest, parseDigest } from '../core/digest.ts';
import { parseJson, textAt } from '../core/json.ts';
import { parseTimestamp } from '../core/timestamp.ts';
import type { Host } from '../host.ts';
import { cacheDirectory, fillDirectory, writableOr } from './cache-directory.ts';
import { archiveIn, type DatabaseKind, isComplete, unpackDatabase } from './trivy-artifact.ts';

/** The databases of one kind on this machine: one directory for each digest, complete from the moment that it is there. */
export interface DatabaseStore {
  /** The directory of this one, when it is there. */
  find(digest: Digest): string | undefined;
  /** Unpacks an archive, and answers its directory. */
  add(archive: string, digest: Digest): Promise<string>;
  /** Notes that a mirror has just said that this one is current; those that none has named for a day go. */
  confirm(digest: Digest): Promise<void>;
  /** The one that was confirmed last, when that was in the last 24 hours. */
  newest(): Confirmed | undefined;
}

export interface Confirmed {
  readonly digest: Digest;
  /** RFC 3339. */
  readonly at: string;
}

/** How long a database is good that no mirror confirms. New ones are made every six hours. */
const MAX_AGE_MS = 24 * 60 * 60 * 1000;
const RECORD = 'confirmed.json';

export async function openStore(host: Host, kind: DatabaseKind): Promise<DatabaseStore> {
  const { files } = host;
  const root = await writableOr(host, path.join(cacheDirectory(host), kind.cacheName));
  const directoryOf = (digest: Digest): string => path.join(root, digest.replace(':', '-'));
  const recordOf = (digest: Digest): string => path.join(directoryOf(digest), RECORD);
  const remove = (directory: string): Promise<void> => host.cleanup({ kind: 'remove', path: directory })();
  const digests = (): readonly Digest[] =>
    (files.list(root) ?? []).flatMap(({ name }) => parseDigest(name.replace('-', ':')) ?? []);
  return {
    find: (digest) => (isComplete(host, kind, directoryOf(digest)) ? directoryOf(digest) : undefined),
    async add(archive, digest) {
      // Another job may be faster, with the same bytes.
      await fillDirectory(host, directoryOf(digest), (staging) => unpackDatabase(host, kind, archive, staging));
      return directoryOf(digest);
    },
    async confirm(digest) {
      files.write(recordOf(digest), formatConfirmation(host));
      for (const other of digests()) {
        // One of the last day may be in use by another job.
        const isOld = freshness(host, files.readText(recordOf(other))) === undefined;
        if (other !== digest && isOld) await remove(directoryOf(other));
      }
    },
    newest() {
      const confirmed = digests().flatMap((digest) => {
        const at = freshness(host, files.readText(recordOf(digest)));
        return at === undefined || !isComplete(host, kind, directoryOf(digest)) ? [] : [{ digest, at }];
      });
      return confirmed.sort((a, b) => (a.at < b.at ? 1 : -1))[0];
    },
  };
}

/** A download that came back from a cache beyond this machine, whatever it is called there. */
export function restoredIn(host: Host, downloads: string): (Confirmed & { readonly archive: string }) | undefined {
  const at = freshness(host, host.files.readText(path.join(downloads, RECORD)));
  const names = host.files.list(path.join(downloads, 'blobs', 'sha256')) ?? [];
  const found = names.flatMap(({ name }) => {
    const digest = parseDigest(`sha256:${name}`);
    const archive = digest === undefined ? undefined : archiveIn(host, downloads, digest);
    return digest === undefined || archive === undefined ? [] : [{ digest, archive }];
  });
  const [only] = found;
  return at === undefined || only === undefined ? undefined : { ...only, at };
}

/** Writes down, beside a download that is to be cached, when it was current. */
export function noteDownload(host: Host, downloads: string): void {
  host.files.write(path.join(downloads, RECORD), formatConfirmation(host));
}

function formatConfirmation(host: Host): string {
  return JSON.stringify({ at: host.now().toISOString() });
}

/** When it was confirmed, unless that is too long ago. A clock that was set back is no reason to trust it for ever. */
function freshness(host: Host, record: string | undefined): string | undefined {
  const at = textAt(parseJson(record ?? ''), 'at') ?? '';
  const atMs = parseTimestamp(at);
  return atMs === undefined || Math.abs(host.now().getTime() - atMs) >= MAX_AGE_MS ? undefined : at;
}
