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
});
