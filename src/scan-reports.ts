import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ImageScan } from './core/image-scan.ts';
import type { ScanFormat } from './core/scan-options.ts';
import type { ReadPlatform, ScannedPlatform, ScanRecord } from './core/scan-record.ts';
import type { ScannedMember } from './platform-scans.ts';
import { renderSarif } from './report/sarif.ts';
import { renderScanJson } from './report/scan-json.ts';
import { renderScanText } from './report/scan-text.ts';
import type { Run } from './stage.ts';
import { loadTrivy } from './tools/load.ts';
import type { Trivy } from './tools/trivy-install.ts';

/** Files that stay after the run, for steps that follow. */
export interface ScanFiles {
  /** The folder of all of them. */
  readonly directory: string;
  readonly sarif: string | undefined;
}

/** What Trivy has just said, with its own reports. */
export interface FreshScan {
  readonly record: ScanRecord<ScannedPlatform & ReadPlatform>;
  readonly trivy: Trivy;
  readonly members: readonly ScannedMember[];
}

export interface ReportSettings {
  /** What the image is called in SARIF: `acme/app`. */
  readonly category: string;
  /** The Dockerfile, relative to the workspace; `undefined` when it is not there. */
  readonly dockerfile: string | undefined;
  /** `undefined` when the result was kept with the image. */
  readonly fresh: FreshScan | undefined;
}

/** Writes the files that `scan-format` asks for into a folder of their own, outside of the workspace: it may be a context. */
export async function writeReports(run: Run, scan: ImageScan, settings: ReportSettings): Promise<ScanFiles> {
  const { host, options } = run;
  const directory = path.join(host.env['RUNNER_TEMP'] || tmpdir(), `build-once-reports-${host.randomId()}`);
  const at = (name: string): string => path.join(directory, name);
  const writers: Readonly<Record<ScanFormat, () => Promise<void> | void>> = {
    table: () => host.files.write(at('scan.txt'), `${renderScanText(scan)}\n`),
    sarif: () => host.files.write(at('scan.sarif'), renderSarif(scan.scans, settings)),
    json: () => host.files.write(at('scan.json'), renderScanJson(scan)),
    cyclonedx: () => writeCycloneDx(directory, settings.fresh),
  };
  for (const format of options.scanFormat) await writers[format]();
  return { directory, sarif: options.scanFormat.includes('sarif') ? at('scan.sarif') : undefined };
}

async function writeCycloneDx(directory: string, fresh: FreshScan | undefined): Promise<void> {
  if (fresh === undefined) return;
  const { convertReport } = await loadTrivy();
  for (const { platform, report } of fresh.members) {
    const file = path.join(directory, `${platform.replaceAll('/', '-')}.cdx.json`);
    await convertReport(fresh.trivy, report, 'cyclonedx', file);
  }
}
