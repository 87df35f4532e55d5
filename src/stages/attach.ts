import { attachInputs } from '../input-record.ts';
import type { Descriptor } from '../oci/types.ts';
import type { FoundImage } from '../registry/image.ts';
import { type JournalEntry, openImage, resultOf, type Stage } from '../stage.ts';
import { INPUTS_RECORD, orWithoutRecord } from '../without-record.ts';

/** What was attached to the image that was built; `undefined` when the registry refused it. */
export interface AttachResult {
  readonly artifact: Descriptor | undefined;
}

interface AttachPlan {
  readonly image: FoundImage;
  readonly buildSeconds: number | undefined;
}

/** Attaches its inputs to the image that was built, so that later runs can say what has changed and what they saved. */
export const attachStage: Stage<'attach', AttachPlan> = {
  name: 'attach',
  title: 'Attach what the image was built from',
  plan({ event, journal, results: { build } }) {
    if (build === undefined) return { skip: 'nothing was built' };
    if (!event.push) return { skip: event.untrusted ?? 'push is off' };
    const entry = journal.find(({ stage }) => stage === 'build');
    return { image: build.image, buildSeconds: entry === undefined ? undefined : secondsOf(entry) };
  },
  async apply({ image, buildSeconds }, run) {
    const repository = openImage(run, image.repository);
    const attachment = { inputs: resultOf(run, 'hash'), buildSeconds, created: run.startedAt };
    const attach = (): Promise<Descriptor> => attachInputs(repository, image.descriptor, attachment);
    return { artifact: await orWithoutRecord(run.host, { ...INPUTS_RECORD, repository: image.repository }, attach) };
  },
};

/** What the build of this image took: of a call that made several, its share, so that the sum is never more than the call took. */
function secondsOf({ durationMs, imageCount = 1 }: JournalEntry): number {
  return Math.round(durationMs / imageCount) / 1000;
}
