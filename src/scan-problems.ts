import { quote } from './core/printable.ts';
import type { Problem } from './errors.ts';
import type { Files } from './host.ts';
import type { Options } from './options.ts';
import { whyUnreadable } from './regular-file.ts';

/** VEX that is no file: Trivy looks for it in repositories of VEX documents, or beside the image. */
const VEX_SOURCES = ['repo', 'oci'] as const;
/** The word, when it is no file. */
export function vexSource(entry: string): (typeof VEX_SOURCES)[number] | undefined {
  return VEX_SOURCES.find((source) => source === entry);
}

/** Trivy reads each of them whole. */
const MAX_FILE_BYTES = 32 << 20;

/** What the files that the inputs of the scan name lack. */
export function findScanProblems({ scanIgnoreFile, scanVex }: Options, files: Files): readonly Problem[] {
  const named = [
    ...(scanIgnoreFile === undefined ? [] : [{ input: 'scan-ignore-file', file: scanIgnoreFile }]),
    ...scanVex.filter((entry) => vexSource(entry) === undefined).map((file) => ({ input: 'scan-vex', file })),
  ];
  return named.flatMap(({ input, file }) => {
    const problem = scanFileProblem(files, file);
    const allowed = input === 'scan-vex' ? 'a file, repo or oci is allowed' : 'the path of a file is allowed';
    return problem === undefined ? [] : [{ input, message: `${quote(file)} ${problem}: ${allowed}` }];
  });
}

/** What is wrong with a file that Trivy is to read: a device or a pipe would never end. */
export function scanFileProblem(files: Files, file: string): string | undefined {
  try {
    return files.readRegular(file, MAX_FILE_BYTES) === undefined ? 'is not there' : undefined;
  } catch (error) {
    return whyUnreadable(error);
  }
}
