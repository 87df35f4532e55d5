import { copyImage } from '../registry/copy.ts';
import { openImage, type Run, type Stage } from '../stage.ts';

/** The image that lay in a layout is in the first repository, without a tag. */
export interface PushResult {
  readonly layoutPath: string;
}

/** Pushes what was built into a layout: only now, so that nothing that was refused ever gets to the registry. */
export const pushStage: Stage<'push', Built> = {
  name: 'push',
  title: 'Push the image',
  plan({ event, results: { build } }) {
    if (build === undefined) return { skip: 'nothing was built' };
    if (!event.push) return { skip: event.untrusted ?? 'push is off' };
    if (build.layoutPath === undefined) return { skip: 'the builder has pushed it' };
    return { image: build.image, layoutPath: build.layoutPath };
  },
  async apply({ image, layoutPath }, run) {
    await copyImage(await run.registries.openLayout(layoutPath), openImage(run, image.repository), image.descriptor);
    return { layoutPath };
  },
};

interface Built {
  readonly image: NonNullable<Run['results']['build']>['image'];
  readonly layoutPath: string;
}
