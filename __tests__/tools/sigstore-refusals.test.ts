import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { valueAt } from '../../src/core/json.ts';
import { formatStatement, SIGNATURE_PREDICATE } from '../../src/core/signed-statement.ts';
import { exactly, SIGNED_BY_ANYBODY, type SignerRule } from '../../src/core/signer-rule.ts';
import { openKeyTrust, verifyImage } from '../../src/tools/sigstore.ts';
import { attachBundle } from '../../src/tools/sigstore-attachment.ts';
import { judgeBundle } from '../../src/tools/sigstore-bundle.ts';
import { pieceOf, pushImage, sampleImage } from '../registry/sample-image.ts';
import {
  openPlace,
  openRegistry,
  openSigning,
  openSigstore,
  type Place,
  type TestSigning,
} from '../support/signing.ts';
import { GITHUB_ISSUER, MAIN_JOB, subjectOf } from '../support/sigstore.ts';

interface Scene {
  readonly place: Place;
  readonly signing: TestSigning;
}

async function openScene(settings: Parameters<typeof openSigstore>[0] = {}): Promise<Scene> {
  const [services, registry] = await Promise.all([openSigstore(settings), openRegistry()]);
  return { place: await openPlace(registry.host), signing: await openSigning(services) };
}

function signed(
  { place, signing }: Scene,
  predicateType = SIGNATURE_PREDICATE,
  predicate: unknown = {},
): Promise<string> {
  return signing.signer.sign(formatStatement(place.image.digest, predicateType, predicate));
}

/** What is said of a bundle that somebody attached. */
async function judge(
  { place, signing }: Pick<Scene, 'place'> & { signing: Pick<TestSigning, 'trust'> },
  bundle: string,
  rules: readonly SignerRule[] = [SIGNED_BY_ANYBODY],
): Promise<string> {
  const { repository, image } = place;
  await attachBundle(repository, { image, bundle, predicateType: SIGNATURE_PREDICATE, created: new Date(0) });
  const { accepted, refused } = await verifyImage(signing.trust, place, { rules });
  expect([accepted.length, refused.length]).toEqual(refused.length === 0 ? [1, 0] : [0, 1]);
  return refused.map(({ code, reason }) => `${code}: ${reason}`).join();
}

/** The bundle with something else at this path; nothing, where that is `undefined`. */
function changed(bundle: string, path: string, change: (old: string) => unknown): string {
  return JSON.stringify(edited(JSON.parse(bundle), path.split('.'), change));
}

function edited(json: unknown, [name, ...rest]: readonly string[], change: (old: string) => unknown): unknown {
  if (name === undefined) return change(typeof json === 'string' ? json : '');
  if (Array.isArray(json)) return json.map((one, at) => (String(at) === name ? edited(one, rest, change) : one));
  const fields = typeof json === 'object' && json !== null ? json : {};
  return { ...fields, [name]: edited(valueAt(json, name), rest, change) };
}

const ENTRY = 'verificationMaterial.tlogEntries.0';

const encode = (text: string): string => Buffer.from(text).toString('base64');
const decode = (text: string): string => Buffer.from(text, 'base64').toString();

describe('a signature', () => {
  test('counts when nothing is wrong with it', async () => {
    const scene = await openScene();
    expect(await judge(scene, await signed(scene))).toBe('');
  });

  test('with a tampered payload is refused', async () => {
    const scene = await openScene();
    const bundle = changed(await signed(scene), 'dsseEnvelope.payload', (payload) =>
      encode(decode(payload).replace('"predicate":{}', '"predicate":{"a":1}')),
    );
    expect(await judge(scene, bundle)).toBe('tampered: DSSE payload hash mismatch');
  });

  test('with another signature is refused', async () => {
    const scene = await openScene();
    const other = JSON.parse(await signed(scene)).dsseEnvelope.signatures;
    const bundle = changed(await signed(scene), 'dsseEnvelope.signatures', () => other);
    expect(await judge(scene, bundle)).toBe('tampered: tlog entry signature mismatch');
  });

  test("whose log entry is another signature's is refused", async () => {
    const scene = await openScene();
    const other = JSON.parse(await signed(scene, SIGNATURE_PREDICATE, { b: 1 })).verificationMaterial.tlogEntries;
    const bundle = changed(await signed(scene), 'verificationMaterial.tlogEntries', () => other);
    expect(await judge(scene, bundle)).toMatch(/^tampered: /);
  });

  test('over another digest is refused', async () => {
    const scene = await openScene();
    const other = await openPlace(scene.place.repository.name.registry, 'acme/other');
    const bundle = await signed({ ...scene, place: other });
    expect(await judge(scene, bundle)).toBe(`other-digest: it is about ${other.image.digest}`);
  });

  test('by another identity is refused', async () => {
    const scene = await openScene();
    const rule = { issuer: exactly(GITHUB_ISSUER), subject: exactly('https://github.com/o/other') };
    expect(await judge(scene, await signed(scene), [rule])).toBe(
      `wrong-identity: its subject is "${subjectOf(MAIN_JOB)}", not "https://github.com/o/other"`,
    );
  });

  test('by the same identity of another issuer is refused', async () => {
    const scene = await openScene();
    const rule = { issuer: exactly('https://accounts.example'), subject: exactly(subjectOf(MAIN_JOB)) };
    expect(await judge(scene, await signed(scene), [rule])).toBe(
      `wrong-issuer: its issuer is "${GITHUB_ISSUER}", not "https://accounts.example"`,
    );
  });

  test('with a certificate that had expired when the log took it is refused', async () => {
    const scene = await openScene({ certificateTime: new Date(Date.now() - 3_600_000) });
    expect(await judge(scene, await signed(scene))).toMatch(
      /^expired: its certificate was good from .+Z to .+Z, and it was signed .+Z$/,
    );
  });

  test('with a certificate that was not good yet is refused', async () => {
    const scene = await openScene({ certificateTime: new Date(Date.now() + 3_600_000) });
    expect(await judge(scene, await signed(scene))).toMatch(/^expired: /);
  });

  test('whose time nothing proves is refused, whatever the certificate says', async () => {
    const scene = await openScene();
    const bundle = changed(await signed(scene), `${ENTRY}.inclusionPromise`, () => undefined);
    expect(await judge(scene, bundle)).toMatch(/^no-timestamp: nothing proves when .+ good until .+Z$/);
  });

  test('whose time was changed is refused', async () => {
    const scene = await openScene({ certificateTime: new Date(Date.now() + 3_600_000) });
    const bundle = changed(await signed(scene), `${ENTRY}.integratedTime`, (seconds) =>
      String(Number(seconds) + 3_700),
    );
    expect(await judge(scene, bundle)).toBe('untrusted-log: inclusion promise could not be verified');
  });

  test('without an entry in a log is refused', async () => {
    const scene = await openScene();
    const bundle = changed(await signed(scene), 'verificationMaterial.tlogEntries', () => []);
    expect(await judge(scene, bundle)).toBe('no-log-entry: it has no entry in a transparency log');
  });

  test('that is cut anywhere is refused', async () => {
    const { place, signing } = await openScene();
    const bundle = await signed({ place, signing });
    const claim = { digest: place.image.digest, predicateType: SIGNATURE_PREDICATE, rules: [SIGNED_BY_ANYBODY] };
    for (let length = 0; length < bundle.length; length += 97) {
      const verdict = judgeBundle(signing.trust, bundle.slice(0, length), claim);
      expect(verdict).toEqual({ ok: false, problem: { code: 'malformed', reason: 'it is not JSON' } });
    }
    expect(judgeBundle(signing.trust, bundle, claim)).toMatchObject({ ok: true });
  });

  test.each<[string, string, (old: string) => unknown]>([
    ['a certificate that is cut', 'verificationMaterial.certificate.rawBytes', (old) => old.slice(0, 400)],
    ['no certificate', 'verificationMaterial.certificate', () => undefined],
    ['no signature', 'dsseEnvelope.signatures', () => []],
    ['no envelope', 'dsseEnvelope', () => undefined],
    ['a log entry without proof', `${ENTRY}.inclusionProof`, () => undefined],
    ['a log entry that is no JSON', `${ENTRY}.canonicalizedBody`, () => encode('{')],
    ['a time that is none', `${ENTRY}.integratedTime`, () => 'yesterday'],
    ['a payload of another type', 'dsseEnvelope.payloadType', () => `text/\u001b[31m${'x'.repeat(1_000_000)}`],
    ['fields of other types', ENTRY, () => ({ logIndex: {}, logId: 7, kindVersion: [] })],
    ['another type', 'mediaType', () => `application/\u001b[31m${'x'.repeat(1_000_000)}`],
  ])('in a bundle with %s is refused, on one printable line', async (_, path, change) => {
    const scene = await openScene();
    expect(await judge(scene, changed(await signed(scene), path, change))).toMatch(
      /^(?:malformed|untrusted-log|untrusted-certificate|tampered|expired): [\x20-\x7e…]{1,250}$/,
    );
  });

  test('with a key instead of a certificate is refused', async () => {
    const scene = await openScene();
    const bundle = changed(await signed(scene), 'verificationMaterial', () => ({
      publicKey: { hint: 'x' },
      tlogEntries: [],
    }));
    expect(await judge(scene, bundle)).toMatch(/^no-certificate: /);
  });

  test('that states something else than its annotation says is refused', async () => {
    const scene = await openScene();
    const bundle = await signed(scene, 'https://example.com/other/v1');
    expect(await judge(scene, bundle)).toBe(
      `other-statement: it states https://example.com/other/v1, not ${SIGNATURE_PREDICATE}`,
    );
  });

  test('with a certificate of an authority that is not trusted is refused', async () => {
    const scene = await openScene();
    const stranger = await openSigning(await openSigstore());
    expect(await judge(scene, await signed({ ...scene, signing: stranger }))).toBe(
      'untrusted-certificate: Failed to verify certificate chain',
    );
  });

  test('in a log that is not trusted is refused', async () => {
    const [scene, other] = [await openScene(), await openSigstore()];
    const own = await openSigstore();
    const signing = await openSigning(own, {
      trustedRoot: JSON.stringify({ ...JSON.parse(own.trustedRoot), tlogs: JSON.parse(other.trustedRoot).tlogs }),
    });
    expect(await judge({ ...scene, signing }, await signed({ ...scene, signing }))).toBe(
      'untrusted-log: inclusion promise could not be verified',
    );
  });

  test('with a time stamp of an authority that is not trusted is refused', async () => {
    const [scene, services] = [await openScene(), await openSigstore()];
    const signing = await openSigning(services, {
      signingConfig: services.signingConfigWithTimestamps,
      trustedRoot: JSON.stringify({ ...JSON.parse(services.trustedRoot), timestampAuthorities: [] }),
    });
    expect(await judge({ ...scene, signing }, await signed({ ...scene, signing }))).toMatch(/^untrusted-timestamp: /);
  });

  test('whose content the registry lost is refused, and is no error', async () => {
    const scene = await openScene();
    const { repository, image } = scene.place;
    const bundle = await signed(scene);
    const artifact = await attachBundle(repository, {
      image,
      bundle,
      predicateType: SIGNATURE_PREDICATE,
      created: new Date(0),
    });
    const listed = {
      ...repository,
      name: repository.name,
      referrers: () => of(artifact),
      fetch: () => Promise.resolve(undefined),
    };
    const verdict = await verifyImage(
      scene.signing.trust,
      { repository: listed, image },
      { rules: [SIGNED_BY_ANYBODY] },
    );
    expect(verdict).toMatchObject({ accepted: [], refused: [{ code: 'malformed', reason: 'it is not there' }] });
  });
});

describe("a signature in cosign's older form", () => {
  const TYPE = 'cosign container image signature';

  /** Keyless, as `cosign sign --new-bundle-format=false` writes it, but for what is changed. */
  async function refusalOf(
    scene: Scene,
    change: {
      readonly payload?: string;
      readonly annotations?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<string> {
    const { repository, image } = scene.place;
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const good = { critical: { image: { 'docker-manifest-digest': image.digest }, type: TYPE } };
    const payload = pieceOf(change.payload ?? JSON.stringify(good), 'application/vnd.dev.cosign.simplesigning.v1+json');
    const signature = sign('sha256', payload.bytes, keys.privateKey).toString('base64');
    const annotations = { 'dev.cosignproject.cosign/signature': signature, ...change.annotations };
    const signed = sampleImage([{ ...payload, descriptor: { ...payload.descriptor, annotations } }]);
    await repository.push(payload.descriptor, payload.bytes);
    await pushImage(repository, signed);
    await repository.tag(signed.manifest.descriptor, `${image.digest.replace(':', '-')}.sig`);
    const trust = openKeyTrust(keys.publicKey.export({ type: 'spki', format: 'pem' }).toString());
    const { accepted, refused } = await verifyImage(trust, scene.place, { rules: [SIGNED_BY_ANYBODY] });
    expect(accepted.length + refused.length).toBe(1);
    return refused.map(({ code, reason }) => `${code}: ${reason}`).join();
  }

  test('counts when nothing is wrong with it', async () => {
    expect(await refusalOf(await openScene())).toBe('');
  });

  test.each<[string, Parameters<typeof refusalOf>[1], RegExp]>([
    ['over another digest', { payload: simple(digestOf('x'), TYPE) }, /^other-digest: it is about sha256:2d71/],
    [
      'over another kind of statement',
      { payload: simple(digestOf('x'), 'x') },
      /^malformed: what is signed names no image$/,
    ],
    ['over no statement', { payload: '{' }, /^malformed: /],
    ['with another signature', { annotations: { 'dev.cosignproject.cosign/signature': 'AAAA' } }, /^wrong-identity: /],
    ['with none', { annotations: { 'dev.cosignproject.cosign/signature': '' } }, /^malformed: /],
    ['with a certificate that is none', { annotations: { 'dev.sigstore.cosign/certificate': 'x' } }, /^malformed: /],
    ['with an entry that is none', { annotations: { 'dev.sigstore.cosign/bundle': '{}' } }, /^(?:malformed: |$)/],
  ])('%s is refused', async (_, change, expected) => {
    expect(await refusalOf(await openScene(), change)).toMatch(expected);
  });
});

function simple(digest: string, type: string): string {
  return JSON.stringify({ critical: { image: { 'docker-manifest-digest': digest }, type } });
}

async function* of<T>(...values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}
