import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { exactly, oneOf, SIGNED_BY_ANYBODY, type SignerRule } from '../../src/core/signer-rule.ts';
import { identityArguments } from '../../src/core/verify-command.ts';
import { fetchImage } from '../../src/registry/image.ts';
import { attest, openKeyTrust, openSigner, signImage, verifyImage } from '../../src/tools/sigstore.ts';
import { mustRun, type ProgramResult, run } from '../support/programs.ts';
import {
  openPlace,
  openRegistry,
  openSigning,
  openSigstore,
  reopenPlace,
  type TestSigning,
} from '../support/signing.ts';
import { GITHUB_ISSUER, type Job, MAIN_JOB, subjectOf } from '../support/sigstore.ts';

const { layers, env: toolchainEnv, registry: debianRegistry } = inject('toolchain');
const PROVENANCE = {
  predicateType: 'https://slsa.dev/provenance/v1',
  predicate: { buildType: 'x', n: [1, { a: null }] },
};

function rulesOf(...jobs: readonly Job[]): readonly SignerRule[] {
  return jobs.map((job) => ({ issuer: exactly(job.issuer ?? GITHUB_ISSUER), subject: exactly(subjectOf(job)) }));
}

describe('signing', () => {
  test('attaches a bundle in the form of cosign 3, and finds what it proves', async () => {
    const [services, registry] = await Promise.all([openSigstore(), openRegistry()]);
    const [place, signing] = [await openPlace(registry.host), await openSigning(services)];
    const { signature, isNew } = await signImage(signing, place);
    expect(isNew).toBe(true);
    expect(signature.signer).toEqual({
      subject: subjectOf(MAIN_JOB),
      issuer: GITHUB_ISSUER,
      sourceRepository: 'https://github.com/o/r',
      sourceRef: 'refs/heads/main',
      sourceDigest: '1234567890123456789012345678901234567890',
      buildSigner: subjectOf(MAIN_JOB),
      runInvocation: 'https://github.com/o/r/actions/runs/77/attempts/1',
      trigger: 'push',
    });
    const { manifest } = (await fetchImage(place.repository, { digest: signature.artifact.digest })) ?? {};
    expect(manifest).toMatchObject({
      artifactType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      subject: { mediaType: place.image.mediaType, digest: place.image.digest, sizeBytes: place.image.sizeBytes },
      layers: [{ mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json' }],
      annotations: {
        'dev.sigstore.bundle.content': 'dsse-envelope',
        'dev.sigstore.bundle.predicateType': 'https://sigstore.dev/cosign/sign/v1',
        'org.opencontainers.image.created': expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      },
    });
    expect(await registry.integrity()).toEqual([]);
  });

  test('signs nothing that the same identity has signed, and asks for nothing but the token', async () => {
    const [services, registry] = await Promise.all([openSigstore(), openRegistry()]);
    const place = await openPlace(registry.host);
    const first = await signImage(await openSigning(services), place);
    const asked = services.requests.length;
    const again = await signImage(await openSigning(services), place);
    expect(again).toMatchObject({ isNew: false, signature: { artifact: { digest: first.signature.artifact.digest } } });
    expect(services.requests.slice(asked)).toEqual(['GET /oidc']);
    const { accepted } = await verifyImage((await openSigning(services)).trust, place, { rules: rulesOf(MAIN_JOB) });
    expect(accepted).toHaveLength(1);
  });

  test('signs what only somebody else has signed', async () => {
    const [services, registry] = await Promise.all([openSigstore(), openRegistry()]);
    const place = await openPlace(registry.host);
    const branch = { ...MAIN_JOB, ref: 'refs/heads/feature' };
    await signImage(await openSigning(services, { job: branch }), place);
    const signing = await openSigning(services);
    expect(await signImage(signing, place)).toMatchObject({ isNew: true });
    const { accepted, refused } = await verifyImage(signing.trust, place, { rules: rulesOf(MAIN_JOB) });
    expect([accepted.length, refused.map(({ code }) => code)]).toEqual([1, ['wrong-identity']]);
  });

  const SHARED = { ...MAIN_JOB, workflow: 'acme/flows/.github/workflows/build.yml', workflowRef: 'refs/tags/v1' };
  test.each([
    ['repository', { repository: 'evil/r' }],
    ['ref', { ref: 'refs/heads/feature' }],
  ])('signs what the same reusable workflow has signed for another %s', async (_, other) => {
    const [services, registry] = await Promise.all([openSigstore(), openRegistry()]);
    const place = await openPlace(registry.host);
    const theirs = { ...SHARED, ...other };
    expect(subjectOf(theirs)).toBe(subjectOf(SHARED));
    await signImage(await openSigning(services, { job: theirs }), place);
    const { sourceRepository, sourceRef } = {
      sourceRepository: 'https://github.com/o/r',
      sourceRef: 'refs/heads/main',
    };
    const ours = { isNew: true, signature: { signer: { sourceRepository, sourceRef } } };
    expect(await signImage(await openSigning(services, { job: SHARED }), place)).toMatchObject(ours);
    expect(await signImage(await openSigning(services, { job: SHARED }), place)).toMatchObject({
      ...ours,
      isNew: false,
    });
  });

  test('of several images takes one token and one certificate', async () => {
    const [services, registry] = await Promise.all([openSigstore(), openRegistry()]);
    const places = [];
    for (const path of ['acme/a', 'acme/b', 'acme/c']) places.push(await openPlace(registry.host, path));
    const signing = await openSigning(services);
    await Promise.all(places.map((place) => signImage(signing, place)));
    expect([...services.requests].sort()).toEqual([
      'GET /oidc',
      ...places.map(() => 'POST /api/v1/log/entries'),
      'POST /api/v2/signingCert',
    ]);
  });

  test('takes a new token and certificate before the old ones expire', async () => {
    const [services, registry] = await Promise.all([openSigstore(), openRegistry()]);
    const places = [await openPlace(registry.host, 'acme/a'), await openPlace(registry.host, 'acme/b')] as const;
    const { host, settings, trust } = await openSigning(services);
    const clock = { late: 0 };
    const later = { ...host, now: () => new Date(Date.now() + clock.late) };
    const signer = openSigner(later, settings);
    await signImage({ host: later, signer, trust }, places[0]);
    clock.late = 6 * 60_000;
    await signImage({ host: later, signer, trust }, places[1]);
    signer.close();
    expect(services.requests.filter((line) => !line.includes('/log/'))).toEqual([
      'GET /oidc',
      'POST /api/v2/signingCert',
      'GET /oidc',
      'POST /api/v2/signingCert',
    ]);
  });

  test('adds a time stamp where the signing config wants one', async () => {
    const [services, registry] = await Promise.all([openSigstore(), openRegistry()]);
    const place = await openPlace(registry.host);
    const signing = await openSigning(services, { signingConfig: services.signingConfigWithTimestamps });
    expect(await signImage(signing, place)).toMatchObject({ isNew: true });
    expect(services.requests).toContain('POST /api/v1/timestamp');
  });

  test('keeps the token out of the log', async () => {
    const services = await openSigstore();
    const signing = await openSigning(services, { env: { BUILD_ONCE_DEBUG: 'true' } });
    const { host } = signing;
    const response = await fetch(`${services.url}/oidc?audience=sigstore`, {
      headers: { authorization: `Bearer ${host.env['ACTIONS_ID_TOKEN_REQUEST_TOKEN'] ?? ''}` },
    });
    const { value }: { value: string } = JSON.parse(await response.text());
    await signing.signer.identity();
    host.log.info(`the token is ${value}`);
    expect(signing.lines.join('\n')).toMatch(/^the token is \*+$/m);
  });
});

describe('an attestation', () => {
  test('is signed like an image, and told apart from its signature', async () => {
    const [services, registry] = await Promise.all([openSigstore(), openRegistry()]);
    const place = await openPlace(registry.host);
    const signing = await openSigning(services);
    expect(await attest(signing, place, PROVENANCE)).toMatchObject({
      isNew: true,
      signature: { predicate: PROVENANCE.predicate },
    });
    const rules = rulesOf(MAIN_JOB);
    expect(await verifyImage(signing.trust, place, { rules })).toEqual({ accepted: [], refused: [] });
    const { predicateType } = PROVENANCE;
    expect(await verifyImage(signing.trust, place, { rules, predicateType })).toMatchObject({
      accepted: [{ predicate: PROVENANCE.predicate }],
      refused: [],
    });
  });

  test('is not signed again when it says the same, and is when it says something else', async () => {
    const [services, registry] = await Promise.all([openSigstore(), openRegistry()]);
    const place = await openPlace(registry.host);
    const signing = await openSigning(services);
    await attest(signing, place, PROVENANCE);
    expect(await attest(signing, place, PROVENANCE)).toMatchObject({ isNew: false });
    expect(await attest(signing, place, { ...PROVENANCE, predicate: { n: 2 } })).toMatchObject({ isNew: true });
  });
});

describe('verifying', () => {
  test('an image without signatures accepts and refuses nothing', async () => {
    const [services, registry] = await Promise.all([openSigstore(), openRegistry()]);
    const [place, { trust }] = [await openPlace(registry.host), await openSigning(services)];
    expect(await verifyImage(trust, place, { rules: [SIGNED_BY_ANYBODY] })).toEqual({ accepted: [], refused: [] });
  });

  test('takes the two lists and two requests for the one bundle that is enough, and asks no service', async () => {
    const [services, registry] = await Promise.all([openSigstore(), openRegistry()]);
    const place = await openPlace(registry.host);
    const signing = await openSigning(services);
    await signImage(signing, place);
    await signImage(await openSigning(services, { job: { ...MAIN_JOB, ref: 'refs/heads/other' } }), place);
    const asked = services.requests.length;
    registry.forgetRequests();
    const again = await reopenPlace(registry.host);
    registry.forgetRequests();
    const rules = [SIGNED_BY_ANYBODY];
    const { accepted } = await verifyImage(signing.trust, again, { rules, stopAtFirst: true });
    expect(accepted).toHaveLength(1);
    expect(registry.requests.map(({ method, kind }) => `${method} ${kind}`)).toEqual([
      'GET referrers',
      // The fallback tag, where clients that know no API write.
      'GET manifest',
      'GET manifest',
      'GET blob',
    ]);
    expect(services.requests).toHaveLength(asked);
  });

  test.each<[string, Job, boolean]>([
    ['the default branch', MAIN_JOB, true],
    ['a tag', { ...MAIN_JOB, ref: 'refs/tags/v1.2.3' }, true],
    [
      "a reusable workflow of another repository for this one's default branch",
      { ...MAIN_JOB, workflow: 'shared/w/.github/workflows/b.yml' },
      true,
    ],
    ['a branch', { ...MAIN_JOB, ref: 'refs/heads/feature' }, false],
    ['another repository with the same branch', { repository: 'evil/r', ref: 'refs/heads/main' }, false],
    [
      "another repository with this one's reusable workflow",
      { ...MAIN_JOB, repository: 'evil/r', workflow: 'o/r/.github/workflows/release.yml' },
      false,
    ],
    ['the same names at another issuer', { ...MAIN_JOB, issuer: 'https://token.evil.example' }, false],
  ])('by source repository and ref: signed at %s', async (_, job, isTrusted) => {
    const [services, registry] = await Promise.all([openSigstore(), openRegistry()]);
    const place = await openPlace(registry.host);
    const signing = await openSigning(services, { job });
    await signImage(signing, place);
    const rule: SignerRule = {
      issuer: exactly(GITHUB_ISSUER),
      sourceRepository: exactly('https://github.com/o/r'),
      sourceRef: oneOf(['refs/heads/main', 'refs/tags/v1.2.3']),
    };
    const { accepted } = await verifyImage(signing.trust, place, { rules: [rule] });
    expect(accepted.length > 0).toBe(isTrusted);
  });
});

describe.each([
  ['a registry in the process', () => openRegistry().then(({ host }) => host), true, true],
  [
    'a registry without the referrers API',
    () => openRegistry({ referrers: false }).then(({ host }) => host),
    true,
    false,
  ],
  ["Debian's docker-registry", () => Promise.resolve(debianRegistry), layers.registry, false],
] as const)('with real cosign 3 and %s', (_, open, isThere, hasApi) => {
  const cosign = async (signing: TestSigning, command: string, ...args: readonly string[]): Promise<ProgramResult> => {
    const env = { ...toolchainEnv, ...signing.host.env };
    const config = command === 'sign' || command === 'attest' ? ['-y', '--signing-config', 'config.json'] : [];
    return run(['cosign', command, ...config, '--trusted-root', 'root.json', ...args], { env, cwd: signing.directory });
  };
  const mustCosign = async ({ host, directory }: TestSigning, ...args: readonly string[]): Promise<void> => {
    await mustRun(['cosign', ...args], {
      env: { ...toolchainEnv, ...host.env, COSIGN_PASSWORD: 'x' },
      cwd: directory,
    });
  };
  const identity = (job: Job): readonly string[] => [
    `--certificate-identity=${subjectOf(job)}`,
    `--certificate-oidc-issuer=${GITHUB_ISSUER}`,
  ];
  const path = (): string => `signing/${crypto.randomUUID()}`;

  test.skipIf(!layers.cosign || !isThere)('it verifies what we sign, and nobody else', async () => {
    const [services, host] = await Promise.all([openSigstore(), open()]);
    const [place, signing] = [await openPlace(host, path()), await openSigning(services)];
    await signImage(signing, place);
    const good = await cosign(signing, 'verify', ...identity(MAIN_JOB), place.reference);
    expect(good).toMatchObject({ status: 0, stdout: expect.stringContaining(place.image.digest) });
    const stranger = await cosign(
      signing,
      'verify',
      ...identity({ ...MAIN_JOB, ref: 'refs/heads/x' }),
      place.reference,
    );
    expect(stranger.status).not.toBe(0);
  });

  test.skipIf(!layers.cosign || !isThere)('it refuses what a reusable workflow signed for somebody else', async () => {
    const services = await openSigstore();
    const job = { ...MAIN_JOB, workflow: 'acme/flows/.github/workflows/build.yml', workflowRef: 'refs/tags/v1' };
    const [place, signing] = [await openPlace(await open(), path()), await openSigning(services, { job })];
    const { signer } = (await signImage(signing, place)).signature;
    if (signer === undefined) throw new Error('nobody signed');
    const asked = (who: typeof signer) =>
      cosign(signing, 'verify', ...identityArguments(who).map((one) => one.join('=')), place.reference);
    expect(await asked(signer)).toMatchObject({ status: 0 });
    for (const other of [{ sourceRepository: 'https://github.com/evil/r' }, { sourceRef: 'refs/heads/topic' }])
      expect((await asked({ ...signer, ...other })).status).not.toBe(0);
  });

  test.skipIf(!layers.cosign || !isThere)('it verifies what we attest', async () => {
    const [services, host] = await Promise.all([openSigstore(), open()]);
    const [place, signing] = [await openPlace(host, path()), await openSigning(services)];
    await attest(signing, place, PROVENANCE);
    const type = `--type=${PROVENANCE.predicateType}`;
    const { status, stderr } = await cosign(
      signing,
      'verify-attestation',
      type,
      ...identity(MAIN_JOB),
      place.reference,
    );
    expect({ status, stderr }).toMatchObject({ status: 0 });
  });

  test.skipIf(!layers.cosign || !isThere)('we verify what it signs, and count it as signed', async () => {
    const [services, host] = await Promise.all([openSigstore(), open()]);
    const [place, signing] = [await openPlace(host, path()), await openSigning(services)];
    const signed = await cosign(signing, 'sign', place.reference);
    expect(signed).toMatchObject({ status: 0 });
    const { accepted, refused } = await verifyImage(signing.trust, place, { rules: rulesOf(MAIN_JOB) });
    expect(refused).toEqual([]);
    expect(accepted).toMatchObject([
      { signer: { sourceRepository: 'https://github.com/o/r', sourceRef: MAIN_JOB.ref } },
    ]);
    expect(await signImage(signing, place)).toMatchObject({ isNew: false });
  });

  test.skipIf(!layers.cosign || !isThere)('we verify what it attests', async () => {
    const [services, host] = await Promise.all([openSigstore(), open()]);
    const [place, signing] = [await openPlace(host, path()), await openSigning(services)];
    writeFileSync(join(signing.directory, 'predicate.json'), JSON.stringify(PROVENANCE.predicate));
    const { predicateType } = PROVENANCE;
    const args = ['--predicate=predicate.json', `--type=${predicateType}`, place.reference];
    expect(await cosign(signing, 'attest', ...args)).toMatchObject({ status: 0 });
    const { accepted } = await verifyImage(signing.trust, place, { rules: rulesOf(MAIN_JOB), predicateType });
    expect(accepted).toMatchObject([{ predicate: PROVENANCE.predicate }]);
  });

  test.skipIf(!layers.cosign || !isThere)('we verify what it signs in its older form', async () => {
    const [services, host] = await Promise.all([openSigstore(), open()]);
    const [place, signing] = [await openPlace(host, path()), await openSigning(services)];
    const older = ['--new-bundle-format=false', '--use-signing-config=false'];
    const at = [`--fulcio-url=${services.url}`, `--rekor-url=${services.url}`, '--trusted-root=root.json'];
    await mustCosign(signing, 'sign', '-y', ...older, ...at, place.reference);
    const { accepted, refused } = await verifyImage(signing.trust, place, { rules: rulesOf(MAIN_JOB) });
    expect(refused).toEqual([]);
    expect(accepted).toMatchObject([{ signer: { sourceRef: MAIN_JOB.ref }, predicate: {} }]);
    const stranger = { ...MAIN_JOB, ref: 'refs/heads/x' };
    expect(await verifyImage(signing.trust, place, { rules: rulesOf(stranger) })).toMatchObject({
      accepted: [],
      refused: [{ code: 'wrong-identity' }],
    });
  });

  test.skipIf(!layers.cosign || !isThere).each([
    ['in the form of a bundle', ['--signing-config=none.json']],
    ['in its older form', ['--use-signing-config=false', '--tlog-upload=false', '--new-bundle-format=false']],
  ])('we verify what it signs with a key, %s', async (_, form) => {
    const [services, host] = await Promise.all([openSigstore(), open()]);
    const [place, signing] = [await openPlace(host, path()), await openSigning(services)];
    const { directory, trust } = signing;
    const none = { mediaType: JSON.parse(services.signingConfig).mediaType, rekorTlogConfig: {}, tsaConfig: {} };
    writeFileSync(join(directory, 'none.json'), JSON.stringify(none));
    await mustCosign(signing, 'generate-key-pair');
    await mustCosign(signing, 'sign', '-y', '--key=cosign.key', ...form, place.reference);
    const own = openKeyTrust(readFileSync(join(directory, 'cosign.pub'), 'utf8'));
    const rules: readonly SignerRule[] = [];
    expect(await verifyImage(own, place, { rules })).toMatchObject({ accepted: [{ signer: undefined }], refused: [] });
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const other = openKeyTrust(publicKey.export({ type: 'spki', format: 'pem' }).toString());
    expect((await verifyImage(other, place, { rules })).refused).toMatchObject([{ code: 'wrong-identity' }]);
    expect((await verifyImage(trust, place, { rules: [SIGNED_BY_ANYBODY] })).refused).toMatchObject([
      { code: 'no-certificate' },
    ]);
  });

  // With the API, each is an entry of its own.
  test.skipIf(!isThere).each(hasApi ? [] : ['20 of 20 times'])(
    'two signers at once both stay, %s',
    async () => {
      const [services, host] = await Promise.all([openSigstore(), open()]);
      const branch = { ...MAIN_JOB, ref: 'refs/heads/feature' };
      const [one, other] = [await openSigning(services), await openSigning(services, { job: branch })];
      const rounds = [];
      for (let round = 0; round < 20; round += 1) {
        const at = path();
        const [here, there] = [await openPlace(host, at), await reopenPlace(host, at)];
        await Promise.all([signImage(one, here), signImage(other, there)]);
        const { accepted } = await verifyImage(one.trust, here, { rules: rulesOf(MAIN_JOB, branch) });
        rounds.push(accepted.map(({ signer }) => signer?.sourceRef ?? '').sort());
      }
      expect(rounds).toEqual(Array.from({ length: 20 }, () => [branch.ref, MAIN_JOB.ref].sort()));
    },
    120_000,
  );
});
