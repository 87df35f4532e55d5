import { type Digest, digestOf } from './core/digest.ts';
import { quote } from './core/printable.ts';
import { scanSettingsDigest } from './core/scan-record.ts';
import { UsageError } from './errors.ts';
import type { Host } from './host.ts';
import type { Options } from './options.ts';
import { scanFileProblem, vexSource } from './scan-problems.ts';
import type { ScanSettings } from './tools/trivy.ts';

/** Where Trivy looks for what to ignore, the first that is there. */
const IGNORE_FILES = ['.trivyignore', '.trivyignore.yaml'];

/** What is to be looked for, and the digest of everything that decides what can be found. */
export interface ScanOrder {
  readonly settings: ScanSettings;
  readonly digest: Digest;
}

/** Reads the inputs of the scan, and the files that they name. UsageError for an ignore file that cannot be read. */
export function readScanOrder(host: Host, options: Options): ScanOrder {
  const ignoreFile = options.scanIgnoreFile ?? findIgnoreFile(host);
  const settings = {
    scanners: options.scanScanners,
    pkgTypes: options.scanPkgTypes,
    skipDirs: options.scanSkipDirs,
    skipFiles: options.scanSkipFiles,
    ignoreFile,
    vex: options.scanVex,
    timeoutMs: options.scanTimeout,
  };
  const contentOf = (file: string): Digest => digestOf(host.files.read(file) ?? new Uint8Array());
  const digest = scanSettingsDigest({
    ...settings,
    ignoreFile: ignoreFile === undefined ? undefined : contentOf(ignoreFile),
    vex: options.scanVex.map((entry) => vexSource(entry) ?? contentOf(entry)),
    trivyVersion: options.trivyVersion,
  });
  return { settings, digest };
}

function findIgnoreFile({ files, log }: Host): string | undefined {
  const [first, second] = IGNORE_FILES.filter((name) => files.kindOf(name) !== undefined);
  if (first !== undefined && second !== undefined)
    log.notice(`of ${first} and ${second} the first one counts; scan-ignore-file names the other`);
  const problem = first === undefined ? undefined : scanFileProblem(files, first);
  if (first === undefined || problem === undefined) return first;
  const message = `${quote(first)} ${problem}: a file is needed, or the path of another one`;
  throw new UsageError([{ input: 'scan-ignore-file', message }]);
}
