import { type Digest, parseDigest } from '../core/digest.ts';
import { numberAt, parseJson, textAt, valueAt } from '../core/json.ts';
import { toLine } from '../core/printable.ts';
import { formatRepositoryName, parseReference, parseRepositoryName, type RepositoryName } from '../core/reference.ts';
import type { Protection } from '../core/retention/inventory.ts';
import { parseTimestamp } from '../core/timestamp.ts';
import { type Docker, runDocker, unreachableEngine } from '../tools/docker.ts';

/** An image of the local engine. */
export interface LocalImage {
  /** Of the index with the containerd image store, else of the config. */
  readonly id: Digest;
  /** By the full name of a repository. */
  readonly names: ReadonlyMap<string, LocalNames>;
  /** By its own word. */
  readonly createdAtMs: number | undefined;
  /** When it last got a tag here. */
  readonly taggedAtMs: number | undefined;
  /** As the engine counts it: layers that others share are in it. */
  readonly sizeBytes: number | undefined;
}

/** How an image is called in one repository; without a tag there is a digest at least. */
export interface LocalNames {
  readonly tags: readonly string[];
  /** Of the manifests by which that repository has it. */
  readonly digests: readonly Digest[];
}

/** So many ids fit into a command line everywhere. */
const IDS_PER_CALL = 100;
/** How often containers are listed until all of them are found. */
const MAX_ROUNDS = 3;
/** Programs that want equal builds write 1970, or the year 1. */
const EARLIEST_MS = Date.UTC(2000, 0, 1);

/** Every image that the engine lists. CommandError `DOCKER_MISSING` when there is no docker or no engine answers. */
export async function listLocalImages(docker: Docker): Promise<readonly LocalImage[]> {
  const arguments_ = ['image', 'ls', '--all', '--digests', '--no-trunc', '--format=json'];
  return inspectLocalImages(docker, idsIn(await demand(docker, arguments_), 'ID'));
}

/** Those of these images that the engine has. */
export async function inspectLocalImages(docker: Docker, ids: readonly Digest[]): Promise<readonly LocalImage[]> {
  return (await inspect(docker, ['image', 'inspect'], ids)).flatMap(readImage);
}

/** The repositories that the engine has images of. */
export async function listLocalRepositories(docker: Docker): Promise<readonly RepositoryName[]> {
  const names = new Set((await listLocalImages(docker)).flatMap((image) => [...image.names.keys()]));
  return [...names].sort().flatMap((name) => {
    const repository = parseRepositoryName(name);
    return repository.ok ? [repository.value] : [];
  });
}

/** The images of all containers, those that do not run too. CommandError `DOCKER_MISSING`. */
export async function containersUsing(docker: Docker): Promise<readonly Protection[]> {
  return (await inspectContainers(docker)).map((json) => {
    const digests = [textAt(json, 'Image'), textAt(json, 'ImageManifestDescriptor', 'digest')];
    const name = textAt(json, 'Name')?.replace(/^\//, '') ?? textAt(json, 'Id') ?? '';
    return {
      by: `container ${toLine(name, 100)}`,
      tags: [],
      digests: [...new Set(digests.flatMap((digest) => parseDigest(digest ?? '') ?? []))],
    };
  });
}

/** All of them: one that ends meanwhile is no longer listed then, one that cannot be inspected may need any image. */
async function inspectContainers(docker: Docker): Promise<readonly unknown[]> {
  for (let tried = 0; tried < MAX_ROUNDS; tried += 1) {
    const ids = idsIn(await demand(docker, ['container', 'ls', '--all', '--no-trunc', '--format=json']), 'ID');
    const containers = await inspect(docker, ['container', 'inspect'], ids);
    if (containers.length === ids.length) return containers;
  }
  throw unreachableEngine('it lists containers that it cannot inspect');
}

function idsIn(listed: string, key: string): readonly Digest[] {
  const ids = listed.split('\n').flatMap((line) => {
    const id = textAt(parseJson(line), key) ?? '';
    // A container's is bare.
    return parseDigest(id) ?? parseDigest(`sha256:${id}`) ?? [];
  });
  return [...new Set(ids)];
}

async function demand(docker: Docker, arguments_: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runDocker(docker, arguments_);
  if (status !== 0) throw unreachableEngine(stderr);
  return stdout;
}

/** What is gone by now is left out: the exit code says no more than that. */
async function inspect(
  docker: Docker,
  command: readonly string[],
  ids: readonly Digest[],
): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  for (let start = 0; start < ids.length; start += IDS_PER_CALL) {
    const some = ids.slice(start, start + IDS_PER_CALL).map((id) => id.slice('sha256:'.length));
    const { stdout } = await runDocker(docker, [...command, '--format={{json .}}', '--', ...some]);
    found.push(...stdout.split('\n').flatMap((line) => parseJson(line) ?? []));
  }
  return found;
}

function readImage(json: unknown): readonly LocalImage[] {
  const id = parseDigest(textAt(json, 'Id') ?? '');
  if (id === undefined) return [];
  const names = new Map<string, LocalNames>();
  for (const text of [...textsAt(json, 'RepoTags'), ...textsAt(json, 'RepoDigests')]) {
    const reference = parseReference(text);
    if (!reference.ok) continue;
    const { repository, tag, digest } = reference.value;
    const name = formatRepositoryName(repository);
    const { tags, digests } = names.get(name) ?? { tags: [], digests: [] };
    names.set(name, {
      tags: tag === undefined ? tags : [...tags, tag],
      digests: digest === undefined ? digests : [...digests, digest],
    });
  }
  return [
    {
      id,
      names,
      createdAtMs: timeAt(json, 'Created'),
      taggedAtMs: timeAt(json, 'Metadata', 'LastTagTime'),
      sizeBytes: numberAt(json, 'Size'),
    },
  ];
}

function textsAt(json: unknown, key: string): readonly string[] {
  const value = valueAt(json, key);
  return Array.isArray(value) ? value.filter((text) => typeof text === 'string') : [];
}

function timeAt(json: unknown, ...path: readonly string[]): number | undefined {
  const timeMs = parseTimestamp(textAt(json, ...path) ?? '');
  return timeMs === undefined || timeMs < EARLIEST_MS ? undefined : timeMs;
}
