import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CHECKOUT, run } from '../support/programs.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'node24-'));
  cpSync(join(CHECKOUT, 'tools/node24.mjs'), join(folder, 'tools/node24.mjs'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A node_modules whose Node writes its arguments and ends with 7. */
function install(): void {
  const bin = join(folder, `node_modules/node-linux-${process.arch}/bin`);
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'node'), '#!/bin/sh\necho "$0 $*" "PATH=${PATH%%:*}"\nexit 7\n');
  chmodSync(join(bin, 'node'), 0o755);
}

/** The launcher on this Node, which says that it is another version. */
function launch(version: string, ...args: string[]): ReturnType<typeof run> {
  const disguise = `data:text/javascript,Object.defineProperty(process.versions,'node',{value:'${version}'})`;
  return run([process.execPath, '--import', disguise, join(folder, 'tools/node24.mjs'), ...args], { cwd: folder });
}

describe('the launcher of scripts', () => {
  it.each(['20.19.0', '24.1.0'])('runs them on the Node of this checkout, also on Node %s', async (version) => {
    install();
    const { status, stdout } = await launch(version, 'x.ts', '--check', 'a b');
    expect(stdout.trim()).toMatch(
      /node-linux-[a-z0-9]+\/bin\/node x\.ts --check a b PATH=.*node-linux-[a-z0-9]+\/bin$/,
    );
    expect(status).toBe(7);
  });

  it('takes the running Node where it is new enough and no other is there', async () => {
    writeFileSync(join(folder, 'x.ts'), 'const n: number = 3; process.stdout.write(String(n)); process.exitCode = n;');
    expect(await launch('24.1.0', 'x.ts')).toMatchObject({ status: 3, stdout: '3' });
  });

  it('says what is missing elsewhere', async () => {
    const { status, stderr } = await launch('20.19.0', 'x.ts');
    expect(stderr).toMatch(/^this needs Node 24 or newer, and this is 20\.19\.0: .*npm ci/);
    expect(status).toBe(1);
  });
});
