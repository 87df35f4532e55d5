/**
 * `node tools/trivy-checksums.ts VERSION LIST... [--from URL]`: adds a version of Trivy to src/tools/trivy-checksums.ts, in front.
 * It prints what it verified, and writes nothing when anything differs; see pinned-checksums.ts.
 */
import { join } from 'node:path';
import { TRIVY_RELEASES } from '../src/tools/trivy-checksums.ts';
import { archiveNames, GITHUB_RELEASES, parseTrivyVersion, refuseHijacked } from '../src/tools/trivy-release.ts';
import { addToTable, type ReleaseFiles, readArguments, verifyRelease } from './pinned-checksums.ts';

const TABLE = join(import.meta.dirname, '../src/tools/trivy-checksums.ts');

/** The checksums of a version by platform; throws when anything differs, and for a hijacked one. */
export async function verifyTrivy(
  version: string,
  where: Pick<ReleaseFiles, 'from' | 'lists' | 'say'>,
): Promise<Readonly<Record<string, string>>> {
  refuseHijacked(version, 'asked for');
  const ownList = `trivy_${version}_checksums.txt`;
  return verifyRelease(version, { ...where, ownList, names: archiveNames(version) });
}

if (import.meta.main) {
  const { version: asked, from, lists } = readArguments(GITHUB_RELEASES);
  const parsed = parseTrivyVersion(asked);
  if ('message' in parsed) throw new Error(parsed.message);
  const { version } = parsed;
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const sha256 = await verifyTrivy(version, { from, lists, say });
  const source = `trivy_${version}_checksums.txt of the release, equal in ${lists.join(' and ')}`;
  addToTable(TABLE, { version, source, sha256 }, TRIVY_RELEASES);
  say(`${TABLE} has Trivy ${version} now`);
}
