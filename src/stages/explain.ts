import { listDifferences } from '../core/difference-text.ts';
import { isLocalName } from '../core/reference.ts';
import type { Explanation } from '../explanation.ts';
import { loadExplanation } from '../load-explanation.ts';
import type { Stage } from '../stage.ts';

/** In what this run differs from an image that is there. */
export type ExplainResult = Explanation;

interface ExplainPlan {
  /** A miss is to be explained: whatever hinders that must not hinder the build. */
  readonly isMiss: boolean;
}

/** Says in what this run differs from an image that is there: the one that was asked for, or the baseline. */
export const explainStage: Stage<'explain', ExplainPlan> = {
  name: 'explain',
  title: 'See what has changed',
  plan({ options, results: { lookup } }) {
    if (lookup === undefined) return { isMiss: false };
    if (lookup.image !== undefined) return { skip: 'the image is reused' };
    if (lookup.reason !== 'not-found' && lookup.reason !== 'mismatch') return { skip: lookup.detail };
    const [name] = options.images;
    if (name === undefined || isLocalName(name)) return { skip: 'no registry is named' };
    return { isMiss: true };
  },
  async apply({ isMiss }, run) {
    const { explainChoice, explainMiss } = await loadExplanation();
    if (!isMiss) return explainChoice(run, run.named);
    const explanation = await explainMiss(run);
    const { summary, unknown } = explanation;
    run.host.log.info(unknown === undefined ? summary : `${summary}: ${unknown}`);
    for (const line of listDifferences(explanation.differences)) run.host.log.info(`  ${line}`);
    return explanation;
  },
};
