import type { BuildSettings } from '../core/build-options.ts';
import { csvRecord, parseCsvRecord } from '../core/csv.ts';
import { formatPlatform } from '../core/platform.ts';
import { formatRepositoryName, type RepositoryName } from '../core/reference.ts';
import { isBuilderEntitlement } from '../core/run-options.ts';

/** Where the image goes: pushed by digest without a tag, or into a directory as an OCI layout. */
export type Destination =
  | { readonly kind: 'push'; readonly repository: RepositoryName }
  | { readonly kind: 'layout'; readonly path: string };

/** The CI run that builds; it goes into the provenance. */
export interface BuildOrigin {
  /** The run's address: the provenance's `builder.id`. */
  readonly url: string;
  /** `undefined` counts as private: a public provenance tells more. */
  readonly isPrivate: boolean | undefined;
}

/** Everything that decides one call of `docker buildx build`. */
export interface BuildCall {
  readonly settings: BuildSettings;
  readonly builder: string;
  readonly destination: Destination;
  readonly metadataFile: string;
  readonly origin: BuildOrigin | undefined;
}

/** Levels of buildx at which an annotation goes: https://docs.docker.com/build/metadata/annotations/ */
const ANNOTATION_LEVEL = /^(?:(?:index|manifest|index-descriptor|manifest-descriptor)(?:\[[^\]]*\])?,?)+:/;

/**
 * The arguments after `docker`. Every value stands behind `--flag=`, the context behind `--`, so that none can become a
 * flag; secrets are named by environment variables, see {@link secretVariables}.
 */
export function buildArguments(call: BuildCall): readonly string[] {
  const { settings, destination } = call;
  return [
    'buildx',
    'build',
    `--builder=${call.builder}`,
    '--progress=plain',
    `--metadata-file=${call.metadataFile}`,
    `--output=${outputAttributes(destination)}`,
    ...sourceArguments(settings),
    ...many('label', settings.labels),
    ...many('annotation', settings.annotations.map(withLevel)),
    ...many('secret', secretRecords(settings)),
    ...many('ssh', settings.ssh),
    ...runArguments(settings),
    ...cacheArguments(settings),
    ...attestationArguments(settings, call.origin),
    '--',
    settings.context,
  ];
}

/** The arguments after `docker` for a look at the Dockerfile that builds nothing, and so needs no secrets. */
export function checkArguments(settings: BuildSettings, builder: string): readonly string[] {
  return [
    'buildx',
    'build',
    `--builder=${builder}`,
    '--progress=plain',
    '--call=check,format=json',
    ...sourceArguments(settings),
    '--',
    settings.context,
  ];
}

/** The environment variables that carry the secrets' values to the child; argv only names them. */
export function secretVariables(settings: Pick<BuildSettings, 'secrets'>): Readonly<Record<string, string>> {
  return Object.fromEntries(settings.secrets.map(({ value }, index) => [secretVariable(index), value]));
}

/** Each secret as buildx takes it: an id, and where its value is. The variables are those of {@link secretVariables}. */
export function secretRecords(
  { secrets, secretEnvs, secretFiles }: Pick<BuildSettings, 'secrets' | 'secretEnvs' | 'secretFiles'>,
  firstVariable = 0,
): readonly string[] {
  return [
    ...secrets.map(({ id }, index) => csvRecord([`id=${id}`, `env=${secretVariable(firstVariable + index)}`])),
    ...secretEnvs.map(({ id, env }) => csvRecord([`id=${id}`, `env=${env}`])),
    ...secretFiles.map(({ id, path }) => csvRecord([`id=${id}`, `src=${path}`])),
  ];
}

/** The build args of the user and our own, which is last, so that it holds. */
export function buildArgsOf({
  platforms,
  buildArgs,
}: Pick<BuildSettings, 'platforms' | 'buildArgs'>): readonly string[] {
  // One platform becomes an index too: it carries annotations and names its platform.
  return platforms.length === 1 ? [...buildArgs, 'BUILDKIT_MULTI_PLATFORM=1'] : buildArgs;
}

/** The provenance that is to be asked for beside `attests`, and nothing where those ask for one. */
export function provenanceOf(
  { provenance, attests }: Pick<BuildSettings, 'provenance' | 'attests'>,
  origin: BuildOrigin | undefined,
): string | undefined {
  return provenance === undefined && attests.some(isProvenance) ? undefined : provenanceArgument(provenance, origin);
}

/**
 * The provenance to ask for. As docker/build-push-action 7 does, a CI run names itself as the builder and, when nothing is
 * asked for, the provenance tells everything in public repositories and the minimum in private ones.
 */
export function provenanceArgument(given: string | undefined, origin: BuildOrigin | undefined): string | undefined {
  if (origin === undefined || given === 'false') return given;
  const mode = origin.isPrivate === false ? 'mode=max' : 'mode=min,inline-only=true';
  const attributes = given === undefined ? mode : given === 'true' ? '' : given;
  if (/(?:^|,)"?builder-id=/.test(attributes)) return attributes;
  return [attributes, csvRecord([`builder-id=${origin.url}`])].filter((part) => part !== '').join(',');
}

/** The output as buildx takes it. */
export function outputAttributes(destination: Destination): string {
  if (destination.kind === 'layout') return csvRecord(['type=oci', 'tar=false', `dest=${destination.path}`]);
  const name = `name=${formatRepositoryName(destination.repository)}`;
  return csvRecord([
    'type=image',
    name,
    'push-by-digest=true',
    'name-canonical=true',
    'push=true',
    'oci-mediatypes=true',
  ]);
}

/** What is read, and how: all that decides what a Dockerfile means. */
function sourceArguments(settings: BuildSettings): string[] {
  return [
    `--file=${settings.file}`,
    `--platform=${settings.platforms.map(formatPlatform).join(',')}`,
    ...one('target', settings.target),
    ...many('build-arg', buildArgsOf(settings)),
    ...many(
      'build-context',
      settings.buildContexts.map(({ name, value }) => `${name}=${value}`),
    ),
  ];
}

/** How the build's commands run. */
function runArguments(settings: BuildSettings): string[] {
  return [
    ...many('add-host', settings.addHosts),
    ...many('allow', settings.allow.filter(isBuilderEntitlement)),
    ...one('network', settings.network),
    ...one('shm-size', settings.shmSize),
    ...many('ulimit', settings.ulimit),
    ...one('cgroup-parent', settings.cgroupParent),
  ];
}

function cacheArguments(settings: BuildSettings): string[] {
  return [
    ...(settings.pull ? ['--pull'] : []),
    ...(settings.noCache ? ['--no-cache'] : []),
    ...many('no-cache-filter', settings.noCacheFilters),
    ...many('cache-from', settings.cacheFrom),
    ...many('cache-to', settings.cacheTo),
  ];
}

function attestationArguments(settings: BuildSettings, origin: BuildOrigin | undefined): string[] {
  return [
    ...many('attest', settings.attests),
    ...one('provenance', provenanceOf(settings, origin)),
    ...one('sbom', settings.sbom),
  ];
}

function isProvenance(attestation: string): boolean {
  const fields = parseCsvRecord(attestation);
  return fields.ok && fields.value.some((field) => /^\s*type\s*=\s*provenance\s*$/.test(field));
}

/** The annotation with the levels that it goes to: without one, the index and every platform. */
export function withLevel(annotation: string): string {
  return ANNOTATION_LEVEL.test(annotation) ? annotation : `index,manifest:${annotation}`;
}

function secretVariable(index: number): string {
  return `BUILD_ONCE_SECRET_${index}`;
}

function one(flag: string, value: string | undefined): string[] {
  return value === undefined ? [] : [`--${flag}=${value}`];
}

function many(flag: string, values: readonly string[]): string[] {
  return values.map((value) => `--${flag}=${value}`);
}
