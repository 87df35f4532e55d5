import { isRefusedByGoMatch } from './go-match.ts';
import { compileGoRegExp } from './go-regexp.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';

/** One line of an ignore file, ready to match. */
export interface IgnorePattern {
  /** As the file has it, cleaned; without the `!`. */
  readonly text: string;
  /** True for a `!` pattern, which takes back what earlier ones ignored. */
  readonly exception: boolean;
  /** A problem when BuildKit would fail on this pattern the first time that it looks at a path with it. */
  readonly test: Parsed<PathTest>;
}

/** A test on paths relative to the context, with `/` between the names. */
interface PathTest {
  matches(path: string): boolean;
  /** False when no path below this directory can match. */
  mayMatchBelow(directory: string): boolean;
}

/**
 * Compiles a cleaned pattern by BuildKit's rules (moby/patternmatcher v0.6): what has no wildcard, or only a `**` at one
 * end, is compared as plain text; all else becomes one of Go's regular expressions, with all that follows from it
 * (`a\d` is a digit, `a*[b?]` is not what it seems). A problem when BuildKit
 * refuses the pattern before it looks at any path.
 */
export function compileIgnorePattern(line: string): Parsed<IgnorePattern> {
  const exception = line.startsWith('!');
  const text = exception ? line.slice(1) : line;
  if (isRefusedByGoMatch(text)) return unparsable(`${quote(line)} is not a valid pattern of an ignore file`);
  return parsed({ text, exception, test: compileTest(text) });
}

function compileTest(pattern: string): Parsed<PathTest> {
  const { form, regExp } = translate(pattern);
  switch (form) {
    case 'exact':
      return parsed({
        matches: (path) => path === pattern,
        mayMatchBelow: (directory) => pattern.startsWith(`${directory}/`),
      });
    case 'prefix': {
      const prefix = pattern.slice(0, -2);
      return parsed({
        matches: (path) => path.startsWith(prefix),
        mayMatchBelow: (directory) => prefix.startsWith(`${directory}/`) || `${directory}/`.startsWith(prefix),
      });
    }
    case 'suffix': {
      const suffix = pattern.slice(2);
      return parsed({
        matches: (path) => path.endsWith(suffix) || (suffix.startsWith('/') && path === suffix.slice(1)),
        mayMatchBelow: () => true,
      });
    }
    case 'regexp': {
      const compiled = compileGoRegExp(regExp);
      if (!compiled.ok) return unparsable(`${quote(pattern)} is not a valid pattern: ${compiled.problem}`);
      return parsed({
        matches: (path) => compiled.value.test(path),
        mayMatchBelow: (directory) => compiled.value.mayContinue(`${directory}/`),
      });
    }
  }
}

/**
 * Characters that mean something in Go's regular expressions and nothing in a pattern. BuildKit means to escape `{`, `|`
 * and `}` as well, but its table of characters ends at `?`; so `a|b*` are two expressions, and `a{2}*` repeats.
 */
const ESCAPED = new Set('.+()$');

/** How the pattern is compared, and the regular expression that stands for it. */
function translate(pattern: string): { form: 'exact' | 'prefix' | 'suffix' | 'regexp'; regExp: string } {
  const characters = Array.from(pattern.replace(/^\ufeff/, ''));
  let form: 'exact' | 'prefix' | 'suffix' | 'regexp' = 'exact';
  let regExp = '^';
  for (let index = 0; index < characters.length; index += 1) {
    const character = characters[index] ?? '';
    if (character === '*' && characters[index + 1] === '*') {
      const atStart = index === 0;
      index += characters[index + 2] === '/' ? 2 : 1;
      const atEnd = index + 1 >= characters.length;
      regExp += atEnd ? '.*' : '(.*/)?';
      if (atStart) form = 'suffix';
      else form = atEnd && form === 'exact' ? 'prefix' : 'regexp';
    } else if (character === '\\') {
      index += 1;
      regExp += `\\${characters[index] ?? ''}`;
      form = 'regexp';
    } else {
      if (character === '*') regExp += '[^/]*';
      else if (character === '?') regExp += '[^/]';
      else regExp += ESCAPED.has(character) ? `\\${character}` : character;
      if ('*?[]'.includes(character)) form = 'regexp';
    }
  }
  return { form, regExp: `${regExp}$` };
}
