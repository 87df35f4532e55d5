import { toLine } from '../../core/printable.ts';
import { parseReferenceList } from '../../core/retention/reference-list.ts';
import { whyUnreadable } from '../../regular-file.ts';
import { protectionOf, type SourceAnswer, type Surroundings } from './source.ts';

const MAX_BYTES = 16 << 20;
const HINT = 'Write the file in an earlier step, one image a line: a reference, a tag or a digest; # begins a comment.';

/** `@file(PATH)`: a list of images; a relative path starts in the workspace. */
export function readReferenceFile({ host, repository, workspace }: Surroundings, file: string): SourceAnswer {
  const text = readList(host.files.path.resolve(workspace, file), host.files);
  if (typeof text !== 'string') return text;
  const list = parseReferenceList(text, repository);
  if (!list.ok) return { kind: 'unreadable', reason: `line ${list.line}: ${list.problem}`, hint: HINT };
  const protections = list.value.map((image) => protectionOf(`${toLine(file)}:${image.line}`, [image]));
  return { kind: 'read', protections, notices: [] };
}

function readList(path: string, files: Surroundings['host']['files']): string | SourceAnswer {
  try {
    return files.readRegular(path, MAX_BYTES) ?? { kind: 'absent', reason: 'there is no such file', hint: HINT };
  } catch (cause) {
    return { kind: 'unreadable', reason: `the file ${whyUnreadable(cause)}`, hint: HINT, cause };
  }
}
