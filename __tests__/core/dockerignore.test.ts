import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compileIgnorePatterns,
  findHidingLine,
  type IgnoreMatcher,
  isIgnored,
  type ListedEntry,
  NOTHING_IGNORED,
  parseIgnoreFile,
  walkContext,
} from '../../src/core/dockerignore.ts';
import type { Parsed } from '../../src/core/parsed.ts';
import vectors from '../vectors/dockerignore.json' with { type: 'json' };

type Tree = ReadonlyMap<string, readonly ListedEntry[]>;

/** The directories of a tree that holds these files; each lists its entries in the wrong order. */
function treeOf(files: readonly string[]): Tree {
  const directories = new Map<string, ListedEntry[]>([['', []]]);
  for (const file of files) {
    const names = file.split('/');
    for (const [depth, name] of names.entries()) {
      const parent = names.slice(0, depth).join('/');
      const kind = depth === names.length - 1 ? 'file' : 'directory';
      const siblings = directories.get(parent) ?? [];
      if (!siblings.some((sibling) => sibling.name === name)) siblings.unshift({ name, kind });
      directories.set(parent, siblings);
    }
  }
  return directories;
}

function compile(ignoreFile: string): Parsed<IgnoreMatcher> {
  const patterns = parseIgnoreFile(ignoreFile);
  return patterns.ok ? compileIgnorePatterns(patterns.value) : patterns;
}

/** What a walk keeps, directories with a slash; or the problem. */
function keptOf(ignoreFile: string, tree: Tree, listed: string[] = []): readonly string[] | string {
  const matcher = compile(ignoreFile);
  if (!matcher.ok) return matcher.problem;
  const list = (directory: string) => {
    listed.push(directory);
    return tree.get(directory);
  };
  const walk = walkContext({ list, matcher: matcher.value });
  return walk.ok ? walk.value.map(({ path, kind }) => (kind === 'directory' ? `${path}/` : path)) : walk.problem;
}

describe("BuildKit's own answers", () => {
  it.each(vectors.cases)('$id: $ignore', (vector) => {
    const kept = keptOf(vector.ignore, treeOf(vector.files));
    if ('error' in vector) expect(kept).toBeTypeOf('string');
    else expect(Array.from(kept).sort()).toEqual([...(vector.kept ?? [])].sort());
  });

  it.each(vectors.cases.filter((vector) => vector.patterns !== undefined))('reads $id: $ignore', (vector) => {
    expect(parseIgnoreFile(vector.ignore)).toEqual({ ok: true, value: vector.patterns });
  });
});

describe('parseIgnoreFile', () => {
  it.each([
    ['a byte-order mark', '\ufeffa', ['a']],
    ['comments in column 0 only', '#a\n #b', ['#b']],
    ['Windows line ends', 'a\r\nb\r\n', ['a', 'b']],
    ['blanks, also those of Unicode', '\u00a0 a \u2003\n\u0085b', ['a', 'b']],
    ['one leading slash', '/a\n//b\n/', ['a', 'b', '/']],
    ['dots and slashes', './a//b/../c/.\n..\n/../d\n.', ['a/c', '..', 'd', '.']],
    ['an exception with blanks', '! ./a/', ['!a']],
    ['a lone exclamation mark', '!', ['!']],
  ])('reads %s', (_, text, patterns) => {
    expect(parseIgnoreFile(text)).toEqual({ ok: true, value: patterns });
  });

  it('refuses a line over 64 KiB, as a build does, and takes the longest one', () => {
    expect(parseIgnoreFile(`a\n${'x'.repeat(65_535)}\n`)).toMatchObject({ ok: true });
    expect(parseIgnoreFile(`a\n${'x'.repeat(65_536)}\n`)).toMatchObject({ ok: false });
    expect(parseIgnoreFile('é'.repeat(32_768))).toMatchObject({ ok: false });
  });
});

describe('compileIgnorePatterns', () => {
  it.each(['!', '!/', '! ', '[', 'a[', '[]a]', '[-]', '[x-]', 'a\\', '[a\\', '*[', '[^'])('refuses %j', (line) => {
    expect(compile(line)).toMatchObject({ ok: false });
  });

  it('checks the syntax of a piece between stars only when "." matches what is before it', () => {
    expect(compile('[.]*[')).toMatchObject({ ok: false });
    expect(compile('[a]*[')).toMatchObject({ ok: true });
    expect(compile('?*[')).toMatchObject({ ok: false });
    expect(compile('\\?*[')).toMatchObject({ ok: true });
  });

  it('takes broken syntax that BuildKit does not get to, and fails when a path is compared', () => {
    const matcher = compile('a*[');
    expect(matcher).toMatchObject({ ok: true });
    expect(keptOf('a*[', treeOf(['x']))).toBeTypeOf('string');
    expect(keptOf('*\na*[', treeOf(['x']))).toEqual([]);
  });

  it.each(['docs\\guide', '[Local-Only]', '[[:nope:]]', 'a*{2}', '|{2}*', '*\\é', '[a-\\d]', '*\\1'])(
    'fails on a path with %j, which Go takes for no regular expression',
    (line) => {
      expect(keptOf(line, treeOf(['x']))).toBeTypeOf('string');
    },
  );
});

describe('quirks that follow from the regular expressions underneath', () => {
  it.each([
    ['\\d', ['1'], ['a']],
    ['x\\wy', ['xay', 'x1y'], ['x-y']],
    ['a\\pL', ['aé'], ['a1']],
    ['\\x61', ['a'], ['x61']],
    ['\\141', ['a'], ['141']],
    ['a\\Q*', ['a[^/]*$', 'a[^/]*$x'], ['a', 'ab']],
    ['a|b*', ['a', 'ax', 'b', 'xb'], ['c']],
    ['a{2}?', ['aab'], ['ab', 'a{2}b']],
    ['a{b}?', ['a{b}c'], ['abc']],
    ['a?{1,2}', ['ab', 'abc'], ['a', 'abcd']],
    ['[a*]', ['aa]', '^]', ']'], ['a', '*']],
    ['[a?]', ['a]', '/]'], ['a']],
    ['x^y*', [], ['xy', 'x^y']],
    ['a\\b*', ['a', 'a.md'], ['ab']],
    ['[[:upper:]]x?', ['Axy'], ['axy']],
    ['\u{1F600}?', ['\u{1F600}\u{1F601}'], ['\u{1F600}ab']],
  ])('%j', (pattern, matching, others) => {
    const matcher = compile(pattern);
    if (!matcher.ok) throw new Error(matcher.problem);
    const [test] = matcher.value.patterns.map((one) => one.test);
    const matches = (path: string) => test?.ok === true && test.value.matches(path);
    expect(matching.filter(matches)).toEqual(matching);
    expect(others.filter(matches)).toEqual([]);
  });
});

describe('walkContext', () => {
  const monorepo = treeOf(['node_modules/a/b/c.js', 'docs/deep/x.md', 'docs/deep/y.txt', 'src/a.ts']);

  it('never lists an ignored directory', () => {
    const listed: string[] = [];
    expect(keptOf('**/node_modules\ndocs', monorepo, listed)).toEqual(['src/', 'src/a.ts']);
    expect(listed).toEqual(['', 'src']);
  });

  it.each([
    ['*\n!src', ['', 'src']],
    ['*\n!docs/deep/*.md', ['', 'docs', 'docs/deep']],
    ['*\n!d*/x/y', ['', 'docs']],
    ['*\n!docs/**', ['', 'docs', 'docs/deep']],
  ])('with %j lists ignored directories only where an exception can match', (ignoreFile, expected) => {
    const listed: string[] = [];
    keptOf(ignoreFile, monorepo, listed);
    expect(listed).toEqual(expected);
  });

  it('puts a directory before what is in it, and names in the order of code points', () => {
    const tree = treeOf(
      ['b', 'a/z', 'a.b', 'a', 'B', 'é', '\uff01', '\u{1F600}', 'a/y'].filter((name) => name !== 'a'),
    );
    expect(keptOf('', tree)).toEqual(['B', 'a/', 'a/y', 'a/z', 'a.b', 'b', 'é', '\uff01', '\u{1F600}']);
  });

  it('brings the parents of a re-included file back, once', () => {
    expect(keptOf('**\n!docs/deep/*', monorepo)).toEqual(['docs/', 'docs/deep/', 'docs/deep/x.md', 'docs/deep/y.txt']);
  });

  it('keeps links and special files as what they are, and does not follow links', () => {
    const list = (directory: string): readonly ListedEntry[] | undefined =>
      directory === ''
        ? [
            { name: 'link', kind: 'symlink' },
            { name: 'pipe', kind: 'other' },
          ]
        : undefined;
    expect(walkContext({ list, matcher: NOTHING_IGNORED })).toEqual({
      ok: true,
      value: [
        { path: 'link', kind: 'symlink' },
        { path: 'pipe', kind: 'other' },
      ],
    });
  });

  it('keeps empty directories, also one that is gone meanwhile', () => {
    const list = (directory: string): readonly ListedEntry[] | undefined =>
      directory === '' ? [{ name: 'empty', kind: 'directory' }] : undefined;
    expect(walkContext({ list, matcher: NOTHING_IGNORED })).toEqual({
      ok: true,
      value: [{ path: 'empty', kind: 'directory' }],
    });
  });

  it('passes over an ignored directory that may not be read, and no other', () => {
    const list = (directory: string): readonly ListedEntry[] => {
      if (directory === '') return [{ name: 'secret', kind: 'directory' }];
      throw Object.assign(new Error('denied'), { code: 'EACCES' });
    };
    const matcherOf = (ignoreFile: string) => {
      const matcher = compile(ignoreFile);
      return matcher.ok ? matcher.value : NOTHING_IGNORED;
    };
    expect(walkContext({ list, matcher: matcherOf('secret\n!**/x') })).toEqual({ ok: true, value: [] });
    expect(() => walkContext({ list, matcher: matcherOf('') })).toThrow('denied');
  });

  it('answers on patterns that make a backtracking matcher hang', () => {
    const names = ['a'.repeat(200), `${'a/'.repeat(60)}x`];
    const hostile = [`${'a*'.repeat(60)}b`, `${'**/'.repeat(30)}*y`, `${'*a'.repeat(200)}z`, 'a{1000}{'.repeat(5)];
    for (const pattern of hostile) expect(keptOf(pattern, treeOf(names))).not.toEqual([]);
  });

  it('walks 50,000 paths and a tree 300 deep', () => {
    const wide = new Map<string, readonly ListedEntry[]>([
      ['', Array.from({ length: 50_000 }, (_, index) => ({ name: `file-${index}.ts`, kind: 'file' }) as const)],
    ]);
    expect(keptOf('**/*[0-9]7.ts', wide)).toHaveLength(45_000 + 1);
    expect(keptOf('x', treeOf([`${'d/'.repeat(300)}f`]))).toHaveLength(301);
  });
});

/** The rules once more, as slow and as plain as they can be put: no parent is remembered, no directory left out. */
function naiveIgnored(patterns: readonly string[], path: string): readonly boolean[] {
  const slash = path.lastIndexOf('/');
  const parents = slash < 0 ? [] : naiveIgnored(patterns, path.slice(0, slash));
  let ignored = false;
  const matched: boolean[] = [];
  for (const [index, pattern] of patterns.entries()) {
    const exception = pattern.startsWith('!');
    const own = exception === ignored && naiveMatch(exception ? pattern.slice(1) : pattern, path);
    const matches = parents[index] === true || own;
    if (matches) ignored = !exception;
    matched.push(matches);
  }
  return [...matched, ignored];
}

function naiveMatch(pattern: string, path: string): boolean {
  const plain = pattern.replace(/^\*\*/, '');
  if (plain !== pattern && !/[*?[\]\\]/.test(plain)) return path.endsWith(plain) || `/${path}` === plain;
  return naiveRest(Array.from(pattern), Array.from(path));
}

function naiveRest(pattern: readonly string[], path: readonly string[]): boolean {
  const [first, second, third] = pattern;
  const [head, ...tail] = path;
  if (first === undefined) return head === undefined;
  if (first === '*' && second === '*') {
    const rest = pattern.slice(third === '/' ? 3 : 2);
    if (rest.length === 0) return true;
    return naiveRest(rest, path) || path.some((name, index) => name === '/' && naiveRest(rest, path.slice(index + 1)));
  }
  if (first === '*')
    return naiveRest(pattern.slice(1), path) || (head !== undefined && head !== '/' && naiveRest(pattern, tail));
  if (head === undefined) return false;
  if (first === '?') return head !== '/' && naiveRest(pattern.slice(1), tail);
  if (first === '[') {
    const end = pattern.indexOf(']');
    const negated = second === '^';
    const members = pattern.slice(negated ? 2 : 1, end);
    return members.includes(head) !== negated && naiveRest(pattern.slice(end + 1), tail);
  }
  if (first === '\\') return second === head && naiveRest(pattern.slice(2), tail);
  return first === head && naiveRest(pattern.slice(1), tail);
}

const segment = fc
  .array(fc.constantFrom('a', 'b', 'ab', 'c', '.', '*', '**', '?', '[ab]', '[^a]', '\\*', '+', '('), {
    minLength: 1,
    maxLength: 3,
  })
  .map((pieces) => pieces.join(''))
  .filter((name) => !/^\.{1,2}$/.test(name) && !name.includes('***'));
const pattern = fc
  .tuple(fc.constantFrom('', '!'), fc.array(segment, { minLength: 1, maxLength: 4 }))
  .map(([mark, segments]) => mark + segments.join('/'));
const name = fc.constantFrom('a', 'b', 'ab', 'c', 'a.b', '*', '+', '(', 'cab');
const file = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
const files = fc
  .array(file, { minLength: 1, maxLength: 12 })
  .map((all) => all.filter((one) => !all.some((other) => other.startsWith(`${one}/`))));

describe('against a naive restatement of the rules', () => {
  it('keeps the same paths', () => {
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 1, maxLength: 5 }), files, (patterns, paths) => {
        const tree = treeOf(paths);
        const isKept = (path: string) => naiveIgnored(patterns, path).at(-1) === false;
        const expected = new Set<string>();
        for (const [directory, entries] of tree) {
          for (const { name, kind } of entries) {
            const path = directory === '' ? name : `${directory}/${name}`;
            if (!isKept(path)) continue;
            expected.add(kind === 'directory' ? `${path}/` : path);
            for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1))
              expected.add(path.slice(0, end + 1));
          }
        }
        expect(Array.from(keptOf(patterns.join('\n'), tree)).sort()).toEqual([...expected].sort());
      }),
      { numRuns: 2000 },
    );
  });

  it('walks to exactly what the matcher keeps', () => {
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 1, maxLength: 5 }), files, (patterns, paths) => {
        const matcher = compile(patterns.join('\n'));
        if (!matcher.ok) throw new Error(matcher.problem);
        const kept = keptOf(patterns.join('\n'), treeOf(paths));
        const judged = [...new Set(paths)].filter((path) => {
          const ignored = isIgnored(matcher.value, path);
          return ignored.ok && !ignored.value;
        });
        expect(
          Array.from(kept)
            .filter((path) => !path.endsWith('/'))
            .sort(),
        ).toEqual(judged.sort());
      }),
      { numRuns: 1000 },
    );
  });

  it('blames a line that hides the path when it is the last one, for what is ignored and nothing else', () => {
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 1, maxLength: 5 }), files, (patterns, paths) => {
        const [path = ''] = paths;
        const found = findHidingLine(patterns.join('\n'), path);
        expect(found !== undefined).toBe(naiveIgnored(patterns, path).at(-1));
        if (found === undefined) return;
        expect(patterns[found.line - 1]).toBe(found.text);
        expect(naiveIgnored([found.text], path).at(-1)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the line that hides a path', () => {
  it.each([
    ['dist', 'dist/a', { line: 1, text: 'dist' }],
    ['# x\r\n\r\n  /dist/ \r\n', 'dist', { line: 3, text: '/dist/' }],
    ['\ufeff./dist', 'dist', { line: 1, text: './dist' }],
    ['dist\n!dist/a\ndist/*', 'dist/a', { line: 3, text: 'dist/*' }],
    ['dist\nother\ndist', 'dist', { line: 3, text: 'dist' }],
    ['dist\n!dist', 'dist', undefined],
    ['', 'dist', undefined],
    ['!', 'dist', undefined],
    ['[', 'dist', undefined],
    ['a\\d', 'a1', { line: 1, text: 'a\\d' }],
  ])('%j, %j', (text, path, line) => {
    expect(findHidingLine(text, path)).toEqual(line);
  });
});
