import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { parseDigest } from '../../src/core/digest.ts';
import type { RunningRegistry } from '../../src/registry/server.ts';
import { hashOf } from '../support/content-hash.ts';
import { fork, pullRequest } from '../support/event-payloads.ts';
import { installLayoutBuilder, type LayoutBuilder } from '../support/layout-builder.ts';
import { plantBundle } from '../support/planted-bundle.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT, NODE_DIRECTORY, run } from '../support/programs.ts';
import { type ActionResult, type ActionRun, runAction } from '../support/runner.ts';
import type { RunnerEvent } from '../support/runner-environment.ts';
import { makeDirectory, openRegistry, openSigstore } from '../support/signing.ts';
import type { SigstoreServices } from '../support/sigstore.ts';
import { openByName } from '../support/trivy-database.ts';

const RELEASE = { ref: 'refs/tags/v1.2.3', sha: 'a'.repeat(40) };
const RELEASED = ['1.2.3', '1.2', '1', 'latest'];
const BRANCH = { ref: 'refs/heads/main', sha: 'a'.repeat(40) };
const PRIVATE = { repository: { full_name: 'acme/app', private: true, default_branch: 'main' } };
const IDENTITY = 'https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1.2.3';

let sigstore: SigstoreServices;
let registry: RunningRegistry;
let directory: string;
let workspace: string;
let image: string;
beforeEach(async () => {
  sigstore = await openSigstore();
  registry = await openRegistry();
  directory = makeDirectory();
  workspace = join(directory, 'workspace');
  mkdirSync(workspace);
  image = `${registry.host}/acme/app`;
  writeFileSync(join(workspace, 'Dockerfile'), 'FROM scratch\nCOPY data /\n');
  writeFileSync(join(workspace, '.dockerignore'), '*.json\n');
  writeFileSync(join(workspace, 'data'), 'data');
  writeFileSync(join(workspace, 'root.json'), sigstore.trustedRoot);
  writeFileSync(join(workspace, 'config.json'), sigstore.signingConfig);
});

async function plant(to = image): Promise<string> {
  const hash = await hashOf(workspace);
  const annotations = { 'dev.build-once.inputs': hash };
  return plantImage({ image: to, tags: [`hash-${hash.slice(0, 32)}`], annotations });
}

interface StepSettings extends Pick<ActionRun, 'env' | 'interrupt'> {
  readonly event?: RunnerEvent;
  /** The job lacks `id-token: write`. */
  readonly withoutToken?: true;
  readonly builder?: LayoutBuilder;
}

function step(
  inputs: Readonly<Record<string, string>> = {},
  { event = RELEASE, withoutToken, builder, env = {}, ...more }: StepSettings = {},
): Promise<ActionResult> {
  const job = { repository: 'acme/app', ref: event.ref ?? '' };
  return runAction({
    action: CHECKOUT,
    workspace,
    ...more,
    with: {
      images: image,
      platforms: 'linux/amd64',
      sign: 'keyless',
      trust: 'hash',
      'sigstore-trusted-root': 'root.json',
      'sigstore-signing-config': 'config.json',
      ...inputs,
    },
    event,
    env: {
      PATH: builder?.path ?? NODE_DIRECTORY,
      HOME: directory,
      ...(withoutToken === true ? {} : sigstore.jobEnv(job)),
      ...env,
    },
  });
}

const cli = (...args: string[]) =>
  run([join(NODE_DIRECTORY, 'node'), join(CHECKOUT, 'dist/cli.js'), ...args], {
    cwd: workspace,
    env: { PATH: NODE_DIRECTORY, HOME: directory },
  });

const verify = (reference: string, ...more: string[]) =>
  cli('verify', reference, `--trust-identity=${IDENTITY}`, '--sigstore-trusted-root=root.json', ...more);

const entries = (): number => sigstore.requests.filter((one) => one === 'POST /api/v1/log/entries').length;

/** The tags that were written, in this order; what is pushed by its digest is `image`, `bundle` and the like is nobody's tag. */
function puts({ requests }: RunningRegistry = registry): readonly string[] {
  return requests
    .filter(({ method, path }) => method === 'PUT' && path.includes('/manifests/'))
    .map(({ path }) => path.replace(/^.*\/manifests\//, ''))
    .map((name) => (name.startsWith('sha256:') ? 'by digest' : name.replace(/^(hash)-.*/, '$1')));
}

const tagsWritten = (): readonly string[] => puts().filter((name) => name !== 'by digest');

describe('a run that signs', () => {
  it('signs the index and each platform before the tags, once, and says how to verify it', async () => {
    const digest = await plant();
    const first = await step();
    expect(first.status, first.log).toBe('success');
    expect(first.outputs).toMatchObject({ signed: 'true', digest });
    expect(first.outputs['verify-command']).toBe(
      `cosign verify --certificate-identity ${IDENTITY} --certificate-oidc-issuer https://token.actions.githubusercontent.com --certificate-github-workflow-repository acme/app --trusted-root root.json ${image}@${digest}`,
    );
    // The index, the platform, and that this release reuses it.
    expect(entries()).toBe(3);
    const second = await step();
    expect(second.outputs).toMatchObject({ signed: 'true', digest });
    expect(entries()).toBe(3);
    expect(second.log).toContain('0 signed, 2 signed before');
  });

  it('says once what that publishes, and not when nothing is new', async () => {
    await plant();
    const said = async (): Promise<number> => ((await step()).log.match(/publishes in the log that/g) ?? []).length;
    expect([await said(), await said()]).toEqual([1, 0]);
  });

  it('pushes by digest, signs, and sets the hash tag, the version and the moving tags, latest last', async () => {
    const builder = installLayoutBuilder(directory);
    const result = await step({ platforms: 'linux/amd64,linux/arm64' }, { builder });
    expect(result, result.log).toMatchObject({ status: 'success', outputs: { built: 'true', signed: 'true' } });
    const order = puts();
    expect(order.slice(order.indexOf('hash'))).toEqual(['hash', ...RELEASED]);
    expect(order.slice(0, order.indexOf('hash')).every((name) => name === 'by digest')).toBe(true);
    // The index, two platforms, where it comes from, and what it was built from.
    expect(entries()).toBe(5);
    for (const digest of [
      result.outputs['digest'],
      ...Object.values(JSON.parse(result.outputs['platforms-digests'] ?? '')),
    ])
      expect(await verify(`${image}@${String(digest)}`)).toMatchObject({ status: 0 });
  });

  it('goes on where strangers have attached what cannot be read', async () => {
    const digest = parseDigest(await plant());
    const { repository, close } = openByName(image);
    const descriptor = digest && (await repository.resolve({ digest }));
    if (descriptor === undefined) throw new Error('the image is not there');
    await plantBundle(repository, descriptor, { sizeBytes: 1000, saysBytes: 2000 });
    close();
    const result = await step();
    expect(result.outputs, result.log).toMatchObject({ signed: 'true' });
    const { status, stdout } = await verify(`${image}:1.2.3`);
    expect([status, stdout]).toEqual([0, expect.stringContaining('does not count')]);
  });

  it('shows no token of the job anywhere', async () => {
    await plant();
    const secret = 'password-of-the-key';
    const result = await step({ 'sign-key-password': secret });
    expect(result.status, result.log).toBe('success');
    const shown = [result.log, result.summary, JSON.stringify(result.outputs), JSON.stringify(result.state)].join('\n');
    expect(shown).not.toContain(secret);
    expect(shown).not.toMatch(/eyJ[\w-]+\.eyJ/);
    // Masked before anything else could print it.
    expect(result.stdout).toMatch(/::add-mask::eyJ[\w-]+\.eyJ/);
  });
});

describe('what is signed', () => {
  const TOKEN_HINT = 'id-token: write';

  it('keyless without an id-token: the run fails before any request, and names the permission', async () => {
    await plant();
    registry.forgetRequests();
    const result = await step({}, { withoutToken: true });
    expect(result).toMatchObject({ status: 'failure', exitCode: 2, log: expect.stringContaining(TOKEN_HINT) });
    expect([...registry.requests, ...sigstore.requests]).toEqual([]);
  });

  it('with a key that is not given: bad input before any request', async () => {
    registry.forgetRequests();
    const result = await step({ sign: 'key' });
    expect(result).toMatchObject({
      status: 'failure',
      exitCode: 2,
      log: expect.stringContaining('key needs sign-key'),
    });
    expect([...registry.requests, ...sigstore.requests]).toEqual([]);
  });

  it('by default in a public repository whose job may have a token', async () => {
    await plant();
    const result = await step({ sign: 'auto' });
    expect(result.outputs, result.log).toMatchObject({ signed: 'true' });
    expect(entries()).toBe(3);
  });

  it.each<{
    readonly what: string;
    readonly inputs?: Readonly<Record<string, string>>;
    readonly settings: StepSettings;
    /** What is said of it: how loud, and what. */
    readonly said?: readonly ['notice' | 'warning', string];
    readonly tags: readonly string[];
  }>([
    {
      what: 'a public repository without an id-token',
      settings: { event: BRANCH, withoutToken: true },
      said: ['notice', TOKEN_HINT],
      tags: ['main'],
    },
    {
      what: 'its release',
      settings: { withoutToken: true },
      said: ['warning', TOKEN_HINT],
      tags: RELEASED,
    },
    {
      what: 'a private repository',
      settings: { event: { ...BRANCH, payload: PRIVATE } },
      tags: ['main'],
    },
    {
      what: 'its release',
      settings: { event: { ...RELEASE, payload: PRIVATE } },
      said: ['warning', 'sign: keyless'],
      tags: RELEASED,
    },
    {
      what: 'a repository of another server',
      settings: { event: BRANCH, env: { GITHUB_SERVER_URL: 'https://git.example' } },
      tags: ['main'],
    },
    { what: 'sign: none', inputs: { sign: 'none' }, settings: {}, tags: RELEASED },
    { what: 'push: false', inputs: { push: 'false' }, settings: {}, tags: [] },
    { what: 'push: false, keyless', inputs: { push: 'false', sign: 'keyless' }, settings: {}, tags: [] },
    {
      what: "a stranger's pull request, keyless",
      inputs: { sign: 'keyless' },
      settings: {
        event: {
          name: 'pull_request',
          ref: 'refs/pull/7/merge',
          headRef: 'topic',
          baseRef: 'main',
          payload: pullRequest(fork('mallory/app')),
        },
        withoutToken: true,
      },
      tags: [],
    },
  ])('nothing, and nobody is asked: $what', async ({ inputs = {}, settings, said, tags }) => {
    await plant();
    registry.forgetRequests();
    const result = await step({ sign: 'auto', ...inputs }, settings);
    expect(result.status, result.log).toBe('success');
    expect(result.outputs).toMatchObject({ signed: 'false', 'verify-command': '' });
    expect(sigstore.requests).toEqual([]);
    expect(tagsWritten()).toEqual(tags);
    expect(puts()).not.toContain('by digest');
    const unsigned = result.annotations.filter(({ message }) => message.includes('unsigned'));
    expect(unsigned.map(({ level }) => level)).toEqual(said === undefined ? [] : [said[0]]);
    expect(unsigned.map(({ message }) => message).join()).toContain(said?.[1] ?? '');
  });

  it('in a private repository, when it is asked for', async () => {
    await plant();
    const result = await step({}, { event: { ...RELEASE, payload: PRIVATE } });
    expect(result.outputs, result.log).toMatchObject({ signed: 'true' });
    expect(entries()).toBe(3);
  });
});

describe('several images', () => {
  it('have the signatures in each repository before the tags there, also when they are signed later', async () => {
    const other = await openRegistry();
    const builder = installLayoutBuilder(directory);
    const images = `${image}\n${other.host}/acme/copy`;
    const unsigned = await step({ images, sign: 'none' }, { builder });
    expect(unsigned, unsigned.log).toMatchObject({ status: 'success', outputs: { signed: 'false' } });
    expect((await verify(`${other.host}/acme/copy:1.2.3`)).status).toBe(1);
    const later = await step({ images }, { builder });
    expect(later, later.log).toMatchObject({ status: 'success', outputs: { built: 'false', signed: 'true' } });
    for (const one of images.split('\n')) expect(await verify(`${one}:1.2.3`)).toMatchObject({ status: 0 });
    writeFileSync(join(workspace, 'data'), 'other data');
    other.forgetRequests();
    const main = await step({ images }, { builder, event: BRANCH });
    expect(main, main.log).toMatchObject({ status: 'success', outputs: { built: 'true', signed: 'true' } });
    const order = puts(other);
    expect(order.slice(order.indexOf('hash'))).toEqual(['hash', 'main']);
    const identity = IDENTITY.replace('refs/tags/v1.2.3', 'refs/heads/main');
    const { status, stdout } = await verify(`${other.host}/acme/copy:main`, `--trust-identity=${identity}`);
    expect([status, stdout]).toEqual([0, expect.stringContaining('refs/heads/main')]);
  });
});

describe('verify', () => {
  const ISSUER = 'https://token.actions.githubusercontent.com';
  let digest: string;
  beforeEach(async () => {
    digest = await plant();
    expect((await step()).outputs).toMatchObject({ signed: 'true' });
  });
  const ask = (reference: string, ...flags: readonly string[]) =>
    cli('verify', reference, '--sigstore-trusted-root=root.json', ...flags);

  it.each([
    ['a tag', () => `${image}:1.2.3`, [`--trust-identity=${IDENTITY}`]],
    ['a digest', () => `${image}@${digest}`, [`--trust-identity=${IDENTITY}`]],
    [
      'a regular expression',
      () => `${image}:1`,
      ['--trust-identity=/https:..github.com.acme.app.+@refs.tags.v[0-9.]+/'],
    ],
    ['the issuer too', () => `${image}:1`, [`--trust-identity=${IDENTITY}`, `--trust-issuer=${ISSUER}`]],
  ])('says who signed what, and how to see it with cosign: %s', async (_, reference, flags) => {
    const { status, stdout, stderr } = await ask(reference(), ...flags);
    expect([status, stderr]).toEqual([0, expect.not.stringContaining('UNVERIFIED')]);
    expect(stdout).toMatch(/signed, at \d{4}-\d\d-\d\dT\S+: sha256:/);
    expect(stdout).toContain(`by ${IDENTITY}, says ${ISSUER}`);
    expect(stdout).toContain(`verify with: cosign verify --certificate-identity ${IDENTITY}`);
    expect(stdout).toContain(`${image}@${digest}`);
  });

  it.each([
    ['another subject', ['--trust-identity=https://x.example'], 'is not verified'],
    ['a pattern that fits a part only', ['--trust-identity=/https:..github.com/'], 'is not verified'],
    ['another issuer', [`--trust-identity=${IDENTITY}`, '--trust-issuer=https://x.example'], 'x.example'],
  ])('refuses with the reason: %s', async (_, flags, reason) => {
    const { status, stderr } = await ask(`${image}:1.2.3`, ...flags);
    expect([status, stderr]).toEqual([1, expect.stringContaining('UNVERIFIED')]);
    expect(stderr).toContain('what is attached does not count');
    expect(stderr).toContain(reason);
  });

  it.each(['public', 'private'] as const)('reads a %s key in PEM form by itself', async (half) => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const pem =
      half === 'public'
        ? publicKey.export({ type: 'spki', format: 'pem' })
        : privateKey.export({ type: 'pkcs8', format: 'pem' });
    const { status, stderr } = await run(
      [
        join(NODE_DIRECTORY, 'node'),
        join(CHECKOUT, 'dist/cli.js'),
        'verify',
        `${image}@${digest}`,
        '--sign-key=env://KEY',
      ],
      {
        cwd: workspace,
        env: { PATH: '/nonexistent', HOME: directory, KEY: pem.toString(), HTTPS_PROXY: 'http://127.0.0.1:9' },
      },
    );
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('only keys are trusted') });
  });

  it('says of an image without a signature that nothing is signed there', async () => {
    await plantImage({ image, tags: ['other'], environment: ['OTHER=1'] });
    const { status, stderr } = await ask(`${image}:other`, `--trust-identity=${IDENTITY}`);
    expect([status, stderr]).toEqual([1, expect.stringContaining('nothing is signed there')]);
  });

  it('takes no signature of just anybody: bad input, before any request', async () => {
    registry.forgetRequests();
    const { status, stderr } = await ask(`${image}:1.2.3`);
    expect([status, stderr]).toEqual([2, expect.stringContaining('trust-identity')]);
    expect(registry.requests).toEqual([]);
  });

  it('counts the own repository inside a run, and prints a report', async () => {
    const inside = (repository: string) =>
      run(
        [
          join(NODE_DIRECTORY, 'node'),
          join(CHECKOUT, 'dist/cli.js'),
          'verify',
          `${image}:1.2.3`,
          '--json',
          '--sigstore-trusted-root=root.json',
        ],
        {
          cwd: workspace,
          env: {
            PATH: NODE_DIRECTORY,
            HOME: directory,
            GITHUB_ACTIONS: 'true',
            GITHUB_SERVER_URL: 'https://github.com',
            GITHUB_REPOSITORY: repository,
            GITHUB_REF: 'refs/heads/main',
            GITHUB_EVENT_NAME: 'push',
          },
        },
      );
    const own = await inside('acme/app');
    expect(own.status, own.stderr).toBe(0);
    expect(JSON.stringify(JSON.parse(own.stdout))).toContain(IDENTITY);
    expect(await inside('acme/other')).toMatchObject({ status: 1 });
  });
});

describe('a service that fails', () => {
  it.each([
    ['oidc', 403, 'SIGN_REFUSED'],
    ['oidc', 'garbage', 'SIGN_ANSWER_INVALID'],
    ['fulcio', 400, 'SIGN_REFUSED'],
    ['fulcio', 'garbage', 'SIGN_ANSWER_INVALID'],
    ['rekor', 500, 'SIGN_UNAVAILABLE'],
    ['rekor', 'cut', 'SIGN_UNAVAILABLE'],
    ['rekor', 'garbage', 'SIGN_ANSWER_INVALID'],
  ] as const)('%s, %s: ends the run before any tag, and the next run completes it', async (part, fault, code) => {
    const builder = installLayoutBuilder(directory);
    sigstore.fail(part, fault);
    const failed = await step({}, { builder });
    expect(failed, failed.log).toMatchObject({ status: 'failure', exitCode: 1 });
    expect(failed.log).toContain(code);
    expect(failed.outputs['signed']).not.toBe('true');
    expect(tagsWritten()).toEqual([]);
    sigstore.fail(part, undefined);
    const next = await step({}, { builder });
    expect(next, next.log).toMatchObject({ status: 'success', outputs: { signed: 'true' } });
    expect(tagsWritten()).toEqual(['hash', ...RELEASED]);
    expect(await verify(`${image}:1.2.3`)).toMatchObject({ status: 0 });
  });

  it.each(['oidc', 'fulcio', 'rekor'] as const)('%s, silent: a cancelled run ends, and sets no tag', async (part) => {
    await plant();
    registry.forgetRequests();
    sigstore.fail(part, 'silent');
    const path = { oidc: 'GET /oidc', fulcio: 'POST /api/v2/signingCert', rekor: 'POST /api/v1/log/entries' }[part];
    const interrupt = { signal: 'SIGTERM', when: () => sigstore.requests.includes(path) } as const;
    const result = await step({}, { interrupt });
    expect(result).toMatchObject({ status: 'failure', signal: undefined, log: expect.stringContaining('INTERRUPTED') });
    expect(tagsWritten()).toEqual([]);
  });

  it('that loses one request does no harm', async () => {
    await plant();
    for (const part of ['oidc', 'fulcio', 'rekor'] as const) sigstore.fail(part, 503, 1);
    expect((await step()).outputs).toMatchObject({ signed: 'true' });
  });

  it.each([
    ['the bundle', /\/manifests\/sha256:/],
    ['its content', /\/blobs\/uploads\//],
  ])('a registry that refuses %s gets no tag', async (_, path) => {
    await plant();
    registry.forgetRequests();
    registry.fail({ action: { kind: 'status', status: 403 }, method: ['PUT', 'POST'], path });
    const result = await step();
    expect(result.status).toBe('failure');
    expect(tagsWritten()).toEqual([]);
    registry.repair();
    expect((await step()).outputs).toMatchObject({ signed: 'true' });
    expect(tagsWritten()).toEqual(RELEASED);
  });
});
