import type { Digest } from '../core/digest.ts';
import { formatPlatform } from '../core/platform.ts';
import { familiarName, formatReference, type RepositoryName } from '../core/reference.ts';
import { BuildOnceError, RegistryError } from '../errors.ts';
import type { Descriptor, Platform } from '../oci/types.ts';
import { copyImage } from '../registry/copy.ts';
import { type FoundImage, fetchImage } from '../registry/image.ts';
import { candidatesFor, imageOf, isLoaded, openImage, type Results, type Run, resultOf, type Stage } from '../stage.ts';
import type { Docker } from '../tools/docker.ts';
import { openDocker } from '../tools/docker-config.ts';
import type { EngineImage } from '../tools/engine.ts';
import { loadEngine } from '../tools/load.ts';

/** The image as the local engine has it. */
export interface LoadResult {
  /** As `docker images` shows it. */
  readonly id: Digest;
  readonly platform: Platform;
  /** Its names there, with the digest of the image that this run found or built. */
  readonly tags: Results['tag']['tags'];
}

interface Name {
  readonly repository: RepositoryName;
  readonly tag: string;
  readonly reference: string;
}

interface LoadPlan {
  readonly image: FoundImage;
  readonly platform: Platform;
  readonly names: readonly Name[];
  /** Where the build left it; `undefined` when it is in the registry only. */
  readonly layoutPath: string | undefined;
}

/**
 * Puts one platform of the image into the local engine, under every tag that this run sets: from the build's own output, else
 * by a pull, else by a copy that this run fetches, since an engine may reach less than we do. Names move: they are this
 * machine's.
 */
export const loadStage: Stage<'load', LoadPlan> = {
  name: 'load',
  title: 'Load the image into the local engine',
  plan(run) {
    const { build } = run.results;
    const image = imageOf(run);
    if (!isLoaded(run)) return { skip: 'load is off' };
    if (image === undefined) return { skip: 'there is no image' };
    const isOurs = build?.image.descriptor.digest === image.descriptor.digest;
    return {
      image,
      platform: resultOf(run, 'engine').platform,
      names: namesFor(run, image),
      layoutPath: isOurs ? build.layoutPath : undefined,
    };
  },
  async apply(plan, run) {
    const { inspectImages, tagImage } = await loadEngine();
    const docker = openDocker(run.host, []);
    const { digest } = plan.image.descriptor;
    const inRegistry = formatReference({ repository: plan.image.repository, tag: undefined, digest });
    const before = await inspectImages(docker, [...plan.names.map(({ reference }) => reference), inRegistry]);
    const there = before.find((image) => isSame(image, plan));
    const source = there?.id ?? (await bring(plan, docker, run));
    const [loaded] = there === undefined ? await inspectImages(docker, [source]) : [there];
    if (loaded === undefined) throw lost(source);
    const tags: LoadResult['tags'][number][] = [];
    for (const { reference, tag } of plan.names) {
      const prior = before.find(({ names }) => names.has(reference));
      const outcome = prior === undefined ? 'created' : prior.id === loaded.id ? 'unchanged' : 'moved';
      // By id: another run on this machine may move a name at any moment.
      if (outcome !== 'unchanged' && reference !== source) await tagImage(docker, loaded.id, reference);
      tags.push({ reference, tag, digest, outcome, detail: undefined });
    }
    say(plan, run);
    return { id: loaded.id, platform: plan.platform, tags };
  },
};

/**
 * The tags that are on the image in the registry; when nothing is pushed, all that were asked for and the hash tag. When others
 * have moved every one of them meanwhile, the hash tag remains: in the engine it stands for what this run has.
 */
function namesFor(run: Run, { descriptor }: FoundImage): readonly Name[] {
  const { tag: tagged, hash } = run.results;
  const all = run.options.images.flatMap((repository) => {
    const asked = [...candidatesFor(run, repository).map(({ tag }) => tag), ...(hash === undefined ? [] : [hash.tag])];
    return asked.map((tag) => ({
      repository,
      tag,
      reference: formatReference({ repository, tag, digest: undefined }),
    }));
  });
  if (tagged === undefined) return all;
  const onImage = new Set(
    tagged.tags.flatMap(({ reference, digest }) => (digest === descriptor.digest ? [reference] : [])),
  );
  const names = all.filter(({ reference }) => onImage.has(reference));
  return names.length > 0 ? names : all.filter(({ tag }) => tag === hash?.tag);
}

function isSame({ id, digests, platform }: EngineImage, plan: LoadPlan): boolean {
  const { digest } = plan.image.descriptor;
  return (id === digest || digests.has(digest)) && formatPlatform(platform) === formatPlatform(plan.platform);
}

/** Makes the engine have the image; answers a name that leads to it there. */
async function bring(plan: LoadPlan, docker: Docker, run: Run): Promise<string> {
  const { image, platform, layoutPath } = plan;
  if (run.results.engine?.image === image) throw lost(image.descriptor.digest);
  if (layoutPath !== undefined) return loadFrom(layoutPath, plan, docker, run);
  const { repository, descriptor } = image;
  const reference = formatReference({ repository, tag: undefined, digest: descriptor.digest });
  const credentials = await run.registries.addition(repository.registry);
  const logins = credentials === undefined ? [] : [{ registry: repository.registry, credentials }];
  const { pullImage } = await loadEngine();
  const failure = await pullImage(openDocker(run.host, logins), reference, platform);
  if (failure === undefined) return reference;
  run.host.log.notice(`the local engine could not pull ${reference} (${failure}); this run fetches it instead`);
  return loadFrom(await fetchPlatform(plan, run), plan, docker, run);
}

function lost(name: string): BuildOnceError {
  return new BuildOnceError('LOAD_FAILED', `the local engine has lost ${name} meanwhile`, 1, {
    hint: 'Run again; keep what prunes images away from this machine while it works.',
  });
}

/** Copies the one platform into a layout, and the index that names it, so that the digest stays. */
async function fetchPlatform({ image, platform }: LoadPlan, run: Run): Promise<string> {
  const directory = run.host.files.makeTemporaryDirectory('build-once-layout-');
  const layout = await run.registries.openLayout(directory);
  const from = openImage(run, image.repository);
  await copyImage(from, layout, platformOf(image, platform));
  const root = await from.fetch({ digest: image.descriptor.digest });
  if (root !== undefined) await layout.push(root.descriptor, await root.bytes());
  return directory;
}

async function loadFrom(layoutPath: string, plan: LoadPlan, docker: Docker, run: Run): Promise<string> {
  // The one that stands for this content, whatever other runs do.
  const name = plan.names.find(({ tag }) => tag === run.results.hash?.tag) ?? plan.names[0];
  const platform = platformOf(plan.image, plan.platform);
  const found = await fetchImage(await run.registries.openLayout(layoutPath), { digest: platform.digest });
  if (name === undefined || found?.manifest.kind !== 'manifest') {
    throw new RegistryError('LAYOUT_INVALID', `the layout lacks the image of ${formatPlatform(plan.platform)}`);
  }
  const { loadImage } = await loadEngine();
  const root = plan.image.descriptor;
  await loadImage(docker, { layout: layoutPath, root, platform, manifest: found.manifest, name });
  return name.reference;
}

function platformOf({ manifest, descriptor }: FoundImage, wanted: Platform): Descriptor {
  const members = manifest.kind === 'index' ? manifest.manifests : [];
  const name = formatPlatform(wanted);
  return members.find(({ platform }) => platform !== undefined && formatPlatform(platform) === name) ?? descriptor;
}

function say({ names, platform }: LoadPlan, { results, host }: Run): void {
  const shown = names.map(({ reference }) => familiarName(reference));
  const name = formatPlatform(platform);
  const isOwn = results.engine?.isOwn === true;
  host.log.info(`loaded into the local engine: ${shown.join(', ')} (${name})`);
  host.log.info(`run it with: docker run ${isOwn ? '' : `--platform=${name} `}${shown[0] ?? ''}`);
}
