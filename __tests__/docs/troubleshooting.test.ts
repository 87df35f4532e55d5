import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CHECKOUT } from '../support/programs.ts';

const PAGE = readFileSync(join(CHECKOUT, 'docs/troubleshooting.md'), 'utf8');
/** An error whose code stands elsewhere in its file: in a table, or where a function of the file is called. */
const RAISED_WITH_A_NAME = /\b(?:new (?:BuildOnce|Command|Policy|Registry)Error|requestFailure)\(\s*(?!')\w/;
/** What raises an error takes its code first: `new RegistryError('X'`, `requestFailure('X'`, `super('X'`. */
const RAISED = /(?:\b(?:BuildOnce|Command|Policy|Registry)Error|\brequestFailure|\bsuper)\(\s*'([A-Z][A-Z0-9_]+)'/g;

/** Everything that ships, lazily loaded bundles too: they are made of these files. */
function sources(): readonly string[] {
  const directory = join(CHECKOUT, 'src');
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  return files.map((file) => readFileSync(join(directory, file), 'utf8'));
}

function raisedCodes(): ReadonlySet<string> {
  const found = sources().flatMap((text) => [
    ...[...text.matchAll(RAISED)].map(([, code = '']) => code),
    ...(RAISED_WITH_A_NAME.test(text) ? codesIn(text) : []),
  ]);
  // The code of what is not ours.
  return new Set([...found, 'UNEXPECTED']);
}

/** Every text that can be a code; the system's own names begin with E, as in ECONNRESET. */
function codesIn(text: string): readonly string[] {
  const words = [...text.matchAll(/'([A-Z0-9_ ]+)'/g)].flatMap(([, words = '']) => words.split(' '));
  return words.filter(
    (word) => /^[A-Z][A-Z_]{3,}$/.test(word) && !/^(?:E[A-Z]+(?:_AGAIN)?|ABORT_ERR|HEAD|POST|PATCH|DELETE)$/.test(word),
  );
}

/** The codes that have a section, each with its text. */
function explained(): ReadonlyMap<string, string> {
  const sections = PAGE.split(/^#{2,3} /m).slice(1);
  return new Map(
    sections.flatMap((section) => {
      const [, code, text = ''] = /^`([A-Z_]+)`\n([\s\S]*)$/.exec(section) ?? [];
      return code === undefined ? [] : [[code, text.trim()] as const];
    }),
  );
}

it('explains every code that the source can raise, and no other', () => {
  expect([...explained().keys()].sort()).toEqual([...raisedCodes()].sort());
});

it('finds the codes that are raised directly, over two lines, from a table, and by a bundle that is loaded lazily', () => {
  expect([...raisedCodes()]).toEqual(
    expect.arrayContaining([
      'CONTENTION',
      'BASE_NOT_FOUND',
      'TOOMANYREQUESTS',
      'TIMED_OUT',
      'BAD_INPUT',
      'BUILDER_UNFIT',
    ]),
  );
});

it.each([
  ["throw new RegistryError(code, 'x')", true],
  ['return requestFailure(\n    CODES[status], request)', true],
  ["throw new PolicyError(\n  'X_Y',", false],
  ['catch (error: RegistryError)', false],
])('takes %j for an error whose code stands elsewhere: %s', (text, expected) => {
  expect(RAISED_WITH_A_NAME.test(text)).toBe(expected);
});

it('says something about each', () => {
  for (const [code, text] of explained()) expect([code, text.length > 30]).toEqual([code, true]);
});
