import { counted } from '../core/counted.ts';
import { quote } from '../core/printable.ts';
import { BuildOnceError } from '../errors.ts';
import { inParallel } from '../in-parallel.ts';
import type { Link, Results, Run } from '../stage.ts';
import type { ImagePipeline } from './image-pipeline.ts';
import { goThroughBeside, type ImageRun } from './image-run.ts';

/** How many images are looked up at once. */
const AT_ONCE = 16;

/**
 * Hashes each image and looks for it; those that others are built on come first, since their content counts towards that of
 * the others. `images` is in such an order.
 */
export function lookAtImages(
  images: readonly ImageRun[],
  pipeline: Pick<ImagePipeline, 'look' | 'hashOnly'>,
  { log, files }: Run['host'],
): Promise<readonly ImageRun[]> {
  return log.group(`Hash and look up ${counted(images.length, 'image')}`, async () => {
    const looked = new Map<string, ImageRun>();
    for (const level of inLevels(images)) {
      const done = await inParallel(level, AT_ONCE, async (image) => {
        const stages = image.run.options.images.length === 0 ? pipeline.hashOnly : pipeline.look;
        const { run, ...done } = await goThroughBeside(withLinks(image, looked), stages, log);
        // From here on files are looked at as they are then.
        return { ...done, run: { ...run, host: { ...run.host, files } } };
      });
      for (const image of done) looked.set(image.target.name, image);
    }
    return images.map((image) => looked.get(image.target.name) ?? image);
  });
}

/** Each level needs nothing but the levels before it. */
function inLevels(images: readonly ImageRun[]): readonly (readonly ImageRun[])[] {
  const levelOf = new Map<string, number>();
  const levels: ImageRun[][] = [];
  for (const image of images) {
    const { name, links } = image.target;
    const level = Math.max(-1, ...[...links.values()].map((target) => levelOf.get(target) ?? -1)) + 1;
    levelOf.set(name, level);
    const list = levels[level] ?? [];
    list.push(image);
    levels[level] = list;
  }
  return levels;
}

/** Its named contexts that are other images, by the content of those. */
function withLinks(image: ImageRun, looked: ReadonlyMap<string, ImageRun>): ImageRun {
  const { target, run } = image;
  if (target.links.size === 0) return image;
  const links = new Map<string, Link>();
  for (const [context, name] of target.links) {
    const base = looked.get(name);
    const hash = base?.run.results.hash;
    // Of one that has failed, the hash may be that from before its base images were looked at.
    if (hash === undefined || base?.error !== undefined) return { ...image, error: baseFailed(target.name, name) };
    links.set(context, { target: name, hash: hash.hash, mayTrigger: mayTrigger(hash) });
  }
  const contexts = [...links].map(([name, { hash }]) => ({ name, value: `target:@sha256:${hash}` }));
  const options = { ...run.options, buildContexts: [...run.options.buildContexts, ...contexts] };
  return { ...image, run: { ...run, options, links } };
}

function baseFailed(name: string, base: string): BuildOnceError {
  return new BuildOnceError('BASE_FAILED', `${quote(name)} is built on ${quote(base)}, which failed`, 1, {
    hint: `See what is said of ${quote(base)}.`,
  });
}

/** Whether the image may hold ONBUILD triggers: those of its own Dockerfile. */
function mayTrigger({ reading: { dockerfile } }: Results['hash']): boolean {
  return !Array.isArray(dockerfile) || dockerfile.some((instruction) => /^ONBUILD\b/i.test(String(instruction)));
}
