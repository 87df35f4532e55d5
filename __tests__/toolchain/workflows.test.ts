import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { CHECKOUT, run } from '../support/programs.ts';

const { layers, env } = inject('toolchain');

const workflows = ['.github/workflows', 'examples'].flatMap((folder) =>
  readdirSync(join(CHECKOUT, folder))
    .filter((name) => name.endsWith('.yml'))
    .map((name) => `${folder}/${name}`),
);

describe.each(workflows)('%s', (file) => {
  it.skipIf(!layers.actionlint)('is accepted by actionlint', async () => {
    const { status, stdout } = await run(['actionlint', '-no-color', '-shellcheck=', '-pyflakes=', file], {
      cwd: CHECKOUT,
      env,
    });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  it('pins actions of others by commit, names the version, and says where the commit is from', () => {
    const lines = readFileSync(join(CHECKOUT, file), 'utf8').split('\n');
    const uses = lines.flatMap((line, at) =>
      /^\s*-?\s*uses:/.test(line) ? [{ line, before: lines[at - 1] ?? '' }] : [],
    );
    const foreign = uses.filter(({ line }) => !/uses: (?:\.\/|build-once\/build-once(?:\/prune)?@v1)/.test(line));
    expect(foreign).not.toEqual([]);
    for (const { line, before } of foreign) {
      expect(line).toMatch(/uses: [\w-]+(?:\/[\w-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
      expect(before).toMatch(/# .*https:\/\/github\.com\//);
    }
  });

  it('says which permissions it needs', () => {
    expect(readFileSync(join(CHECKOUT, file), 'utf8')).toMatch(/^permissions:\n {2}contents: read$/m);
  });
});
