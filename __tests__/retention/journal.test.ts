import { expect, test } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { type JournalledStep, openJournal, parseJournal } from '../../src/retention/journal.ts';

const [a, b] = [digestOf('a'), digestOf('b')];

function stepOf(digest: typeof a, tags: readonly string[] = []): JournalledStep {
  const manifest = { id: '7', digest, tags };
  return { repository: 'ghcr.io/acme/app', kind: 'ghcr', action: 'delete', manifest, saved: undefined };
}

function write(work: (journal: ReturnType<typeof openJournal>) => void): string {
  let text = '';
  work(openJournal({ append: (_, more) => void (text += more) }, 'j.jsonl'));
  return text;
}

function stepsIn(text: string): unknown {
  const parsed = parseJournal(text);
  return parsed.ok ? parsed.value : parsed.problem;
}

test('a step is written before it is done, and its end after it', () => {
  const lines: string[] = [];
  const journal = openJournal({ append: (path, line) => void lines.push(`${path} ${line}`) }, 'j.jsonl');
  const end = journal.begin(stepOf(a, ['1.0.0']));
  expect(lines).toEqual([expect.stringMatching(/^j\.jsonl \{"journal":1,"number":1,"step":.*"1\.0\.0".*\n$/)]);
  end('deleted');
  expect(lines[1]).toBe('j.jsonl {"done":1,"outcome":"deleted"}\n');
});

test('it is read as it was written; a step without an end has none', () => {
  const saved = { mediaType: 'application/vnd.oci.image.index.v1+json', content: 'e30=' };
  const text = write((journal) => {
    const first = journal.begin({ ...stepOf(a, ['1.0.0']), kind: 'registry', saved });
    const second = journal.begin(stepOf(b));
    second('refused');
    first('gone');
    journal.begin({ ...stepOf(b, ['x']), action: 'untag' });
  });
  expect(stepsIn(text)).toEqual([
    { ...stepOf(a, ['1.0.0']), kind: 'registry', saved, outcome: 'gone' },
    { ...stepOf(b), outcome: 'refused' },
    { ...stepOf(b, ['x']), action: 'untag', outcome: undefined },
  ]);
});

test('a last line that was cut off, as by a kill, is not there', () => {
  const text = write((journal) => {
    journal.begin(stepOf(a));
    journal.begin(stepOf(b));
  });
  expect(stepsIn(text.slice(0, -5))).toEqual([{ ...stepOf(a), outcome: undefined }]);
});

test.each([
  ['', 'it holds no step'],
  ['hello\n', 'line 1 is no JSON: "hello"'],
  ['{}\n', 'line 1 is no step of a journal of build-once'],
  ['{"done":1,"outcome":"deleted"}\n', 'line 1 ends the step 1, which has not begun'],
  ['{"journal":1,"number":1,"step":{"kind":"ghcr"}}\n', 'line 1 is a step that makes no sense'],
  [write((journal) => journal.begin(stepOf(a, ['../x']))), 'line 1 is a step that makes no sense'],
  [
    `${write((journal) => journal.begin(stepOf(a)))}{"done":1,"outcome":"x"}\n`,
    'line 2 has an outcome that is not known',
  ],
])('%j is no journal', (text, problem) => {
  expect(stepsIn(text)).toBe(problem);
});

test('after a line that could not be written whole, nothing more is begun, so that what is there can be read', () => {
  let text = '';
  let room = 1;
  const full = new Error('no space left on device');
  const append = (_: string, line: string): void => {
    room -= 1;
    text += room === 0 ? line.slice(0, 20) : line;
    if (room === 0) throw full;
  };
  const journal = openJournal({ append }, 'j.jsonl');
  expect(() => journal.begin(stepOf(a))).toThrow(full);
  expect(() => journal.begin(stepOf(b))).toThrow(full);
  room = 3;
  text = '';
  const other = openJournal({ append }, 'j.jsonl');
  const end = other.begin(stepOf(a));
  room = 1;
  expect(() => end('deleted')).not.toThrow();
  expect(() => other.begin(stepOf(b))).toThrow(full);
  expect(stepsIn(text)).toEqual([{ ...stepOf(a), outcome: undefined }]);
});
