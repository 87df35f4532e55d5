import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { canIdentify } from '../../src/core/sign-plan.ts';
import { isBuildOnceError } from '../../src/errors.ts';
import { openSigner, openTrust, signImage, verifyImage } from '../../src/tools/sigstore.ts';
import { serve } from '../registry/scripted-server.ts';
import { startForwardProxy } from '../support/forward-proxy.ts';
import { openPlace, openRegistry, openSigning, openSigstore } from '../support/signing.ts';

const CLOCK = { now: () => Date.now(), random: () => 0, sleep: () => Promise.resolve() };
const PATIENT = { attempts: 3, clock: CLOCK };

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
}

async function failureOf(work: Promise<unknown>): Promise<Failure> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isBuildOnceError(error)) throw new Error('it did not fail with an error of ours', { cause: error });
  const { code, message, hint } = error;
  return { code, message, hint };
}

describe('signing fails', () => {
  test('before anything else without the right to ask for a token, and names that right', async () => {
    const [services, registry] = await Promise.all([openSigstore(), openRegistry()]);
    const place = await openPlace(registry.host);
    for (const name of ['ACTIONS_ID_TOKEN_REQUEST_URL', 'ACTIONS_ID_TOKEN_REQUEST_TOKEN']) {
      const signing = await openSigning(services, { env: { [name]: '', GITHUB_ACTIONS: 'true' } });
      expect(canIdentify(signing.host.env)).toBe(false);
      const failure = await failureOf(signImage(signing, place));
      expect(failure).toMatchObject({
        code: 'SIGN_NO_TOKEN',
        hint: expect.stringContaining('permissions: { id-token: write }'),
      });
    }
    expect(services.requests).toEqual([]);
  });

  test('outside of GitHub with what else can be done', async () => {
    const signing = await openSigning(await openSigstore(), { env: { ACTIONS_ID_TOKEN_REQUEST_URL: '' } });
    expect(await failureOf(signing.signer.identity())).toMatchObject({
      code: 'SIGN_NO_TOKEN',
      hint: expect.stringContaining('sign: key'),
    });
  });

  test.each<['oidc' | 'fulcio' | 'rekor' | 'tsa', 'cut' | 'silent' | 'garbage' | number, string, RegExp]>([
    ['oidc', 500, 'SIGN_UNAVAILABLE', /^GitHub's token service at http:\S+\/oidc could not be asked: it answered 500$/],
    ['oidc', 403, 'SIGN_REFUSED', /^GitHub's token service at \S+ answered 403: "no luck"$/],
    ['oidc', 'garbage', 'SIGN_ANSWER_INVALID', /^the answer of GitHub's token service at \S+: it is not JSON$/],
    ['fulcio', 503, 'SIGN_UNAVAILABLE', /^the certificate authority at \S+ could not be asked: it answered 503$/],
    ['fulcio', 400, 'SIGN_REFUSED', /^the certificate authority at \S+ answered 400: "no luck"$/],
    ['fulcio', 'garbage', 'SIGN_ANSWER_INVALID', /^the answer of the certificate authority at \S+: it is not JSON$/],
    ['fulcio', 'cut', 'SIGN_UNAVAILABLE', /the connection was cut/],
    ['rekor', 502, 'SIGN_UNAVAILABLE', /^the transparency log at \S+ could not be asked: it answered 502$/],
    ['rekor', 'garbage', 'SIGN_ANSWER_INVALID', /^the answer of the transparency log at \S+: it is not JSON$/],
    ['rekor', 409, 'SIGN_ANSWER_INVALID', /it has that entry, and does not say where$/],
    ['rekor', 'silent', 'SIGN_UNAVAILABLE', /there was no answer in time/],
    ['tsa', 500, 'SIGN_UNAVAILABLE', /^the time stamp authority at \S+ could not be asked: it answered 500$/],
  ])('when %s answers %s', async (part, fault, code, message) => {
    const [services, registry] = await Promise.all([openSigstore(), openRegistry()]);
    const place = await openPlace(registry.host);
    const signing = await openSigning(services, {
      signingConfig: services.signingConfigWithTimestamps,
      transport: { attempts: 1, answerTimeoutMs: fault === 'silent' ? 300 : 30_000 },
    });
    services.fail(part, fault);
    const failure = await failureOf(signImage(signing, place));
    expect(failure.code).toBe(code);
    expect(failure.message).toMatch(message);
    // Nothing is left on the image.
    expect(await verifyImage(signing.trust, place, { rules: [{}] })).toEqual({ accepted: [], refused: [] });
  });

  test('never, when a fault passes before the attempts are used up', async () => {
    const [services, registry] = await Promise.all([openSigstore(), openRegistry()]);
    const place = await openPlace(registry.host);
    const signing = await openSigning(services, { transport: PATIENT });
    services.fail('oidc', 500, 1);
    services.fail('fulcio', 'cut', 2);
    services.fail('rekor', 503, 2);
    expect(await signImage(signing, place)).toMatchObject({ isNew: true });
    expect(services.requests).toHaveLength(2 + 3 + 3);
  });

  test('never, when the registry has lost sight of a blob for a moment', async () => {
    const [services, registry] = await Promise.all([openSigstore(), openRegistry()]);
    const [place, signing] = [await openPlace(registry.host), await openSigning(services)];
    // As docker-registry does when two push the same blob.
    const errors = [{ code: 'DIGEST_INVALID' }, { code: 'MANIFEST_BLOB_UNKNOWN' }];
    const action = { kind: 'status', status: 400, body: JSON.stringify({ errors }) } as const;
    registry.fail({ method: 'PUT', kind: 'manifest', times: 2, action });
    expect(await signImage(signing, place)).toMatchObject({ isNew: true });
  });

  test('never, when the log took an entry whose answer was lost', async () => {
    const [services, registry] = await Promise.all([openSigstore(), openRegistry()]);
    const place = await openPlace(registry.host);
    // Between us and the services: it cuts the first answer of the log, which has the entry then.
    const kept = { entry: '' };
    const relay = await serve(({ path, method, body, headers }, response) => {
      const answer = async (): Promise<void> => {
        const isEntry = path.startsWith('/api/v1/log/entries');
        if (isEntry && method === 'GET') return void response.writeHead(200).end(kept.entry);
        if (isEntry && kept.entry !== '') {
          const [uuid = ''] = Object.keys(JSON.parse(kept.entry));
          return void response.writeHead(409, { location: `/api/v1/log/entries/${uuid}` }).end('{"code":409}');
        }
        const type = headers['content-type'];
        const found = await fetch(`${services.url}${path}`, {
          method,
          body,
          headers: type === undefined ? {} : { 'content-type': type },
        });
        const text = await found.text();
        if (!isEntry) return void response.writeHead(found.status).end(text);
        kept.entry = text;
        response.destroy();
      };
      void answer();
    });
    const signing = await openSigning(services, {
      transport: PATIENT,
      signingConfig: services.signingConfig.replaceAll(services.url, `http://${relay.host}`),
    });
    expect(await signImage(signing, place)).toMatchObject({ isNew: true });
    expect(relay.lines().map((line) => line.replace(/[0-9a-f]{64}$/, 'ID'))).toEqual([
      'POST /api/v2/signingCert',
      'POST /api/v1/log/entries',
      'POST /api/v1/log/entries',
      'GET /api/v1/log/entries/ID',
    ]);
  });

  test('when the certificate is for another key', async () => {
    const [services, registry] = await Promise.all([openSigstore(), openRegistry()]);
    const place = await openPlace(registry.host);
    const { certificate } = JSON.parse(await (await openSigning(services)).signer.sign('{}')).verificationMaterial;
    const pem = `-----BEGIN CERTIFICATE-----\n${certificate.rawBytes}\n-----END CERTIFICATE-----\n`;
    const impostor = await serve((_, response) =>
      response.end(JSON.stringify({ signedCertificateEmbeddedSct: { chain: { certificates: [pem] } } })),
    );
    const signing = await openSigning(services, {
      signingConfig: services.signingConfig.replaceAll(services.url, `http://${impostor.host}`),
    });
    expect(await failureOf(signImage(signing, place))).toMatchObject({
      code: 'SIGN_ANSWER_INVALID',
      message: expect.stringMatching(/the certificate is for another key$/),
    });
  });

  test('rather than send the token over plain http to another machine', async () => {
    const [services, registry] = await Promise.all([openSigstore(), openRegistry()]);
    const place = await openPlace(registry.host);
    const signing = await openSigning(services, {
      signingConfig: services.signingConfig.replaceAll(services.url, 'http://fulcio.example'),
    });
    expect(await failureOf(signImage(signing, place))).toMatchObject({
      code: 'SIGN_CONFIG_INVALID',
      message: 'the certificate authority is at http://fulcio.example/api/v2/signingCert: only https is used',
    });
  });

  test('before it attaches what the trusted root does not verify', async () => {
    const [services, other, registry] = await Promise.all([openSigstore(), openSigstore(), openRegistry()]);
    const place = await openPlace(registry.host);
    const signing = await openSigning(services, { trustedRoot: other.trustedRoot });
    expect(await failureOf(signImage(signing, place))).toMatchObject({
      code: 'SIGN_UNVERIFIED',
      message: `the signature of ${place.reference} does not verify: Failed to verify certificate chain`,
    });
    expect(await verifyImage(signing.trust, place, { rules: [{}] })).toEqual({ accepted: [], refused: [] });
  });
});

describe('the services are asked through the proxy of the environment', () => {
  test('by names that only it knows', async () => {
    const services = await openSigstore();
    const address = new URL(services.url).host;
    const proxy = await startForwardProxy({ routes: { 'sigstore.test:443': address } });
    const signing = await openSigning(services, {
      signingConfig: services.signingConfig.replaceAll(services.url, 'https://sigstore.test'),
      transport: { attempts: 1, env: { HTTPS_PROXY: proxy.url } },
    });
    // The stand-in speaks no TLS: that the proxy was asked is what counts.
    expect(await failureOf(signing.signer.sign('{}'))).toMatchObject({ code: 'SIGN_UNAVAILABLE' });
    expect(proxy.requests.map(({ method, target }) => `${method} ${target}`)).toEqual(['CONNECT sigstore.test:443']);
    await proxy.close();
  });
});

describe('a file of settings', () => {
  test.each<[string, string, string]>([
    ['is another one', '{"mediaType":"x"}', 'is of the mediaType "x", which is no trusted root'],
    ['is empty', '', 'is of the mediaType "", which is no trusted root'],
    [
      'has a key that is none',
      '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","tlogs":[{"publicKey":{"rawBytes":"AAAA"},"logId":{"keyId":"AA=="}}]}',
      'cannot be used: ',
    ],
  ])('with the trusted root that %s is refused', async (_, text, problem) => {
    const { host, directory, settings } = await openSigning(await openSigstore());
    writeFileSync(join(directory, 'root.json'), text);
    expect(await failureOf(openTrust(host, settings))).toMatchObject({
      code: 'VERIFY_ROOT_INVALID',
      message: expect.stringContaining(`the trusted root "root.json" ${problem}`),
      hint: expect.stringContaining('cosign trusted-root create'),
    });
  });

  test('that is not there, or is a directory, is named', async () => {
    const { host, settings } = await openSigning(await openSigstore());
    expect(await failureOf(openTrust(host, { ...settings, trustedRoot: 'gone.json' }))).toMatchObject({
      code: 'VERIFY_ROOT_INVALID',
      message: 'the trusted root "gone.json" is not there',
    });
    expect(await failureOf(openTrust(host, { ...settings, trustedRoot: '.' }))).toMatchObject({
      message: 'the trusted root "." is a directory, not a file',
    });
    const signer = openSigner(host, { ...settings, signingConfig: 'gone.json' });
    expect(await failureOf(signer.sign('{}'))).toMatchObject({
      code: 'SIGN_CONFIG_INVALID',
      message: 'the signing config "gone.json": is not there',
    });
    signer.close();
  });
});
