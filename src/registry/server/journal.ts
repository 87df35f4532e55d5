import { appendFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDigest } from '../../core/digest.ts';
import { parseJson, textAt } from '../../core/json.ts';
import { unlessMissing } from '../content-folder.ts';
import { type ContentStore, collect } from '../content-store.ts';
import { Catalog, type Change } from './catalog.ts';
import { readManifest } from './stored-manifest.ts';

/**
 * A catalog that survives a restart: every change is a line of `journal.jsonl` in the directory. A line that cannot be
 * read, as the last one of a process that was killed, counts as not written; so does one whose content is not there.
 */
export async function openJournal(directory: string, store: ContentStore): Promise<Catalog> {
  const path = join(directory, 'journal.jsonl');
  await mkdir(directory, { recursive: true });
  const text = (await unlessMissing(readFile(path, 'utf8'))) ?? '';
  const changes: Change[] = [];
  for (const line of text.split('\n')) {
    const change = await readChange(line, store);
    if (change !== undefined) changes.push(change);
  }
  // Half a line must not swallow the one that comes next.
  if (text !== '' && !text.endsWith('\n')) appendFileSync(path, '\n');
  return new Catalog(changes, (change) => appendFileSync(path, formatChange(change)));
}

function formatChange(change: Change): string {
  if (change.kind !== 'manifest-added') return `${JSON.stringify(change)}\n`;
  const { digest, mediaType } = change.manifest.descriptor;
  return `${JSON.stringify({ repository: change.repository, kind: change.kind, digest, mediaType })}\n`;
}

async function readChange(line: string, store: ContentStore): Promise<Change | undefined> {
  const json = parseJson(line);
  const kind = textAt(json, 'kind');
  const repository = textAt(json, 'repository');
  const tag = textAt(json, 'tag');
  const digest = parseDigest(textAt(json, 'digest') ?? '');
  if (repository === undefined) return undefined;
  if (kind === 'tag-removed' && tag !== undefined) return { repository, kind, tag };
  if (digest === undefined) return undefined;
  if (kind === 'blob-removed' || kind === 'manifest-removed') return { repository, kind, digest };
  if (kind === 'tag-set' && tag !== undefined) return { repository, kind, tag, digest };
  if ((await store.sizeOf(digest)) === undefined) return undefined;
  if (kind === 'blob-added') return { repository, kind, digest };
  if (kind !== 'manifest-added') return undefined;
  const manifest = readManifest(await collect(store.read(digest)), digest, textAt(json, 'mediaType'));
  return manifest.ok ? { repository, kind, manifest: manifest.value } : undefined;
}
