import { readBuiltSboms, SBOM_PREDICATE } from './built-sboms.ts';
import { mayMakeSbom } from './core/attestation.ts';
import {
  INPUTS_PREDICATE,
  inputsPredicate,
  MAX_PREDICATE_BYTES,
  REUSE_PREDICATE,
  reusePredicate,
} from './core/attestations.ts';
import { digestOf } from './core/digest.ts';
import { commitOf, parseGitSource } from './core/git-source.ts';
import { formatPlatform } from './core/platform.ts';
import { PROVENANCE_PREDICATE, provenanceOf } from './core/provenance.ts';
import { familiarName, formatReference } from './core/reference.ts';
import { isGitSource } from './core/remote-source.ts';
import { SCAN_PREDICATE, scanPredicate } from './core/scan-attestation.ts';
import { isRelease } from './core/tag-candidates.ts';
import { readWorkflowRun, type WorkflowRun } from './core/workflow-run.ts';
import { INPUTS_MEDIA_TYPE } from './input-record.ts';
import type { Descriptor } from './oci/types.ts';
import type { FoundImage } from './registry/image.ts';
import { candidatesFor, type Run, resultOf } from './stage.ts';
import type { HashResult } from './stages/hash.ts';
import { VERSION } from './version.ts';

/** What is to be said about one manifest. */
export interface Attested {
  readonly subject: Descriptor;
  readonly predicateType: string;
  /** JSON; in the end without what is absent, so that it is equal to itself when it is read back. */
  readonly predicate: unknown;
  /** Of the predicate as JSON: logs take what is small, and some refuse megabytes without a word. */
  readonly sizeBytes: number;
}

type Draft = Omit<Attested, 'sizeBytes'>;

/** The run as it is told in what is attested. */
interface Scene {
  readonly run: Run;
  readonly image: FoundImage;
  readonly workflow: WorkflowRun | undefined;
  readonly identity: string | undefined;
  /** RFC 3339. */
  readonly finishedAt: string;
}

/**
 * What this run can say about its image. Of one that it built: where it comes from, what it was built from, and its SBOMs.
 * Of one that it reuses for a release: this run's commit and version. Of both, what a scan of this run found, platform by
 * platform. `identity` is the subject of the certificate that it will be signed with, where that is known. What is too large is
 * left out with a notice. The errors of `Repository`.
 */
export async function attestationsOf(run: Run, image: FoundImage, identity?: string): Promise<readonly Attested[]> {
  const workflow = readWorkflowRun(run.host.env);
  const scene: Scene = { run, image, workflow, identity, finishedAt: run.host.now().toISOString() };
  const isBuilt = run.results.build?.image.descriptor.digest === image.descriptor.digest;
  const drafts = isBuilt ? [...origin(scene, resultOf(run, 'hash')), ...(await sboms(scene))] : reuse(scene);
  return [...drafts, ...scans(scene)].flatMap((draft) => sized(run, draft));
}

function origin({ run, image, workflow, identity, finishedAt }: Scene, hash: HashResult): readonly Draft[] {
  const { options, platforms, startedAt } = run;
  const inputs = { mediaType: INPUTS_MEDIA_TYPE, digest: digestOf(hash.text()) };
  const provenance = provenanceOf({
    run: workflow,
    identity,
    version: VERSION,
    startedAt: startedAt.toISOString(),
    finishedAt,
    target: options.target,
    platforms: platforms.map(formatPlatform),
    secrets: [...options.secrets, ...options.secretEnvs, ...options.secretFiles].map(({ id }) => id),
    inputs,
    images: hash.pins,
    repositories: repositoriesOf(run, hash),
  });
  const subject = image.descriptor;
  return [
    { subject, predicateType: PROVENANCE_PREDICATE, predicate: provenance },
    { subject, predicateType: INPUTS_PREDICATE, predicate: inputsPredicate(hash, inputs) },
  ];
}

/** Those that the build reads, at the commits that were hashed. */
function repositoriesOf({ options, git }: Run, { manifest }: HashResult): readonly Repository[] {
  const named = options.buildContexts.flatMap(({ name, value }) => {
    const source =
      Object.hasOwn(manifest.namedContexts, name) && isGitSource(value) ? parseGitSource(value) : undefined;
    const commit = source?.ok === true ? commitOf(source.value) : undefined;
    return source?.ok === true && commit !== undefined ? [{ remote: source.value.remote, commit }] : [];
  });
  return [...(git?.main === undefined ? [] : [{ remote: git.main.remote, commit: git.main.commit }]), ...named];
}

interface Repository {
  readonly remote: string;
  readonly commit: string;
}

async function sboms({ run, image }: Scene): Promise<readonly Draft[]> {
  if (!mayMakeSbom(run.options)) return [];
  const { layoutPath } = resultOf(run, 'build');
  const repository =
    layoutPath === undefined ? run.registries.open(image.repository) : await run.registries.openLayout(layoutPath);
  const found = await readBuiltSboms(repository, image);
  return found.flatMap((sbom) => {
    if (sbom.ok) return [{ ...sbom.value, predicateType: SBOM_PREDICATE }];
    run.host.log.notice(`not attested: ${sbom.problem}`);
    return [];
  });
}

function reuse({ run, image, workflow }: Scene): readonly Draft[] {
  if (!isRelease(run.tags)) return [];
  const tags = candidatesFor(run, image.repository).map(({ tag }) => tag);
  const predicate = reusePredicate({ run: workflow, version: run.tags.version, tags });
  return [{ subject: image.descriptor, predicateType: REUSE_PREDICATE, predicate }];
}

function scans({ run, image, workflow, identity, finishedAt }: Scene): readonly Draft[] {
  const record = run.results.scan?.record;
  if (record === undefined) return [];
  const { manifest, descriptor, repository } = image;
  const members = manifest.kind === 'index' ? manifest.manifests : [descriptor];
  return record.platforms.flatMap((platform) => {
    const subject = members.find(({ digest }) => digest === platform.digest);
    if (subject === undefined) return [];
    const name = familiarName(formatReference({ repository, tag: undefined, digest: platform.digest }));
    const predicate = scanPredicate(record, platform, {
      run: workflow,
      identity,
      scanners: run.options.scanScanners,
      image: name,
      finishedAt,
    });
    return [{ subject, predicateType: SCAN_PREDICATE, predicate }];
  });
}

function sized({ host }: Run, { subject, predicateType, predicate }: Draft): readonly Attested[] {
  const text = JSON.stringify(predicate);
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes <= MAX_PREDICATE_BYTES) return [{ subject, predicateType, predicate: JSON.parse(text), sizeBytes }];
  host.log.notice(
    `not attested: ${predicateType} of ${subject.digest} has ${sizeBytes} bytes, and ${MAX_PREDICATE_BYTES} are the most`,
  );
  return [];
}
