import { CommandError } from '../errors.ts';
import type { CommandResult, Host } from '../host.ts';
import { lastLine } from './docker.ts';

/** Takes these members of a gzipped tar archive, and no others, into a directory. CommandError `UNPACK_FAILED`. */
export async function unpack(
  host: Host,
  archive: string,
  { directory, members }: { readonly directory: string; readonly members: readonly string[] },
): Promise<void> {
  const result = await host.exec({ argv: ['tar', '-xzf', archive, '-C', directory, ...members] });
  const hint = 'Look whether the disk is full, and whether tar and gzip are installed.';
  demand(result, { command: 'tar', problem: `${members.join(' and ')} could not be unpacked`, hint });
}

/** Copies a file to where it can be run. CommandError `UNPACK_FAILED`. */
export async function putProgram(host: Host, file: string, program: string): Promise<void> {
  const result = await host.exec({ argv: ['install', '-m', '755', file, program] });
  const hint = 'Look whether the disk is full, and whether install is there, as in coreutils.';
  demand(result, { command: 'install', problem: `${program} could not be written`, hint });
}

function demand(
  { status, stderr }: CommandResult,
  { command, problem, hint }: { readonly command: string; readonly problem: string; readonly hint: string },
): void {
  if (status === 0) return;
  // The last one only says that there were others.
  const reason = lastLine(stderr.split('\n')[0] ?? '');
  throw new CommandError('UNPACK_FAILED', `${problem}: ${reason}`, { command, status, stderrTail: reason, hint });
}
