/**
 * `node tools/trivy-checksums.ts VERSION LIST... [--from URL]`: adds a version of Trivy to src/tools/trivy-checksums.ts, in front.
 *
 * A release that was hijacked brings a checksum file that fits: so every checksum must also stand in at least one LIST, a file
 * or URL that somebody else keeps (a package manager's recipe, another project's pins). All archives are downloaded and
 * hashed. It prints what it verified, and writes nothing when anything differs.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { TRIVY_RELEASES, type TrivyRelease } from '../src/tools/trivy-checksums.ts';
import { archiveNames, GITHUB_RELEASES, parseTrivyVersion, refuseHijacked } from '../src/tools/trivy-release.ts';

const TABLE = join(import.meta.dirname, '../src/tools/trivy-checksums.ts');
const FIRST_LINE = 'export const TRIVY_RELEASES';

/** The table's file with these releases in it; what stands before them stays. */
export function renderTable(file: string, releases: readonly TrivyRelease[]): string {
  const head = file.slice(0, file.indexOf(FIRST_LINE));
  const entries = releases.map(({ version, source, sha256 }) => {
    const sums = Object.entries(sha256).map(([platform, sum]) => `      '${platform}': '${sum}',\n`);
    return `  {\n    version: '${version}',\n    source:\n      '${source}',\n    sha256: {\n${sums.join('')}    },\n  },\n`;
  });
  return `${head}${FIRST_LINE}: readonly TrivyRelease[] = [\n${entries.join('')}];\n`;
}

/** The checksums of a version, each found in all of these places; throws when any differs. Tells `say` what it verified. */
export async function verifyRelease(
  version: string,
  { from, lists, say }: { from: string; lists: readonly string[]; say: (line: string) => void },
): Promise<Readonly<Record<string, string>>> {
  if (lists.length === 0) throw new Error('name at least one list that is not of the release itself');
  refuseHijacked(version, 'asked for');
  const base = `${from}/v${version}`;
  const own = await fetchText(`${base}/trivy_${version}_checksums.txt`);
  const others = await Promise.all(lists.map(async (list) => ({ list, text: await readList(list) })));
  const sums: Record<string, string> = {};
  for (const [platform, name] of archiveNames(version)) {
    const bytes = await fetchBytes(`${base}/${name}`);
    const sum = createHash('sha256').update(bytes).digest('hex');
    if (
      !own.split('\n').some(
        (line) =>
          line
            .trim()
            .split(/\s+\*?/)
            .join(' ') === `${sum} ${name}`,
      )
    )
      throw new Error(`${name}: ${sum} is not what trivy_${version}_checksums.txt says`);
    for (const { list, text } of others) if (!text.includes(sum)) throw new Error(`${name}: ${sum} is not in ${list}`);
    say(`${name}: ${bytes.length} bytes, sha256 ${sum}, as in the release's own file and in ${lists.join(', ')}`);
    sums[platform] = sum;
  }
  say('not verified: the signatures of the release');
  return sums;
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

if (import.meta.main) {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { from: { type: 'string' } } });
  const [asked = '', ...lists] = positionals;
  const parsed = parseTrivyVersion(asked);
  if ('message' in parsed) throw new Error(parsed.message);
  const { version } = parsed;
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const sha256 = await verifyRelease(version, { from: values.from ?? GITHUB_RELEASES, lists, say });
  const source = `trivy_${version}_checksums.txt of the release, equal in ${lists.join(' and ')}`.replaceAll("'", '');
  const releases = [{ version, source, sha256 }, ...TRIVY_RELEASES.filter((release) => release.version !== version)];
  writeFileSync(TABLE, renderTable(readFileSync(TABLE, 'utf8'), releases));
  say(`${TABLE} has Trivy ${version} now`);
}
