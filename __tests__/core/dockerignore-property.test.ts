import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileIgnorePatterns, isIgnored, parseIgnoreFile, walkContext } from '../../src/core/dockerignore.ts';

// The rules of ignore files once more, from their text and not from the code: nothing is remembered, nothing left out.

interface Rule {
  readonly exception: boolean;
  readonly pattern: string;
}

function trim(text: string): string {
  const blanks = '[\\t\\n\\v\\f\\r \\u0085\\u00a0\\u2003]*';
  return text.replace(new RegExp(`^${blanks}`), '').replace(new RegExp(`${blanks}$`), '');
}

/** A byte-order mark, `#` in column 0, blanks around, `!`, then the shortest path that means the same, without `/`. */
function restateFile(text: string): readonly string[] {
  return text
    .replace(/^\ufeff/, '')
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .map(trim)
    .filter((line) => line !== '')
    .map((line) => {
      const [, mark = '', rest = ''] = /^(!?)(.*)$/su.exec(line) ?? [];
      const path = trim(rest);
      return path === '' ? mark : mark + restatePath(path).replace(/^\/(?=.)/, '');
    });
}

/** What the matcher makes of these lines: it trims and shortens them once more, so that `/!a` becomes an exception. */
function restateRules(text: string): readonly Rule[] {
  return restateFile(text)
    .map((line) => restatePath(trim(line)))
    .map((line) => ({ exception: line.startsWith('!'), pattern: line.replace(/^!/, '') }));
}

function restatePath(path: string): string {
  const rules: [RegExp, string][] = [
    [/\/\/+/g, '/'],
    [/^\.\/(?=.)/, ''],
    [/\/\.(?=\/|$)/, ''],
    [/^\/\.\.(?=\/|$)/, ''],
    [/(^|\/)(?!\.\.?(?:\/|$))[^/]+\/\.\.(?:\/|$)/, '$1'],
    [/(.)\/$/, '$1'],
  ];
  let clean = path;
  for (let before = ''; before !== clean; ) {
    before = clean;
    for (const [from, to] of rules) clean = clean.replace(from, to);
  }
  return clean === '' ? (path.startsWith('/') ? '/' : '.') : clean;
}

/** Plain text behind a leading `**` is a plain end; all else is an expression in which `*` and `?` never cross a slash. */
function restateMatch(pattern: string, path: string): boolean {
  const end = /^\*\*([^*?[\]\\]*)$/.exec(pattern)?.[1];
  if (end !== undefined) return path.endsWith(end) || `/${path}` === end;
  const expression = pattern.replace(/\*\*\/?$|\*\*\/?|\*|\?|\[[^\]]*\]|\\.|[^]/gu, (piece, at: number) => {
    if (piece.startsWith('**')) return at + piece.length === pattern.length ? '.*' : '(?:.*/)?';
    if (piece === '*') return '[^/]*';
    if (piece === '?') return '[^/]';
    if (piece.startsWith('[')) return piece;
    return piece.replace(/^\\/, '').replace(/[.+()$^|{}\\*?[\]]/, '\\$&');
  });
  return new RegExp(`^${expression}$`, 'su').test(path);
}

/** For each rule whether it matched the path or, where it was looked at, a directory above; the last one decides. */
function restateVerdict(
  rules: readonly Rule[],
  path: string,
): { readonly ignored: boolean; readonly matched: boolean[] } {
  const slash = path.lastIndexOf('/');
  const above = slash < 0 ? undefined : restateVerdict(rules, path.slice(0, slash));
  let ignored = false;
  const matched = rules.map(({ exception, pattern }, index) => {
    const couldChange = exception === ignored;
    const matches = above?.matched[index] === true || (couldChange && restateMatch(pattern, path));
    if (matches) ignored = !exception;
    return matches;
  });
  return { ignored, matched };
}

function lineage(path: string): readonly string[] {
  return path.split('/').map((_, index, names) => names.slice(0, index + 1).join('/'));
}

/** What is not ignored, and the directories above it. */
function restateWalk(text: string, paths: readonly string[]): ReadonlySet<string> {
  const rules = restateRules(text);
  const all = new Set(paths.flatMap(lineage));
  return new Set([...all].filter((path) => !restateVerdict(rules, path).ignored).flatMap(lineage));
}

const segments = fc
  .array(fc.constantFrom('a', 'b', 'ab', '.x', 'é', '*', '**', '?', '[ab]', '[^a]', '\\*', '+', '(', ' '), {
    minLength: 1,
    maxLength: 3,
  })
  .map((pieces) => pieces.join(''))
  .filter((text) => !text.includes('***'));
// Short ones meet more often in one path, so that a later rule has something to bring back.
const segment = fc.oneof(segments, fc.constantFrom('a', 'b', 'ab', '*', '**'));
const line = fc
  .record({
    before: fc.constantFrom('', '', '', '!', '!', '!', ' ', '\t', '! ', '# ', ' #', '#', '/', '//', './', '!/'),
    path: fc.array(fc.oneof({ weight: 9, arbitrary: segment }, fc.constantFrom('.', '..', '')), {
      minLength: 1,
      maxLength: 4,
    }),
    after: fc.constantFrom('', '', '', ' ', '\r', '/', '\u0085', '\u2003 '),
  })
  .map(({ before, path, after }) => `${before}${path.join('/')}${after}`);
const ignoreFile = fc
  .tuple(
    fc.constantFrom('', '\ufeff', '*\n', '**\n', '\ufeff*/*\n', 'a\n*b\n'),
    fc.array(line, { maxLength: 6 }),
    fc.constantFrom('\n', '\n', '\r\n', '\n\n'),
  )
  .map(([mark, lines, end]) => mark + lines.join(end))
  // A lone `!` makes a build fail, and so does `!/`.
  .filter((text) => restateRules(text).every(({ exception, pattern }) => !exception || pattern !== ''));
const name = fc.constantFrom('a', 'b', 'ab', '.x', 'é', 'a.b', '*', '+', '(', 'ba', '#', ' a', 'a ');
const paths = fc
  .array(
    fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/')),
    { minLength: 1, maxLength: 12 },
  )
  .map((all) => all.filter((one) => !all.some((other) => other.startsWith(`${one}/`))));

function list(files: readonly string[], directory: string) {
  const prefix = directory === '' ? '' : `${directory}/`;
  const inside = files.filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length));
  const names = new Set(inside.map((path) => path.split('/', 1)[0] ?? ''));
  return [...names].map((one) => ({
    name: one,
    kind: inside.includes(one) ? ('file' as const) : ('directory' as const),
  }));
}

describe('a random ignore file in a random tree', { timeout: 60_000 }, () => {
  it('keeps what the text of the rules keeps, in the walk and path by path', () => {
    const seen = { kept: 0, left: 0, broughtBack: 0 };
    fc.assert(
      fc.property(ignoreFile, paths, (text, files) => {
        const patterns = parseIgnoreFile(text);
        expect(patterns).toEqual({ ok: true, value: restateFile(text) });
        const matcher = patterns.ok ? compileIgnorePatterns(patterns.value) : patterns;
        if (!matcher.ok) throw new Error(matcher.problem);
        const expected = restateWalk(text, files);
        const walked = walkContext({ matcher: matcher.value, list: (directory) => list(files, directory) });
        expect(walked.ok && walked.value.map(({ path }) => path).sort()).toEqual([...expected].sort());
        for (const path of new Set(files)) {
          expect(isIgnored(matcher.value, path)).toEqual({ ok: true, value: !expected.has(path) });
          seen[expected.has(path) ? 'kept' : 'left'] += 1;
          const isBack = expected.has(path) && restateVerdict(restateRules(text), path).matched.includes(true);
          if (isBack) seen.broughtBack += 1;
        }
      }),
      { numRuns: 1500 },
    );
    expect(Math.min(seen.kept, seen.left, seen.broughtBack)).toBeGreaterThan(100);
  });
});
