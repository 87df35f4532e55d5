import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { IMAGE, JOB_TOKEN, OWN_TOKEN, openPruneScene, type PruneScene } from '../support/prune-scene.ts';

/** As they are, and as they stand in headers and configs. */
const SECRETS = [JOB_TOKEN, OWN_TOKEN].flatMap((token) =>
  [token, Buffer.from(token).toString('base64'), Buffer.from(`kim:${token}`).toString('base64')].map((text) =>
    text.replace(/=+$/, ''),
  ),
);

function expectNoSecret(text: string): void {
  for (const secret of SECRETS) expect(text).not.toContain(secret);
}

/** Everything that runs wrote, but for the config of Docker that was there before. */
function filesOf({ home, temp, workspace }: PruneScene): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const folder of [home, temp, workspace]) {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile() && entry.name !== 'config.json') files.set(path, readFileSync(path, 'utf8'));
    }
  }
  return files;
}

/** Shows the arguments of every process that this user runs, at each request. */
function watchArguments(scene: PruneScene): ReadonlySet<string> {
  const seen = new Set<string>();
  scene.ghcr.settings.onRequest = () => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        if (line.includes(scene.workspace) || line.includes('dist/')) seen.add(line);
      } catch {
        // It has ended meanwhile.
      }
    }
  };
  return seen;
}

it('case 67: secrets are in no log, no argument, no summary, no plan, no journal, no cache', async () => {
  const scene = await openPruneScene({ versions: 12, faults: [{ on: 'delete', answer: 500, times: 1 }] });
  const seen = watchArguments(scene);
  const planned = await scene.prune('*: keep 2', '--plan-out=plan.json', '--json');
  const done = await scene.cli(['prune', '--apply', '--plan=plan.json'], { env: { BUILD_ONCE_DEBUG: 'true' } });
  const journal = /what was deleted is in (\S+\.jsonl)/.exec(done.stdout)?.[1] ?? '';
  const undone = await scene.cli(['undo', journal, '--json']);
  const failed = await scene.cli(['prune', `--images=${IMAGE}-missing`, '--retention=3', '--json']);
  const step = await scene.step({ retention: '*: keep 2', username: 'kim', password: OWN_TOKEN, registry: 'ghcr.io' });
  expect([planned, done, undone, failed].map(({ status }) => status)).toEqual([0, 0, 0, 1]);
  expect(step.status).toBe('success');
  for (const { stdout, stderr } of [planned, done, undone, failed]) expectNoSecret(stdout + stderr);
  // The runner is told what to hide, and shows none of that.
  expectNoSecret(`${step.stdout}${step.stderr}`.replaceAll(/^::add-mask::.*$/gm, ''));
  expectNoSecret(step.summary + JSON.stringify([step.outputs, step.state, step.env]));
  const files = filesOf(scene);
  expect([...files.keys()].join('\n')).toMatch(/journal-.*jsonl[\s\S]*plan\.json/);
  for (const text of files.values()) expectNoSecret(text);
  expect([...seen].join('\n')).toMatch(/cli\.js prune[\s\S]*cli\.js undo/);
  expectNoSecret([...seen].join('\n'));
});

it('a secret in an answer of GitHub is not shown either', async () => {
  const scene = await openPruneScene({ versions: 4, token: 'ghp_another' });
  writeFileSync(join(scene.workspace, 'Dockerfile'), 'FROM scratch\n');
  const result = await scene.prune('3');
  expect(result.status).toBe(1);
  expectNoSecret(result.stdout + result.stderr);
});
