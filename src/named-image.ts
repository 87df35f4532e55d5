import { findBaseline } from './baseline.ts';
import type { ImageChoice } from './core/image-choice.ts';
import { type Parsed, parsed, unparsable } from './core/parsed.ts';
import { familiarName, formatReference } from './core/reference.ts';
import { type FoundImage, fetchImage } from './registry/image.ts';
import type { Repository } from './registry/repository.ts';
import type { Run } from './stage.ts';

/** An image in a registry that a command is about. */
export interface NamedImage {
  /** As people write it. */
  readonly reference: string;
  readonly image: FoundImage;
  readonly repository: Repository;
}

/** The image that was named, else the baseline of the run's first image; a problem when it is not there. */
export async function findNamed(run: Run, choice: ImageChoice | undefined): Promise<Parsed<NamedImage>> {
  const name = choice?.repository ?? run.options.images[0];
  if (name === undefined) return unparsable('images names no repository');
  const repository = run.registries.open(name);
  if (choice === undefined) {
    const baseline = await findBaseline(repository, run);
    if (baseline === undefined) {
      const where = familiarName(`${name.registry}/${name.path}`);
      return unparsable(`${where} has no latest, no version and no tag of the default branch`);
    }
    return parsed({ reference: referenceTo(repository, { tag: baseline.tag }), image: baseline.image, repository });
  }
  const reference = referenceTo(repository, choice.target);
  const image = await fetchImage(repository, choice.target);
  return image === undefined ? unparsable(`${reference} is not there`) : parsed({ reference, image, repository });
}

/** What is behind this tag or digest, as people write it. */
export function referenceTo({ name }: Repository, target: ImageChoice['target']): string {
  const { tag, digest } = { tag: undefined, digest: undefined, ...target };
  return familiarName(formatReference({ repository: name, tag, digest }));
}
