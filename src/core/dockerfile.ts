import { detectSyntax, findCheckProblem, type SyntaxDirective } from './dockerfile-directives.ts';
import { flagOf, type Instruction, parseInstruction } from './dockerfile-instruction.ts';
import { readStatements } from './dockerfile-reader.ts';
import { type Located, located, misplaced } from './located.ts';
import type { EscapeCharacter } from './shell-words.ts';

export { detectSyntax, type SyntaxDirective } from './dockerfile-directives.ts';
export {
  flagOf,
  flagsOf,
  type Instruction,
  pairsOf,
  sourcesOf,
} from './dockerfile-instruction.ts';

/** A Dockerfile, read and checked, with no variable expanded. */
export interface Dockerfile {
  /** The frontend that it asks for; `undefined` for BuildKit's own. */
  readonly syntax: SyntaxDirective | undefined;
  readonly escape: EscapeCharacter;
  /** The ARG instructions before the first FROM. */
  readonly globalArgs: readonly Instruction[];
  /** In order. May be empty here; a build of it fails. */
  readonly stages: readonly DockerfileStage[];
}

/** One FROM and what follows it. */
export interface DockerfileStage {
  /** Lower case; empty when it has none. */
  readonly name: string;
  /** What FROM names: an image, a stage or a named context. */
  readonly base: string;
  /** `--platform`; empty when it is not given. */
  readonly platform: string;
  readonly line: number;
  /** Without the FROM. */
  readonly instructions: readonly Instruction[];
}

/** `isUnknown`: a newer frontend might take it; whatever else is wrong fails every build. */
export type DockerfileResult =
  | Located<Dockerfile>
  | { readonly ok: false; readonly problem: string; readonly line: number; readonly isUnknown: true };

/**
 * Reads a Dockerfile as BuildKit v0.29 does (frontend/dockerfile/parser and instructions). Refuses what BuildKit refuses
 * before it expands variables, with the line on which the instruction begins.
 */
export function parseDockerfile(text: string): DockerfileResult {
  const check = findCheckProblem(text);
  if (check !== undefined) return misplaced(check.problem, check.line);
  const read = readStatements(text);
  if (!read.ok) return read;
  const globalArgs: Instruction[] = [];
  const stages: (Omit<DockerfileStage, 'instructions'> & { readonly instructions: Instruction[] })[] = [];
  for (const statement of read.value.statements) {
    const instruction = parseInstruction(statement);
    if (!instruction.ok) return { ...instruction, line: statement.line };
    const { name, line, words } = instruction.value;
    const stage = stages.at(-1);
    if (name === 'FROM') {
      const platform = flagOf(instruction.value, 'platform') ?? '';
      stages.push({ name: words[2]?.toLowerCase() ?? '', base: words[0] ?? '', platform, line, instructions: [] });
    } else if (stage !== undefined) {
      stage.instructions.push(instruction.value);
    } else if (name === 'ARG') {
      globalArgs.push(instruction.value);
    } else {
      return misplaced(`${name} stands before the first FROM, where only ARG may`, line);
    }
  }
  return located({ syntax: detectSyntax(text), escape: read.value.escape, globalArgs, stages });
}

/**
 * What an ONBUILD instruction does in a stage that is built on its own, read as BuildKit reads it there: with a backslash
 * as escape. `undefined` when it cannot be read; BuildKit fails then, but only where it is triggered.
 */
export function triggerOf(onbuild: Instruction): Instruction | undefined {
  const read = readStatements(onbuild.words[0] ?? '');
  const [statement, second] = read.ok ? read.value.statements : [];
  if (statement === undefined || second !== undefined) return undefined;
  const instruction = parseInstruction({ ...statement, line: onbuild.line, endLine: onbuild.endLine });
  return instruction.ok ? instruction.value : undefined;
}

/** Instructions whose words are one text each, in which blanks count. */
const TEXTS = new Set(['CMD', 'ENTRYPOINT', 'MAINTAINER', 'ONBUILD', 'RUN', 'SHELL', 'STOPSIGNAL', 'USER', 'WORKDIR']);

/**
 * One string for each instruction: name in upper case, flags, arguments, heredoc bodies to the byte; first the directives
 * that count. Comments, line endings, indentation, blanks between words and the case of names leave it the same; whatever
 * BuildKit could tell apart makes it different.
 */
export function canonicalInstructions({ syntax, escape, globalArgs, stages }: Dockerfile): readonly string[] {
  return [
    ...(syntax === undefined ? [] : [`# syntax=${syntax.value}`]),
    ...(escape === '\\' ? [] : [`# escape=${escape}`]),
    ...globalArgs.map(canonicalInstruction),
    ...stages.flatMap((stage) => [canonicalFrom(stage), ...stage.instructions.map(canonicalInstruction)]),
  ];
}

/** A FROM as one string; the base and the platform may be expanded already. */
export function canonicalFrom({ name, base, platform }: Pick<DockerfileStage, 'name' | 'base' | 'platform'>): string {
  const flag = platform === '' ? [] : [`--platform=${canonicalWord(platform)}`];
  return ['FROM', ...flag, canonicalWord(base), ...(name === '' ? [] : ['AS', name])].join(' ');
}

/** An instruction as one string. */
export function canonicalInstruction({ name, flags, words, json, heredocs }: Instruction): string {
  const head = [name, ...flags.map((flag) => `--${flag.name}=${canonicalWord(flag.value)}`)];
  const [first = '', ...rest] = words;
  const written = () => {
    if (name === 'HEALTHCHECK') return [first.toUpperCase(), json ? JSON.stringify(rest) : canonicalText(rest[0])];
    if (json) return [JSON.stringify(words)];
    return TEXTS.has(name) ? [canonicalText(words[0])] : words.map(canonicalWord);
  };
  const bodies = heredocs.map((heredoc) => `${heredoc.content}${heredoc.name}`);
  return [[...head, ...written()].join(' '), ...(name === 'ONBUILD' ? [] : bodies)].join('\n');
}

/** Text at the end of a line, in quotes only where it could be taken for something else. */
function canonicalText(text = ''): string {
  return /^(?:"|\[|--)/.test(text) ? JSON.stringify(text) : text;
}

function canonicalWord(word: string): string {
  return word === '' || /^(?:"|\[|--)/.test(word) || /\s/.test(word) ? JSON.stringify(word) : word;
}
