import { toLegalTag } from './core/legal-tag.ts';
import { highestRelease } from './core/semver-tags.ts';
import { tagForm } from './core/version.ts';
import { type FoundImage, fetchImage } from './registry/image.ts';
import type { Repository } from './registry/repository.ts';
import type { Run } from './stage.ts';

/** An image that stands for what is in use, and the tag that it was found by. */
export interface Baseline {
  readonly tag: string;
  readonly image: FoundImage;
}

/** Where nobody says which branch is the default one. */
const USUAL_BRANCHES = ['main', 'master'];

/**
 * The image behind `latest`, else behind the highest version among the tags, else behind the tag of the default branch;
 * `undefined` when none of them is there. One request where there is a `latest`.
 */
export async function findBaseline(
  repository: Repository,
  run: Pick<Run, 'event' | 'options' | 'tags'>,
): Promise<Baseline | undefined> {
  const latest = await findTag(repository, 'latest');
  if (latest !== undefined) return latest;
  const tags: string[] = [];
  for await (const tag of repository.tags()) tags.push(tag);
  const line = run.tags.candidates.find((candidate) => candidate.line !== undefined)?.line;
  const form = line?.form ?? tagForm('', '', run.options.tagPrefix);
  const version = highestRelease(tags, form, line?.version.scheme ?? 'semver');
  const { defaultBranch } = run.event.git;
  const branches = defaultBranch === undefined ? USUAL_BRANCHES : [toLegalTag(defaultBranch)];
  const tag = version ?? branches.find((branch) => tags.includes(branch));
  return tag === undefined ? undefined : findTag(repository, tag);
}

async function findTag(repository: Repository, tag: string): Promise<Baseline | undefined> {
  const image = await fetchImage(repository, { tag });
  return image === undefined ? undefined : { tag, image };
}
