/**
 * The files that a step writes to instead of printing commands, with the rules of actions/runner v2.336
 * (src/Runner.Worker/FileCommandManager.cs): an error in one of them fails the step.
 */

/** What was wrong with a file, in words close to the runner's. */
export class FileCommandError extends Error {}

const SUMMARY_LIMIT_BYTES = 1024 * 1024;
const ARTIFACTS_LIMIT = 500;

/** `NAME=value` lines and `NAME<<DELIMITER` blocks of GITHUB_OUTPUT, GITHUB_STATE and GITHUB_ENV; a later name wins. */
export function parsePairs(content: string): Record<string, string> {
  const pairs: Record<string, string> = {};
  const lines = content.split('\n');
  if (lines.at(-1) === '') lines.pop();
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? '';
    if (line === '') continue;
    const equals = line.indexOf('=');
    const heredoc = line.indexOf('<<');
    if (heredoc >= 0 && (equals < 0 || heredoc < equals)) {
      const [name, delimiter] = [line.slice(0, heredoc), line.slice(heredoc + 2)];
      if (name === '' || delimiter === '') {
        throw new FileCommandError(`Invalid format '${line}'. Name must not be empty and delimiter must not be empty`);
      }
      const end = lines.indexOf(delimiter, at + 1);
      if (end < 0) throw new FileCommandError(`Invalid value. Matching delimiter not found '${delimiter}'`);
      pairs[name] = lines.slice(at + 1, end).join('\n');
      at = end;
    } else if (equals > 0) {
      pairs[line.slice(0, equals)] = line.slice(equals + 1);
    } else {
      throw new FileCommandError(`Invalid format '${line}'`);
    }
  }
  return pairs;
}

/** The lines of GITHUB_PATH, without empty ones. */
export function parsePathLines(content: string): string[] {
  return content.split('\n').filter((line) => line !== '');
}

/** The summary that is shown: all of it, or nothing and a problem when it is larger than 1 MiB. */
export function readSummary(content: Buffer): { readonly summary: string; readonly problem: string | undefined } {
  if (content.length <= SUMMARY_LIMIT_BYTES) return { summary: content.toString('utf8'), problem: undefined };
  const kibibytes = Math.floor(content.length / 1024);
  return {
    summary: '',
    problem: `$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of 1024k, got ${kibibytes}k`,
  };
}

/** An image or a file that a step says it made. */
export interface ArtifactSubject {
  readonly name: string;
  /** `sha256:` and 64 hexadecimal digits; empty for a file, whose bytes the runner hashes. */
  readonly digest: string;
  readonly kind: 'oci' | 'file';
}

/** GITHUB_ARTIFACTS: what earlier steps of the job said, and this step's lines. One name has one digest in a job. */
export function parseArtifacts(content: string, earlier: readonly ArtifactSubject[]): ArtifactSubject[] {
  if (Buffer.byteLength(content) > SUMMARY_LIMIT_BYTES)
    throw new FileCommandError('$GITHUB_ARTIFACTS is larger than 1 MiB');
  const subjects = [...earlier];
  for (const line of content.split('\n').map((text) => text.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const subject = parseSubject(line);
    const same = subjects.find(({ name, kind }) => name === subject.name && kind === subject.kind);
    if (same === undefined) subjects.push(subject);
    else if (same.digest !== subject.digest) {
      throw new FileCommandError(`$GITHUB_ARTIFACTS names ${subject.name} twice: ${same.digest} and ${subject.digest}`);
    }
  }
  if (subjects.length > ARTIFACTS_LIMIT)
    throw new FileCommandError(`more than ${ARTIFACTS_LIMIT} artifacts in one job`);
  return subjects;
}

function parseSubject(line: string): ArtifactSubject {
  if (line.includes('=')) throw new FileCommandError(`Invalid artifact '${line}': '=' is not allowed`);
  if (!line.startsWith('oci://')) return { name: line, digest: '', kind: 'file' };
  const [, name, digest] = /^oci:\/\/([^@\s]+)@(sha256:[0-9a-f]{64})$/.exec(line) ?? [];
  if (name === undefined || digest === undefined) {
    throw new FileCommandError(`Invalid artifact '${line}': oci://NAME@sha256:DIGEST is allowed`);
  }
  return { name, digest, kind: 'oci' };
}
