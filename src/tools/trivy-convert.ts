import path from 'node:path';
import { textAt } from '../core/json.ts';
import { quote } from '../core/printable.ts';
import type { Trivy } from './trivy-install.ts';
import { invalidReport, readJsonOutput, runTrivy, type ScanReport, trivyFailure } from './trivy-run.ts';

/** Nothing is looked up, so that it takes seconds. */
const TIMEOUT_MS = 120_000;

/**
 * Writes a report of `scanImage` in another format: of all packages, with what was found in them. CycloneDX holds labels of
 * the image, but neither its environment nor its history, nor secrets that were found. A relative path starts at `host.cwd`;
 * folders are made as needed. Errors as of `scanImage`, and `UNWRITABLE_FILE`.
 */
export async function convertReport(
  trivy: Trivy,
  report: ScanReport,
  format: 'cyclonedx',
  outputFile: string,
): Promise<void> {
  const { host } = trivy;
  const directory = host.files.makeTemporaryDirectory('build-once-convert-');
  const [empty, made] = [path.join(directory, 'empty'), path.join(directory, 'made')];
  host.files.write(empty, '');
  const name = quote(outputFile);
  const call = {
    args: [
      'convert',
      `--config=${empty}`,
      `--ignorefile=${empty}`,
      `--format=${format}`,
      `--output=${made}`,
      '--',
      report.file,
    ],
    timeoutMs: TIMEOUT_MS,
    failure: `${name} could not be made of the report`,
    lateHint: 'Look what else this machine has to do: this takes seconds.',
  };
  const result = await runTrivy(trivy, call);
  if (result.status !== 0) throw trivyFailure(call, result);
  const { text, json } = readJsonOutput(host, made, name);
  if (textAt(json, 'bomFormat') !== 'CycloneDX') throw invalidReport(name, 'is not CycloneDX');
  host.files.write(outputFile, text);
}
