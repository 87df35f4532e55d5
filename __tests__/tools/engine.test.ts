import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Machine } from '../../src/hosts/machine.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import type { Docker } from '../../src/tools/docker.ts';
import {
  archiveArguments,
  describeEngine,
  inspectArguments,
  inspectImages,
  loadArguments,
  pullArguments,
  pullImage,
  tagArguments,
  tagImage,
} from '../../src/tools/engine.ts';
import { installStubDocker, type StubDocker } from './stub-docker.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const other = `sha256:${'b'.repeat(64)}`;
let workspace: string;
let host: Machine;
let stub: StubDocker;

beforeEach(() => {
  workspace = fs.mkdtempSync(path.join(os.tmpdir(), 'engine-test-'));
});
afterEach(async () => {
  await host.finish();
  stub.remove();
  fs.rmSync(workspace, { recursive: true });
});

function dockerThat(answers: string): Docker {
  stub = installStubDocker(answers);
  const env = { ...process.env, PATH: `${stub.directory}:${process.env['PATH']}` };
  host = createTerminalHost({ cwd: workspace, env, write: () => {} });
  return { host, env: {} };
}

describe('docker is called', () => {
  const amd64 = { os: 'linux', architecture: 'amd64' };
  beforeEach(() => void dockerThat(''));

  it.each([
    ['inspect', inspectArguments(['a:1', '-x']), 'image inspect --format={{json .}} -- a:1 -x'],
    ['pull', pullArguments('-x', amd64), 'image pull --quiet --platform=linux/amd64 -- -x'],
    ['load', loadArguments('/t/a b.tar'), 'image load --quiet --input=/t/a b.tar'],
    ['tag', tagArguments('-x', '-y'), 'image tag -- -x -y'],
  ])('to %s with no value that could become a flag', (_, args, line) => {
    expect(args.join(' ')).toBe(line);
  });

  it('after tar has taken the blobs from where they lie', () => {
    const args = archiveArguments('/d/image.tar', { directory: '/d', layout: '/l', files: ['oci-layout', 'blobs/x'] });
    expect(args.join(' ')).toBe('-cf /d/image.tar -C /l oci-layout blobs/x -C /d index.json manifest.json');
  });
});

describe('the engine', () => {
  it.each([
    [{ Os: 'linux', Arch: 'amd64' }, 'amd64'],
    [{ Os: 'linux', Arch: 'arm' }, 'arm'],
  ])('%o says what it runs', async (server, architecture) => {
    expect(await describeEngine(dockerThat(`out('${JSON.stringify(server)}')`))).toMatchObject({ architecture });
  });

  it.each([
    [
      "out('null'); err('Cannot connect to the Docker daemon at unix:///x.'); return 1",
      'DOCKER_MISSING',
      /no Docker engine answers: Cannot connect/,
    ],
    [`out('{"Os":"windows","Arch":"amd64"}')`, 'ENGINE_UNSUPPORTED', /runs windows containers, not Linux ones/],
  ])('that answers %s is refused', async (answers, code, message) => {
    await expect(describeEngine(dockerThat(answers))).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});

describe('the images of the engine', () => {
  const inspected = {
    Id: digest,
    Os: 'linux',
    Architecture: 'arm64',
    Variant: 'v8',
    RepoTags: ['myapp:1', `ghcr.io/acme/app@${other}`, 7, 'Not A Name'],
    RepoDigests: [`ghcr.io/acme/app@${other}`],
    Config: { Labels: { a: 'b', c: 1 } },
    Size: 12,
  };

  it('are those that are there, though others are missing', async () => {
    const docker = dockerThat(`out('${JSON.stringify(inspected)}'); err('No such image: x:1'); return 1`);
    expect(await inspectImages(docker, ['myapp:1', 'x:1'])).toEqual([
      {
        id: digest,
        names: new Set(['docker.io/library/myapp:1']),
        digests: new Set([other]),
        platform: { os: 'linux', architecture: 'arm64' },
        labels: { a: 'b' },
        sizeBytes: 12,
      },
    ]);
  });

  it.each([
    'null',
    '[]',
    '{}',
    'no JSON',
    JSON.stringify({ Id: 'x' }),
    JSON.stringify({ Id: digest, RepoTags: {}, Config: { Labels: [] } }),
    '\u001b[31m'.repeat(1000),
  ])('may be nonsense: %j', async (text) => {
    const images = await inspectImages(dockerThat(`out(${JSON.stringify(text)})`), ['x:1']);
    expect(images.every(({ names, labels }) => names.size === 0 && Object.keys(labels).length === 0)).toBe(true);
  });

  it('are not asked for when there is nothing to ask', async () => {
    expect(await inspectImages(dockerThat(''), [])).toEqual([]);
    expect(stub.calls()).toEqual([]);
  });
});

it('says in one line why a pull failed', async () => {
  const docker = dockerThat(`err('Error response from daemon:\\n\\u001b[31mdenied\\u0007\\n'); return 1`);
  expect(await pullImage(docker, 'x@y', { os: 'linux', architecture: 'amd64' })).toBe('denied\ufffd');
});

it('fails when a name is not taken', async () => {
  const docker = dockerThat(`err('no space left on device'); return 1`);
  await expect(tagImage(docker, digest, 'a:1')).rejects.toMatchObject({
    code: 'LOAD_FAILED',
    message: 'the engine did not name the image a:1: no space left on device',
    hint: expect.stringContaining('disk'),
  });
});
