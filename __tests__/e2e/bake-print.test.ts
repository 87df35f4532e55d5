import { mkdtempSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, inject, it } from 'vitest';
import { readTargets } from '../../src/bake/read-targets.ts';
import type { Machine } from '../../src/hosts/machine.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { BAKE_CASES, type BakeCase } from './bake-cases.ts';
import { compareWithBake } from './bake-comparison.ts';
import { randomBake } from './random-bake.ts';
import { randomCompose } from './random-compose.ts';
import { Workshop } from './workshop.ts';

const toolchain = inject('toolchain');
const workshop = new Workshop(toolchain);
const hosts: Machine[] = [];
const SEED = Number(process.env['BUILD_ONCE_SEED'] ?? 1);
const RUNS = Number(process.env['BUILD_ONCE_RUNS'] ?? 10);

afterEach(async () => {
  for (const host of hosts.splice(0)) await host.finish();
});
afterAll(() => workshop.remove());

/** A workspace of its own, with an environment that holds nothing else. */
function workspace({ env = {} }: Pick<BakeCase, 'env'>): Machine {
  const { DOCKER_CONFIG = '', PATH = '' } = workshop.env;
  const cwd = mkdtempSync(path.join(workshop.directory, 'bake-'));
  const host = createTerminalHost({ cwd, env: { HOME: '/root', PATH, DOCKER_CONFIG, ...env }, write: () => {} });
  hosts.push(host);
  return host;
}

describe.skipIf(!toolchain.layers.docker)('what we read of bake files is what real bake prints', () => {
  it.each(BAKE_CASES.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    const { own, bake, isBeyond } = await compareWithBake(workspace(one), one);
    expect(isBeyond, 'only buildx can read it').toBe(one.beyond === true);
    expect(bake).toBeInstanceOf(Array);
    if (one.beyond !== true) expect(own).toEqual(bake);
  });

  it.each([
    ['bake files', randomBake],
    ['compose files', randomCompose],
  ])(`random %s, from seed ${SEED}`, async (_, draw) => {
    let compared = 0;
    for (let seed = SEED; seed < SEED + RUNS; seed += 1) {
      const one = draw(seed);
      const { own, bake, isBeyond } = await compareWithBake(workspace(one), one, false);
      // What stands in no list was refused, and bake has to refuse it too.
      if (isBeyond || (!Array.isArray(own) && !Array.isArray(bake))) continue;
      expect({ seed, read: own }).toEqual({ seed, read: bake });
      compared += 1;
    }
    expect(compared).toBeGreaterThan(RUNS / 2);
  });
});

describe.skipIf(!toolchain.layers.docker)('files that only buildx can read', () => {
  const hcl =
    'variable "TAG" { default = "1" }\ntarget "a" {\n  tags = ["a:${upper(TAG)}"]\n  args = { X = "$${y}" }\n}\ntarget "b" { contexts = { a = "target:a" } }\n';

  function write(host: Machine, files: Readonly<Record<string, string>>): void {
    for (const [file, text] of Object.entries(files)) host.files.write(host.files.path.join(host.cwd, file), text);
  }

  it('become images, all of them where nothing is the default', async () => {
    const host = workspace({});
    write(host, { 'docker-bake.hcl': hcl });
    const { targets, problems } = await readTargets({ files: ['docker-bake.hcl'], targets: [], allow: [] }, host);
    expect(problems).toEqual([]);
    expect(targets.map(({ name, isRequested }) => [name, isRequested])).toEqual([
      ['a', true],
      ['b', true],
    ]);
    expect(targets[0]?.inputs).toMatchObject({ tags: 'a:1', 'build-args': 'X=${y}' });
    expect([...(targets[1]?.links ?? [])]).toEqual([['a', 'a']]);
  });

  it('are read together with the compose file and the Dockerfiles of the same run', async () => {
    const host = workspace({});
    write(host, {
      'docker-bake.hcl': hcl,
      'compose.yaml': 'services: {web: {build: ./web}}',
      'api/Dockerfile': 'FROM scratch',
    });
    const files = ['docker-bake.hcl', 'compose.yaml', '*/Dockerfile'];
    const { targets, problems } = await readTargets({ files, targets: [], allow: [] }, host);
    expect(problems).toEqual([]);
    expect(targets.map(({ name }) => name)).toEqual(['api', 'web']);
    const one = await readTargets({ files, targets: ['b', 'api'], allow: [] }, host);
    expect(one.targets.map(({ name, isRequested }) => [name, isRequested])).toEqual([
      ['api', true],
      ['a', false],
      ['b', true],
    ]);
  });

  it('have targets that make no image', async () => {
    const host = workspace({});
    write(host, {
      'docker-bake.hcl': 'group "default" { targets = ["a", "b"] }\ntarget "a" { output = ["out"] }\ntarget "b" {}',
    });
    const { targets, notices } = await readTargets({ files: ['docker-bake.hcl'], targets: [], allow: [] }, host);
    expect(targets.map(({ name }) => name)).toEqual(['b']);
    expect(notices).toEqual([expect.stringContaining('target "a" is left out')]);
    const { problems } = await readTargets({ files: ['docker-bake.hcl'], targets: ['a'], allow: [] }, host);
    expect(problems).toEqual([{ input: 'targets', message: expect.stringContaining('target "a" makes no image') }]);
  });

  it('are refused with what buildx says', async () => {
    const host = workspace({});
    write(host, { 'docker-bake.hcl': 'target "a" {' });
    await expect(readTargets({ files: ['docker-bake.hcl'], targets: [], allow: [] }, host)).rejects.toMatchObject({
      code: 'BAKE_FAILED',
      message: expect.stringContaining('docker-bake.hcl:1'),
    });
  });

  it.each(['b', 'b-*'])('say that a target is not there: %s', async (name) => {
    const host = workspace({});
    write(host, { 'docker-bake.hcl': 'target "a" {}' });
    await expect(readTargets({ files: ['docker-bake.hcl'], targets: [name], allow: [] }, host)).rejects.toMatchObject({
      problems: [{ input: 'targets', message: `there is no target "${name}" in "docker-bake.hcl"` }],
    });
  });

  it('ask for buildx where there is none', async () => {
    const host = workspace({ env: { PATH: '/nowhere' } });
    write(host, { 'docker-bake.hcl': hcl });
    await expect(readTargets({ files: ['docker-bake.hcl'], targets: [], allow: [] }, host)).rejects.toMatchObject({
      code: 'DOCKER_MISSING',
      message: expect.stringContaining('HCL ("docker-bake.hcl")'),
    });
  });
});
