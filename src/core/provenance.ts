import type { Digest } from './digest.ts';
import { toLine } from './printable.ts';
import { familiarName, formatRepositoryName, parseReference } from './reference.ts';
import { builderOf, type WorkflowRun } from './workflow-run.ts';

/** https://slsa.dev/spec/v1.1/provenance */
export const PROVENANCE_PREDICATE = 'https://slsa.dev/provenance/v1';

/** https://github.com/slsa-framework/github-actions-buildtypes/tree/main/workflow/v1 */
const WORKFLOW_BUILD = 'https://actions.github.io/buildtypes/workflow/v1';
const MAX_URL_LENGTH = 4096;
const LOCAL_BUILD = 'https://build-once.dev/buildtypes/local/v1';

/**
 * What is known of a build. No build args: they are in the input manifest as far as they count, and of a value of several lines
 * one may look like a name.
 */
export interface BuildFacts {
  readonly run: WorkflowRun | undefined;
  /** The subject of the certificate that it will be signed with; `undefined` where that is not known. */
  readonly identity: string | undefined;
  /** Of this program. */
  readonly version: string;
  /** RFC 3339, as the next. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly target: string | undefined;
  readonly platforms: readonly string[];
  /** Ids, as the Dockerfile names them. */
  readonly secrets: readonly string[];
  /** The content hash, and what it is the hash of. */
  readonly inputs: { readonly digest: Digest; readonly mediaType: string };
  /** As the build names them, and what stood behind the name. */
  readonly images: readonly { readonly reference: string; readonly digest: Digest }[];
  /** Contexts that are git repositories. */
  readonly repositories: readonly { readonly remote: string; readonly commit: string }[];
}

/** https://github.com/in-toto/attestation/blob/v1.1.2/spec/v1/resource_descriptor.md */
interface Resource {
  readonly uri?: string;
  readonly name?: string;
  readonly mediaType?: string;
  readonly digest: Readonly<Record<string, string>>;
}

/** How an image came to be, as SLSA's provenance v1. On runners of GitHub its outside is what GitHub's own attestations say. */
export function provenanceOf(facts: BuildFacts): object {
  const { run, identity, version, startedAt, finishedAt, target, platforms, secrets } = facts;
  const build = { target, platforms, secrets };
  return {
    buildDefinition: {
      ...(run === undefined
        ? { buildType: LOCAL_BUILD, externalParameters: build }
        : { buildType: WORKFLOW_BUILD, externalParameters: workflowOf(run), internalParameters: jobOf(run, build) }),
      resolvedDependencies: dependenciesOf(facts),
    },
    runDetails: {
      builder: { id: builderOf(run, identity), version: { 'build-once': version } },
      metadata: { invocationId: run?.url, startedOn: startedAt, finishedOn: finishedAt },
    },
  };
}

function workflowOf({ workflow: { ref, repository, path } }: WorkflowRun): object {
  return { workflow: { ref, repository, path } };
}

function jobOf({ eventName, repositoryId, ownerId, runnerEnvironment }: WorkflowRun, build: object): object {
  return {
    github: {
      event_name: eventName,
      repository_id: repositoryId,
      repository_owner_id: ownerId,
      runner_environment: runnerEnvironment,
    },
    build,
  };
}

function dependenciesOf({ run, inputs, images, repositories }: BuildFacts): readonly Resource[] {
  return [
    ...(run === undefined ? [] : sourcesOf(run)),
    { name: 'inputs', mediaType: inputs.mediaType, digest: digestSet(inputs.digest) },
    ...images.map(({ reference, digest }) => ({ uri: imageUrl(reference), digest: digestSet(digest) })),
    ...repositories.map(({ remote, commit }) => gitResource(gitUrl(remote), commit)),
  ];
}

/** The commit that the run is for, and that of its workflow where it is another. */
function sourcesOf({ repository, ref, commit, workflow }: WorkflowRun): readonly Resource[] {
  const isSame = workflow.repository === repository && workflow.commit === commit;
  const source = gitResource(`git+${repository}@${ref}`, commit);
  if (isSame || workflow.commit === undefined) return [source];
  return [source, gitResource(`git+${workflow.repository}@${workflow.ref}`, workflow.commit)];
}

function gitResource(uri: string, commit: string): Resource {
  return { uri: encodeURI(toLine(uri, MAX_URL_LENGTH)), digest: { gitCommit: commit } };
}

/** `user@host:path` is no URL. */
function gitUrl(remote: string): string {
  return `git+${remote.includes('://') ? remote : `ssh://${remote.replace(':', '/')}`}`;
}

/** https://github.com/package-url/purl-spec/blob/v1.0.0/types-doc/docker-definition.md */
function imageUrl(name: string): string {
  const reference = parseReference(name);
  if (!reference.ok) return `pkg:docker/${encodeURIComponent(toLine(name))}`;
  const { repository, tag, digest } = reference.value;
  const path = familiarName(formatRepositoryName(repository)).split('/').map(encodeURIComponent).join('/');
  const version = tag ?? (digest === undefined ? 'latest' : undefined);
  return `pkg:docker/${path}${version === undefined ? '' : `@${version}`}${digest === undefined ? '' : `?digest=${digest}`}`;
}

function digestSet(digest: Digest): Resource['digest'] {
  const [algorithm = '', hex = ''] = digest.split(':');
  return { [algorithm]: hex };
}
