import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CHECKOUT } from '../support/programs.ts';

const PAGE = readFileSync(join(CHECKOUT, 'docs/troubleshooting.md'), 'utf8');
/** The file that gives registries' answers and the network's errors our codes, from tables. */
const TABLES = 'registry/failure.ts';
/** What raises an error takes its code first: `new RegistryError('X'`, `requestFailure('X'`, `super('X'`. */
const RAISED = /(?:\b(?:BuildOnce|Command|Policy|Registry)Error|\brequestFailure|\bsuper)\(\s*'([A-Z][A-Z0-9_]+)'/g;

function sources(): readonly { readonly file: string; readonly text: string }[] {
  const directory = join(CHECKOUT, 'src');
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  return files.map((file) => ({ file, text: readFileSync(join(directory, file), 'utf8') }));
}

function raisedCodes(): ReadonlySet<string> {
  const found = sources().flatMap(({ file, text }) => [
    ...[...text.matchAll(RAISED)].map(([, code = '']) => code),
    ...(file === TABLES ? codesInTables(text) : []),
  ]);
  // The code of what is not ours.
  return new Set([...found, 'UNEXPECTED']);
}

/** Every code in a text of that file; the system's own names begin with E, as in ECONNRESET. */
function codesInTables(text: string): readonly string[] {
  const words = [...text.matchAll(/'([A-Z0-9_ ]+)'/g)].flatMap(([, words = '']) => words.split(' '));
  return words.filter(
    (word) => /^[A-Z][A-Z_]{3,}$/.test(word) && !/^(?:E[A-Z]+(?:_AGAIN)?|ABORT_ERR|HEAD)$/.test(word),
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

it('finds the codes that are raised directly, over two lines, and from a table', () => {
  expect([...raisedCodes()]).toEqual(
    expect.arrayContaining(['CONTENTION', 'BASE_NOT_FOUND', 'TOOMANYREQUESTS', 'BAD_INPUT']),
  );
});

it('says something about each', () => {
  for (const [code, text] of explained()) expect([code, text.length > 30]).toEqual([code, true]);
});
