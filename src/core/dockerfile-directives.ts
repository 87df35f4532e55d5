import { parseGoBoolean } from './go-boolean.ts';
import { parseJson } from './json.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';
import { trimSpace, trimSpaceStart } from './unicode-space.ts';

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
  const { body, firstLine } = withoutShebang(text);
  const find = (marker: Wanted['marker']) => directiveIn(body, { marker, name: 'syntax' }, firstLine);
  return find('#') ?? find('//') ?? syntaxOfJson(body, firstLine);
}

/** What is wrong with the options of `# check=` (BuildKit v0.29, linter), and where. */
export function findCheckProblem(text: string): { readonly problem: string; readonly line: number } | undefined {
  const { body, firstLine } = withoutShebang(text);
  const check = directiveIn(body, { marker: '#', name: 'check' }, firstLine);
  const options = check?.value.split(' ', 1)[0] ?? '';
  if (check === undefined || options === '') return undefined;
  // What stands behind the second semicolon belongs to the third option.
  const [first = '', second, ...rest] = options.split(';');
  const parts = [first, ...(second === undefined ? [] : [second]), ...(rest.length === 0 ? [] : [rest.join(';')])];
  const bad = parts.find((part) => !isCheckOption(part));
  if (bad === undefined) return undefined;
  return { problem: `check: ${quote(bad)} is no option: skip=…, experimental=… and error=true are`, line: check.line };
}

function isCheckOption(part: string): boolean {
  const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(part) ?? [];
  const key = trimSpace(name);
  return (
    key === 'skip' || key === 'experimental' || (key === 'error' && parseGoBoolean(trimSpace(value)) !== undefined)
  );
}

function withoutShebang(text: string): { readonly body: string; readonly firstLine: number } {
  const whole = text.replace(/^\ufeff/, '');
  if (!whole.startsWith('#!')) return { body: whole, firstLine: 1 };
  const lineFeed = whole.indexOf('\n');
  return { body: lineFeed < 0 ? '' : whole.slice(lineFeed + 1), firstLine: 2 };
}

interface Wanted {
  readonly marker: '#' | '//';
  readonly name: Directive['name'];
}

function directiveIn(text: string, { marker, name }: Wanted, firstLine: number): SyntaxDirective | undefined {
  const reader = directiveReader(marker);
  let start = 0;
  for (let line = firstLine; start < text.length; line += 1) {
    const lineFeed = text.indexOf('\n', start);
    const end = lineFeed < 0 ? text.length : lineFeed;
    const directive = reader.read(text.slice(start, end).replace(/\r$/, ''));
    if (!directive.ok || directive.value === undefined) return undefined;
    if (directive.value.name === name) return { value: directive.value.value, line };
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
