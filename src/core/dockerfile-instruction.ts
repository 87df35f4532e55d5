import type { PlacedStatement } from './dockerfile-reader.ts';
import type { Statement } from './dockerfile-statement.ts';
import { chompTabs, type Heredoc, parseHeredocStart } from './heredoc.ts';
import { checkRules, type Flag, type Known, parseFlags } from './instruction-rules.ts';
import { parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';

/** One instruction, before any variable is expanded. */
export interface Instruction {
  /** Upper case. */
  readonly name: string;
  /** The first and the last line, counted from 1. */
  readonly line: number;
  readonly endLine: number;
  /** In order. */
  readonly flags: readonly Flag[];
  /**
   * The arguments, by the grammar of the instruction: one word that is all of the text (RUN, CMD, ENTRYPOINT and the rest
   * of HEALTHCHECK without JSON, USER, WORKDIR, …); words between blanks (COPY, ADD, …); `NAME=value` words (ARG, ENV,
   * LABEL; two words for the old `ENV NAME value`); ONBUILD's trigger as BuildKit stores it. Quotes and escapes stay.
   */
  readonly words: readonly string[];
  /** The words were given as a JSON array. */
  readonly json: boolean;
  readonly heredocs: readonly Heredoc[];
}

/** `NAME=value`; `undefined` for an ARG without a value. */
export interface Pair {
  readonly name: string;
  readonly value: string | undefined;
}

/** What COPY and ADD name. */
export interface Sources {
  /** Paths, globs and URLs; not expanded. */
  readonly paths: readonly string[];
  /** Files whose content is in the Dockerfile. */
  readonly documents: readonly { readonly name: string; readonly expand: boolean; readonly content: string }[];
  readonly destination: string;
}

/**
 * Checks a statement against what BuildKit v0.29 takes (frontend/dockerfile/instructions): instruction, flags, number and
 * form of the arguments. Values that are expanded later are not checked.
 */
export function parseInstruction(placed: PlacedStatement): Known<Instruction> {
  const { statement, heredocs, line, endLine } = placed;
  const name = statement.keyword.toUpperCase();
  const flags = parseFlags(name, statement);
  if (!flags.ok) return flags;
  const problem = checkRules(name, statement, flags.value) ?? checkDestination(name, statement);
  if (problem !== undefined) return unparsable(problem);
  const words = name === 'ONBUILD' ? [triggerText(placed)] : statement.words;
  return parsed({ name, line, endLine, flags: flags.value, words, json: statement.json, heredocs });
}

/** The value of a flag that is given at most once. */
export function flagOf(instruction: Instruction, name: string): string | undefined {
  return flagsOf(instruction, name)[0];
}

/** The values of a flag, in order. */
export function flagsOf(instruction: Instruction, name: string): readonly string[] {
  return instruction.flags.filter((flag) => flag.name === name).map(({ value }) => value);
}

/** The pairs of ARG, ENV or LABEL. */
export function pairsOf({ name, words }: Instruction): readonly Pair[] {
  const [first, second] = words;
  if (name !== 'ARG' && first !== undefined && !first.includes('=')) return [{ name: first, value: second ?? '' }];
  return words.map((word) => {
    const equals = word.indexOf('=');
    return equals < 0
      ? { name: word, value: undefined }
      : { name: word.slice(0, equals), value: word.slice(equals + 1) };
  });
}

/** The sources and the destination of COPY or ADD. */
export function sourcesOf({ words, heredocs }: Instruction): Sources {
  const paths: string[] = [];
  const documents: { name: string; expand: boolean; content: string }[] = [];
  const contents = new Map(heredocs.map((heredoc) => [heredoc.name, heredoc.content]));
  for (const word of words.slice(0, -1)) {
    const start = parseHeredocStart(word);
    if (!start.ok || start.value === undefined) {
      paths.push(word);
      continue;
    }
    const { name, expand, chomp } = start.value;
    const content = contents.get(name) ?? '';
    documents.push({ name, expand, content: chomp ? chompTabs(content) : content });
  }
  return { paths, documents, destination: words.at(-1) ?? '' };
}

function checkDestination(name: string, { words }: Statement): string | undefined {
  if (name !== 'COPY' && name !== 'ADD') return undefined;
  const heredoc = parseHeredocStart(words.at(-1) ?? '');
  const isHeredoc = heredoc.ok && heredoc.value !== undefined;
  return isHeredoc ? `${name} cannot write to a heredoc: ${quote(words.at(-1) ?? '')} is its destination` : undefined;
}

/** The trigger with the bodies of its heredocs, as BuildKit stores it in the image. */
function triggerText({ text, heredocs }: PlacedStatement): string {
  const trigger = text.replace(/^[\t\n\f\r ]*onbuild[\t\n\f\r ]*/i, '');
  return [trigger, ...heredocs.map(({ name, content }) => `${content}${name}`)].join('\n');
}
