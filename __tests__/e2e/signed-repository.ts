import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { parseLinkTag } from '../../src/core/retention/link-tag.ts';
import { parseManifest } from '../../src/oci/parse.ts';
import type { Descriptor } from '../../src/oci/types.ts';
import { copyImage } from '../../src/registry/copy.ts';
import type { Repository } from '../../src/registry/repository.ts';
import { sampleIndex } from '../registry/sample-image.ts';
import { type Job, openJob } from '../support/job.ts';
import { CHECKOUT, NODE_DIRECTORY } from '../support/programs.ts';
import { spdx } from '../support/sbom-image.ts';
import type { Toolchain } from '../support/toolchain.ts';
import { openByName, vulnappAdvisories } from '../support/trivy-database.ts';
import { generateKeys } from '../tools/cosign-keys.ts';
import { descriptorOf, publishDatabase } from './scan-job.ts';

export const PLATFORMS = ['linux/amd64', 'linux/arm64'] as const;
export const CLI = [path.join(NODE_DIRECTORY, 'node'), path.join(CHECKOUT, 'dist/cli.js')] as const;

/** The tags of each image, the oldest image first. */
export const IMAGES = {
  /** By build-once with its signatures, and what it was built from. */
  ours: ['1.0.0', '1.0'],
  /** With cosign's bundles, on the index and every platform. */
  bundles: ['1.1.0'],
  /** With cosign's old `.sig` tags on all of them. */
  sigTags: ['1.1.1', '1.1', '1'],
  /** With an SBOM inside, and bundles. */
  sbom: ['2.0.0', 'stable'],
  /** As `ours`, and with what a scan has found. */
  scanned: ['2.1.0', '2.1', '2', 'latest'],
  /** One platform, no index, no signature. */
  plain: ['edge'],
  /** amd64 of `ours`, arm64 of `scanned`; its index is signed. */
  mixed: ['mixed'],
} as const;

/** What it prints; `mixed` has the platforms of others. */
export type ImageName = keyof typeof IMAGES;

export interface SignedRepository {
  readonly job: Job;
  /** `host/path` in the toolchain's registry. */
  readonly image: string;
  readonly publicKey: string;
  /** Another repository with the same, as if it had been pushed there. */
  copyTo(host: string): Promise<string>;
  remove(): void;
}

/** Builds and signs all of {@link IMAGES}, with real buildx and cosign. */
export async function makeSignedRepository(toolchain: Toolchain): Promise<SignedRepository> {
  const job = openJob(toolchain, { Dockerfile: 'ARG BASE\nFROM $BASE\nCOPY name /name\nCMD ["cat", "/name"]\n' });
  const image = `${toolchain.registry}/t/${randomUUID()}`;
  const password = 'password-of-the-key';
  const { key } = await generateKeys(job.directory, { name: 'cosign', password, PATH: job.env['PATH'] ?? '' });
  const base = `BASE=${toolchain.baseImage}`;
  const nameIt = (name: ImageName): void => job.write({ name });
  const withBuildOnce = async (name: ImageName, ...flags: string[]): Promise<void> => {
    nameIt(name);
    const signing = ['--sign=key', `--sign-key=${key}`, `--sign-key-password=${password}`, '--provenance=mode=max'];
    const tags = IMAGES[name].map((tag) => `--tags=${tag}`);
    const what = [`--images=${image}`, `--platforms=${PLATFORMS.join(',')}`, `--build-args=${base}`, ...tags];
    await job.run(...CLI, 'build', ...what, ...signing, ...flags);
  };
  const withBuildx = async (name: ImageName, ...flags: string[]): Promise<void> => {
    nameIt(name);
    const tags = IMAGES[name].map((tag) => `--tag=${image}:${tag}`);
    await job.run('docker', 'buildx', 'build', '--push', '--quiet', `--build-arg=${base}`, ...tags, ...flags, '.');
  };
  const sign = (name: ImageName, ...flags: string[]): Promise<string> => {
    const own = ['--yes', `--key=${key}`, '--use-signing-config=false', '--tlog-upload=false', ...flags];
    return job.run('env', `COSIGN_PASSWORD=${password}`, 'cosign', 'sign', ...own, `${image}:${IMAGES[name][0]}`);
  };
  const both = `--platform=${PLATFORMS.join(',')}`;

  await withBuildOnce('ours', '--scan=false');
  await withBuildx('bundles', both, '--provenance=mode=max');
  await sign('bundles', '--recursive');
  await withBuildx('sigTags', both, '--provenance=mode=max');
  await sign('sigTags', '--recursive', '--new-bundle-format=false');
  await withBuildx('sbom', both, '--provenance=mode=max', `--sbom=generator=${await pushGenerator(job, toolchain)}`);
  await sign('sbom', '--recursive');
  const database = toolchain.layers.trivy ? await publishDatabase(toolchain, vulnappAdvisories()) : undefined;
  await withBuildOnce('scanned', ...(database === undefined ? ['--scan=false'] : [`--scan-db-repository=${database}`]));
  await withBuildx('plain', '--provenance=false', `--platform=${PLATFORMS[0]}`);
  await pushMixed(image);
  await sign('mixed');
  return {
    job,
    image,
    publicKey: path.join(job.directory, 'cosign.pub'),
    copyTo: (host) => copyRepository(image, host),
    remove: () => job.remove(),
  };
}

/** A program that finds the same in every image. */
async function pushGenerator(job: Job, { registry, baseImage }: Toolchain): Promise<string> {
  const reference = `${registry}/scanner/${randomUUID()}:1`;
  const predicateType = 'https://spdx.dev/Document';
  const statement = { _type: 'https://in-toto.io/Statement/v0.1', predicateType, predicate: spdx(['busybox']) };
  job.write({
    'generator/Dockerfile': `FROM ${baseImage}\nCOPY scan sbom.json /\nENTRYPOINT ["/bin/busybox", "sh", "/scan"]\n`,
    'generator/scan': 'cat /sbom.json >"$BUILDKIT_SCAN_DESTINATION/sbom.spdx.json"\n',
    'generator/sbom.json': JSON.stringify(statement),
  });
  await job.run('docker', 'buildx', 'build', '--provenance=false', '--push', `--tag=${reference}`, 'generator');
  return reference;
}

async function pushMixed(image: string): Promise<void> {
  const { repository, close } = openByName(image);
  const platformOf = async (tag: string, architecture: string): Promise<Descriptor> => {
    const found = (await childrenOf(repository, tag)).find(({ platform }) => platform?.architecture === architecture);
    if (found === undefined) throw new Error(`${tag} is not for ${architecture}`);
    return found;
  };
  const platforms = [await platformOf(IMAGES.ours[0], 'amd64'), await platformOf(IMAGES.scanned[0], 'arm64')];
  const annotations = { 'org.opencontainers.image.created': new Date().toISOString() };
  const { descriptor, bytes } = sampleIndex(platforms, { annotations });
  await repository.push(descriptor, bytes);
  await repository.tag(descriptor, IMAGES.mixed[0]);
  close();
}

async function childrenOf(repository: Repository, tag: string): Promise<readonly Descriptor[]> {
  const content = await repository.fetch({ tag });
  if (content === undefined) throw new Error(`${tag} is not there`);
  const manifest = parseManifest(await content.bytes(), content.descriptor.mediaType);
  return manifest.ok && manifest.value.kind === 'index' ? manifest.value.manifests : [];
}

/** Tags with all that they lead to, and every referrer through the client, which keeps the fallback tags where it must. */
async function copyRepository(source: string, host: string): Promise<string> {
  const target = `${host}/t/${randomUUID()}`;
  const [from, to] = [openByName(source), openByName(target)];
  const copied = new Set<string>();
  const copy = async (descriptor: Descriptor): Promise<void> => {
    if (copied.has(descriptor.digest)) return;
    copied.add(descriptor.digest);
    await copyImage(from.repository, to.repository, descriptor);
    for await (const referrer of from.repository.referrers(descriptor)) await copy(referrer);
  };
  for await (const tag of from.repository.tags()) {
    if (parseLinkTag(tag)?.isFallback === true) continue;
    const descriptor = await descriptorOf(source, tag);
    await copy(descriptor);
    if (parseLinkTag(tag) === undefined) for (const child of await childrenOf(from.repository, tag)) await copy(child);
    await to.repository.tag(descriptor, tag);
  }
  from.close();
  to.close();
  return target;
}
