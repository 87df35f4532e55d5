import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readTargets, type TargetsReading, type TargetsRequest } from '../../src/bake/read-targets.ts';
import type { Machine } from '../../src/hosts/machine.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { parseOptions } from '../../src/options.ts';

let directory: string;
let cwd: string;
let hosts: Machine[];

beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'bake-')));
  cwd = path.join(directory, 'workspace');
  fs.mkdirSync(cwd);
  hosts = [];
});
afterEach(async () => {
  for (const host of hosts) await host.finish();
  fs.rmSync(directory, { recursive: true });
});

function write(files: Readonly<Record<string, unknown>>): void {
  for (const [file, content] of Object.entries(files)) {
    const at = path.join(cwd, file);
    fs.mkdirSync(path.dirname(at), { recursive: true });
    fs.writeFileSync(at, typeof content === 'string' ? content : JSON.stringify(content));
  }
}

function read(
  request: Partial<TargetsRequest> = {},
  env: Readonly<Record<string, string>> = {},
): Promise<TargetsReading> {
  // No program can be started here, so that whatever is read is read by us.
  const host = createTerminalHost({ cwd, env: { PATH: '/nowhere', ...env }, write: () => {} });
  hosts.push(host);
  return readTargets({ files: [], targets: [], allow: [], ...request }, host);
}

async function problems(request: Partial<TargetsRequest> = {}): Promise<readonly string[]> {
  return (await read(request)).problems.map(({ input, message }) => `${input}: ${message}`);
}

/** A bake file of one target. */
function target(attributes: unknown): void {
  write({ 'docker-bake.json': { target: { app: attributes } } });
}

async function inputs(
  attributes: unknown,
  request: Partial<TargetsRequest> = {},
  env: Readonly<Record<string, string>> = {},
) {
  target(attributes);
  const { targets, problems: found } = await read(request, env);
  expect(found).toEqual([]);
  return targets[0]?.inputs ?? {};
}

describe('Dockerfiles', () => {
  it('are targets of the names of their directories', async () => {
    write({
      'services/api/Dockerfile': '',
      'services/web/Dockerfile': '',
      'services/web/Dockerfile.dockerignore': '',
      Dockerfile: '',
      'jobs/sync.Dockerfile': '',
      'jobs/Dockerfile.clean': '',
    });
    const files = ['services/*/Dockerfile*', 'jobs/sync.Dockerfile', './jobs/Dockerfile.clean', 'Dockerfile'];
    const { targets, problems: found } = await read({ files }, { GITHUB_REPOSITORY: 'Acme/Shop' });
    expect(found).toEqual([]);
    expect(targets.map(({ name, source, inputs: { context, file } }) => [name, source, context, file])).toEqual([
      ['api', 'services/*/Dockerfile*', 'services/api', ''],
      ['clean', './jobs/Dockerfile.clean', 'jobs', 'jobs/Dockerfile.clean'],
      ['shop', 'Dockerfile', '.', ''],
      ['sync', 'jobs/sync.Dockerfile', 'jobs', 'jobs/sync.Dockerfile'],
      ['web', 'services/*/Dockerfile*', 'services/web', ''],
    ]);
  });

  it('at the top have the name of the directory outside of GitHub', async () => {
    write({ Dockerfile: '' });
    expect((await read({ files: ['Dockerfile'] })).targets.map(({ name }) => name)).toEqual(['workspace']);
  });

  it.each([
    ['**/Dockerfile', ['a', 'c', 'd']],
    ['a/**/Dockerfile', ['a', 'c']],
    ['[ab]/Dockerfile', ['a']],
    ['?/b/c/Dockerfile', ['c']],
    ['node_modules/*/Dockerfile', ['m']],
  ])('that match %s', async (glob, names) => {
    write({
      'a/Dockerfile': '',
      'a/b/c/Dockerfile': '',
      'd/Dockerfile': '',
      'node_modules/m/Dockerfile': '',
      '.git/x/Dockerfile': '',
    });
    fs.symlinkSync('..', path.join(cwd, 'a/loop'));
    expect((await read({ files: [glob] })).targets.map(({ name }) => name)).toEqual(names);
  });

  it('keep the dots of their names, and services lose theirs, as with bake', async () => {
    write({ 'my.app/Dockerfile': '', 'compose.yaml': 'services: {my.db: {build: .}}' });
    const request = { files: ['*/Dockerfile', 'compose.yaml'], targets: ['my.app', 'my.db'] };
    expect((await read(request)).targets.map(({ name }) => name)).toEqual(['my.app', 'my_db']);
  });

  it('that a glob looks for lead into no directory that cannot have one', async () => {
    write({ 'a/x/Dockerfile': '', 'a/x/deep/Dockerfile': '', 'b/x/Dockerfile': '' });
    const host = createTerminalHost({ cwd, env: {}, write: () => {} });
    hosts.push(host);
    const listed: string[] = [];
    const files = { ...host.files, list: (at: string) => (listed.push(at), host.files.list(at)) };
    await readTargets({ files: ['a/*/Dockerfile'], targets: [], allow: [] }, { ...host, files });
    expect(listed).toEqual(['a', 'a/x']);
  });

  it('can be chosen by name, pattern and with targets of bake files', async () => {
    write({
      'api/Dockerfile': '',
      'web/Dockerfile': '',
      'compose.yaml': 'services: {app: {build: .}, worker: {build: .}}',
    });
    const files = ['*/Dockerfile', 'compose.yaml'];
    const names = async (...targets: string[]) => (await read({ files, targets })).targets.map(({ name }) => name);
    expect(await names()).toEqual(['api', 'app', 'web', 'worker']);
    expect(await names('w*')).toEqual(['web', 'worker']);
    expect(await names('default', 'api')).toEqual(['api', 'app', 'worker']);
  });

  it('that cannot be are all named', async () => {
    write({
      'a/api/Dockerfile': '',
      'b/api/Dockerfile': '',
      'docker-bake.json': { target: { web: {} } },
      'web/Dockerfile': '',
    });
    expect(
      await problems({
        files: [
          '*/api/Dockerfile',
          'nothing/Dockerfile',
          'a',
          '*/none',
          '[',
          'https://github.com/a/b.git',
          '../*/Dockerfile',
        ],
      }),
    ).toEqual([
      'files: "nothing/Dockerfile" is not there; is the repository checked out?',
      'files: "a" is a directory: name its Dockerfile',
      'files: no file matches "*/none"; is the repository checked out?',
      'files: "[" is no glob: "[" is not a valid pattern of an ignore file',
      'files: "https://github.com/a/b.git" is no file of the workspace: paths and globs are allowed',
      'files: "../*/Dockerfile" leads out of the workspace',
      'files: "a/api/Dockerfile" and "b/api/Dockerfile" are both called "api"; give them names in a bake file',
    ]);
    expect(await problems({ files: ['docker-bake.json', 'web/Dockerfile'] })).toEqual([
      'files: "web" is the name of a Dockerfile of "web/Dockerfile" and of a target of "docker-bake.json"',
    ]);
  });
});

describe('without files', () => {
  it("bake's own are read, the later ones over the earlier", async () => {
    write({
      'docker-bake.override.json': { target: { app: { args: { A: '2' } } } },
      'docker-bake.json': { target: { app: { args: { A: '1', B: '1' } } } },
      'compose.yaml': 'services: {app: {build: {context: ./app, args: {C: 1}}}}',
    });
    const { targets } = await read();
    expect(targets).toEqual([
      {
        name: 'app',
        source: 'compose.yaml',
        inputs: { context: 'app', file: '', 'build-args': 'A=2\nB=1\nC=1' },
        links: new Map(),
        isRequested: true,
      },
    ]);
  });

  it('and without those of bake it says what it looked for', async () => {
    expect(await problems()).toEqual([
      'files: is empty, and there is none of compose.yaml, compose.yml, docker-compose.yml, docker-compose.yaml, docker-bake.json, docker-bake.hcl, docker-bake.override.json, docker-bake.override.hcl in the workspace; is the repository checked out?',
    ]);
  });

  it('what is wrong with bake files and with Dockerfiles is told at once', async () => {
    expect(await problems({ files: ['gone.json', 'gone.hcl', 'gone/Dockerfile'] })).toEqual([
      'files: "gone/Dockerfile" is not there; is the repository checked out?',
      'files: "gone.hcl": there is no such file',
      'files: "gone.json": there is no such file',
    ]);
  });
});

describe('the order', () => {
  it('has each target behind all that it is built on, and those that nobody asked for among them', async () => {
    write({
      'docker-bake.json': {
        group: { default: { targets: ['a', 'z', 'b'] } },
        target: {
          a: { contexts: { base: 'target:y', alpine: 'docker-image://alpine' } },
          b: {},
          y: { contexts: { base: 'target:z' } },
          z: {},
        },
      },
    });
    const { targets } = await read();
    expect(targets.map(({ name, isRequested }) => [name, isRequested])).toEqual([
      ['z', true],
      ['y', false],
      ['a', true],
      ['b', true],
    ]);
    expect(targets[2]).toMatchObject({
      links: new Map([['base', 'y']]),
      inputs: { 'build-contexts': 'alpine=docker-image://alpine' },
    });
  });

  it.each([
    [
      'links',
      { target: { a: { contexts: { x: 'target:b' } }, b: { contexts: { x: 'target:a' } } } },
      'contexts lead in a circle: "a" → "b" → "a"',
    ],
    [
      'inheritance',
      { target: { a: { inherits: ['b'] }, b: { inherits: ['b'] } } },
      'inherits lead in a circle: "b" → "b"',
    ],
    [
      'groups',
      { group: { default: { targets: ['g'] }, g: { targets: ['default'] } }, target: { a: {} } },
      'groups lead in a circle: "default" → "g" → "default"',
    ],
    [
      'variables',
      { variable: { A: { default: '${B}' }, B: { default: '${A}' } }, target: { a: {} } },
      'variables lead in a circle: A → B → A',
    ],
  ])('names a circle of %s', async (_, content, message) => {
    write({ 'docker-bake.json': content });
    expect((await problems()).join('\n')).toContain(message);
  });

  it('gives up on a chain that is a trap', async () => {
    const chain = Array.from({ length: 1900 }, (_, index) => [
      `t${index}`,
      { inherits: [`t${index + 1}`], contexts: { x: `target:t${index + 1}` } },
    ]);
    write({ 'docker-bake.json': { target: Object.fromEntries([...chain, ['t1900', {}]]) } });
    expect((await problems({ targets: ['t0'] })).join('\n')).toContain('follow each other more than 500 times');
  });
});

describe('names that were asked for', () => {
  beforeEach(() =>
    write({ 'docker-bake.json': { group: { all: { targets: ['api', 'wbe'] } }, target: { api: {}, web: {} } } }),
  );

  it('may be unknown', async () => {
    expect(await problems({ targets: ['ap', 'q-*', 'something', 'all'] })).toEqual([
      'files: "docker-bake.json" line 1: group "all" names "wbe", which is no target; did you mean web?',
      'targets: there is no target "ap"; did you mean api?',
      'targets: no target matches "q-*"',
      'targets: there is no target "something"; there are "all", "api", "web"',
    ]);
  });

  it('are those of bake where there are none: its default, else all', async () => {
    write({ 'docker-bake.json': { target: { api: {}, web: {} } } });
    expect((await read()).targets.map(({ name }) => name)).toEqual(['api', 'web']);
    write({ 'docker-bake.json': { target: { api: {}, default: {} } } });
    expect((await read()).targets.map(({ name }) => name)).toEqual(['default']);
  });
});

it.each([['*'], ['[a'], ['a?']])('a directory of the name %s is no pattern', async (name) => {
  write({ [`s/${name}/Dockerfile`]: '', 's/ab/Dockerfile': '', 'docker-bake.json': { target: { app: {} } } });
  const files = ['s/*/Dockerfile', 'docker-bake.json'];
  expect((await read({ files, targets: [name] })).targets.map((one) => one.name)).toEqual([name]);
});

it.each([['https://evil.example/x.git'], ['git@evil.example:x'], ['github.com/evil/x'], ['x.git']])(
  'buildx is not sent to %s by the name of a target',
  async (name) => {
    write({ 'docker-bake.hcl': '' });
    expect(await problems({ targets: [name] })).toEqual([`targets: "${name}" cannot be the name of a target`]);
  },
);

describe('a target in the words of inputs', () => {
  const hostile = 'a "quoted", # text\nof ünïcode = \\ $HOME \u001b[31m';

  it('has texts that come back to the letter', async () => {
    const given = await inputs({
      args: { A: hostile, B: '' },
      labels: { l: hostile },
      annotations: [`index:a=${hostile}`],
      tags: ['ghcr.io/acme/app:1'],
      'cache-from': [{ type: 'local', src: 'a "b", c' }],
      platforms: ['linux/amd64', 'linux/arm64'],
      secret: [{ id: 's', src: 'a, "b"' }],
      contexts: { 'x y': './p, "q"' },
    });
    const { options, problems: found } = parseOptions(given);
    expect(found).toEqual([]);
    expect(options).toMatchObject({
      buildArgs: [`A=${hostile}`, 'B='],
      labels: [`l=${hostile}`],
      annotations: [`index:a=${hostile}`],
      cacheFrom: ['type=local,"src=a ""b"", c"'],
      secretFiles: [{ id: 's', path: 'a, "b"' }],
      buildContexts: [{ name: 'x y', value: './p, "q"' }],
    });
    expect(options.platforms).toHaveLength(2);
  });

  it('has all that bake knows', async () => {
    const given = await inputs(
      {
        context: 'cwd://app',
        dockerfile: 'build/Dockerfile',
        target: 'prod',
        network: 'none',
        'shm-size': '64m',
        ulimits: ['nproc=3', 'nofile=1024'],
        'no-cache': true,
        pull: false,
        'no-cache-filter': ['a', 'b'],
        'extra-hosts': { db: '10.0.0.1' },
        attest: ['type=provenance,mode=max', 'type=sbom'],
        secret: ['id=TOKEN', 'id=b,env=B', 'id=c,src=c.txt', 'id=d'],
        ssh: ['default', 'k=keys/one,keys/two'],
        'cache-to': ['type=inline'],
        'cache-from': ['acme/cache'],
        entitlements: ['security.insecure'],
        output: ['type=registry'],
        description: 'x',
        call: 'build',
      },
      { allow: ['security.insecure', 'ssh'] },
      { TOKEN: 'x' },
    );
    expect(given).toEqual({
      context: 'app',
      file: 'app/build/Dockerfile',
      target: 'prod',
      network: 'none',
      'shm-size': '64m',
      ulimit: 'nofile=1024\nnproc=3',
      'no-cache': 'true',
      pull: 'false',
      'no-cache-filters': 'a\nb',
      'add-hosts': 'db=10.0.0.1',
      attests: '"type=provenance,mode=max"\ntype=sbom',
      'secret-envs': 'TOKEN=TOKEN\nb=B',
      'secret-files': 'c=c.txt\nd=d',
      ssh: 'default\n"k=keys/one,keys/two"',
      'cache-to': 'type=inline',
      'cache-from': '"type=registry,ref=acme/cache"',
      allow: 'security.insecure',
    });
    expect(parseOptions(given).problems).toEqual([]);
  });

  it.each([
    ['the default', {}, { context: '.', file: '' }],
    ['a directory', { context: './a/../b/' }, { context: 'b', file: '' }],
    ['a Dockerfile in it', { context: 'a', dockerfile: '../b/Dockerfile' }, { context: 'a', file: 'b/Dockerfile' }],
    ['a Dockerfile of the workspace', { context: 'a', dockerfile: 'cwd://b/D' }, { context: 'a', file: 'b/D' }],
    [
      'git',
      { context: 'https://github.com/acme/app.git#main:sub', dockerfile: 'D' },
      { context: 'https://github.com/acme/app.git#main:sub', file: 'D' },
    ],
    [
      'git with the default',
      { context: 'https://github.com/acme/app.git' },
      { context: 'https://github.com/acme/app.git', file: '' },
    ],
  ])('is built in %s', async (_, attributes, expected) => expect(await inputs(attributes)).toEqual(expected));

  it('brings its Dockerfile along, in a directory that goes at the end', async () => {
    const { context, file = '' } = await inputs({ context: 'app', 'dockerfile-inline': 'FROM scratch\nARG A=$${A}\n' });
    expect([context, path.basename(file)]).toEqual(['app', 'Dockerfile']);
    expect(fs.readFileSync(file, 'utf8')).toBe('FROM scratch\nARG A=${A}\n');
    await hosts.at(-1)?.finish();
    expect(fs.existsSync(file)).toBe(false);
  });

  it.each([
    [{ args: { A: 'a\rb' } }, 'build-args cannot hold "A=a'],
    [{ args: { 'A=B': 'x' } }, 'build-args cannot hold the name "A=B"'],
    [{ target: ' a ' }, 'target cannot be "a"'],
    [{ context: '-' }, 'there is no standard input to read "-" from'],
    [{ dockerfile: 'https://x/Dockerfile' }, 'cannot be the Dockerfile'],
    [
      { context: 'https://github.com/a/b.git', 'dockerfile-inline': 'FROM a' },
      'the Dockerfile of a context from git must be a path in it',
    ],
  ])('cannot be %j', async (attributes, message) => {
    target(attributes);
    expect((await problems()).join('\n')).toContain(message);
  });
});

describe('a target without an image', () => {
  beforeEach(() =>
    write({
      'docker-bake.json': {
        group: { default: { targets: ['app', 'docs', 'lint'] } },
        target: {
          app: { contexts: { d: 'target:docs' } },
          docs: { output: ['type=local,dest=out'] },
          lint: { call: 'check' },
        },
      },
    }),
  );

  it('is left out of a group with a notice, unless others are built on it', async () => {
    const { targets, problems: found, notices } = await read();
    expect(found).toEqual([]);
    expect(targets.map(({ name, isRequested }) => [name, isRequested])).toEqual([
      ['docs', false],
      ['app', true],
    ]);
    expect(notices).toEqual([
      '"docker-bake.json" line 1: target "docs" is left out, since it makes no image: its output is "local"',
      '"docker-bake.json" line 1: target "lint" is left out, since it makes no image: it is made for call "check"',
    ]);
  });

  it('is a problem when it is named', async () => {
    expect(await problems({ targets: ['docs', 'lint'] })).toEqual([
      'targets: "docker-bake.json" line 1: target "docs" makes no image: its output is "local"',
      'targets: "docker-bake.json" line 1: target "lint" makes no image: it is made for call "check"',
    ]);
  });
});

describe('what lies outside of the workspace', () => {
  beforeEach(() => {
    fs.writeFileSync(path.join(directory, 'secret'), 'x');
    fs.mkdirSync(path.join(directory, 'other'));
    fs.symlinkSync('../other', path.join(cwd, 'link'));
    fs.symlinkSync('link', path.join(cwd, 'link2'));
    fs.symlinkSync('loop', path.join(cwd, 'loop'));
  });

  it.each([
    [{ context: '..' }, 'its context ".."'],
    [{ context: 'link2/sub' }, 'its context "link2/sub"'],
    [{ context: 'loop' }, 'its context "loop" goes over too many links'],
    [{ dockerfile: '../secret' }, 'its Dockerfile "../secret"'],
    [{ dockerfile: '/etc/passwd' }, 'its Dockerfile "/etc/passwd"'],
    [{ contexts: { x: '../other' } }, 'its context "x" "../other"'],
    [{ contexts: { x: 'oci-layout://../other:tag@sha256:0' } }, 'its context "x" "../other"'],
    [{ secret: ['id=a,src=../secret'] }, 'its secret "a" "../secret"'],
    [{ secret: ['id=/etc/passwd'] }, 'its secret "/etc/passwd"'],
    [{ ssh: ['a=key,../secret'] }, 'its ssh key "../secret"'],
    [{ 'cache-from': ['type=local,src=../other'] }, 'its local cache "../other"'],
    [
      { 'cache-to': ['type=local,dest=../other'] },
      'its local cache "../other" lies outside of the workspace; only the workflow may grant that: allow: fs.write=../other',
    ],
    [{ ssh: ['default'] }, 'it asks for the SSH agent'],
    [{ network: 'host' }, 'it asks for the entitlement "network.host"'],
    [{ entitlements: ['device=gpu'] }, 'it asks for the entitlement "device=gpu"'],
  ])('is refused for %j', async (attributes, message) => {
    target(attributes);
    const found = await problems();
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`files: "docker-bake.json" line 1: target "app": ${message}`);
  });

  it.each([
    [{ contexts: { x: 'docker-image:/../../other' } }, 'its context "x" "../other" lies outside'],
    [{ context: 'docker-image:/../../other' }, 'its context "../other" lies outside'],
    [{ contexts: { x: 'input:/../../other' } }, 'its context "x" "../other" lies outside'],
    [{ contexts: { x: ' ../../other' } }, 'build-contexts cannot hold "../../other"'],
    [{ secret: [{ id: 'a=link', src: 'x' }] }, 'secret cannot hold "a=link"'],
    [{ secret: [{ id: 'a', src: ' ../../secret' }] }, 'secret cannot hold "../../secret"'],
    [{ ssh: [{ id: 'a=../secret' }] }, 'ssh cannot hold "a=../secret"'],
    [{ ssh: [{ id: 'a', paths: ['key', ' ../../secret'] }] }, 'ssh cannot hold "../../secret"'],
    [{ 'cache-from': [{ type: 'local', SRC: '/etc' }] }, 'cache-from cannot hold the key "SRC"'],
    [{ 'cache-from': [{ type: 'local', 'src=link': 'x' }] }, 'cache-from cannot hold the key "src=link"'],
    [
      { 'cache-to': [{ type: 'local', dest: 'c', Type: 'registry', ref: 'evil.example/x' }] },
      'cache-to cannot hold the key "Type"',
    ],
    [
      { 'cache-from': ['type=gha,url=https://evil.example'] },
      'cache-from with "url" would send the job\'s token there',
    ],
  ])('is refused for what only looks like something else: %j', async (attributes, message) => {
    target(attributes);
    expect((await problems({ allow: ['ssh'] })).join('\n')).toContain(`target "app": ${message}`);
  });

  it.each([
    ['fs=*', { context: '..', 'cache-to': ['type=local,dest=/tmp/x'] }],
    ['fs.read=..', { context: '../other', secret: ['id=a,src=../secret'] }],
    ['fs=../other', { context: 'link/sub', 'cache-to': ['type=local,dest=../other/c'] }],
    ['fs.write=../other', { 'cache-to': ['type=local,dest=../other'] }],
    ['ssh', { ssh: ['default'] }],
    ['network.host,security.insecure', { network: 'host', entitlements: ['security.insecure'] }],
    ['device', { entitlements: ['device=gpu'] }],
  ])('may be used with allow: %s', async (allow, attributes) => {
    target(attributes);
    expect(await problems({ allow: [allow] })).toEqual([]);
  });

  it.each([
    ['fs.read=../other', { 'cache-to': ['type=local,dest=../other'] }],
    ['fs.read=../oth', { context: '../other' }],
    ['fs.read=../other', { context: '../other/..' }],
  ])('is still refused with allow: %s for %j', async (allow, attributes) => {
    target(attributes);
    expect(await problems({ allow: [allow] })).toHaveLength(1);
  });
});

describe('what compose files have buildx read', () => {
  const outside = (file: string): string =>
    `the file "${file}" lies outside of the workspace; only the workflow may grant that: allow: fs.read=${file}`;
  const build = 'build: {context: ., args: [TOKEN]}';

  it.each([
    [`include: [../inc.yaml]`, `"c.yaml": ${outside('../inc.yaml')}`],
    [`include: [{path: [sub/c.yaml, /etc/x.yaml]}]`, `"c.yaml": ${outside('/etc/x.yaml')}`],
    [`include: [{path: sub/c.yaml, project_directory: ..}]`, `"c.yaml": ${outside('../.env')}`],
    [`include: [{path: sub/c.yaml, env_file: ../env}]`, `"c.yaml": ${outside('../env')}`],
    [`services: {a: {extends: {file: ../x.yaml, service: b}}}`, `"c.yaml": ${outside('../x.yaml')}`],
    [`services: {a: {env_file: ../env, ${build}}}`, `"c.yaml": ${outside('../env')}`],
    [`services: {a: {env_file: [{path: link}], ${build}}}`, `"c.yaml": ${outside('link')}`],
    [`services: {a: {label_file: ../env, extends: b, ${build}}}`, `"c.yaml": ${outside('../env')}`],
    [`include: [bad/c.yaml]`, `"bad/c.yaml": ${outside('../env')}`],
    [`services: {a: {extends: {file: bad/d.yaml, service: a}}}`, `"bad/c.yaml": ${outside('../env')}`],
    [`x: &x {env_file: ../env}\nservices: {a: {<<: *x, ${build}}}`, `"c.yaml": ${outside('../env')}`],
    [`services: {a: {env_file: "$HOME/x", ${build}}}`, '"c.yaml": "$HOME/x" is a path that only buildx can make out'],
    [`services: {a: {env_file: ~/x, ${build}}}`, '"c.yaml": "~/x" is a path that only buildx can make out'],
    [`services: {a: {env_file: !!binary Li4vZW52, ${build}}}`, '"c.yaml": YAML texts may not be written in base64'],
    [`services: {a: {env_file: a}}\n---\ninclude: [../x]`, '"c.yaml": several YAML documents in one file'],
  ])('is refused outside of the workspace: %s', async (text, message) => {
    write({
      'c.yaml': text,
      'sub/c.yaml': 'services: {}',
      'bad/c.yaml': 'services: {a: {env_file: ../../env}}',
      'bad/d.yaml': 'services: {a: {extends: {file: c.yaml, service: a}}}',
    });
    fs.symlinkSync('../env', path.join(cwd, 'link'));
    expect((await problems({ files: ['c.yaml'] })).join('\n')).toContain(`files: ${message}`);
  });

  it.each([
    ['include: [sub/c.yaml]\nservices: {a: {env_file: e}}', []],
    [`include: [../inc.yaml]\nservices: {a: {env_file: "$E", ${build}}}`, ['fs.read=*']],
    [`services: {a: {env_file: ../env, ${build}}}`, ['fs.read=../env']],
  ])('is left to buildx: %s', async (text, allow) => {
    write({ 'c.yaml': text, 'sub/c.yaml': 'services: {a: {extends: {file: ../c.yaml, service: a}}}' });
    await expect(read({ files: ['c.yaml'], allow })).rejects.toThrow('there is no docker program here');
  });
});

describe('what the runner hands to the action alone', () => {
  const env = { ACTIONS_RUNTIME_TOKEN: 'private', ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'private', ACTIONS_STEP_DEBUG: 'x' };

  it.each([
    [{ secret: ['id=a,env=ACTIONS_RUNTIME_TOKEN'] }, `secret "a" is the job's own ACTIONS_RUNTIME_TOKEN`],
    [{ secret: ['id=a,type=env,src=ACTIONS_ID_TOKEN_REQUEST_TOKEN'] }, `secret "a" is the job's own ACTIONS_ID_TOKEN`],
  ])('is no secret for a file: %j', async (attributes, message) => {
    target(attributes);
    expect((await read({}, env)).problems.map((one) => one.message).join()).toContain(message);
  });

  it('is no variable of a bake file or of a compose file', async () => {
    const names = Object.keys(env);
    write({
      'docker-bake.json': {
        variable: Object.fromEntries(names.map((name) => [name, {}])),
        target: { a: { args: { A: names.map((name) => `\${${name}}`).join() } } },
      },
      'compose.yaml': `services: {b: {build: {args: [${names.join(', ')}]}}}`,
    });
    const { targets } = await read({ targets: ['a', 'b'] }, env);
    expect(targets.map(({ inputs: { 'build-args': args } }) => args)).toEqual(['"A=,,x"', 'ACTIONS_STEP_DEBUG=x']);
  });

  it('is nothing for the buildx that reads a file', async () => {
    fs.writeFileSync(path.join(directory, 'docker'), '#!/bin/sh\necho "$*" >&2; env | grep ^ACTIONS >&2; exit 1\n', {
      mode: 0o755,
    });
    write({ 'docker-bake.hcl': '' });
    const seen: string[] = [];
    const host = createTerminalHost({
      cwd,
      env: { ...env, PATH: `${directory}:${process.env['PATH']}` },
      write: () => {},
    });
    hosts.push(host);
    const exec: typeof host.exec = async (command) => {
      const result = await host.exec(command);
      seen.push(result.stderr);
      return result;
    };
    await expect(readTargets({ files: [], targets: [], allow: [] }, { ...host, exec })).rejects.toThrow();
    expect(seen.join()).toContain('--print');
    expect(seen.join()).toContain('ACTIONS_STEP_DEBUG=x');
    expect(seen[0]).not.toContain('private');
  });
});

describe('a file that cannot be read', () => {
  it('has all its problems named with their lines, and so have the others', async () => {
    write({
      'a.json':
        '{\n "target": {\n  "web": {\n   "tag": ["x"],\n   "tags": "x",\n   "no-cache": "yes",\n   "args": ["a"]\n  },\n  "a.b": {"tags": ["${NO}"]}\n }\n}',
      'b.json': '{"a": }',
      'compose.yml':
        'services:\n  web:\n    build:\n      contxt: .\n      tags: x\n    image: y\n  s: {build: {secrets: [no]}}\n',
    });
    const found = (await problems({ files: ['a.json', 'b.json', 'compose.yml', 'gone.yaml'] })).join('\n');
    for (const text of [
      '"a.json" line 4: target "web": "tag" is no attribute of a target; did you mean tags?',
      '"a.json" line 5: target "web": tags must be a list, not a text',
      '"a.json" line 6: target "web": no-cache is "yes": true or false is allowed',
      '"a.json" line 7: target "web": args must be a map, not a list',
      '"a.json" line 9: "a.b" is no name of a target',
      '"a.json" line 9: there is no variable "NO"',
      '"b.json" line 1: this is no JSON',
      '"compose.yml" line 4: service "web": "contxt" is no key of build; did you mean context?',
      '"compose.yml" line 5: service "web": tags must be a list, not a text',
      '"compose.yml" line 7: service "s": there is no secret "no"',
      '"gone.yaml": there is no such file',
    ]) {
      expect(found).toContain(text);
    }
  });

  it.each([
    ['is too large', 'x.json', Buffer.alloc(10 << 20, ' '), 'it is larger than 4 MiB'],
    ['is no UTF-8', 'x.json', Buffer.from([0x7b, 0xff, 0x7d]), 'it is not UTF-8'],
    ['is empty', 'x.json', Buffer.alloc(0), 'this is no JSON: it ends too early'],
    ['is an empty compose file', 'x.yml', Buffer.alloc(0), 'a compose file is a map with services, not empty'],
    ['is a text', 'x.yaml', Buffer.from('hello'), 'a compose file is a map with services, not a text'],
    [
      'has two values for one key',
      'x.json',
      Buffer.from('{"target":{"a":{"args":{"x":"1","x":"2"},"tags":[],"tags":[]}}}'),
      '"x" stands twice',
    ],
  ])('since it %s', async (_, name, content, message) => {
    fs.writeFileSync(path.join(cwd, name), content);
    expect((await problems({ files: [name] })).join('\n')).toContain(message);
  });

  it('since it is a link that leads out of the workspace', async () => {
    fs.writeFileSync(path.join(directory, 'x.json'), '{}');
    fs.symlinkSync('../x.json', path.join(cwd, 'x.json'));
    const message =
      'files: the file "x.json" lies outside of the workspace; only the workflow may grant that: allow: fs.read=x.json';
    expect(await problems({ files: ['x.json'] })).toEqual([message]);
    expect(await problems({ files: ['x.json'], allow: ['fs.read=x.json'] })).toEqual([]);
    expect(await problems({ files: ['../x.json'] })).toEqual([]);
  });

  it('since the variables of a compose file come to more than fits into memory', async () => {
    const args = Array.from({ length: 400 }, (_, index) => `k${index}: $A`).join(', ');
    const services = Array.from({ length: 20 }, (_, index) => `  a${index}: {build: {args: {${args}}}}`);
    write({ 'x.yml': `services:\n${services.join('\n')}`, '.env': `A=${'x'.repeat(1_000_000)}` });
    expect((await problems({ files: ['x.yml'] })).join('\n')).toContain(
      'files: "x.yml": all texts together come to more than 33554432 characters',
    );
  });

  it('since a name in it is longer than any file may be called', async () => {
    write({ 'x.json': { target: { ['a'.repeat(256)]: {}, ['b'.repeat(255)]: {} } } });
    const found = await problems({ files: ['x.json'] });
    expect(found).toEqual([
      expect.stringMatching(/^files: "x\.json" line 1: the name "a+…" has more than 255 characters$/),
    ]);
  });

  it('since its variables come to more than fits into memory', async () => {
    const texts = Array.from({ length: 8000 }, (_, index) => [`k${index}`, '${A}x']);
    write({
      'x.json': {
        variable: { A: { default: 'x'.repeat(1_000_000) } },
        target: { a: { args: Object.fromEntries(texts) } },
      },
    });
    expect((await problems({ files: ['x.json'] })).join('\n')).toContain(
      'files: "x.json": all texts together come to more than 33554432 characters',
    );
  });

  it('since it holds more than anybody wants', async () => {
    const many = Array.from({ length: 2001 }, (_, index) => [`t${index}`, {}]);
    write({ 'docker-bake.json': { target: Object.fromEntries(many) } });
    expect((await problems()).join('\n')).toContain('there are more than 2000 targets');
    target({ tags: Array.from({ length: 501 }, (_, index) => `a:${index}`) });
    expect((await problems()).join('\n')).toContain('target "app" has a list or a map of more than 500 items');
  });

  it('since it is a directory', async () => {
    fs.mkdirSync(path.join(cwd, 'dir.json'));
    expect(await problems({ files: ['dir.json'] })).toEqual(['files: "dir.json": it is a directory, not a file']);
  });

  it('takes no name of an object for its own', async () => {
    write({
      'docker-bake.json': '{"target":{"__proto__":{"args":{"__proto__":"x","constructor":"y"}},"toString":{}}}',
    });
    const { targets, problems: found } = await read();
    expect(found).toEqual([]);
    expect(targets.map(({ name }) => name)).toEqual(['__proto__', 'toString']);
    expect(targets[0]?.inputs['build-args']).toBe('__proto__=x\nconstructor=y');
  });

  it('says that only buildx can read it, and why', async () => {
    write({ 'docker-bake.json': '{\n"target": {"a": {\n"tags": ["${upper(\\"a\\")}"]}}}' });
    await expect(read()).rejects.toMatchObject({
      code: 'DOCKER_MISSING',
      message: expect.stringContaining(
        'only docker buildx can read the expression "${upper("a")}" ("docker-bake.json" line 3)',
      ),
    });
  });
});

it('takes variables from the environment, and none that every object has', async () => {
  const variable = { TAG: { default: '1' }, toString: { default: 'own' }, __proto__: undefined };
  write({
    'docker-bake.json': { variable, target: { a: { tags: ['a:${TAG}-${toString}'], secret: ['id=valueOf'] } } },
  });
  write({ 'compose.yaml': 'services: {b: {build: {args: {A: "${TAG}", B: "${constructor-own}"}}}}' });
  const { targets } = await read({ targets: ['*'] }, { TAG: '2' });
  expect(targets.map(({ inputs: found }) => found)).toMatchObject([
    { tags: 'a:2-own', 'secret-files': 'valueOf=valueOf' },
    { 'build-args': 'A=2\nB=own' },
  ]);
});

it('says what counts as empty', async () => {
  write({ 'compose.yaml': 'services:\n  a:\n    build: {args: {A: "$NO_SUCH"}}' });
  expect((await read()).notices).toEqual([
    '"compose.yaml" line 3: the variable "NO_SUCH" is not set: it counts as empty',
  ]);
});
