import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT, NODE_DIRECTORY, run } from '../support/programs.ts';
import { writeTree } from '../support/write-tree.ts';

const CLI = [join(NODE_DIRECTORY, 'node'), join(CHECKOUT, 'dist/cli.js')] as const;

let registry: RunningRegistry;
let context: string;
let base: string;
beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry.close());
beforeEach(async () => {
  context = mkdtempSync(join(tmpdir(), 'build-once-hash-'));
  base = `${registry.host}/base/node`;
  await plantImage({ image: base, tags: ['22'], annotations: { made: 'first' } });
  write({
    Dockerfile: `# a comment\nFROM ${base}:22 AS node\nARG GREETING=hello\nCOPY . /app\nRUN echo $GREETING\n`,
    '.dockerignore': '# none of the docs\n*.md\n.git\n',
    'package-lock.json': '{}\n',
    'src/main.js': '1\n',
    'README.md': 'one\n',
  });
});
afterEach(() => rmSync(context, { recursive: true }));

function write(files: Readonly<Record<string, string>>): void {
  writeTree(context, files);
}

async function hash(flags: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
  const argv = [...CLI, 'hash', '--platforms=linux/amd64', ...flags] as const;
  const { status, stdout, stderr } = await run([...argv], { cwd: context, env: { ...process.env, ...env } });
  return { status, tag: stdout.trim(), stderr };
}

async function tagOf(flags: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { status, tag, stderr } = await hash(flags, env);
  expect(status, stderr).toBe(0);
  expect(tag).toMatch(/^hash-[0-9a-f]{32}$/);
  return tag;
}

interface Change {
  readonly what: string;
  readonly act: () => unknown;
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const change = (what: string, act: Change['act'], flags: Change['flags'] = [], env: Change['env'] = {}): Change => ({
  what,
  act,
  flags,
  env,
});

describe('the hash changes with', () => {
  const changes: readonly Change[] = [
    change('a file', () => write({ 'src/main.js': '2\n' })),
    change('a new file', () => write({ 'src/new.js': '' })),
    change('a file that is gone', () => unlinkSync(join(context, 'src/main.js'))),
    change('an exec bit', () => chmodSync(join(context, 'src/main.js'), 0o755)),
    change('a link', () => symlinkSync('main.js', join(context, 'src/link.js'))),
    change('an empty directory', () => mkdirSync(join(context, 'empty'))),
    change('an instruction', () => write({ Dockerfile: `FROM ${base}:22\nCOPY . /srv\n` })),
    change('the ignore file', () => write({ '.dockerignore': '' })),
    change("the Dockerfile's own ignore file", () =>
      write({ 'Dockerfile.dockerignore': 'src\n*.md\n.dockerignore\n' }),
    ),
    change('a base image that moved', () => plantImage({ image: base, tags: ['22'], annotations: { made: 'again' } })),
    change('a build arg', () => {}, ['--build-args=GREETING=hi']),
    change('a build arg from the environment', () => {}, ['--build-args=GREETING'], { GREETING: 'hi' }),
    change('another platform', () => {}, ['--platforms=linux/arm64']),
    change('the network', () => {}, ['--network=none']),
    change('a host', () => {}, ['--add-hosts=a:127.0.0.1']),
    change('a label', () => {}, ['--labels=team=core']),
    change("a secret's id", () => {}, ['--secrets=token=x']),
    change('the SBOM', () => {}, ['--sbom=true']),
    change('a salt', () => {}, ['--hash-salt=2']),
    change('more files that count', () => {}, ['--hash-files=README.md']),
    change('files that do not count', () => {}, ['--hash-ignore=src']),
    change('the scope', () => {}, ['--hash-scope=manifests']),
    change('a remote ADD without checksum, every time', () =>
      write({ Dockerfile: 'FROM scratch\nADD https://127.0.0.1:9/x /\n' }),
    ),
  ];
  it.each(changes)('$what', async ({ act, flags, env }) => {
    const before = await tagOf();
    await act();
    expect(await tagOf(flags, env)).not.toBe(before);
  });
});

describe('the hash stays with', () => {
  const changes: readonly Change[] = [
    change('nothing', () => {}),
    change('an ignored file', () => write({ 'README.md': 'two\n', '.git/HEAD': 'x' })),
    change('a time', () => utimesSync(join(context, 'src/main.js'), 1, 1)),
    change('other mode bits', () => chmodSync(join(context, 'src/main.js'), 0o600)),
    change("a secret's value", () => {}, ['--secrets=token=y']),
    change('labels of metadata-action that change every run', () => {}, [
      '--labels=org.opencontainers.image.revision=abc',
    ]),
    change('the order of labels', () => {}, ['--labels=a=1', '--labels=b=2', '--annotations=a=1', '--annotations=b=2']),
    change('a label that is given again', () => {}, ['--labels=a=0', '--labels=a=1']),
    change('a platform named twice', () => {}, ['--platforms=linux/amd64,linux/amd64']),
    change('the default network', () => {}, ['--network=default']),
    change('the name of the stage that is built anyway', () => {}, ['--target=node']),
    change('a named context that nothing reads', () => {}, ['--build-contexts=assets=src']),
    change('an argument that nothing asks for', () => {}, ['--build-args=NOBODY=asks']),
    change('caches, tags and builder', () => {}, ['--cache=gha', '--tags=x', '--builder=b', '--no-cache', '--pull']),
    change('a proxy', () => {}, ['--build-args=HTTP_PROXY=http://proxy']),
    change('the order of build args', () => {}, ['--build-args=A=1', '--build-args=B=2']),
  ];
  it.each(changes)('$what', async ({ what, act, flags, env }) => {
    const same: Readonly<Record<string, readonly string[]>> = {
      "a secret's value": ['--secrets=token=x'],
      'the order of build args': ['--build-args=B=2', '--build-args=A=1'],
      'the order of labels': ['--labels=b=2', '--labels=a=1', '--annotations=b=2', '--annotations=a=1'],
      'a label that is given again': ['--labels=a=1'],
    };
    const before = await tagOf(same[what] ?? []);
    await act();
    expect(await tagOf(flags, env)).toBe(before);
  });

  it('a comment in the Dockerfile that is not copied itself', async () => {
    write({ '.dockerignore': 'Dockerfile\n.dockerignore\n*.md\n' });
    const before = await tagOf();
    write({
      Dockerfile: `# another\r\nFROM ${base}:22 AS node\r\nARG GREETING=hello\r\nCOPY . /app\r\nRUN echo $GREETING\r\n`,
    });
    expect(await tagOf()).toBe(before);
  });

  it('another path of the checkout', async () => {
    const before = await tagOf();
    const argv = [...CLI, 'hash', context, '--platforms=linux/amd64'] as const;
    const { stdout } = await run([...argv], { cwd: tmpdir() });
    expect(stdout.trim()).toBe(before);
  });
});

describe('what buildx adds to the build args by itself', () => {
  const clock = (SOURCE_DATE_EPOCH: string) => tagOf([], { SOURCE_DATE_EPOCH });
  const proxy = (httpProxy: string, engine = 'default', flags: readonly string[] = []) => {
    const folder = mkdtempSync(join(context, '../build-once-docker-'));
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ proxies: { [engine]: { httpProxy } } }));
    const env = { DOCKER_CONFIG: folder, DOCKER_HOST: 'tcp://127.0.0.1:2' };
    return tagOf(flags, env).finally(() => rmSync(folder, { recursive: true }));
  };

  it('does not count where no ARG asks for it', async () => {
    expect(await clock('1')).toBe(await clock('2'));
    expect(await proxy('http://a')).toBe(await proxy('http://b'));
  });

  it.each(['FROM scratch\nARG SOURCE_DATE_EPOCH\n', 'FROM scratch AS a\nONBUILD ARG SOURCE_DATE_EPOCH\nFROM a\n'])(
    'counts the clock of the environment, given %j',
    async (Dockerfile) => {
      write({ Dockerfile });
      const [first, second] = [await clock('1'), await clock('2')];
      expect(first).not.toBe(second);
      expect(await tagOf(['--build-args=SOURCE_DATE_EPOCH=1'], { SOURCE_DATE_EPOCH: '2' })).toBe(first);
      expect(await tagOf([], { SOURCE_DATE_EPOCH: '' })).toBe(await tagOf());
    },
  );

  it.each(['HTTP_PROXY', 'http_proxy'])(
    'counts a proxy of Docker’s configuration where an ARG asks for %s',
    async (name) => {
      write({ Dockerfile: `FROM scratch\nARG ${name}\n` });
      const [first, second] = [await proxy('http://a'), await proxy('http://b')];
      expect(first).not.toBe(second);
      expect(await proxy('http://a', 'tcp://127.0.0.1:2')).toBe(first);
      expect(await proxy('http://a', 'tcp://127.0.0.1:3')).toBe(await tagOf());
      const both = ['--build-args=HTTP_PROXY=http://c', '--build-args=http_proxy=http://c'];
      expect(await proxy('http://a', 'default', both)).toBe(await proxy('http://b', 'default', both));
    },
  );
});

describe('base images', () => {
  it('are asked for once each, and not at all when a digest names them', async () => {
    const digest = await plantImage({ image: base, tags: ['22'] });
    write({
      Dockerfile: `FROM ${base}:22 AS a\nFROM ${base}:22 AS b\nFROM ${base}@${digest}\nCOPY src /\nCOPY --from=a / /a\n`,
    });
    registry.forgetRequests();
    await tagOf();
    expect(registry.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'HEAD /v2/base/node/manifests/22',
    ]);
  });

  it('that cannot be resolved are an error with the line and the name', async () => {
    write({ Dockerfile: `FROM scratch\nFROM ${base}:99\n` });
    const { status, tag, stderr } = await hash();
    expect({ status, tag }).toEqual({ status: 1, tag: '' });
    expect(stderr).toContain('BASE_NOT_FOUND');
    expect(stderr).toContain(`Dockerfile:2 names ${base}:99`);
  });

  it('with an invalid name are bad input with the line', async () => {
    write({ Dockerfile: 'ARG X\nFROM ${X}\n' });
    const { status, stderr } = await hash();
    expect(status).toBe(2);
    expect(stderr).toMatch(/line 2: /);
  });
});

describe('what cannot be known beforehand is said aloud', () => {
  it('a remote ADD without checksum', async () => {
    write({ Dockerfile: 'FROM scratch\nADD https://127.0.0.1:9/x /\n' });
    expect((await hash()).stderr).toContain('Dockerfile:2: ADD "https://127.0.0.1:9/x" has no checksum');
  });

  it('a Dockerfile that is not understood', async () => {
    write({ Dockerfile: 'FROM scratch\nFUTURE thing\n' });
    expect(await tagOf()).not.toBe(await tagOf());
    expect((await hash()).stderr).toMatch(/Dockerfile:2: not understood/);
  });

  it('a frontend that is not Docker’s: the whole context and the raw file count', async () => {
    write({ Dockerfile: `# syntax=${base}:22\nnot: a Dockerfile\n` });
    const before = await tagOf();
    expect((await hash()).stderr).toContain("is not Docker's");
    expect(await tagOf()).toBe(before);
    write({ Dockerfile: `# syntax=${base}:22\nnot: the same\n` });
    expect(await tagOf()).not.toBe(before);
  });

  it('.git in the context', async () => {
    write({ '.dockerignore': '', '.git/HEAD': 'ref: refs/heads/main\n' });
    expect((await hash()).stderr).toContain('add .git to .dockerignore');
  });
});
