import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import type { RawOptions } from '../../src/options.ts';
import { runCommand } from '../../src/pipeline.ts';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { listen } from '../support/listen.ts';
import { writeTree } from '../support/write-tree.ts';

let registry: RunningRegistry;
let root: string;
let prefix: string;
let lines: string[];

beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry.close());
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'build-once-links-'));
  prefix = `${registry.host}/t/${Math.random().toString(36).slice(2)}`;
  lines = [];
});
afterEach(() => {
  registry.repair();
  rmSync(root, { recursive: true });
});

const write = (files: Readonly<Record<string, string>>): void => writeTree(root, files);
const writeTargets = (target: Readonly<Record<string, object>>): void =>
  write({ 'docker-bake.json': JSON.stringify({ target }) });

async function run(command: 'plan' | 'build', inputs: RawOptions) {
  const env = { PATH: '/nonexistent', HOME: root, DOCKER_CONFIG: root };
  return runCommand(command, inputs, createTerminalHost({ cwd: root, env, write: (line) => lines.push(line) }));
}

const plan = (targets: string, inputs: RawOptions = {}) => {
  const images = `${prefix}/{{name}}`;
  return run('plan', { files: 'docker-bake.json', targets, images, platforms: 'linux/amd64', ...inputs });
};

/** The content hashes of what is missing, by name. */
async function hashes(targets: string, inputs: RawOptions = {}): Promise<Readonly<Record<string, string>>> {
  const { report, error } = await plan(targets, inputs);
  expect(error, lines.join('\n')).toBeUndefined();
  const entries: readonly { name: string; hash: string }[] = JSON.parse(report.outputs.matrix ?? '');
  return Object.fromEntries(entries.map(({ name, hash }) => [name, hash]));
}

const STAGES = 'FROM scratch AS first\nCOPY base /1\nFROM scratch\nARG A\nCOPY base /base\nENV A=$A\n';

describe('an image that is built on another one', () => {
  beforeEach(() => {
    writeTargets({
      base: { context: 'base', tags: [`${prefix}/base:1`] },
      tools: { context: 'tools', contexts: { base: 'target:base' } },
      app: { context: 'app', contexts: { up: 'target:tools' }, tags: [`${prefix}/app:1`] },
    });
    write({
      'base/Dockerfile': 'FROM scratch\nCOPY base /base\n',
      'base/base': '1',
      'tools/Dockerfile': 'FROM base\nCOPY tools /tools\n',
      'tools/tools': '1',
      'tools/late': '1',
      'app/Dockerfile': 'FROM up\nCOPY app /app\n',
      'app/app': '1',
    });
  });

  it.each([
    ['asks for all', 'base,tools,app', undefined],
    ['names no image that it is built on', 'app', undefined],
    ['has no name for what it is built on', 'app', ''],
  ])('has one hash, whoever %s', async (_, targets, images) => {
    const all = await hashes('base,tools,app');
    expect(await hashes(targets, images === undefined ? {} : { images })).toMatchObject({ app: all['app'] });
  });

  it('is another one in every run where what it is built on is, also where nobody asks for that by name', async () => {
    write({ 'base/Dockerfile': 'FROM scratch\nCOPY base /base\nONBUILD COPY late /late\n' });
    const before = await hashes('app', { images: '' });
    write({ 'tools/late': '2' });
    expect((await hashes('app', { images: '' }))['app']).not.toBe(before['app']);
  });

  it('fails with what it is built on, of which the whole content may not be known', async () => {
    const denying = createServer((_, response) => response.writeHead(403).end());
    const host = await listen(denying);
    writeTargets({
      base: { context: 'base', tags: [`${host}/base:1`] },
      tools: { context: 'tools', contexts: { base: 'target:base' }, tags: [`${prefix}/tools:1`] },
      app: { context: 'app', contexts: { up: 'docker-image://scratch' }, tags: [`${prefix}/app:1`] },
    });
    write({ 'app/Dockerfile': 'FROM scratch\nCOPY app /app\n' });
    const { report, error } = await plan('tools,app', { images: '' });
    denying.close();
    expect(error?.message).toMatch(/^base: DENIED: [\s\S]*\nnot built because of that: tools$/m);
    expect(JSON.parse(report.outputs.matrix ?? '')).toEqual([expect.objectContaining({ name: 'app' })]);
  });

  it('has the base that the step names instead, and is then built on no other image', async () => {
    const before = await hashes('app');
    write({ 'other/other': '1' });
    const inputs = { 'build-contexts': 'up=other' };
    const instead = await hashes('app', inputs);
    expect(instead['app']).not.toBe(before['app']);
    write({ 'base/base': '2' });
    expect(await hashes('app', inputs)).toEqual(instead);
    write({ 'other/other': '2' });
    expect((await hashes('app', inputs))['app']).not.toBe(instead['app']);
  });

  it('is no other content than in the plan where what it is built on is another one in every run', async () => {
    write({ 'base/Dockerfile': 'FROM scratch\nADD https://example.com/file /\n' });
    const { report } = await plan('app');
    const [entry]: readonly object[] = JSON.parse(report.outputs.matrix ?? '');
    const [first, second] = [await hashes('app'), await hashes('app')];
    expect(first['app']).not.toBe(second['app']);
    lines = [];
    await run('build', { entry: JSON.stringify(entry), scan: 'false' });
    expect(lines.join('\n')).toContain('app: ');
    expect(lines.join('\n')).not.toContain('the plan has seen other content');
  });

  it.each(['target:base', 'base'])('has no base for one platform only, which no hash would have: %s', async (base) => {
    writeTargets({
      base: { context: 'base' },
      tools: { context: 'tools', contexts: { base: 'target:base', 'base::linux/amd64': base } },
    });
    await expect(plan('tools')).rejects.toThrow(/"base::linux\/amd64" would be a context for one platform/);
  });

  it.each<[string, Readonly<Record<string, string>>, object, boolean]>([
    ['a file that it reads', { 'base/base': '2' }, {}, true],
    ['a file that it does not read', { 'base/README.md': '2' }, {}, false],
    ['an instruction', { 'base/Dockerfile': `${STAGES}COPY base /2\n` }, {}, true],
    ['a comment', { 'base/Dockerfile': `# new\n${STAGES}` }, {}, false],
    ['an arg that it declares', {}, { args: { A: '2' } }, true],
    ['an arg that it does not declare', {}, { args: { B: '2' } }, false],
    ['a label', {}, { labels: { a: 'b' } }, true],
    ['platforms', {}, { platforms: ['linux/amd64', 'linux/arm64'] }, true],
    ['the id of a secret', {}, { secret: ['id=a,env=HOME'] }, true],
    ['a stage that is its target', {}, { target: 'first' }, true],
    ['what cannot change the content', {}, { 'no-cache': true, 'cache-from': ['type=gha'] }, false],
    ['its tags', {}, { tags: ['other/base:2'] }, false],
  ])('has another hash exactly when the image two below it has, such as for %s', async (_, files, more, changes) => {
    const withBase = (base: object) =>
      writeTargets({
        base: { context: 'base', ...base },
        tools: { context: 'tools', contexts: { base: 'target:base' } },
        app: { context: 'app', contexts: { up: 'target:tools' } },
      });
    withBase({});
    write({ 'base/Dockerfile': STAGES });
    const images = { platforms: '' };
    const before = await hashes('base,tools,app', images);
    withBase(more);
    write(files);
    const after = await hashes('base,tools,app', images);
    const changed = Object.keys(before).filter((name) => before[name] !== after[name]);
    expect(changed).toEqual(changes ? ['base', 'tools', 'app'] : []);
  });
});
