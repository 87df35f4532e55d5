import { directiveReader } from './dockerfile-directives.ts';
import { parseStatement, type Statement } from './dockerfile-statement.ts';
import { type Heredoc, type HeredocStart, heredocsOfLine } from './heredoc.ts';
import { type Located, located, misplaced } from './located.ts';
import { quote } from './printable.ts';
import type { EscapeCharacter } from './shell-words.ts';
import { trimSpaceStart } from './unicode-space.ts';

/** A statement where it stands. */
export interface PlacedStatement {
  readonly statement: Statement;
  /** The logical line: continuations joined, comments gone. */
  readonly text: string;
  readonly heredocs: readonly Heredoc[];
  /** The first and the last line, counted from 1. */
  readonly line: number;
  readonly endLine: number;
}

export interface Statements {
  readonly escape: EscapeCharacter;
  readonly statements: readonly PlacedStatement[];
}

/** BuildKit reads Dockerfiles line by line into a buffer of 64 KiB. */
const MAX_LINE_BYTES = 65_535;

/**
 * Divides a Dockerfile into statements as BuildKit does (v0.29, frontend/dockerfile/parser): directives, comments, escaped
 * line ends with comments and blank lines among them, heredocs. A problem for a directive that is wrong or comes twice, a
 * heredoc without an end, a line over 64 KiB, and a file without any statement.
 */
export function readStatements(text: string): Located<Statements> {
  return new DockerfileReader(text).readAll();
}

class DockerfileReader {
  readonly #lines: readonly string[];
  readonly #directives = directiveReader('#');
  #escape: EscapeCharacter = '\\';
  /** How many lines are read. */
  #line = 0;

  constructor(text: string) {
    this.#lines = splitLines(text.replace(/^\ufeff/, ''));
  }

  readAll(): Located<Statements> {
    const tooLong = this.#lines.findIndex((line) => isTooLong(line));
    if (tooLong >= 0) return misplaced(`the line is longer than ${MAX_LINE_BYTES} bytes`, tooLong + 1);
    const statements: PlacedStatement[] = [];
    while (this.#line < this.#lines.length) {
      const statement = this.#readStatement();
      if (!statement.ok) return statement;
      if (statement.value !== undefined) statements.push(statement.value);
    }
    if (statements.length === 0) return misplaced('the Dockerfile has no instructions', Math.max(1, this.#line));
    return located({ escape: this.#escape, statements });
  }

  #next(): string {
    const line = this.#lines[this.#line] ?? '';
    this.#line += 1;
    return line;
  }

  /** `undefined` for a blank line, a comment or a directive. */
  #readStatement(): Located<PlacedStatement | undefined> {
    const first = trimSpaceStart(trimLineEnd(this.#next()));
    const line = this.#line;
    const directive = this.#readDirective(first);
    if (!directive.ok) return directive;
    if (first === '' || first.startsWith('#')) return located(undefined);
    const text = this.#readContinued(first);
    const statement = parseStatement(text, this.#escape);
    if (!statement.ok) return misplaced(statement.problem, line);
    const heredocs = this.#readHeredocs(statement.value, text, line);
    if (!heredocs.ok) return heredocs;
    return located({ statement: statement.value, text, heredocs: heredocs.value, line, endLine: this.#line });
  }

  #readDirective(line: string): Located<undefined> {
    const directive = this.#directives.read(line);
    if (!directive.ok) return misplaced(directive.problem, this.#line);
    if (directive.value?.name !== 'escape') return located(undefined);
    const { value } = directive.value;
    if (value !== '\\' && value !== '`') {
      return misplaced(`${quote(value)} is no escape character: \\ and \` are allowed`, this.#line);
    }
    this.#escape = value;
    return located(undefined);
  }

  #readContinued(first: string): string {
    let { text, continues } = this.#cutEscape(first);
    while (continues && this.#line < this.#lines.length) {
      const line = trimLineEnd(this.#next());
      const start = trimSpaceStart(line);
      if (start === '' || start.startsWith('#')) continue;
      const more = this.#cutEscape(line);
      text += more.text;
      continues = more.continues;
    }
    return text;
  }

  /** An escape at the end of a line, blanks aside, joins the next line to it; two of them do not. */
  #cutEscape(line: string): { text: string; continues: boolean } {
    let end = line.length;
    while (line.charAt(end - 1) === ' ' || line.charAt(end - 1) === '\t') end -= 1;
    const continues = line.charAt(end - 1) === this.#escape && line.charAt(end - 2) !== this.#escape;
    return continues ? { text: line.slice(0, end - 1), continues } : { text: line, continues };
  }

  #readHeredocs(statement: Statement, text: string, line: number): Located<readonly Heredoc[]> {
    if (!takesHeredocs(statement) || !text.includes('<<')) return located([]);
    const starts = heredocsOfLine(text);
    if (!starts.ok) return misplaced(starts.problem, line);
    const heredocs: Heredoc[] = [];
    for (const start of starts.value) {
      const content = this.#readBody(start);
      if (content === undefined) return misplaced(`the heredoc ${quote(start.name)} is not ended`, line);
      heredocs.push({ ...start, content });
    }
    return located(heredocs);
  }

  #readBody({ name, chomp }: HeredocStart): string | undefined {
    const body: string[] = [];
    while (this.#line < this.#lines.length) {
      const raw = this.#next();
      const line = trimLineEnd(raw);
      if ((chomp ? line.replace(/^\t+/, '') : line) === name) return body.join('');
      body.push(raw);
    }
    return undefined;
  }
}

/** ADD, COPY and RUN, also behind ONBUILD, unless their arguments are JSON. */
function takesHeredocs(statement: Statement): boolean {
  const { keyword, json } = statement.child ?? statement;
  return /^(?:add|copy|run)$/i.test(keyword) && !json;
}

/** The lines with their line feeds; what follows the last line feed is a line when there is something. */
function splitLines(text: string): readonly string[] {
  const lines: string[] = [];
  let start = 0;
  while (start < text.length) {
    const lineFeed = text.indexOf('\n', start);
    const end = lineFeed < 0 ? text.length : lineFeed + 1;
    lines.push(text.slice(start, end));
    start = end;
  }
  return lines;
}

function trimLineEnd(line: string): string {
  let end = line.length;
  while (line.charAt(end - 1) === '\n' || line.charAt(end - 1) === '\r') end -= 1;
  return line.slice(0, end);
}

function isTooLong(line: string): boolean {
  if (line.length * 3 <= MAX_LINE_BYTES) return false;
  const text = line.endsWith('\n') ? line.slice(0, -1) : line;
  return text.length > MAX_LINE_BYTES || new TextEncoder().encode(text).length > MAX_LINE_BYTES;
}
