import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CHECKOUT, findProgram, NODE_DIRECTORY, run } from '../support/programs.ts';
import { IMAGE, openPruneScene, type PruneScene } from '../support/prune-scene.ts';

/** util-linux: runs a program on a terminal of its own. */
const script = findProgram('script', process.env['PATH'] ?? '');

/** The same call with a person in front of it, who types this. */
async function onTerminal(scene: PruneScene, typed: string, ...args: readonly string[]) {
  const words = [process.execPath, join(CHECKOUT, 'dist/cli.js'), ...args, `--registry-ca=${scene.authority}`];
  const command = words.map((word) => `'${word}'`).join(' ');
  const env = {
    PATH: `${NODE_DIRECTORY}:${process.env['PATH']}`,
    HOME: scene.home,
    DOCKER_CONFIG: scene.home,
    ...scene.env,
  };
  return run([script ?? '', '--quiet', '--return', '--command', command, '/dev/null'], {
    cwd: scene.workspace,
    env: { ...env, SHELL: '/bin/sh', TERM: 'dumb' },
    stdin: typed,
  });
}

const CLEANUP = ['cleanup', `--repo=${IMAGE}`, '--keep=2'] as const;

describe('build-once cleanup', () => {
  it('deletes what --keep does not keep of --repo, and asks nobody with --yes', async () => {
    const scene = await openPruneScene({ versions: 10 });
    const before = scene.images();
    const result = await scene.cli([...CLEANUP, '--yes']);
    expect(result).toMatchObject({ status: 0, stdout: expect.stringContaining('deleted 3 images') });
    expect(result.stderr).not.toContain('[y/N]');
    expect(scene.images()).toEqual(before.slice(-2));
  });

  it('asks nobody where nobody can answer, as in a cron job', async () => {
    const scene = await openPruneScene({ versions: 6 });
    const result = await scene.cli(CLEANUP);
    expect(result).toMatchObject({ status: 0, stdout: expect.stringContaining('deleted 1 image') });
  });

  describe.skipIf(script === undefined)('on a terminal', () => {
    it.each(['n\n', '\n', 'yess\n', '\u0004'])('shows the plan and deletes nothing after %j', async (typed) => {
      const scene = await openPruneScene({ versions: 6 });
      const { status, stdout } = await onTerminal(scene, typed, ...CLEANUP);
      expect(stdout).toMatch(/1 image to delete, 2 to keep[\s\S]*delete {2}sha-[\s\S]*Delete this\? \[y\/N\]/);
      expect(stdout).toContain('nothing was deleted');
      expect(status).toBe(0);
      expect(scene.writes()).toEqual([]);
    });

    it('ends as every run does after Ctrl+C', async () => {
      const scene = await openPruneScene({ versions: 6 });
      const { status, stdout } = await onTerminal(scene, '\u0003', ...CLEANUP);
      expect(status).toBe(130);
      expect(stdout).not.toContain('UNEXPECTED');
      expect(scene.writes()).toEqual([]);
    });

    it.each(['y\n', 'YES\n'])('deletes after %j', async (typed) => {
      const scene = await openPruneScene({ versions: 6 });
      const { status, stdout } = await onTerminal(scene, typed, ...CLEANUP);
      expect(status).toBe(0);
      expect(stdout).toContain('deleted 1 image');
      expect(scene.images()).toHaveLength(2);
    });

    it('does not ask when there is nothing to delete, nor with --yes', async () => {
      const scene = await openPruneScene({ versions: 6 });
      expect((await onTerminal(scene, '', ...CLEANUP, '--yes')).stdout).not.toContain('[y/N]');
      const idle = await onTerminal(scene, '', ...CLEANUP);
      expect(idle).toMatchObject({ status: 0 });
      expect(idle.stdout).not.toContain('[y/N]');
    });
  });
});
