/**
 * The checksums of a release, for the tables of src/tools/*-checksums.ts. A release that was hijacked brings a checksum file that
 * fits: so every checksum must also stand in at least one list that somebody else keeps, a file or URL (a package manager's
 * recipe, another project's pins). All files are downloaded and hashed.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { PinnedRelease } from '../src/tools/pinned-program.ts';

/** Where the files of one version are, and who vouches for them. */
export interface ReleaseFiles {
  /** What stands before `/vVERSION/FILE`. */
  readonly from: string;
  /** The release's own list of checksums. */
  readonly ownList: string;
  /** File names by platform. */
  readonly names: ReadonlyMap<string, string>;
  /** Files and URLs of others. */
  readonly lists: readonly string[];
  /** Is told what was verified. */
  readonly say: (line: string) => void;
}

/** The table's file with these releases in it; what stands before them stays. */
export function renderTable(file: string, releases: readonly PinnedRelease[]): string {
  const [line = ''] = /^export const [A-Z]+_RELEASES/m.exec(file) ?? [];
  const head = file.slice(0, file.indexOf(line));
  const entries = releases.map(({ version, source, sha256 }) => {
    const sums = Object.entries(sha256).map(([platform, sum]) => `      '${platform}': '${sum}',\n`);
    return `  {\n    version: '${version}',\n    source:\n      '${source}',\n    sha256: {\n${sums.join('')}    },\n  },\n`;
  });
  return `${head}${line}: readonly PinnedRelease[] = [\n${entries.join('')}];\n`;
}

/** The checksums of a version by platform, each found in all of these places; throws when any differs. */
export async function verifyRelease(
  version: string,
  { from, ownList, names, lists, say }: ReleaseFiles,
): Promise<Readonly<Record<string, string>>> {
  if (lists.length === 0) throw new Error('name at least one list that is not of the release itself');
  const base = `${from}/v${version}`;
  const own = await fetchText(`${base}/${ownList}`);
  const others = await Promise.all(lists.map(async (list) => ({ list, text: await readList(list) })));
  const sums: Record<string, string> = {};
  for (const [platform, name] of names) {
    const bytes = await fetchBytes(`${base}/${name}`);
    const sum = createHash('sha256').update(bytes).digest('hex');
    if (!hasLine(own, sum, name)) throw new Error(`${name}: ${sum} is not what ${ownList} says`);
    for (const { list, text } of others) if (!text.includes(sum)) throw new Error(`${name}: ${sum} is not in ${list}`);
    say(`${name}: ${bytes.length} bytes, sha256 ${sum}, as in the release's own file and in ${lists.join(', ')}`);
    sums[platform] = sum;
  }
  say('not verified: the signatures of the release');
  return sums;
}

/** What a tool was asked for: `VERSION LIST... [--from URL]`. */
export function readArguments(releases: string): {
  readonly version: string;
  readonly from: string;
  readonly lists: readonly string[];
} {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { from: { type: 'string' } } });
  const [version = '', ...lists] = positionals;
  return { version, from: values.from ?? releases, lists };
}

/** Puts a release in front of the others in a table's file. */
export function addToTable(table: string, added: PinnedRelease, releases: readonly PinnedRelease[]): void {
  const rest = releases.filter(({ version }) => version !== added.version);
  const source = added.source.replaceAll("'", '');
  writeFileSync(table, renderTable(readFileSync(table, 'utf8'), [{ ...added, source }, ...rest]));
}

function hasLine(list: string, sum: string, name: string): boolean {
  return list.split('\n').some(
    (line) =>
      line
        .trim()
        .split(/\s+\*?/)
        .join(' ') === `${sum} ${name}`,
  );
}

async function readList(list: string): Promise<string> {
  return /^https?:/.test(list) ? fetchText(list) : readFileSync(list, 'utf8');
}

async function fetchText(url: string): Promise<string> {
  return (await fetchBytes(url)).toString('utf8');
}

async function fetchBytes(url: string): Promise<Buffer> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return Buffer.from(await answer.arrayBuffer());
}
