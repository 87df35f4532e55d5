import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { hashOf } from '../support/content-hash.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT, NODE_DIRECTORY, run } from '../support/programs.ts';
import { type ActionResult, type ActionRun, runAction } from '../support/runner.ts';
import { writeTree } from '../support/write-tree.ts';

const SHA = '0123456789abcdef0123456789abcdef01234567';
const PLATFORMS = 'linux/amd64,linux/arm64';
const ARGS = `COMMIT=${SHA}`;

let registry: RunningRegistry;
let workspace: string;
beforeAll(async () => {
  registry = await startRegistry();
  workspace = mkdtempSync(join(tmpdir(), 'build-once-warnings-'));
});
afterAll(async () => {
  await registry.close();
  rmSync(workspace, { recursive: true });
});
beforeEach(() => rmSync(workspace, { recursive: true }));

function write(files: Readonly<Record<string, string>>): void {
  writeTree(workspace, files);
}

const step = (inputs: Readonly<Record<string, string>>, event: ActionRun['event'] = {}): Promise<ActionResult> =>
  runAction({
    action: CHECKOUT,
    workspace,
    with: { images: `${registry.host}/acme/app`, platforms: PLATFORMS, ...inputs },
    event: { sha: SHA, ...event },
    env: { PATH: NODE_DIRECTORY },
  });

it('are annotations on the lines of the Dockerfile, in the log and in the summary, also on a hit', async () => {
  write({
    Dockerfile: 'FROM scratch\nARG COMMIT\nCOPY package.json %0A::error::x,y /\n',
    'package.json': '{}',
    'package-lock.json': '{}',
    '%0A::error::x,y': `version https://git-lfs.github.com/spec/v1\noid sha256:${'b'.repeat(64)}\nsize 12345\n`,
  });
  const hash = await hashOf(workspace, [`--platforms=${PLATFORMS}`, `--build-args=${ARGS}`]);
  await plantImage({
    image: `${registry.host}/acme/app`,
    tags: [`hash-${hash.slice(0, 32)}`],
    annotations: { 'dev.build-once.inputs': hash },
    platforms: ['linux/amd64', 'linux/arm64'],
  });
  const result = await step({ 'build-args': ARGS });
  expect(result.outputs['reason'], result.log).toBe('hit');
  expect(result.annotations.filter(({ level }) => level === 'warning')).toEqual([
    {
      level: 'warning',
      file: 'Dockerfile',
      line: 2,
      message: expect.stringContaining('the build arg "COMMIT" is made'),
    },
    {
      level: 'warning',
      file: 'Dockerfile',
      line: 3,
      message: expect.stringMatching(/^"%0A::error::x,y" is a pointer/),
    },
    {
      level: 'warning',
      file: 'Dockerfile',
      line: 3,
      message: expect.stringMatching(/^"package.json" is copied without/),
    },
  ]);
  expect(result.stdout).toContain('\n::warning file=Dockerfile,line=2::the build arg "COMMIT" is made from');
  expect(result.stdout).toContain('\n::warning file=Dockerfile,line=3::"%250A::error::x,y" is a pointer of git LFS');
  expect(result.summary).toMatch(/\| Warnings \| Dockerfile:2: the build arg.*<br>Dockerfile:3: .*<br>Dockerfile:3: /);
});

it('are an error on its line where BuildKit would refuse the path', async () => {
  write({ Dockerfile: 'FROM scratch\nCOPY dist /\n', 'dist/a': '', '.dockerignore': 'dist\n' });
  const { exitCode, annotations } = await step({});
  expect(exitCode).toBe(2);
  const message = expect.stringContaining('line 1 of ".dockerignore" hides it: "dist"');
  expect(annotations).toEqual([{ level: 'error', file: 'Dockerfile', line: 2, message }]);
});

it('are lines with their place on the command line, and part of its JSON', async () => {
  write({ Dockerfile: 'FROM scratch\nCOPY package.json /\n', 'package.json': '{}', 'package-lock.json': '{}' });
  const argv = [join(NODE_DIRECTORY, 'node'), join(CHECKOUT, 'dist/cli.js'), 'hash', '--json'] as const;
  const { stdout, stderr } = await run([...argv], { cwd: workspace });
  expect(stderr.match(/^warning: .*/gm)).toEqual([expect.stringMatching(/^warning: Dockerfile:2: "package\.json" is/)]);
  expect(JSON.parse(stdout)).toMatchObject({ warnings: [expect.stringMatching(/^Dockerfile:2: "package\.json" is/)] });
});
