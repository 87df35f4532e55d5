import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { interleave, type Work } from '../../bench/measure.ts';

/** A process that prints this and ends with that. */
function node(prints: string, status = 0): Work {
  const script = `process.stdout.write(process.argv[1]); process.exitCode = ${status}`;
  return {
    steps: [{ argv: [process.execPath, '-e', script, prints], env: {}, cwd: tmpdir() }],
    check: (written) => written,
  };
}

describe('measuring in turn', () => {
  const { signal } = new AbortController();

  it('runs ours, theirs, ours, theirs, and does not count the first pair', async () => {
    const order: string[] = [];
    const side = (name: string) => (round: number) => {
      order.push(`${name} ${round}`);
      return node(name);
    };
    const { pairs, notes } = await interleave({ ours: side('ours'), theirs: side('theirs') }, 2, signal);
    expect(order).toEqual(['ours 0', 'theirs 0', 'ours 1', 'theirs 1', 'ours 2', 'theirs 2']);
    expect(pairs).toHaveLength(2);
    expect(notes).toEqual({ ours: ['ours'], theirs: ['theirs'] });
  });

  it('takes no time for good that ended with an error, and shows what was written', async () => {
    const contest = { ours: () => node('fine'), theirs: () => node('broken for a reason', 3) };
    await expect(interleave(contest, 1, signal)).rejects.toThrow(/ended with 3:\nbroken for a reason/);
  });

  it('times several steps as one, and stops at the first that fails', async () => {
    const steps = [node('a'), node('b', 1), node('c')].flatMap((work) => work.steps);
    const contest = { ours: () => ({ steps, check: () => '' }), theirs: () => node('') };
    await expect(interleave(contest, 1, signal)).rejects.toThrow(/ended with 1:\nab$/);
  });

  it('stops between two runs when it is interrupted', async () => {
    const contest = { ours: () => node(''), theirs: () => node('') };
    await expect(interleave(contest, 1, AbortSignal.abort(new Error('interrupted')))).rejects.toThrow('interrupted');
  });

  it('measures a pair again that a known chance has spoilt, and counts it', async () => {
    let broken = 2;
    const theirs = (): Work => ({ ...node('snapshot gone', broken-- > 0 ? 1 : 0), chance: /snapshot gone/ });
    const { pairs, repeats } = await interleave({ ours: () => node(''), theirs }, 2, signal);
    expect({ pairs: pairs.length, repeats }).toEqual({ pairs: 2, repeats: 2 });
  });

  it('does so no more than three times', async () => {
    let started = 0;
    const ours = (): Work => {
      started += 1;
      return { ...node('snapshot gone', 1), chance: /snapshot gone/ };
    };
    await expect(interleave({ ours, theirs: () => node('') }, 2, signal)).rejects.toThrow(
      /ended with 1:\nsnapshot gone/,
    );
    expect(started).toBe(4);
  });
});
