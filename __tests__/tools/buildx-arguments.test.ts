import { describe, expect, it } from 'vitest';
import type { BuildSettings } from '../../src/core/build-options.ts';
import {
  type BuildCall,
  buildArguments,
  provenanceArgument,
  secretVariables,
} from '../../src/tools/buildx-arguments.ts';
import { buildSettings } from './build-settings.ts';

const call = (settings: Partial<BuildSettings>, change: Partial<BuildCall> = {}): readonly string[] =>
  buildArguments({
    settings: buildSettings(settings),
    builder: 'b',
    destination: { kind: 'layout', path: '/tmp/out' },
    metadataFile: '/tmp/m.json',
    origin: undefined,
    ...change,
  });

it('names the builder, the files and the platforms, and ends with the context', () => {
  expect(call({})).toEqual([
    'buildx',
    'build',
    '--builder=b',
    '--progress=plain',
    '--metadata-file=/tmp/m.json',
    '--output=type=oci,tar=false,dest=/tmp/out',
    '--file=/work/Dockerfile',
    '--platform=linux/amd64,linux/arm64',
    '--',
    '/work',
  ]);
});

it('pushes by digest, without a tag', () => {
  const destination = { kind: 'push', repository: { registry: 'ghcr.io', path: 'acme/app' } } as const;
  expect(call({}, { destination })).toContain(
    '--output=type=image,name=ghcr.io/acme/app,push-by-digest=true,name-canonical=true,push=true,oci-mediatypes=true',
  );
});

it('makes an index of a single platform too, whatever the build args say', () => {
  const args = call({ platforms: [{ os: 'linux', architecture: 'arm64' }], buildArgs: ['BUILDKIT_MULTI_PLATFORM=0'] });
  expect(args.filter((arg) => arg.startsWith('--build-arg='))).toEqual([
    '--build-arg=BUILDKIT_MULTI_PLATFORM=0',
    '--build-arg=BUILDKIT_MULTI_PLATFORM=1',
  ]);
});

it.each<[keyof BuildSettings, Partial<BuildSettings>, readonly string[]]>([
  ['target', { target: 'final' }, ['--target=final']],
  ['buildArgs', { buildArgs: ['A=1,2\n3', 'B'] }, ['--build-arg=A=1,2\n3', '--build-arg=B']],
  ['buildContexts', { buildContexts: [{ name: 'src', value: '../x' }] }, ['--build-context=src=../x']],
  ['labels', { labels: ['a="b", c'] }, ['--label=a="b", c']],
  ['ssh', { ssh: ['default'] }, ['--ssh=default']],
  ['addHosts', { addHosts: ['db:10.0.0.1'] }, ['--add-host=db:10.0.0.1']],
  ['allow', { allow: ['network.host', 'fs=*', 'ssh'] }, ['--allow=network.host']],
  ['network', { network: 'none' }, ['--network=none']],
  ['noCache', { noCache: true }, ['--no-cache']],
  ['noCacheFilters', { noCacheFilters: ['deps'] }, ['--no-cache-filter=deps']],
  ['pull', { pull: true }, ['--pull']],
  ['shmSize', { shmSize: '2gb' }, ['--shm-size=2gb']],
  ['ulimit', { ulimit: ['nofile=1024:1024'] }, ['--ulimit=nofile=1024:1024']],
  ['cgroupParent', { cgroupParent: '/x' }, ['--cgroup-parent=/x']],
  ['provenance', { provenance: 'mode=max' }, ['--provenance=mode=max']],
  ['sbom', { sbom: 'true' }, ['--sbom=true']],
  ['attests', { attests: ['type=sbom,generator=x'] }, ['--attest=type=sbom,generator=x']],
  ['cacheFrom', { cacheFrom: ['type=gha,scope=x'] }, ['--cache-from=type=gha,scope=x']],
  ['cacheTo', { cacheTo: ['type=gha,scope=x,mode=max'] }, ['--cache-to=type=gha,scope=x,mode=max']],
])('passes %s on', (_, settings, expected) => {
  const plain = new Set(call({}));
  expect(call(settings).filter((arg) => !plain.has(arg))).toEqual(expected);
});

describe('a hostile value', () => {
  it.each(['--push', '-f', '; rm -rf /', '$(id)', '\n--load'])('%j stays behind its flag', (text) => {
    const args = call({ target: text, labels: [text], buildArgs: [text], addHosts: [text], context: `/${text}` });
    expect(args.filter((arg) => arg === text)).toEqual([]);
    expect(args.slice(-2)).toEqual(['--', `/${text}`]);
  });

  it('cannot add attributes where buildx reads CSV', () => {
    const args = call(
      { secretFiles: [{ id: 'a,env=HOME', path: '/x,"y"' }] },
      { destination: { kind: 'layout', path: '/o,push=true' } },
    );
    expect(args).toContain('--secret="id=a,env=HOME","src=/x,""y"""');
    expect(args).toContain('--output=type=oci,tar=false,"dest=/o,push=true"');
  });
});

describe('a secret', () => {
  const secrets = [
    { id: 'one', value: 'hunter2' },
    { id: 'two,x', value: 'line\nline' },
  ];

  it('is named in argv and travels in the environment', () => {
    const args = call({ secrets, secretEnvs: [{ id: 'three', env: 'THREE' }] });
    expect(args.filter((arg) => arg.startsWith('--secret='))).toEqual([
      '--secret=id=one,env=BUILD_ONCE_SECRET_0',
      '--secret="id=two,x",env=BUILD_ONCE_SECRET_1',
      '--secret=id=three,env=THREE',
    ]);
    expect(args.join(' ')).not.toContain('hunter2');
    expect(secretVariables({ secrets })).toEqual({ BUILD_ONCE_SECRET_0: 'hunter2', BUILD_ONCE_SECRET_1: 'line\nline' });
  });
});

it.each([
  ['k=v', 'index,manifest:k=v'],
  ['a:b=c', 'index,manifest:a:b=c'],
  ['index:k=v', 'index:k=v'],
  ['manifest,index:k=v', 'manifest,index:k=v'],
  ['manifest[linux/arm64]:k=v', 'manifest[linux/arm64]:k=v'],
  ['index-descriptor:k=v', 'index-descriptor:k=v'],
  ['indexes:k=v', 'index,manifest:indexes:k=v'],
])('the annotation %s goes to %s', (annotation, leveled) => {
  expect(call({ annotations: [annotation] })).toContain(`--annotation=${leveled}`);
});

describe('the provenance', () => {
  const url = 'https://github.com/acme/app/actions/runs/1/attempts/1';

  it.each<[string | undefined, boolean | undefined, string | undefined]>([
    [undefined, false, `mode=max,builder-id=${url}`],
    [undefined, true, `mode=min,inline-only=true,builder-id=${url}`],
    [undefined, undefined, `mode=min,inline-only=true,builder-id=${url}`],
    ['true', false, `builder-id=${url}`],
    ['false', false, 'false'],
    ['mode=max', true, `mode=max,builder-id=${url}`],
    ['mode=max,builder-id=mine', true, 'mode=max,builder-id=mine'],
  ])('asked for as %j in a run that is private: %j, is %j', (given, isPrivate, expected) => {
    expect(provenanceArgument(given, { url, isPrivate })).toBe(expected);
  });

  it.each([undefined, 'true', 'false', 'mode=max'])('outside of CI is as given: %j', (given) => {
    expect(provenanceArgument(given, undefined)).toBe(given);
  });

  it('is not asked for twice', () => {
    const origin = { url, isPrivate: false };
    const args = call({ attests: ['type=provenance,mode=min'] }, { origin });
    expect(args.filter((arg) => arg.includes('provenance'))).toEqual(['--attest=type=provenance,mode=min']);
  });
});
