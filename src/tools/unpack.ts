import { CommandError } from '../errors.ts';
import type { Host } from '../host.ts';
import { lastLine } from './docker.ts';

/** Takes these members of a gzipped tar archive, and no others, into a directory. CommandError `UNPACK_FAILED`. */
export async function unpack(
  host: Host,
  archive: string,
  { directory, members }: { readonly directory: string; readonly members: readonly string[] },
): Promise<void> {
  const { status, stderr } = await host.exec({ argv: ['tar', '-xzf', archive, '-C', directory, ...members] });
  if (status === 0) return;
  // The last one only says that there were others.
  const reason = lastLine(stderr.split('\n')[0] ?? '');
  throw new CommandError('UNPACK_FAILED', `${members.join(' and ')} could not be unpacked: ${reason}`, {
    command: 'tar',
    status,
    stderrTail: reason,
    hint: 'Look whether the disk is full, and whether tar and gzip are installed.',
  });
}
