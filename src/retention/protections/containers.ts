import { type Digest, parseDigest } from '../../core/digest.ts';
import { parseJson, textAt, valueAt } from '../../core/json.ts';
import { toLine } from '../../core/printable.ts';
import { imageOf } from '../../core/retention/named-images.ts';
import { isBuildOnceError } from '../../errors.ts';
import { type Docker, lastLine, runDocker, unreachableEngine } from '../../tools/docker.ts';
import { protectionOf, type SourceAnswer, type Surroundings } from './source.ts';

/** A container, running or not. */
interface Container {
  readonly name: string;
  /** As it was asked for. */
  readonly image: string;
  /** The engine's number of it. */
  readonly imageId: string;
}

/** So many names go into one command. */
const BATCH = 200;
const TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 64 << 20;
const HINT = 'Start Docker, or point DOCKER_HOST or the docker context to an engine that runs.';

/** `@in-use(docker)`: the images of all containers of the engine, stopped ones too, by tag and by digest. */
export async function findContainerImages({ host, repository }: Surroundings): Promise<SourceAnswer> {
  const docker = { host, env: {} };
  let isThere = false;
  try {
    const listed = await run(docker, ['ps', '--all', '--quiet', '--no-trunc']);
    if (!listed.ok) throw unreachableEngine(listed.problem);
    isThere = true;
    const containers = (await inspect(docker, 'container', listed.lines)).map(readContainer);
    const images = await inspect(docker, 'image', [...new Set(containers.map(({ imageId }) => imageId))]);
    const digests = new Map(images.map((image) => [textAt(image, 'Id'), digestsOf(image)]));
    const protections = containers.flatMap(({ name, image, imageId }) => {
      const named = imageOf(image, repository);
      // Its number is the digest of an image in engines with containerd's store, and of its configuration in others.
      const number = parseDigest(imageId);
      const held = [...(digests.get(imageId) ?? []), ...(number === undefined ? [] : [number])];
      const ours = held.map((digest) => ({ tag: undefined, digest }));
      return [protectionOf(`container ${toLine(name)}`, [...(named === undefined ? [] : [named]), ...ours])];
    });
    return { kind: 'read', protections, notices: [] };
  } catch (cause) {
    if (!isBuildOnceError(cause)) throw cause;
    const isAbsent = cause.code === 'DOCKER_MISSING' && !isThere;
    return { kind: isAbsent ? 'absent' : 'unreadable', reason: toLine(cause.message, 300), hint: HINT, cause };
  }
}

/** What the engine knows of these; one that went meanwhile is left out. */
async function inspect(
  docker: Docker,
  kind: 'container' | 'image',
  names: readonly string[],
): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  for (let start = 0; start < names.length; start += BATCH) {
    const batch = names.slice(start, start + BATCH);
    const { ok, lines, problem } = await run(docker, [kind, 'inspect', '--format={{json .}}', '--', ...batch]);
    if (!ok && !/no such/i.test(problem)) throw unreachableEngine(problem);
    found.push(...lines.map(parseJson));
  }
  return found;
}

async function run(
  docker: Docker,
  args: readonly string[],
): Promise<{ readonly ok: boolean; readonly lines: readonly string[]; readonly problem: string }> {
  const result = await runDocker(docker, args, { timeoutMs: TIMEOUT_MS, maxOutputBytes: MAX_OUTPUT_BYTES });
  const lines = result.stdout.split('\n').filter((line) => line.trim() !== '');
  return { ok: result.status === 0, lines, problem: lastLine(result.stderr) };
}

function readContainer(json: unknown): Container {
  const name = (textAt(json, 'Name') ?? textAt(json, 'Id') ?? '?').replace(/^\//, '');
  return { name, image: textAt(json, 'Config', 'Image') ?? '', imageId: textAt(json, 'Image') ?? '' };
}

/** By which registries know it. */
function digestsOf(image: unknown): readonly Digest[] {
  const digests = valueAt(image, 'RepoDigests');
  if (!Array.isArray(digests)) return [];
  return digests.flatMap((text: unknown) => parseDigest(String(text).split('@')[1] ?? '') ?? []);
}
