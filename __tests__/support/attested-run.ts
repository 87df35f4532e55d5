import { onTestFinished } from 'vitest';
import { type SealedInputs, sealInputs } from '../../src/core/input-manifest.ts';
import { planTags, type TagPlan } from '../../src/core/tag-candidates.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import type { Descriptor } from '../../src/oci/types.ts';
import { parseOptions } from '../../src/options.ts';
import type { FoundImage } from '../../src/registry/image.ts';
import { openRegistries, type RegistryRepository } from '../../src/registry/open.ts';
import type { Results, Run } from '../../src/stage.ts';
import { sampleHash } from './sample-hash.ts';
import { sampleManifest } from './sample-manifest.ts';
import { sampleRun } from './sample-run.ts';
import { pushSbomImage, type SbomChanges } from './sbom-image.ts';
import { workflowEnv } from './workflow-env.ts';

/** A run and its image, which is in a registry. */
export interface AttestedRun {
  readonly run: Run;
  readonly image: FoundImage;
  readonly platform: Descriptor;
  readonly repository: RegistryRepository;
  readonly inputs: SealedInputs;
  /** What it logged. */
  readonly lines: readonly string[];
}

/** What happens in it. */
export interface RunPlan {
  /** The image was built, or else reused. */
  readonly isBuilt?: boolean;
  /** The inputs of the step. */
  readonly inputs?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** The version that is released. */
  readonly version?: string;
  /** What Trivy said of the platform. */
  readonly report?: unknown;
  readonly sbom?: SbomChanges;
  readonly hash?: Partial<Results['hash']>;
  readonly parts?: Partial<Run>;
}

/** A run for an image of one platform that has an SBOM, after its scan. */
export async function openAttestedRun(registry: string, plan: RunPlan = {}): Promise<AttestedRun> {
  const lines: string[] = [];
  const host = createTerminalHost({ env: plan.env ?? workflowEnv(), cwd: '/', write: (line) => void lines.push(line) });
  const registries = openRegistries({ env: {} });
  onTestFinished(() => registries.close());
  const repository = registries.open({ registry, path: `acme/${crypto.randomUUID()}` }, 'push');
  const { image, platform } = await pushSbomImage(repository, plan.sbom);
  const inputs = sealInputs(sampleManifest());
  const hash = sampleHash(inputs.hash, { ...inputs, ...plan.hash });
  const run = sampleRun({
    host,
    registries,
    options: parseOptions({ images: `${registry}/acme/app`, ...plan.inputs }).options,
    tags: tagPlan(plan.version),
    startedAt: new Date('2026-11-21T17:00:00Z'),
    results: {
      hash,
      ...(plan.isBuilt === false ? {} : { build: builtResult(image) }),
      ...(plan.report === undefined ? {} : { scan: scanResult(image, platform, plan.report) }),
    },
    ...plan.parts,
  });
  return { run, image, platform, repository, inputs, lines };
}

function tagPlan(version: string | undefined): TagPlan {
  if (version === undefined) return { candidates: [], version: undefined, notices: [] };
  const event = { date: new Date(0) };
  const plan = planTags({ tags: [], flavor: [], version, tagPrefix: '', immutableTags: undefined, event });
  if (!plan.ok) throw new Error(`${version} is no version`);
  return plan.value;
}

function builtResult(image: FoundImage): Results['build'] {
  return { image, labels: {}, sizesBytes: new Map(), metadata: {}, problems: [], layoutPath: undefined };
}

function scanResult(image: FoundImage, { digest }: Descriptor, report: unknown): Results['scan'] {
  const { digest: settings } = image.descriptor;
  return {
    passed: true,
    summary: '',
    broken: '',
    counts: { CRITICAL: 0, HIGH: 0, MEDIUM: 0, LOW: 0, UNKNOWN: 0 },
    newVulnerabilities: undefined,
    keptSince: undefined,
    files: { directory: '', sarif: undefined },
    document: {},
    text: '',
    markdown: '',
    record: {
      schema: 1,
      image: image.descriptor.digest,
      scannedAt: '2026-11-21T17:00:00.000Z',
      settings,
      scanner: '0.70.0',
      database: '2026-11-21T06:12:13Z',
      platforms: [{ platform: 'linux/amd64', digest, report }],
    },
  };
}
