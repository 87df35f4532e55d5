import type { ImageChoice } from '../core/image-choice.ts';
import { BuildOnceError } from '../errors.ts';
import { findNamed } from '../named-image.ts';
import type { FoundImage } from '../registry/image.ts';
import type { Stage } from '../stage.ts';

/** The image that a command is about. */
export interface ChooseResult {
  readonly image: FoundImage;
  /** As people write it. */
  readonly reference: string;
}

interface ChoosePlan {
  /** `undefined`: the baseline. */
  readonly named: ImageChoice | undefined;
}

/** Finds the image that was named, else the one that stands for what is in use. BuildOnceError `IMAGE_NOT_FOUND`. */
export const chooseStage: Stage<'choose', ChoosePlan> = {
  name: 'choose',
  title: 'Find the image',
  plan: ({ named }) => ({ named }),
  async apply({ named }, run) {
    const found = await findNamed(run, named);
    if (found.ok) return { image: found.value.image, reference: found.value.reference };
    throw new BuildOnceError('IMAGE_NOT_FOUND', found.problem, 1, {
      hint: 'Name an image that is there: build-once scan REPOSITORY:TAG, or REPOSITORY@sha256:….',
    });
  },
};
