import { parseJson } from './json.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';
import { trimSpaceStart } from './unicode-space.ts';

/** A parser directive: `# syntax=docker/dockerfile:1`. */
interface Directive {
  /** Lower case. */
  readonly name: 'syntax' | 'escape' | 'check';
  readonly value: string;
}

/** The frontend that a file asks for. */
export interface SyntaxDirective {
  /** All of the value. The image is its first word; BuildKit hands the rest to the frontend. */
  readonly value: string;
  readonly line: number;
}

/** Reads directives line by line until the first line that is none. */
export interface DirectiveReader {
  /** `undefined` for a line that is no directive; a problem for one that comes twice. */
  read(line: string): Parsed<Directive | undefined>;
}

/** A fresh reader. `marker` stands before each directive. BuildKit v0.29, frontend/dockerfile/parser/directives.go. */
export function directiveReader(marker: '#' | '//'): DirectiveReader {
  const seen = new Set<string>();
  let done = false;
  return {
    read: (line) => {
      const directive = done ? undefined : parseDirective(line, marker);
      if (directive === undefined) {
        done = true;
        return parsed(undefined);
      }
      if (seen.has(directive.name)) return unparsable(`the directive ${quote(directive.name)} is given twice`);
      seen.add(directive.name);
      return parsed(directive);
    },
  };
}

/**
 * The frontend that BuildKit would load for this file, whether or not it is a Dockerfile: `# syntax=`, else `// syntax=`,
 * else the member `syntax` of a JSON object; a `#!` line may come first. `undefined`: BuildKit's own.
 */
export function detectSyntax(text: string): SyntaxDirective | undefined {
  const whole = text.replace(/^\ufeff/, '');
  const hasShebang = whole.startsWith('#!');
  const lineFeed = whole.indexOf('\n');
  const body = hasShebang ? (lineFeed < 0 ? '' : whole.slice(lineFeed + 1)) : whole;
  const firstLine = hasShebang ? 2 : 1;
  return syntaxIn(body, '#', firstLine) ?? syntaxIn(body, '//', firstLine) ?? syntaxOfJson(body, firstLine);
}

function syntaxIn(text: string, marker: '#' | '//', firstLine: number): SyntaxDirective | undefined {
  const reader = directiveReader(marker);
  let start = 0;
  for (let line = firstLine; start < text.length; line += 1) {
    const lineFeed = text.indexOf('\n', start);
    const end = lineFeed < 0 ? text.length : lineFeed;
    const directive = reader.read(text.slice(start, end).replace(/\r$/, ''));
    if (!directive.ok || directive.value === undefined) return undefined;
    if (directive.value.name === 'syntax') return { value: directive.value.value, line };
    start = end + 1;
  }
  return undefined;
}

function syntaxOfJson(text: string, line: number): SyntaxDirective | undefined {
  if (!trimSpaceStart(text).startsWith('{')) return undefined;
  const json = parseJson(text);
  const value = typeof json === 'object' && json !== null && 'syntax' in json ? json.syntax : undefined;
  return typeof value === 'string' ? { value, line } : undefined;
}

/** `name = value` after the marker; by hand, since an expression for it would take quadratic time on blanks. */
function parseDirective(line: string, marker: string): Directive | undefined {
  if (!line.startsWith(marker)) return undefined;
  const text = trimSpaceStart(line.slice(marker.length));
  const [head = '', key = ''] = /^([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=/.exec(text) ?? [];
  const name = (['syntax', 'escape', 'check'] as const).find((known) => known === key.toLowerCase());
  const rest = text.slice(head.length);
  if (name === undefined || rest === '') return undefined;
  const value = trimBlanks(rest);
  return { name, value: value === '' ? rest.slice(-1) : value };
}

function trimBlanks(text: string): string {
  const isBlank = (index: number) => '\t\n\f\r '.includes(text.charAt(index));
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(start)) start += 1;
  while (start < end && isBlank(end - 1)) end -= 1;
  return text.slice(start, end);
}
