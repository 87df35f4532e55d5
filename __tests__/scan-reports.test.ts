import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { assessImage } from '../src/core/image-scan.ts';
import { createTerminalHost } from '../src/hosts/terminal.ts';
import { parseOptions } from '../src/options.ts';
import { renderScanJson } from '../src/report/scan-json.ts';
import { renderScanText } from '../src/report/scan-text.ts';
import { type ScanFiles, writeReports } from '../src/scan-reports.ts';
import { sampleRun } from './support/sample-run.ts';
import { realScan } from './support/trivy-reports.ts';

const SCAN = assessImage(
  { image: 'ghcr.io/acme/app@sha256:x', scans: [realScan('languages')], baseline: undefined },
  { failOn: 'none', severities: [], ignoreUnfixed: false, budget: new Map() },
);

interface Written {
  readonly files: ScanFiles;
  readonly temporary: string;
  readonly finish: () => Promise<void>;
}

async function write(format: string): Promise<Written> {
  const temporary = mkdtempSync(path.join(tmpdir(), 'scan-reports-'));
  onTestFinished(() => rmSync(temporary, { recursive: true }));
  const host = createTerminalHost({ env: { RUNNER_TEMP: temporary }, cwd: '/', write: () => {} });
  const { options } = parseOptions({ 'scan-format': format });
  const settings = { category: 'acme/app', dockerfile: undefined, fresh: undefined };
  return {
    files: await writeReports(sampleRun({ host, options }), SCAN, settings),
    temporary,
    finish: () => host.finish(),
  };
}

describe('the files of a scan', () => {
  it.each([
    ['table,sarif,json', ['scan.json', 'scan.sarif', 'scan.txt'], 'scan.sarif'],
    ['table', ['scan.txt'], undefined],
    ['sarif', ['scan.sarif'], 'scan.sarif'],
    ['json', ['scan.json'], undefined],
  ])('are those of scan-format: %s', async (format, names, sarif) => {
    const { files, temporary, finish } = await write(format);
    expect(path.dirname(files.directory)).toBe(temporary);
    expect(path.basename(files.directory)).toMatch(/^build-once-reports-[0-9a-f]{32}$/);
    // They are for the steps that follow.
    await finish();
    expect(readdirSync(files.directory).sort()).toEqual(names);
    expect(files.sarif).toBe(sarif === undefined ? undefined : path.join(files.directory, sarif));
  });

  it('hold what the renderings say', async () => {
    const { files } = await write('table,sarif,json');
    const textOf = (name: string): string => readFileSync(path.join(files.directory, name), 'utf8');
    expect(textOf('scan.txt')).toBe(`${renderScanText(SCAN)}\n`);
    expect(textOf('scan.json')).toBe(renderScanJson(SCAN));
    expect(JSON.parse(textOf('scan.sarif'))).toMatchObject({ version: '2.1.0' });
  });
});
