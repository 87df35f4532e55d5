/**
 * `node tools/cosign-checksums.ts VERSION LIST... [--from URL]`: adds a version of cosign to src/tools/cosign-checksums.ts, in front.
 * It prints what it verified, and writes nothing when anything differs; see pinned-checksums.ts.
 */
import { join } from 'node:path';
import { parseVersion } from '../src/core/version.ts';
import { COSIGN_RELEASES } from '../src/tools/cosign-checksums.ts';
import { COSIGN_GITHUB_RELEASES, cosignFileNames } from '../src/tools/cosign-install.ts';
import { addToTable, readArguments, verifyRelease } from './pinned-checksums.ts';

const TABLE = join(import.meta.dirname, '../src/tools/cosign-checksums.ts');
const OWN_LIST = 'cosign_checksums.txt';

const { version: asked, from, lists } = readArguments(COSIGN_GITHUB_RELEASES);
const version = parseVersion(asked)?.text;
if (version === undefined) throw new Error(`${asked} is no version`);
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const sha256 = await verifyRelease(version, { from, lists, say, ownList: OWN_LIST, names: cosignFileNames() });
const source = `${OWN_LIST} of the release, equal in ${lists.join(' and ')}`;
addToTable(TABLE, { version, source, sha256 }, COSIGN_RELEASES);
say(`${TABLE} has cosign ${version} now`);
