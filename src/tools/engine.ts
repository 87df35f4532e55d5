import path from 'node:path';
import { type Digest, parseDigest } from '../core/digest.ts';
import { numberAt, parseJson, textAt, valueAt } from '../core/json.ts';
import { formatPlatform, normalizePlatform } from '../core/platform.ts';
import { toLine } from '../core/printable.ts';
import { formatReference, parseReference } from '../core/reference.ts';
import { BuildOnceError, CommandError } from '../errors.ts';
import type { CommandResult } from '../host.ts';
import type { Platform } from '../oci/types.ts';
import { type Docker, lastLine, runDocker, unreachableEngine } from './docker.ts';
import { type ArchivedImage, describeArchive } from './engine-archive.ts';

/** An image in the local engine. */
export interface EngineImage {
  /** As `docker images` shows it: with the containerd image store the digest of the index, else the config's. */
  readonly id: Digest;
  /** Its tags in full spelling: `docker.io/library/myapp:1`. */
  readonly names: ReadonlySet<string>;
  /** Digests under which a registry has it, as far as the engine knows. */
  readonly digests: ReadonlySet<Digest>;
  readonly platform: Platform;
  readonly labels: Readonly<Record<string, string>>;
  readonly sizeBytes: number;
}

/**
 * The platform that the engine runs without emulation. CommandError `DOCKER_MISSING` when there is no docker or no engine
 * answers; BuildOnceError `ENGINE_UNSUPPORTED` when it runs Windows containers.
 */
export async function describeEngine(docker: Docker): Promise<Platform> {
  const { status, stdout, stderr } = await runDocker(docker, ['version', '--format={{json .Server}}']);
  if (status !== 0) throw unreachableEngine(stderr);
  const server = parseJson(stdout);
  const os = textAt(server, 'Os') ?? 'linux';
  if (os === 'linux')
    return normalizePlatform({ os, architecture: textAt(server, 'Arch') ?? docker.host.architecture });
  throw new BuildOnceError(
    'ENGINE_UNSUPPORTED',
    `the Docker engine runs ${toLine(os, 40)} containers, not Linux ones`,
    1,
    {
      hint: 'Switch the engine to Linux containers, or point DOCKER_HOST or the builder to one that has them.',
    },
  );
}

/** Those of the references (full, or ids) that the engine has. */
export async function inspectImages(docker: Docker, references: readonly string[]): Promise<readonly EngineImage[]> {
  if (references.length === 0) return [];
  // The exit code is 1 as soon as one is missing; what is there is printed all the same.
  const { stdout } = await runDocker(docker, inspectArguments(references));
  const images = stdout.split('\n').flatMap((line) => readImage(parseJson(line)));
  return [...new Map(images.map((image) => [image.id, image])).values()];
}

/** Lets the engine pull one platform of `repository@digest`; answers why it could not, `undefined` when it did. */
export async function pullImage(docker: Docker, reference: string, platform: Platform): Promise<string | undefined> {
  const { status, stderr } = await runDocker(docker, pullArguments(reference, platform));
  return status === 0 ? undefined : lastLine(stderr);
}

/** Loads one platform's image from an OCI layout under a name. CommandError `LOAD_FAILED`. */
export async function loadImage(docker: Docker, image: ArchivedImage): Promise<void> {
  const { host } = docker;
  const directory = host.files.makeTemporaryDirectory('build-once-load-');
  const { index, manifest, files } = describeArchive(image);
  host.files.write(path.join(directory, 'index.json'), index);
  host.files.write(path.join(directory, 'manifest.json'), manifest);
  const archive = path.join(directory, 'image.tar');
  const tar = await host.exec({
    argv: ['tar', ...archiveArguments(archive, { directory, layout: image.layout, files })],
  });
  if (tar.status !== 0) throw loadFailure('the image could not be packed for the engine', 'tar', tar);
  const loaded = await runDocker(docker, loadArguments(archive));
  // Twice the image's size until now: the run may be long, and a runner's disk is small.
  await host.cleanup({ kind: 'remove', path: archive })();
  if (loaded.status !== 0) throw loadFailure('the engine did not take the image', 'docker image load', loaded);
}

/** Gives an image of the engine one more name, taking it from whatever had it. CommandError `LOAD_FAILED`. */
export async function tagImage(docker: Docker, source: string, name: string): Promise<void> {
  const result = await runDocker(docker, tagArguments(source, name));
  if (result.status !== 0) throw loadFailure(`the engine did not name the image ${name}`, 'docker image tag', result);
}

export function inspectArguments(references: readonly string[]): readonly string[] {
  return ['image', 'inspect', '--format={{json .}}', '--', ...references];
}

export function pullArguments(reference: string, platform: Platform): readonly string[] {
  return ['image', 'pull', '--quiet', `--platform=${formatPlatform(platform)}`, '--', reference];
}

export function loadArguments(archive: string): readonly string[] {
  return ['image', 'load', '--quiet', `--input=${archive}`];
}

export function tagArguments(source: string, name: string): readonly string[] {
  return ['image', 'tag', '--', source, name];
}

/** Arguments of `tar`: files of the layout where they lie, and the two of the directory; both are absolute. */
export function archiveArguments(
  archive: string,
  { directory, layout, files }: { directory: string; layout: string; files: readonly string[] },
): readonly string[] {
  return ['-cf', archive, '-C', layout, ...files, '-C', directory, 'index.json', 'manifest.json'];
}

/** One line of `docker image inspect`; nothing when it is no image that we could name. */
function readImage(json: unknown): EngineImage[] {
  const id = parseDigest(textAt(json, 'Id') ?? '');
  if (id === undefined) return [];
  const references = [...textsAt(json, 'RepoTags'), ...textsAt(json, 'RepoDigests')].flatMap((text) => {
    const reference = parseReference(text);
    return reference.ok ? [reference.value] : [];
  });
  const platform = { os: textAt(json, 'Os') ?? '', architecture: textAt(json, 'Architecture') ?? '' };
  const variant = textAt(json, 'Variant');
  return [
    {
      id,
      names: new Set(references.filter(({ digest }) => digest === undefined).map(formatReference)),
      digests: new Set(references.flatMap(({ digest }) => (digest === undefined ? [] : [digest]))),
      platform: normalizePlatform({ ...platform, ...(variant === undefined ? {} : { variant }) }),
      labels: labelsAt(json),
      sizeBytes: numberAt(json, 'Descriptor', 'size') ?? numberAt(json, 'Size') ?? 0,
    },
  ];
}

function textsAt(json: unknown, key: string): readonly string[] {
  const value = valueAt(json, key);
  return Array.isArray(value) ? value.filter((text) => typeof text === 'string') : [];
}

function labelsAt(json: unknown): Readonly<Record<string, string>> {
  const labels = valueAt(json, 'Config', 'Labels');
  if (typeof labels !== 'object' || labels === null) return {};
  return Object.fromEntries(
    Object.entries(labels).flatMap(([key, value]) => (typeof value === 'string' ? [[key, value]] : [])),
  );
}

function loadFailure(what: string, command: string, { status, stderr }: CommandResult): CommandError {
  const reason = lastLine(stderr);
  return new CommandError('LOAD_FAILED', `${what}: ${reason}`, {
    command,
    status,
    stderrTail: reason,
    hint: 'Look whether the disk is full, here and where the engine keeps its images. What was pushed is whole.',
  });
}
