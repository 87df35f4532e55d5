import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pinnedFile } from '../../src/tools/pinned-program.ts';
import { TRIVY_RELEASES } from '../../src/tools/trivy-checksums.ts';
import { archiveNames } from '../../src/tools/trivy-release.ts';
import { renderTable } from '../../tools/pinned-checksums.ts';
import { verifyTrivy } from '../../tools/trivy-checksums.ts';
import { serve } from '../registry/scripted-server.ts';
import { CHECKOUT } from '../support/programs.ts';

const TABLE = readFileSync(join(CHECKOUT, 'src/tools/trivy-checksums.ts'), 'utf8');
const VERSION = '0.99.0';
const NAMES = [...archiveNames(VERSION).values()];
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'trivy-checksums-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function writeList(text: string): string {
  const file = join(directory, 'pins.txt');
  writeFileSync(file, text);
  return file;
}

/** A release whose archives hold their own names; `altered` answers something else for a file. */
async function release(altered: Readonly<Record<string, string>> = {}): Promise<string> {
  const sums = NAMES.map((name) => `${sha256(name)}  ${name}\n`).join('');
  const server = await serve(({ path }, response) => {
    const name = path.split('/').at(-1) ?? '';
    response.end(altered[name] ?? (name.endsWith('.txt') ? sums : name));
  });
  return `http://${server.host}/releases`;
}

const ALL = NAMES.map(sha256).join('\n');

describe('the table', () => {
  it('is what its script would write', () => {
    expect(renderTable(TABLE, TRIVY_RELEASES)).toBe(TABLE);
  });

  it('has the pinned version first, for four platforms, each with a checksum and a source', () => {
    expect(TRIVY_RELEASES[0]?.version).toBe('0.70.0');
    for (const { version, source, sha256: sums } of TRIVY_RELEASES) {
      expect(source.length).toBeGreaterThan(20);
      expect(Object.keys(sums)).toEqual(['darwin/amd64', 'darwin/arm64', 'linux/amd64', 'linux/arm64']);
      for (const [platform, sum] of Object.entries(sums)) {
        expect(sum).toMatch(/^[0-9a-f]{64}$/);
        expect(pinnedFile({ releases: TRIVY_RELEASES, fileNames: archiveNames }, version, platform)).toEqual({
          version,
          sha256: sum,
          name: archiveNames(version).get(platform),
        });
      }
    }
  });

  it('names the archives as the releases do', () => {
    expect(Object.fromEntries(archiveNames('0.70.0'))).toEqual({
      'linux/amd64': 'trivy_0.70.0_Linux-64bit.tar.gz',
      'linux/arm64': 'trivy_0.70.0_Linux-ARM64.tar.gz',
      'darwin/amd64': 'trivy_0.70.0_macOS-64bit.tar.gz',
      'darwin/arm64': 'trivy_0.70.0_macOS-ARM64.tar.gz',
    });
  });

  it('takes a new version in front', () => {
    const added = { version: VERSION, source: 'a test of ours', sha256: { 'linux/amd64': 'a'.repeat(64) } };
    const text = renderTable(TABLE, [added, ...TRIVY_RELEASES]);
    expect(text.indexOf(VERSION)).toBeLessThan(text.indexOf('0.70.0'));
    expect(renderTable(text, TRIVY_RELEASES)).toBe(TABLE);
  });
});

describe('a version', () => {
  const verify = async (from: string, lists: readonly string[], version = VERSION) => {
    const said: string[] = [];
    return { sums: await verifyTrivy(version, { from, lists, say: (line) => void said.push(line) }), said };
  };

  it('is taken when the archives, the release and a list agree, and it says so', async () => {
    const { sums, said } = await verify(await release(), [writeList(ALL)]);
    expect(sums['linux/arm64']).toBe(sha256(`trivy_${VERSION}_Linux-ARM64.tar.gz`));
    expect(said).toHaveLength(5);
    expect(said.at(-1)).toBe('not verified: the signatures of the release');
  });

  it.each([
    ['an archive is another one', { [NAMES[0] ?? '']: 'evil' }, ALL, /is not what trivy_0\.99\.0_checksums\.txt says/],
    [
      'the whole release is another one',
      {
        [NAMES[0] ?? '']: 'evil',
        [`trivy_${VERSION}_checksums.txt`]: NAMES.map(
          (name) => `${sha256(name === NAMES[0] ? 'evil' : name)}  ${name}\n`,
        ).join(''),
      },
      ALL,
      /is not in .*pins\.txt/,
    ],
    ['a list lacks one', {}, ALL.slice(65), /is not in .*pins\.txt/],
  ])('is refused when %s', async (_, altered, list, why) => {
    await expect(verify(await release(altered), [writeList(list)])).rejects.toThrow(why);
  });

  it('is refused without a list of somebody else', async () => {
    await expect(verify(await release(), [])).rejects.toThrow('at least one list');
  });

  it('is refused when it is a hijacked one', async () => {
    await expect(verify(await release(), [writeList(ALL)], '0.69.4')).rejects.toThrow('malicious');
  });
});
