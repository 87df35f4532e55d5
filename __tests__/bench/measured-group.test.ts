import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { measureGroup } from '../../bench/measured-group.ts';
import type { Fact, Row } from '../../bench/rows.ts';
import { openScenes } from '../../bench/scenes.ts';
import { session } from './sample-results.ts';

const work = { steps: [{ argv: [process.execPath, '-e', '0'], env: {}, cwd: tmpdir() }], check: () => '' } as const;

function fact(name: string, count: () => Promise<number>): Fact {
  return { name, what: name, unit: 'requests', target: undefined, needs: [], count };
}

function row(name: string, open: Row['open'], pairs = 1): Row {
  return { name, ours: 'a', theirs: 'b', comparison: 'faster', target: undefined, needs: [], pairs, open };
}

const works = () => Promise.resolve({ ours: () => work, theirs: () => work });
const fails = () => Promise.reject(new Error('for a reason'));

function measure(parts: { facts?: readonly Fact[]; rows?: readonly Row[] }, signal = new AbortController().signal) {
  const said: string[] = [];
  const { commit, isDirty, machine, versions } = session();
  const conditions = {
    scenes: openScenes(undefined),
    circumstances: { commit, isDirty, machine, versions, rounds: 2 },
    signal,
    say: (line: string) => said.push(line),
  };
  const group = { name: 'hit', title: 'A hit', facts: [], rows: [], ...parts };
  return measureGroup(group, conditions).then((measured) => ({ ...measured, said }));
}

describe('a group', () => {
  it('goes on after a row that fails, and says why it did', async () => {
    const { rows, failures, said } = await measure({
      facts: [fact('broken', fails), fact('four', () => Promise.resolve(4))],
      rows: [row('gone', fails), row('fine', works)],
    });
    expect(rows.map(({ id }) => id)).toEqual(['four', 'fine']);
    expect(failures).toEqual(['broken failed: for a reason', 'gone failed: for a reason']);
    expect(said).toEqual(['broken …', 'four …', 'gone …', 'fine …']);
  });

  it('fails to count what nobody can tell', async () => {
    const { rows, failures } = await measure({ facts: [fact('memory', () => Promise.resolve(Number.NaN))] });
    expect({ rows, failures }).toEqual({ rows: [], failures: ['memory failed: nobody can tell that here'] });
  });

  it.each([
    { pairs: 2, counted: 4 },
    { pairs: 0.1, counted: 1 },
  ])('measures $pairs pairs a round $counted times in 2 rounds', async ({ pairs, counted }) => {
    const { rows } = await measure({ rows: [row('fine', works, pairs)] });
    expect(rows).toMatchObject([{ pairs: counted }]);
  });

  it('begins nothing after an interruption, and counts that as no failure', async () => {
    const { rows, failures } = await measure(
      { rows: [row('fine', works)] },
      AbortSignal.abort(new Error('interrupted')),
    );
    expect({ rows, failures }).toEqual({ rows: [], failures: [] });
  });

  it('says of its rows when they were measured', async () => {
    const { rows, session: own } = await measure({ facts: [fact('four', () => Promise.resolve(4))] });
    expect(own.id).toBe(`${own.measuredAt} hit`);
    expect(rows).toMatchObject([{ group: 'hit', session: own.id }]);
  });
});
