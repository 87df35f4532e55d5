import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';

/**
 * The files that a step writes to instead of printing commands, with the rules of actions/runner v2.336
 * (src/Runner.Worker/FileCommandManager.cs): an error in one of them fails the step.
 */

/** What was wrong with a file, in words close to the runner's. */
export class FileCommandError extends Error {}

const SUMMARY_LIMIT_BYTES = 1024 * 1024;
const ARTIFACTS_LIMIT = 500;
const ARTIFACTS_LIMIT_BYTES = 1024 * 1024;

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
  /** For a file: its name without the folder. */
  readonly name: string;
  /** The algorithm, a colon and hexadecimal digits; of a file, the runner computes it. */
  readonly digest: string;
  readonly kind: 'oci' | 'file';
}

const HEX_LENGTHS: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/**
 * GITHUB_ARTIFACTS: what earlier steps of the job said, and this step's lines. One name has one digest in a job, whatever its
 * kind. Rules: CreateArtifactsFileCommand.cs of actions/runner, pull request 4527.
 */
export function parseArtifacts(
  content: string,
  earlier: readonly ArtifactSubject[],
  workspace: string,
): ArtifactSubject[] {
  if (Buffer.byteLength(content) > ARTIFACTS_LIMIT_BYTES)
    throw new FileCommandError('$GITHUB_ARTIFACTS is larger than 1 MiB');
  const subjects = new Map(earlier.map((subject) => [subject.name, subject]));
  for (const [index, line] of content.split('\n').entries()) {
    const text = line.trim();
    if (text === '' || text.startsWith('#')) continue;
    const problem = (words: string) => new FileCommandError(`Invalid artifact on line ${index + 1}: ${words}`);
    const subject = parseSubject(text, workspace, problem);
    const same = subjects.get(subject.name);
    if (same === undefined && subjects.size >= ARTIFACTS_LIMIT)
      throw problem(`more than ${ARTIFACTS_LIMIT} artifacts in one job`);
    if (same !== undefined && same.digest !== subject.digest)
      throw problem(`${subject.name} is named twice: ${same.digest} and ${subject.digest}`);
    subjects.set(subject.name, same ?? subject);
  }
  return [...subjects.values()];
}

function parseSubject(line: string, workspace: string, problem: (words: string) => Error): ArtifactSubject {
  if (line.includes('=')) throw problem("'=' is not allowed");
  const [, scheme = '', rest = line] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/i.exec(line) ?? [];
  const [, name, algorithm = '', hex = ''] = /^(.+)@(sha(?:256|384|512)):([0-9a-f]+)$/i.exec(rest) ?? [];
  const isWhole = hex.length === HEX_LENGTHS[algorithm.toLowerCase()];
  const isOci = scheme.toLowerCase() === 'oci';
  if (name !== undefined && isWhole && (isOci || scheme === ''))
    return { name, digest: `${algorithm}:${hex}`.toLowerCase(), kind: 'oci' };
  if (isOci) throw problem('oci://NAME@sha256:DIGEST is allowed');
  if (scheme !== '' && scheme.toLowerCase() !== 'file') throw problem('unsupported URI scheme');
  const path = resolve(workspace, rest);
  if (!(statSync(path, { throwIfNoEntry: false })?.isFile() ?? false)) throw problem(`there is no file ${rest}`);
  const digest = `sha256:${createHash('sha256').update(readFileSync(path)).digest('hex')}`;
  return { name: basename(path), digest, kind: 'file' };
}
