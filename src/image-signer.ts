import { attestationsOf } from './attestations.ts';
import { formatReference, isLoopback } from './core/reference.ts';
import type { AcceptedSignature, ImageVerdict } from './core/signature-verdict.ts';
import { SIGNED_BY_ANYBODY, type SignerIdentity, type SignerRule } from './core/signer-rule.ts';
import { namedRules, ownRule } from './core/trust-plan.ts';
import { identityArguments } from './core/verify-command.ts';
import { isBuildOnceError } from './errors.ts';
import { inParallel } from './in-parallel.ts';
import type { Descriptor } from './oci/types.ts';
import { openOwnKey } from './own-key.ts';
import { Secret } from './registry/credentials.ts';
import type { FoundImage } from './registry/image.ts';
import { signedManifests } from './signature-copies.ts';
import { sourceOf } from './signing-rules.ts';
import { openImage, type Run } from './stage.ts';
import { loadCosign, loadSigstore } from './tools/load.ts';
import type { Signing } from './tools/sigstore.ts';

export { copySignatures } from './signature-copies.ts';

/** What was signed, and how a consumer verifies it. */
export interface SignOutcome {
  /** The index first. */
  readonly signatures: readonly { readonly digest: Descriptor['digest']; readonly isNew: boolean }[];
  /** The types of what is said about the image, signed the same way; one may be there for each platform. */
  readonly attestations: readonly string[];
  /** `undefined` with a key. */
  readonly signer: SignerIdentity | undefined;
  /** For cosign 3. */
  readonly verifyCommand: string;
}

/** How many signatures are made at the same time. */
const MAX_AT_ONCE = 4;
/** Sigstore's public log is said to refuse predicates of some megabytes. */
const SURELY_TAKEN_BYTES = 1 << 20;
const PUBLISHED = 'for good: the digest, and the repository, workflow, ref and commit of this run';

/**
 * Signs the image: its index, and the manifest of every platform. What the same identity has signed is not signed again; all of it
 * is verified as a consumer would. The errors of `signImage`, `openKey`, `findCosign`.
 */
export async function signRun(run: Run, image: FoundImage): Promise<SignOutcome> {
  const signing = await openSigning(run);
  try {
    const repository = openImage(run, image.repository);
    const { signImage } = await loadSigstore();
    const signed = await firstThenRest(subjectsOf(run, image), async (subject) => ({
      digest: subject.digest,
      ...(await signImage(signing, { repository, image: subject })),
    }));
    const attested = await attestAll(run, image, signing);
    if (run.signing === 'keyless' && [...signed, ...attested].some(({ isNew }) => isNew)) tellPublished(run);
    const signer = signed[0]?.signature.signer;
    return {
      signatures: signed.map(({ digest, isNew }) => ({ digest, isNew })),
      attestations: attested.map(({ predicateType }) => predicateType),
      signer,
      verifyCommand: verifyCommandOf(run, image, signer),
    };
  } finally {
    signing.signer.close();
  }
}

/** Says what this run knows of the image, signed the same way. Above what every log takes, a refusal ends no run. */
async function attestAll(run: Run, image: FoundImage, signing: Signing) {
  const { attest } = await loadSigstore();
  const { subject: identity } = await signing.signer.identity();
  const repository = openImage(run, image.repository);
  const all = await inParallel(await attestationsOf(run, image, identity), MAX_AT_ONCE, async (attested) => {
    const { subject, predicateType, predicate, sizeBytes } = attested;
    try {
      const { isNew } = await attest(signing, { repository, image: subject }, { predicateType, predicate });
      return [{ predicateType, isNew }];
    } catch (error) {
      if (!isBuildOnceError(error) || sizeBytes <= SURELY_TAKEN_BYTES || run.host.signal.aborted) throw error;
      run.host.log.notice(`not attested, as ${sizeBytes} bytes may be too many: ${predicateType}: ${error.message}`);
      return [];
    }
  });
  return all.flat();
}

function tellPublished({ host, options }: Run): void {
  const log =
    options.sigstoreSigningConfig === undefined
      ? "Sigstore's public log"
      : 'the log that sigstore-signing-config names';
  host.log.info(`a keyless signature publishes in ${log}, ${PUBLISHED}`);
}

/** What is attached to an image and proved, what is not, and how a consumer sees the same. */
export interface VerifyOutcome extends ImageVerdict {
  readonly verifyCommand: string | undefined;
}

/** Verifies the signatures of an image as a consumer would, by the rules of the run. The errors of `verifyImage`. */
export async function verifyRun(run: Run, image: FoundImage): Promise<VerifyOutcome> {
  const { openTrust, verifyImage } = await loadSigstore();
  const rules = rulesOf(run);
  const trust = (await openOwnKey(run)) ?? (await openTrust(run.host, settingsOf(run)));
  const repository = run.registries.open(image.repository);
  const verdict = await verifyImage(trust, { repository, image: image.descriptor }, { rules });
  const first: AcceptedSignature | undefined = verdict.accepted[0];
  return { ...verdict, verifyCommand: first && verifyCommandOf(run, image, first.signer) };
}

/** Those whom `trust-identity` names, else the runs of the workflow's own repository; with a key everybody who has it. */
function rulesOf({ options, host, event }: Run): readonly SignerRule[] {
  if (options.signKey !== undefined) return [SIGNED_BY_ANYBODY];
  if (options.trustIdentity.length > 0) return namedRules(options.trustIdentity, options.trustIssuer);
  const source = sourceOf(host.env, event);
  return source === undefined ? [] : [ownRule(source)];
}

/** The index, the platforms, and what a scan has just found out. */
function subjectsOf({ results }: Run, image: FoundImage): readonly Descriptor[] {
  const verdict = results.verdict?.artifact;
  return [...signedManifests(image), ...(verdict === undefined ? [] : [verdict])];
}

async function openSigning(run: Run): Promise<Signing> {
  const { host } = run;
  if (run.signing === 'key') return openKeySigning(run);
  const { openSigner, openTrust } = await loadSigstore();
  const settings = settingsOf(run);
  const trust = await openTrust(host, settings);
  const signer = openSigner(host, settings);
  return { host, signer, trust };
}

async function openKeySigning(run: Run): Promise<Signing> {
  const { host, options, access } = run;
  const { findCosign, openKey, publicKeyOf, signStatement } = await loadCosign();
  const { openKeyTrust } = await loadSigstore();
  if (options.signKey === undefined) throw new TypeError('there is no key to sign with');
  const cosign = await findCosign(host, { transport: access });
  const key = await openKey(cosign, {
    key: options.signKey,
    password: options.signKeyPassword === undefined ? undefined : new Secret(options.signKeyPassword),
  });
  const services = { signingConfig: options.sigstoreSigningConfig, trustedRoot: options.sigstoreTrustedRoot };
  const signer = {
    byKey: true,
    identity: () =>
      Promise.resolve({ issuer: '', subject: undefined, sourceRepository: undefined, sourceRef: undefined }),
    sign: async (statement: string) => Buffer.from(await signStatement(key, statement, services)).toString(),
    close: () => {},
  } as const;
  return { host, signer, trust: openKeyTrust(await publicKeyOf(key)) };
}

function settingsOf({ options, access }: Run) {
  return {
    transport: access,
    trustedRoot: options.sigstoreTrustedRoot,
    signingConfig: options.sigstoreSigningConfig,
  };
}

/** What a consumer runs to see the same: cosign 3, in a shell. */
function verifyCommandOf({ options }: Run, image: FoundImage, signer: SignerIdentity | undefined): string {
  const { repository, descriptor } = image;
  const root = options.sigstoreTrustedRoot;
  const services = root === undefined ? [] : [`--trusted-root ${shellWord(root)}`];
  const who =
    signer === undefined
      ? [
          '--key cosign.pub',
          ...(options.sigstoreSigningConfig === undefined ? ['--insecure-ignore-tlog=true'] : services),
        ]
      : [...identityArguments(signer).map(([option, value]) => `${option} ${shellWord(value)}`), ...services];
  const isPlain = options.registryInsecure.includes(repository.registry) && !isLoopback(repository.registry);
  const plain = isPlain ? ['--allow-http-registry'] : [];
  const name = formatReference({ repository, tag: undefined, digest: descriptor.digest });
  return ['cosign verify', ...who, ...plain, name].join(' ');
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The first one alone: it gets the token and the certificate that do for all. */
async function firstThenRest<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const first = await inParallel(items.slice(0, 1), 1, work);
  return [...first, ...(await inParallel(items.slice(1), MAX_AT_ONCE, work))];
}
