import { digestOf } from '../../src/core/digest.ts';
import { parseReference } from '../../src/core/reference.ts';
import { attachInputs } from '../../src/input-record.ts';
import { MEDIA_TYPES } from '../../src/oci/types.ts';
import { openRegistries } from '../../src/registry/open.ts';
import { sampleInputs } from './hashed-image.ts';

/** An image of nothing, for tests that only look at names, digests and annotations. */
export interface PlantedImage {
  /** `host/path`. */
  readonly image: string;
  readonly tags: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  /** `os/architecture`. */
  readonly platforms?: readonly string[];
  /** ONBUILD triggers. */
  readonly onBuild?: readonly string[];
  /** `NAME=VALUE`. */
  readonly environment?: readonly string[];
  /** Each platform's environment also names the platform. */
  readonly differing?: boolean;
  /** Attaches a record that says so; it is of other inputs. */
  readonly buildSeconds?: number;
  /** For a registry that asks. */
  readonly login?: Login | undefined;
  /** For a registry that is reached through a proxy, or has an authority of its own. */
  readonly access?: { readonly env: Readonly<Record<string, string>>; readonly authorities: string };
}

export interface Login {
  readonly username: string;
  readonly password: string;
}

/** Puts an index with these annotations and platforms behind the tags; answers its digest. */
export async function plantImage({
  image,
  tags,
  annotations = {},
  platforms = ['linux/amd64'],
  onBuild = [],
  environment = [],
  differing = false,
  buildSeconds,
  login,
  access = { env: {}, authorities: '' },
}: PlantedImage): Promise<string> {
  const reference = parseReference(image);
  if (!reference.ok) throw new Error(reference.problem);
  const { repository: name } = reference.value;
  const registries = openRegistries({ ...access, explicit: login && { registry: name.registry, ...login } });
  const repository = registries.open(name);
  const push = async (mediaType: string, content: unknown) => {
    const bytes = Buffer.from(JSON.stringify(content));
    const descriptor = { mediaType, digest: digestOf(bytes), sizeBytes: bytes.length };
    await repository.push(descriptor, bytes);
    return { descriptor, json: { mediaType, digest: descriptor.digest, size: bytes.length } };
  };
  const manifests = [];
  for (const platform of platforms) {
    const [os, architecture] = platform.split('/');
    const rootfs = { type: 'layers', diff_ids: [] };
    const Env = [...environment, ...(differing ? [`PLATFORM=${platform}`] : [])];
    const config = await push(MEDIA_TYPES.ociConfig, { os, architecture, rootfs, config: { Env, OnBuild: onBuild } });
    const body = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config: config.json, layers: [] };
    manifests.push({ ...(await push(MEDIA_TYPES.ociManifest, body)).json, platform: { os, architecture } });
  }
  const { descriptor } = await push(MEDIA_TYPES.ociIndex, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociIndex,
    manifests,
    annotations,
  });
  const attachment = { inputs: sampleInputs(), buildSeconds, created: new Date(0) };
  if (buildSeconds !== undefined) await attachInputs(repository, descriptor, attachment);
  for (const tag of tags) await repository.tag(descriptor, tag);
  registries.close();
  return descriptor.digest;
}
