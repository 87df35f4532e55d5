import type { UndoneStep } from '../retention/undo.ts';
import { plain } from './markdown.ts';
import type { PruneSection } from './report.ts';

/** Says what became of each step of a journal. Pure. */
export function reportUndo(undone: readonly UndoneStep[]): PruneSection {
  const count = (outcome: string): number => undone.filter(({ restoration }) => restoration.outcome === outcome).length;
  const summary = `${count('restored')} brought back, ${count('present')} there already, ${count('lost')} lost`;
  const lines = undone.map(lineOf);
  return {
    summary,
    document: {
      steps: undone.map(({ step: { repository, action, manifest }, restoration }) => ({
        repository,
        action,
        ...manifest,
        ...restoration,
      })),
    },
    markdown: lines.map((line) => `- ${plain(line)}`).join('\n'),
    text: [summary, ...lines.map((line) => `  ${line}`)].join('\n'),
  };
}

function lineOf({ step: { repository, manifest }, restoration }: UndoneStep): string {
  const name = `${repository}@${manifest.digest}`;
  if (restoration.outcome === 'lost') return `lost      ${name}: ${restoration.reason}`;
  const elsewhere = manifest.tags.filter((tag) => !restoration.tags.includes(tag));
  const tags = restoration.tags.length === 0 ? '' : ` (${restoration.tags.join(', ')})`;
  const taken = elsewhere.length === 0 ? '' : `; on another image by now: ${elsewhere.join(', ')}`;
  return `${restoration.outcome.padEnd(9)} ${name}${tags}${taken}`;
}
