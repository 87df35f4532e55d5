import path from 'node:path';
import { findChanges } from './context-inputs.ts';
import { auxiliaryRegistries, type BuildSettings, localCaches, presetCaches } from './core/build-options.ts';
import type { Digest } from './core/digest.ts';
import type { DockerfileProblem } from './core/dockerfile-problems.ts';
import { imageLabels, readAssignments } from './core/labels.ts';
import { formatPlatform } from './core/platform.ts';
import { quote } from './core/printable.ts';
import type { RepositoryName } from './core/reference.ts';
import { findUnfit } from './core/reuse.ts';
import { someOf } from './core/some-of.ts';
import { BuildOnceError } from './errors.ts';
import { type FoundImage, fetchImage } from './registry/image.ts';
import type { Repository } from './registry/repository.ts';
import type { SharedWork } from './shared-work.ts';
import { openImage, type Run, resultOf, wantedOf } from './stage.ts';
import type { Builder, BuilderNeeds, RegistryAccess } from './tools/builder.ts';
import type { BuildOrigin, Destination } from './tools/buildx-arguments.ts';
import type { Docker } from './tools/docker.ts';
import { openDocker, type RegistryLogin } from './tools/docker-config.ts';
import { loadBuildCheck, loadBuildx } from './tools/load.ts';

const MAX_NAMED_CHANGES = 5;
const NO_CACHES = { cacheFrom: [], cacheTo: [] };

/** What was built: in the first repository by digest, without a tag, or in a layout. */
export interface BuiltImage {
  readonly image: FoundImage;
  /** All that the image was given, the user's among them. */
  readonly labels: Readonly<Record<string, string>>;
  /** Config and layers of each platform's manifest, compressed. */
  readonly sizesBytes: ReadonlyMap<Digest, number>;
  /** As buildx wrote it. */
  readonly metadata: unknown;
  /** What buildx would have otherwise in the Dockerfile, where somebody wants to know. */
  readonly problems: readonly DockerfileProblem[];
  /** The OCI layout that it lies in, until the run's end; `undefined` when the builder pushed it itself. */
  readonly layoutPath: string | undefined;
}

/** How an image is to be built that others are built on, and that is pushed nowhere. */
export interface BaseBuild {
  readonly run: Run;
  readonly settings: BuildSettings;
  readonly needs: BuilderNeeds;
}

/** How a run's image is to be built. */
export interface ImageBuild extends BaseBuild {
  readonly repository: RepositoryName;
}

/** Pure. `undefined` for a run that names no image. */
export function planImageBuild(run: Run): ImageBuild | undefined {
  const [repository] = run.options.images;
  if (repository === undefined) return undefined;
  const own = Object.entries(labelsOf(run, repository)).map(([key, value]) => `${key}=${value}`);
  const settings = settingsOf(run, repository, own);
  return { run, repository, settings, needs: needsOf(run, repository, settings) };
}

/** Pure. What the image is called has no part in it. */
export function planBaseBuild(run: Run): BaseBuild {
  const settings = settingsOf(run, undefined, []);
  return { run, settings, needs: needsOf(run, undefined, settings) };
}

/** A builder that can do what is to be built, and what calls it. */
export interface Workbench {
  readonly docker: Docker;
  readonly builder: Builder;
  readonly buildx: Awaited<ReturnType<typeof loadBuildx>>;
}

/** Before an image is built: makes sure that it may be pushed. Errors as of `checkPushAccess`. */
export async function checkMayPush({ run }: ImageBuild): Promise<void> {
  if (!run.event.push) return;
  await Promise.all(run.options.images.map((name) => openImage(run, name).checkPushAccess()));
}

/** Before images are built by one call: makes sure that there is a builder, once they are `allowed`. Errors as of `chooseBuilder`. */
export async function openWorkbench(
  builds: readonly ImageBuild[],
  bases: readonly BaseBuild[] = [],
  allowed: Promise<void> = Promise.resolve(),
): Promise<Workbench> {
  const [first] = builds;
  if (first === undefined) throw new TypeError('nothing is to be built');
  const { run } = first;
  const { host, event, options } = run;
  const needs = jointNeeds(builds, bases);
  const [buildx, logins] = await Promise.all([loadBuildx(), loginsOf(run, needs), allowed]);
  if (builds.some((one) => ownCaches(one.run).length < one.run.options.cacheTo.length))
    host.log.notice(`no cache is written beyond this machine: ${event.untrusted ?? ''}`);
  const docker = openDocker(host, logins);
  const { builder: named, emulation, binfmtImage } = options;
  const builder = await buildx.chooseBuilder(docker, named, needs, emulation === 'auto' ? binfmtImage : undefined);
  return { docker, builder, buildx };
}

/** Where the builder puts an image of a run. */
export function destinationOf({ run, repository }: ImageBuild, { delivery }: Builder): Destination {
  if (delivery === 'push') return { kind: 'push', repository };
  return { kind: 'layout', path: run.host.files.makeTemporaryDirectory('build-once-layout-') };
}

/** The CI run that builds. */
export function originOf({ event }: Run): BuildOrigin | undefined {
  return event.runUrl === undefined ? undefined : { url: event.runUrl, isPrivate: event.repository?.isPrivate };
}

/** What buildx would have otherwise in the Dockerfile; asked for where a scan tells of it. */
export async function findProblems(
  { run, settings }: ImageBuild,
  { docker, builder }: Pick<Workbench, 'docker' | 'builder'>,
): Promise<readonly DockerfileProblem[]> {
  if (!run.options.scan) return [];
  const { checkBuild } = await loadBuildCheck();
  return checkBuild(docker, { settings, builder: builder.name });
}

/** What the builder says of an image that it has built. */
interface Built {
  readonly destination: Destination;
  readonly digest: Digest;
  readonly metadata: unknown;
  readonly problems: readonly DockerfileProblem[];
}

/**
 * Takes what was built, when it is what was hashed; `again` as in `refuseChangedContext`. BuildOnceError `CONTEXT_CHANGED`
 * and `BUILD_INCOMPLETE`; errors of the registry.
 */
export async function takeBuilt(
  { run, repository, settings }: ImageBuild,
  { destination, digest, metadata, problems }: Built,
  again?: SharedWork,
): Promise<BuiltImage> {
  refuseChangedContext(run, again);
  const layoutPath = destination.kind === 'layout' ? destination.path : undefined;
  const place = layoutPath === undefined ? openImage(run, repository) : await run.registries.openLayout(layoutPath);
  const image = await readBack(place, digest, run);
  return {
    image: { ...image, repository },
    labels: readAssignments(settings.labels),
    sizesBytes: await sizesOf(place, image),
    metadata,
    problems,
    layoutPath,
  };
}

/** What one builder has to be able to do for all of them; it pushes where all go to one registry. */
function jointNeeds(builds: readonly ImageBuild[], bases: readonly BaseBuild[]): BuilderNeeds {
  const needs = [...builds, ...bases].map((one) => one.needs);
  const targets = new Set(builds.map((one) => one.needs.pushTo));
  const [pushTo] = targets;
  const runs = new Map(needs.flatMap((one) => one.runs).map((platform) => [formatPlatform(platform), platform]));
  const [first] = needs;
  return {
    platformCount: Math.max(...needs.map(({ platformCount }) => platformCount)),
    runs: [...runs.values()],
    pushTo: targets.size === 1 ? pushTo : undefined,
    registries: [...new Set(needs.flatMap(({ registries }) => registries))],
    ...(first?.access === undefined ? {} : { access: first.access }),
  };
}

/**
 * The builder read the files after they were hashed: what it read must be what the hash says. BuildOnceError
 * `CONTEXT_CHANGED`. `again`: what is read now, shared by several images.
 */
export function refuseChangedContext(run: Run, again?: SharedWork): void {
  const { order, reading } = resultOf(run, 'hash');
  const changed = findChanges(run, order, reading, again);
  if (changed.length === 0) return;
  const named = someOf(changed, MAX_NAMED_CHANGES, quote);
  throw new BuildOnceError('CONTEXT_CHANGED', `changed while the image was built: ${named}; no tag was set`, 1, {
    hint: 'Do not write into the context while it is built, or leave what is written out with .dockerignore.',
  });
}

/** What was built must be what the next run will look for; a builder that drops annotations would build forever. */
async function readBack(repository: Repository, digest: Digest, run: Run): Promise<FoundImage> {
  const image = await fetchImage(repository, { digest });
  const unfit = image === undefined ? undefined : findUnfit(image.manifest, { ...wantedOf(run), maxAgeMs: undefined });
  if (image !== undefined && unfit === undefined) return image;
  const why = unfit?.detail ?? 'it is not there';
  throw new BuildOnceError(
    'BUILD_INCOMPLETE',
    `the image that was built (${digest}) is not what was asked for: ${why}`,
    1,
    {
      hint: 'The builder may be too old: buildx 0.12 and BuildKit 0.12 or newer are needed.',
    },
  );
}

async function sizesOf(repository: Repository, image: FoundImage): Promise<ReadonlyMap<Digest, number>> {
  const children = image.manifest.kind === 'index' ? image.manifest.manifests : [];
  const sizes = await Promise.all(
    children.map(async ({ digest }) => {
      const child = await fetchImage(repository, { digest });
      if (child?.manifest.kind !== 'manifest') return [];
      const { config, layers } = child.manifest;
      return [[digest, layers.reduce((sum, layer) => sum + layer.sizeBytes, config.sizeBytes)] as const];
    }),
  );
  return new Map(sizes.flat());
}

function labelsOf(
  { event, tags, startedAt, results, git: contexts }: Run,
  repository: RepositoryName,
): Readonly<Record<string, string>> {
  const { repository: github, git } = event;
  return imageLabels({
    hash: results.hash?.hash ?? '',
    dependencyManifests: results.hash?.dependencyManifests ?? [],
    title: github?.fullName.split('/')[1] ?? repository.path.split('/').at(-1),
    description: github?.description,
    license: github?.license,
    // Without an event, the repository that the files are from.
    source: github?.url ?? contexts?.main?.remote,
    revision: git.sha ?? contexts?.main?.commit,
    version: tags.version,
    created: startedAt.toISOString(),
  });
}

/** The inputs as buildx is to have them. `own`: labels of ours, the content hash last. */
function settingsOf(run: Run, repository: RepositoryName | undefined, own: readonly string[]): BuildSettings {
  const { options, host, event, git } = run;
  const mayExport = event.push && event.git.pullRequest === undefined;
  const preset = repository === undefined ? NO_CACHES : presetCaches(options.cache, repository, mayExport);
  return {
    ...options,
    context: git?.main?.pinned ?? path.resolve(host.cwd, options.context),
    file: git?.main?.file ?? path.resolve(host.cwd, resultOf(run, 'hash').dockerfile),
    secrets: [...options.secrets, ...(git?.secrets ?? [])],
    platforms: run.platforms,
    labels: withOwn(own, options.labels),
    annotations: withOwn(own, options.annotations),
    cacheFrom: [...options.cacheFrom, ...preset.cacheFrom],
    cacheTo: [...ownCaches(run), ...preset.cacheTo],
  };
}

/** What a stranger's code leaves in a cache would be built into images later. */
function ownCaches({ options, event }: Run): readonly string[] {
  return event.untrusted === undefined ? options.cacheTo : localCaches(options.cacheTo);
}

/** The user's come last and win; the content hash comes after all. */
function withOwn(own: readonly string[], given: readonly string[]): readonly string[] {
  return [...own.slice(0, -1), ...given, ...own.slice(-1)];
}

function needsOf(run: Run, repository: RepositoryName | undefined, settings: BuildSettings): BuilderNeeds {
  const { pins, runsPrograms } = resultOf(run, 'hash');
  return {
    platformCount: run.platforms.length,
    runs: runsPrograms ? run.platforms : [],
    pushTo: run.event.push ? repository?.registry : undefined,
    registries: [
      ...(repository === undefined ? [] : [repository.registry]),
      ...pins.map(({ registry }) => registry),
      ...auxiliaryRegistries(settings),
    ],
    access: accessOf(run),
  };
}

function accessOf({ options, host, registries }: Run): RegistryAccess {
  const { registryCa, registryInsecure } = options;
  return {
    plain: registryInsecure,
    authorityFile: registryCa === undefined ? undefined : path.resolve(host.cwd, registryCa),
    proxies: registries.proxyVariables,
  };
}

/** What Docker's own configuration may lack: credentials from the inputs, and from the GitHub token for its registry. */
async function loginsOf({ options, registries }: Run, needs: BuilderNeeds): Promise<readonly RegistryLogin[]> {
  const given = options.username === undefined ? [] : [options.registry ?? options.images[0]?.registry ?? ''];
  const emulator = options.binfmtImage.repository.registry;
  const logins: RegistryLogin[] = [];
  for (const registry of new Set([...given, ...needs.registries, emulator])) {
    const credentials = await registries.addition(registry);
    if (credentials !== undefined) logins.push({ registry, credentials });
  }
  return logins;
}
