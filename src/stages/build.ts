import path from 'node:path';
import { findChanges } from '../context-inputs.ts';
import { auxiliaryRegistries, type BuildSettings, localCaches, presetCaches } from '../core/build-options.ts';
import type { Digest } from '../core/digest.ts';
import type { DockerfileProblem } from '../core/dockerfile-problems.ts';
import { imageLabels, readAssignments } from '../core/labels.ts';
import { quote } from '../core/printable.ts';
import type { RepositoryName } from '../core/reference.ts';
import { findUnfit } from '../core/reuse.ts';
import { BuildOnceError } from '../errors.ts';
import { type FoundImage, fetchImage } from '../registry/image.ts';
import type { Repository } from '../registry/repository.ts';
import { openImage, type Run, resultOf, type Stage, wantedOf } from '../stage.ts';
import type { BuilderNeeds, RegistryAccess } from '../tools/builder.ts';
import type { Docker } from '../tools/docker.ts';
import { openDocker, type RegistryLogin } from '../tools/docker-config.ts';
import { loadBuildCheck, loadBuildx } from '../tools/load.ts';

/** What was built: in the first repository by digest, without a tag, or in a layout. */
export interface BuildResult {
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

interface BuildPlan {
  readonly repository: RepositoryName;
  readonly settings: BuildSettings;
  readonly needs: BuilderNeeds;
}

/** Builds all platforms in one call, pinned to what was hashed; pushed by digest, or into an OCI layout. */
export const buildStage: Stage<'build', BuildPlan> = {
  name: 'build',
  title: 'Build the image',
  plan(run) {
    const lookup = resultOf(run, 'lookup');
    const [repository] = run.options.images;
    if (lookup.image !== undefined) return { skip: 'the image is in the registry' };
    if (repository === undefined) return { skip: 'no image was asked for' };
    const settings = settingsOf(run, repository, labelsOf(run, repository));
    return { repository, settings, needs: needsOf(run, repository, settings) };
  },
  async apply(plan, run) {
    const { host, event } = run;
    const [{ buildImage, chooseBuilder }, logins] = await Promise.all([
      loadBuildx(),
      loginsOf(run, plan.needs),
      ...(event.push ? run.options.images.map((name) => openImage(run, name).checkPushAccess()) : []),
    ]);
    if (ownCaches(run).length < run.options.cacheTo.length)
      host.log.notice(`no cache is written beyond this machine: ${event.untrusted ?? ''}`);
    const docker = openDocker(host, logins);
    const { builder: named, emulation, binfmtImage } = run.options;
    const builder = await chooseBuilder(docker, named, plan.needs, emulation === 'auto' ? binfmtImage : undefined);
    const layoutPath =
      builder.delivery === 'push' ? undefined : host.files.makeTemporaryDirectory('build-once-layout-');
    const build = buildImage(docker, {
      settings: plan.settings,
      builder,
      destination:
        layoutPath === undefined ? { kind: 'push', repository: plan.repository } : { kind: 'layout', path: layoutPath },
      pins: resultOf(run, 'hash').pins,
      origin: event.runUrl === undefined ? undefined : { url: event.runUrl, isPrivate: event.repository?.isPrivate },
    });
    // Beside the build, which takes longer; both have ended before anything is cleaned up.
    const [check] = await Promise.allSettled([findProblems(docker, builder.name, plan, run), build]);
    const outcome = await build;
    if (check.status === 'rejected') throw check.reason;
    refuseChangedContext(run);
    const built =
      layoutPath === undefined ? openImage(run, plan.repository) : await run.registries.openLayout(layoutPath);
    const image = await readBack(built, outcome.descriptor.digest, run);
    return {
      image: { ...image, repository: plan.repository },
      labels: readAssignments(plan.settings.labels),
      sizesBytes: await sizesOf(built, image),
      metadata: outcome.metadata,
      problems: check.value,
      layoutPath,
    };
  },
};

async function findProblems(
  docker: Docker,
  builder: string,
  { settings }: BuildPlan,
  { options }: Run,
): Promise<readonly DockerfileProblem[]> {
  if (!options.scan) return [];
  const { checkBuild } = await loadBuildCheck();
  return checkBuild(docker, { settings, builder });
}

const MAX_NAMED_CHANGES = 5;

/** The builder read the files after they were hashed: what it read must be what the hash says. */
function refuseChangedContext(run: Run): void {
  const { order, reading } = resultOf(run, 'hash');
  const changed = findChanges(run, order, reading);
  if (changed.length === 0) return;
  const named = changed.slice(0, MAX_NAMED_CHANGES).map((at) => quote(at));
  const more = changed.length > named.length ? ` and ${changed.length - named.length} more` : '';
  throw new BuildOnceError(
    'CONTEXT_CHANGED',
    `changed while the image was built: ${named.join(', ')}${more}; no tag was set`,
    1,
    { hint: 'Do not write into the context while it is built, or leave what is written out with .dockerignore.' },
  );
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

function settingsOf(run: Run, repository: RepositoryName, labels: Readonly<Record<string, string>>): BuildSettings {
  const { options, host, event, git } = run;
  const own = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  const mayExport = event.push && event.git.pullRequest === undefined;
  const preset = presetCaches(options.cache, repository, mayExport);
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

function needsOf(run: Run, repository: RepositoryName, settings: BuildSettings): BuilderNeeds {
  const { pins, runsPrograms } = resultOf(run, 'hash');
  return {
    platformCount: run.platforms.length,
    runs: runsPrograms ? run.platforms : [],
    pushTo: run.event.push ? repository.registry : undefined,
    registries: [repository.registry, ...pins.map(({ registry }) => registry), ...auxiliaryRegistries(settings)],
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
