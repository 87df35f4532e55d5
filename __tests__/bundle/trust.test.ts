import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { attachBundle } from '../../src/tools/sigstore-attachment.ts';
import { hashOf } from '../support/content-hash.ts';
import { installLayoutBuilder, type LayoutBuilder } from '../support/layout-builder.ts';
import { listen } from '../support/listen.ts';
import { type PlantedImage, plantImage } from '../support/planted-image.ts';
import { CHECKOUT, NODE_DIRECTORY, run } from '../support/programs.ts';
import { readTags } from '../support/publication.ts';
import { type ActionRun, runAction } from '../support/runner.ts';
import { findPlace, signAs } from '../support/signed-image.ts';
import { type Job, type SigstoreServices, startSigstore, subjectOf } from '../support/sigstore.ts';

/** Somebody who may push to the registry, and nothing more, puts an image there that looks like what a build would give. */

const COMMIT = 'a'.repeat(40);
const REPOSITORY = 'acme/app';
const MAIN: Job = { repository: REPOSITORY, ref: 'refs/heads/main' };
const TOPIC: Job = { repository: REPOSITORY, ref: 'refs/heads/topic' };
const TAG: Job = { repository: REPOSITORY, ref: 'refs/tags/v1.0.0' };
const STRANGER: Job = { repository: 'evil/app', ref: 'refs/heads/main' };
const SHARED = 'shared/ci/.github/workflows/build.yml';

let services: SigstoreServices;
let registry: RunningRegistry;
let directory: string;
let builder: LayoutBuilder;
let image: string;
let hash: string;

beforeAll(async () => {
  services = await startSigstore();
});
afterAll(() => services.close());
beforeEach(async () => {
  registry = await startRegistry();
  directory = mkdtempSync(join(tmpdir(), 'build-once-trust-'));
  builder = installLayoutBuilder(directory);
  mkdirSync(workspace());
  writeFileSync(join(workspace(), 'Dockerfile'), 'FROM scratch\nCOPY data /\n');
  writeFileSync(join(workspace(), 'data'), 'data '.repeat(1000));
  writeFileSync(join(directory, 'root.json'), services.trustedRoot);
  writeFileSync(join(directory, 'config.json'), services.signingConfig);
  image = `${registry.host}/acme/app`;
  hash = await hashOf(workspace());
});
afterEach(async () => {
  await registry.close();
  rmSync(directory, { recursive: true });
});

const workspace = (): string => join(directory, 'workspace');
const hashTag = (): string => `hash-${hash.slice(0, 32)}`;

/** The action as a push to this job's ref, which may ask for its token. */
const runAs = (job: Job, inputs: ActionRun['with'] = {}, env: ActionRun['env'] = {}) =>
  runAction({
    action: CHECKOUT,
    workspace: workspace(),
    with: {
      images: image,
      platforms: 'linux/amd64',
      sign: 'auto',
      'sigstore-trusted-root': join(directory, 'root.json'),
      'sigstore-signing-config': join(directory, 'config.json'),
      ...inputs,
    },
    event: { ref: job.ref, sha: COMMIT, repository: job.repository },
    env: { PATH: builder.path, ...services.jobEnv(job), ...env },
  });

/** Puts an image of this content there, and answers its digest. */
const plant = (more: Partial<PlantedImage> = {}): Promise<string> =>
  plantImage({ image, tags: [hashTag()], annotations: { 'dev.build-once.inputs': hash, made: 'by hand' }, ...more });

async function plantSigned(job: Job, tag = hashTag()): Promise<string> {
  const digest = await plant({ tags: [tag] });
  await signAs(services, await findPlace(image, tag), job);
  return digest;
}

const writes = (at = registry) =>
  at.requests.filter(({ method, status = 500 }) => method !== 'GET' && method !== 'HEAD' && status < 400);

describe('an image with the right annotation under the hash tag', () => {
  it('that nobody has signed is built again, replaced and then reused', async () => {
    const planted = await plant();
    const result = await runAs(MAIN);
    expect(result.status, result.log).toBe('success');
    expect(result.outputs).toMatchObject({ built: 'true', reason: 'untrusted' });
    expect(result.log).toContain(`${image}:${hashTag()} is ${planted}, which is not trusted: it is not signed`);
    const { digest = '' } = result.outputs;
    expect(digest).not.toBe(planted);
    expect(await readTags(image)).toMatchObject({ [hashTag()]: digest, main: digest });

    const again = await runAs(MAIN);
    expect(again.outputs, again.log).toMatchObject({ built: 'false', reason: 'hit', digest });
    expect(builder.builds()).toBe(1);
  });

  it.each<[string, Job, Job]>([
    ['the default branch', MAIN, TOPIC],
    ['the default branch, through a workflow of another repository', { ...MAIN, workflow: SHARED }, TOPIC],
    ['a tag', TAG, MAIN],
    ['a tag, for a branch', TAG, TOPIC],
    ['the same branch', TOPIC, TOPIC],
  ])('that a run signed for %s is reused', async (_, signer, job) => {
    const digest = await plantSigned(signer);
    const result = await runAs(job);
    expect(result.outputs, result.log).toMatchObject({ built: 'false', reason: 'hit', digest });
    expect(builder.builds()).toBe(0);
  });

  it.each<[string, Job, Job, string]>([
    ['another branch', TOPIC, MAIN, 'its source ref is "refs/heads/topic", not the default branch, a tag'],
    ['another branch, for a release', TOPIC, TAG, 'its source ref is "refs/heads/topic"'],
    ['another repository', STRANGER, MAIN, 'its source repository is "https://github.com/evil/app"'],
    [
      'another repository, through our own workflow',
      { ...STRANGER, workflow: `${REPOSITORY}/.github/workflows/release.yml` },
      MAIN,
      'its source repository is "https://github.com/evil/app"',
    ],
    ['somebody else', { ...MAIN, issuer: 'https://evil.example' }, MAIN, 'its issuer is "https://evil.example"'],
  ])('that a run signed for %s is built again', async (_, signer, job, why) => {
    const planted = await plantSigned(signer);
    const result = await runAs(job);
    expect(result.outputs, result.log).toMatchObject({ built: 'true', reason: 'untrusted' });
    expect(result.log).toContain(why);
    expect((await readTags(image))[hashTag()]).not.toBe(planted);
  });

  it('counts when one of its signatures does, and tells all reasons when none does', async () => {
    await plantSigned(STRANGER);
    await signAs(services, await findPlace(image, hashTag()), TOPIC);
    const explained = await runAs(MAIN, { push: 'false', trust: 'signed' });
    expect(explained.outputs).toMatchObject({ reason: 'untrusted' });
    expect(explained.log).toMatch(/none of its signatures counts: .*refs\/heads\/topic.*; .*evil\/app/);
    await signAs(services, await findPlace(image, hashTag()), MAIN);
    expect((await runAs(MAIN)).outputs).toMatchObject({ reason: 'hit' });
  });

  it('is reused whoever made it with trust: hash', async () => {
    const digest = await plant();
    const result = await runAs(MAIN, { trust: 'hash' });
    expect(result.outputs, result.log).toMatchObject({ built: 'false', reason: 'hit', digest });
  });

  it.each<[string, ActionRun['with'], boolean]>([
    ['the subject of its signer', { 'trust-identity': `https://github.com/${SHARED}@refs/tags/v3` }, true],
    ['a pattern for it', { 'trust-identity': String.raw`/https:\/\/github\.com\/shared\/.+/` }, true],
    [
      'it and its issuer',
      {
        'trust-identity': String.raw`/https:\/\/github\.com\/shared\/.+/`,
        'trust-issuer': 'https://token.actions.githubusercontent.com',
      },
      true,
    ],
    ['another issuer', { 'trust-identity': String.raw`/.+/`, 'trust-issuer': 'https://accounts.example' }, false],
    ['a part of it', { 'trust-identity': `https://github.com/${SHARED}` }, false],
  ])('of another repository counts by trust-identity or not: %s', async (_, inputs, counts) => {
    await plantSigned({ repository: 'shared/images', ref: 'refs/tags/v3', workflow: SHARED });
    const result = await runAs(MAIN, inputs);
    expect(result.outputs['reason'], result.log).toBe(counts ? 'hit' : 'untrusted');
  });

  it('ends the run with trust-strict, before anything is written or built', async () => {
    const planted = await plant();
    registry.forgetRequests();
    const result = await runAs(MAIN, { 'trust-strict': 'true' });
    expect(result).toMatchObject({ status: 'failure', exitCode: 3 });
    expect(result.log).toMatch(new RegExp(`UNTRUSTED.*${planted}`, 's'));
    expect([writes(), builder.builds()]).toEqual([[], 0]);
  });

  it('is not asked about with force, and replaced', async () => {
    await plant();
    const result = await runAs(MAIN, { force: 'true', 'trust-strict': 'true' });
    expect(result.outputs, result.log).toMatchObject({ built: 'true', reason: 'forced' });
  });

  it('is judged in a registry without the referrers API as well', async () => {
    const plain = await startRegistry({ referrers: false });
    onTestFinished(() => plain.close());
    image = `${plain.host}/acme/app`;
    await plantSigned(TOPIC);
    expect((await runAs(MAIN)).outputs).toMatchObject({ reason: 'untrusted' });
    expect((await runAs(MAIN)).outputs).toMatchObject({ reason: 'hit' });
  });
});

describe('a signature', () => {
  it('that was moved here from another image does not count', async () => {
    await plantSigned(MAIN, 'sound');
    const sound = await findPlace(image, 'sound');
    const planted = await plant({ environment: ['EVIL=1'] });
    const place = await findPlace(image, hashTag());
    for await (const artifact of sound.repository.referrers(sound.image)) {
      const manifest = await sound.repository.fetch({ digest: artifact.digest });
      const [layer] = JSON.parse(Buffer.from((await manifest?.bytes()) ?? []).toString()).layers;
      const blob = await sound.repository.fetch({ ...layer, sizeBytes: layer.size });
      const bundle = Buffer.from((await blob?.bytes(1 << 20)) ?? []).toString();
      const predicateType = 'https://sigstore.dev/cosign/sign/v1';
      await attachBundle(place.repository, { image: place.image, bundle, predicateType, created: new Date() });
    }
    const result = await runAs(MAIN);
    expect(result.outputs, result.log).toMatchObject({ reason: 'untrusted' });
    expect(result.log).toContain(
      `${planted}, which is not trusted: none of its signatures counts: it is about sha256:`,
    );
  });

  it('that was deleted does not count', async () => {
    await plant();
    const place = await findPlace(image, hashTag());
    const artifact = await signAs(services, place, MAIN);
    await place.repository.delete(artifact.digest);
    const result = await runAs(MAIN);
    expect(result.outputs, result.log).toMatchObject({ reason: 'untrusted' });
    expect(result.log).toContain('it is not signed');
  });
});

describe('an immutable tag', () => {
  const release = (inputs: ActionRun['with'] = {}) =>
    runAs(TAG, { tags: 'type=semver,pattern={{version}}', ...inputs });

  it.each([
    ['nobody has signed', undefined, 'it is not signed'],
    ['a branch has signed', TOPIC, 'its source ref is "refs/heads/topic"'],
  ])('with an image that %s cannot be replaced and is not taken', async (_, signer, why) => {
    const planted = signer === undefined ? await plant({ tags: ['1.0.0'] }) : await plantSigned(signer, '1.0.0');
    registry.forgetRequests();
    const result = await release();
    expect(result).toMatchObject({ status: 'failure', exitCode: 3 });
    expect(result.log).toContain('UNTRUSTED_RELEASE');
    expect(result.log).toContain(`${image}:1.0.0 is immutable and holds an image that is not trusted, ${planted}: `);
    expect(result.log).toContain(why);
    expect([writes(), builder.builds()]).toEqual([[], 0]);
  });

  it('with an image that is trusted stands', async () => {
    const digest = await plantSigned(MAIN, '1.0.0');
    expect((await release()).outputs).toMatchObject({ built: 'false', reason: 'hit', digest });
  });

  it('stands with trust: hash', async () => {
    const digest = await plant({ tags: ['1.0.0'] });
    expect((await release({ trust: 'hash' })).outputs).toMatchObject({ built: 'false', reason: 'hit', digest });
  });

  it('with another release is the conflict that it is', async () => {
    await plant({ tags: ['1.0.0'], annotations: { 'dev.build-once.inputs': 'e'.repeat(64) } });
    expect((await release()).log).toContain('IMMUTABLE_TAG_EXISTS');
  });
});

describe('of several repositories', () => {
  let mirror: string;
  beforeEach(() => {
    mirror = `${registry.host}/acme/mirror`;
  });
  const publish = (inputs: ActionRun['with'] = {}) => runAs(MAIN, { images: `${image}\n${mirror}`, ...inputs });
  const annotations = () => ({ 'dev.build-once.inputs': hash, made: 'by a stranger' });

  it('one with a trusted image is enough, and the other one gets it', async () => {
    const planted = await plantImage({ image, tags: [hashTag()], annotations: annotations() });
    const elsewhere = image;
    image = mirror;
    const digest = await plantSigned(MAIN);
    image = elsewhere;
    const result = await publish();
    expect(result.outputs, result.log).toMatchObject({ built: 'false', reason: 'hit', digest });
    expect(digest).not.toBe(planted);
    expect([(await readTags(image))[hashTag()], (await readTags(mirror))[hashTag()]]).toEqual([digest, digest]);
    expect(result.log).toContain(`${planted}, which is not trusted`);
  });

  it('an untrusted one is the reason to build where the other has none', async () => {
    await plantImage({ image: mirror, tags: [hashTag()], annotations: annotations() });
    const result = await publish();
    expect(result.outputs, result.log).toMatchObject({ built: 'true', reason: 'untrusted' });
  });

  it('with trust-strict, one that is not trusted ends the run; the same bytes are trusted everywhere', async () => {
    const digest = await plantSigned(MAIN);
    await plantImage({ image: mirror, tags: [hashTag()], annotations: annotations() });
    expect(await publish({ 'trust-strict': 'true' })).toMatchObject({ exitCode: 3 });
    await plant({ image: mirror });
    const result = await publish({ 'trust-strict': 'true' });
    expect(result.outputs, result.log).toMatchObject({ reason: 'hit', digest });
  });
});

describe('an image that appears during the build', () => {
  /** A docker that asks for this before it builds. */
  async function during(work: () => Promise<unknown>): Promise<ActionRun['env']> {
    const server = createServer((_, response) => {
      void work().then(
        () => response.end(),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    });
    const address = await listen(server);
    onTestFinished(() => void server.close());
    const early = join(directory, 'early');
    mkdirSync(early);
    const ask = `fetch('http://${address}').then(({ ok }) => process.exit(ok ? 0 : 1))`;
    const lines = [
      '#!/bin/sh',
      `if [ "$2" = build ]; then '${join(NODE_DIRECTORY, 'node')}' -e "${ask}" || exit 1; fi`,
      `exec '${join(directory, 'bin/docker')}' "$@"`,
      '',
    ];
    writeFileSync(join(early, 'docker'), lines.join('\n'), { mode: 0o755 });
    return { PATH: `${early}:${builder.path}` };
  }

  it('behind the hash tag is taken when it is trusted', async () => {
    const planted = { digest: '' };
    const env = await during(async () => {
      planted.digest = await plantSigned(MAIN);
    });
    const result = await runAs(MAIN, {}, env);
    expect(result.outputs, result.log).toMatchObject({ built: 'true', digest: planted.digest });
    expect(await readTags(image)).toMatchObject({ [hashTag()]: planted.digest, main: planted.digest });
  });

  it('and is taken for a release is signed by the release as well', async () => {
    const env = await during(() => plantSigned(MAIN));
    const result = await runAs(TAG, {}, env);
    expect(result.outputs, result.log).toMatchObject({ version: '1.0.0', signed: 'true' });
    const flags = ['--trust-identity', subjectOf(TAG), '--sigstore-trusted-root', join(directory, 'root.json')];
    const argv = [join(NODE_DIRECTORY, 'node'), join(CHECKOUT, 'dist/cli.js'), 'verify', `${image}:1.0.0`] as const;
    expect(await run([...argv, ...flags], { cwd: directory })).toMatchObject({ status: 0 });
  });

  it('behind the hash tag is replaced when it is not', async () => {
    const planted = { digest: '' };
    const env = await during(async () => {
      planted.digest = await plantSigned(TOPIC);
    });
    const result = await runAs(MAIN, {}, env);
    expect(result.status, result.log).toBe('success');
    expect(result.outputs['digest']).not.toBe(planted.digest);
    expect((await readTags(image))[hashTag()]).toBe(result.outputs['digest']);
    expect(result.log).toContain(`${planted.digest} was published meanwhile, and is not trusted`);
  });

  it('behind an immutable tag ends the run when it is not trusted, and no tag is set', async () => {
    const env = await during(() => plant({ tags: ['1.0.0'] }));
    const result = await runAs(TAG, {}, env);
    expect(result).toMatchObject({ status: 'failure', exitCode: 3 });
    expect(result.log).toContain('UNTRUSTED_RELEASE');
    expect(Object.keys(await readTags(image)).filter((tag) => !tag.startsWith('sha256-'))).toEqual(['1.0.0']);
  });
});
