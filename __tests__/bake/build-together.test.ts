import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import type { RawOptions } from '../../src/options.ts';
import { runCommand } from '../../src/pipeline.ts';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { countedFiles } from '../support/counted-files.ts';
import { installLayoutBuilder, type LayoutBuilder } from '../support/layout-builder.ts';
import { writeTree } from '../support/write-tree.ts';

let registry: RunningRegistry;
let root: string;
let prefix: string;
let builder: LayoutBuilder;
let lines: string[];

beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry.close());
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'build-once-together-'));
  prefix = `${registry.host}/t/${Math.random().toString(36).slice(2)}`;
  builder = installLayoutBuilder(root);
  lines = [];
  for (const [name, from] of [
    ['base', 'scratch'],
    ['tools', 'base'],
    ['app', 'tools'],
    ['lone', 'scratch'],
  ])
    writeTree(join(root, 'w'), { [`${name}/Dockerfile`]: `FROM ${from}\nCOPY data /\n`, [`${name}/data`]: `${name}` });
  writeTargets({});
});
afterEach(() => rmSync(root, { recursive: true }));

const writeTargets = (base: object): void => {
  const target = {
    base: { context: 'base', ...base },
    tools: { context: 'tools', contexts: { base: 'target:base' } },
    app: { context: 'app', contexts: { tools: 'target:tools' } },
    lone: { context: 'lone' },
  };
  writeTree(join(root, 'w'), { 'docker-bake.json': JSON.stringify({ target }) });
};

async function build(inputs: RawOptions, env: Readonly<Record<string, string>> = {}) {
  const host = createTerminalHost({
    cwd: join(root, 'w'),
    env: { PATH: builder.path, HOME: root, DOCKER_CONFIG: root, ...env },
    write: (line) => lines.push(line),
  });
  const counted = countedFiles(host.files);
  const given = { files: 'docker-bake.json', images: `${prefix}/{{name}}`, platforms: 'linux/amd64', scan: 'false' };
  const result = await runCommand('build', { ...given, tags: 'main', ...inputs }, { ...host, files: counted.files });
  const { outputs } = result.report;
  const images: Readonly<Record<string, { built: string }>> = JSON.parse(outputs.json ?? '{}');
  return { ...result, ...counted, images };
}
const tagsOf = async (name: string): Promise<readonly string[]> => {
  const response = await fetch(`http://${prefix.replace('/', '/v2/')}/${name}/tags/list`);
  const list: unknown = await response.json();
  return typeof list === 'object' && list !== null && 'tags' in list && Array.isArray(list.tags) ? list.tags : [];
};

describe('a build of several images', () => {
  it('makes them in one call and reads each file once before it, and once after', async () => {
    const { error, reads } = await build({ targets: 'app,base,tools,lone' });
    expect(error, lines.join('\n')).toBeUndefined();
    expect(await tagsOf('app')).toContain('main');
    expect(new Set(reads.values())).toEqual(new Set([2]));
  });

  it.each([
    ['asked for', 'app,base,tools,lone'],
    ['built for others only', 'app,tools,lone'],
  ])(
    'refuses all that is built on an image that changed meanwhile, and no other, when that is %s',
    async (_, targets) => {
      const { error } = await build({ targets }, { WHILE_BUILDING: `${join(root, 'w/base/data')} changed` });
      expect(error).toMatchObject({ exitCode: 1 });
      expect(error?.message).toMatch(/^(?:base, )?tools, app: CONTEXT_CHANGED: changed .* built: "base\/data"/m);
      expect(error?.message).not.toContain('lone:');
      expect(await Promise.all(['base', 'tools', 'app', 'lone'].map(tagsOf))).toEqual([[], [], [], expect.any(Array)]);
    },
  );

  describe('with a builder that pushes', () => {
    const pushing = { DRIVER: 'docker-container' };
    const release = { version: '1.2.3', tags: '' };
    const commit = { GITHUB_SHA: 'a'.repeat(40), GITHUB_REF: 'refs/heads/main', GITHUB_EVENT_NAME: 'push' };
    /** What `tools` is built on. This builder pushes nothing, so that the build fails. */
    const baseOf = async (inputs: RawOptions, env: Readonly<Record<string, string>> = {}) => {
      const { error } = await build({ targets: 'tools,base,lone', ...inputs }, { ...pushing, ...env });
      expect(error).toBeDefined();
      return builder.definition().target['tools']?.contexts?.['base'];
    };

    it('takes a base of this content from the registry', async () => {
      await build({ targets: 'base' });
      expect(await baseOf({})).toMatch(/^docker-image:.*\/base@sha256:/);
    });

    it('builds a base itself whose release stands, though it is of other content', async () => {
      const { error } = await build({ targets: 'base', ...release }, commit);
      expect(error).toBeUndefined();
      expect(await baseOf(release, commit)).toMatch(/^docker-image:/);
      writeTree(join(root, 'w'), { 'base/data': 'changed' });
      expect(await baseOf(release, commit)).toBe('target:base');
      expect(lines.join('\n')).toContain('base: hit: ');
    });
  });
});
