import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import type { InputManifest } from '../../src/core/input-manifest.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { type Finished, runCommand } from '../../src/pipeline.ts';
import { type Fault, type FaultyRegistry, type Passing, serveFaulty } from '../registry/faulty-registry.ts';
import { openRepository } from '../registry/open-repository.ts';
import { plantBuild, readManifest } from '../support/planted-build.ts';
import { plantImage } from '../support/planted-image.ts';

const PLATFORM = 'linux/amd64';

interface Setting {
  readonly server: FaultyRegistry;
  /** Puts an image of this run's content, or of `hash`, behind a tag; its digest. */
  readonly plant: (tag: string, note: string, hash?: string) => Promise<string>;
  /** The same, with its inputs attached: this run's, but for the change. */
  readonly plantRecorded: (tag: string, change: (manifest: InputManifest) => Partial<InputManifest>) => Promise<string>;
  readonly run: (tags: string) => Promise<Finished>;
  readonly digestOf: (tag: string) => Promise<string | undefined>;
  readonly hashTag: string;
}

/** A checkout whose image can be reused, and a registry that answers by `faultOf`. */
async function prepare(
  faultOf: (request: Passing) => Fault | undefined,
  dockerfile = 'FROM scratch\nCOPY Dockerfile /\n',
): Promise<Setting> {
  const workspace = mkdtempSync(join(tmpdir(), 'tag-stage-'));
  onTestFinished(() => rmSync(workspace, { recursive: true }));
  writeFileSync(join(workspace, 'Dockerfile'), dockerfile);
  const server = await serveFaulty(faultOf);
  const host = createTerminalHost({
    cwd: workspace,
    write: () => {},
    env: { PATH: '/nonexistent', DOCKER_CONFIG: '/nonexistent' },
  });
  const own = { platforms: PLATFORM };
  const { report, manifest } = await runCommand('hash', own, host);
  const hash = report.hash ?? '';
  const hashTag = `hash-${hash.slice(0, 32)}`;
  return {
    server,
    hashTag,
    run: (tags) => runCommand('build', { ...own, scan: 'false', images: `${server.host}/acme/app`, tags }, host),
    plant: (tag, note, content = hash) =>
      plantImage({
        image: `${server.sound.host}/acme/app`,
        tags: [tag],
        annotations: { 'dev.build-once.inputs': content, note },
      }),
    plantRecorded: (tag, change) => {
      const own = readManifest(manifest?.());
      return plantBuild({ ...own, ...change(own) }, { image: `${server.sound.host}/acme/app`, tags: [tag] });
    },
    digestOf: async (tag) => (await openRepository(server.sound.host).resolve({ tag }))?.digest,
  };
}

describe('on a registry with immutable tags', () => {
  /** Refuses to set the tag; another run has done so at that very moment. */
  const refusing = (tag: string, meanwhile: () => Promise<unknown>) => (request: Passing) =>
    request.method === 'PUT' && request.path.endsWith(`/manifests/${tag}`)
      ? {
          answer: (response: { writeHead(status: number): { end(): unknown } }) =>
            void meanwhile().then(() => response.writeHead(409).end()),
        }
      : undefined;

  test('the image of the run that was quicker is used', async () => {
    const other: { digest: string | undefined } = { digest: undefined };
    const setting: Setting = await prepare((request) =>
      refusing('1.2.3', async () => {
        other.digest ??= await setting.plant('1.2.3', 'theirs');
      })(request),
    );
    const ours = await setting.plant(setting.hashTag, 'ours');
    const { error } = await setting.run('1.2.3');
    expect(error).toBeUndefined();
    expect(other.digest).not.toBe(ours);
    expect([await setting.digestOf('1.2.3'), await setting.digestOf(setting.hashTag)]).toEqual([
      other.digest,
      other.digest,
    ]);
  });

  test.each<[string, (manifest: InputManifest) => Partial<InputManifest>, boolean]>([
    ['used when it differs in nothing but base images', () => ({}), true],
    ['refused when it differs in more', () => ({ salt: 'x' }), false],
    [
      'refused when it differs in another digest',
      ({ targets }) => ({
        targets: targets.map((target) => ({
          ...target,
          instructions: target.instructions.map((line) => line.replace(/^ARG V=.*/, `ARG V=${digestOf('v')}`)),
        })),
      }),
      false,
    ],
  ])('the release of the run that was quicker is %s', async (_, change, isUsed) => {
    const base = `127.0.0.1:1/base@${digestOf('now')}`;
    const other: { digest: string | undefined } = { digest: undefined };
    const setting: Setting = await prepare(
      (request) =>
        refusing('1.2.3', async () => {
          other.digest ??= await setting.plantRecorded('1.2.3', (own) => ({
            images: { [base]: digestOf('then') },
            ...change(own),
          }));
        })(request),
      `FROM ${base}\nARG V=${digestOf('now')}\nCOPY Dockerfile /\n`,
    );
    const ours = await setting.plant(setting.hashTag, 'ours');
    const { error, report } = await setting.run('1.2.3');
    expect(error).toEqual(isUsed ? undefined : expect.objectContaining({ code: 'IMMUTABLE_TAG_EXISTS' }));
    expect(await setting.digestOf('1.2.3')).toBe(other.digest);
    // It stands for this run's content, which theirs is not.
    expect(await setting.digestOf(setting.hashTag)).toBe(ours);
    if (isUsed) expect(report.outputs.digest).toBe(other.digest);
  });

  test('another release that was quicker is refused for safety', async () => {
    const setting: Setting = await prepare((request) =>
      refusing('1.2.3', () => setting.plant('1.2.3', 'theirs', 'f'.repeat(64)))(request),
    );
    await setting.plant(setting.hashTag, 'ours');
    const { error } = await setting.run('1.2.3');
    expect(error).toMatchObject({ code: 'IMMUTABLE_TAG_EXISTS', exitCode: 3 });
  });

  test('a moving tag that may not move is refused for safety, and stays', async () => {
    const setting = await prepare(refusing('edge', () => Promise.resolve()));
    await setting.plant(setting.hashTag, 'ours');
    const before = await setting.plant('edge', 'before');
    const { error } = await setting.run('edge');
    expect(error).toMatchObject({ code: 'IMMUTABLE_TAG', exitCode: 3, message: expect.stringContaining(before) });
    expect(await setting.digestOf('edge')).toBe(before);
  });
});

test.each(['what it was before', 'nothing'])('a registry that shows %s for a moment is asked again', async (what) => {
  const state = { isSet: false, stale: 2, before: '' };
  const setting = await prepare(({ method, path }) => {
    if (!path.endsWith('/manifests/edge')) return undefined;
    state.isSet ||= method === 'PUT';
    if (method !== 'HEAD' || !state.isSet || state.stale === 0) return undefined;
    state.stale -= 1;
    const headers = {
      'content-type': 'application/vnd.oci.image.index.v1+json',
      'content-length': '2',
      'docker-content-digest': state.before,
    };
    return {
      answer: (response) => (what === 'nothing' ? response.writeHead(404) : response.writeHead(200, headers)).end(),
    };
  });
  const ours = await setting.plant(setting.hashTag, 'ours');
  state.before = await setting.plant('edge', 'before');
  const { error, report } = await setting.run('edge');
  expect(error).toBeUndefined();
  expect(state.stale).toBe(0);
  expect(await setting.digestOf('edge')).toBe(ours);
  expect(report.tags.find(({ reference }) => reference.endsWith(':edge'))?.outcome).toBe('moved');
});

test('a version line goes back to a higher release that came as the tag was set', async () => {
  const higher: { digest: string | undefined } = { digest: undefined };
  const setting: Setting = await prepare(({ method, path }) => {
    if (method !== 'PUT' || !path.endsWith('/manifests/latest') || higher.digest !== undefined) return undefined;
    higher.digest = 'soon';
    // The list of tags has been read; the other run does all its work now, and this request comes once more.
    const otherRun = async (): Promise<void> => {
      higher.digest = await setting.plant('2.0.1', 'theirs', 'f'.repeat(64));
      await setting.plant('latest', 'theirs', 'f'.repeat(64));
    };
    return { answer: (response) => void otherRun().then(() => response.writeHead(503).end()) };
  });
  const ours = await setting.plant(setting.hashTag, 'ours');
  const { error, report } = await setting.run('type=semver,pattern={{version}},value=1.9.1');
  expect(error).toBeUndefined();
  expect(await setting.digestOf('1.9.1')).toBe(ours);
  expect(await setting.digestOf('latest')).toBe(higher.digest);
  expect(report.tags.find(({ reference }) => reference.endsWith(':latest'))).toMatchObject({
    outcome: 'kept: stays, 2.0.1 is higher',
  });
});
