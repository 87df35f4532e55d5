import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GROUPS, idsOf } from '../../bench/groups.ts';
import { CHECKOUT, run } from '../support/programs.ts';

const BENCH = join(CHECKOUT, 'bench/bench.ts');

function bench(...args: string[]): ReturnType<typeof run> {
  return run([process.execPath, BENCH, ...args], { cwd: CHECKOUT });
}

describe('npm run bench', () => {
  it('lists every row, and measures nothing', async () => {
    const { status, stdout, stderr } = await bench('--list');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const ids = stdout.split('\n').map((line) => line.split('|')[2]?.trim());
    expect(ids.filter((id) => id !== undefined).slice(2)).toEqual(idsOf(GROUPS));
  });

  it.each([
    { args: ['--only=hitt'], says: '--only: there is no group or row "hitt": did you mean "hit"?' },
    { args: ['--rounds=0'], says: '--rounds takes a whole number from 1 to 9999' },
    { args: ['--ronds=3'], says: "Unknown option '--ronds'" },
    { args: ['hit'], says: "Unexpected argument 'hit'" },
  ])('$args is an error', async ({ args, says }) => {
    const { status, stdout, stderr } = await bench(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(says);
  });

  it('prints what it measured, with the versions and the machine', async () => {
    const { status, stdout } = await bench('--only=dist-size', '--rounds=1');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^\nSize and start\n\n\| counted[^]*\| `dist\/` \| [\d.]+ MB \| ≤ 6 MB \|/);
    expect(stdout).toMatch(
      /commit [0-9a-f]{12}[^\n]*, 1 round, load [\d.]+ → [\d.]+\n\n\d+ × .*, build-once .*, Node /,
    );
  });

  it('leaves out what this machine cannot run, and says why', async () => {
    const env = { HOME: '/nonexistent', PATH: '/usr/bin:/bin', TOOLCHAIN_PREFIX: '/nonexistent' };
    const argv = [process.execPath, BENCH, '--only=sign-cosign,dist-size', '--rounds=1'] as const;
    const { status, stdout } = await run(argv, { cwd: CHECKOUT, env });
    expect(status).toBe(0);
    expect(stdout).toContain('`dist/`');
    expect(stdout).toMatch(
      /^left out, with what is kept of it: sign-cosign: .+; set up: tools\/toolchain\/bootstrap\.sh$/m,
    );
  });
});
