import { listDifferences } from '../core/difference-text.ts';
import { toLine } from '../core/printable.ts';
import type { Explanation } from '../explanation.ts';

const MAX_LINE_LENGTH = 1000;

/** What an explanation says, line by line, below its summary; `all` for every difference. */
export function explanationLines({ differences, unknown, checked }: Explanation, all = false): readonly string[] {
  const said = (text: string): string => toLine(text, MAX_LINE_LENGTH);
  return [
    ...(unknown === undefined ? [] : [said(unknown)]),
    ...listDifferences(differences, all),
    ...checked.map(said),
  ];
}

/** With its sentences, and what is from the manifests, passed through `hide`. */
export function hiddenExplanation(explanation: Explanation, hide: (text: string) => string): Explanation {
  const { summary, unknown, differences, checked } = explanation;
  return {
    ...explanation,
    summary: hide(summary),
    unknown: unknown && hide(unknown),
    checked: checked.map(hide),
    differences: differences.map(({ name, where, before, after, note, ...rest }) => ({
      ...rest,
      name: hide(name),
      ...(where === undefined ? {} : { where: hide(where) }),
      ...(before === undefined ? {} : { before: hide(before) }),
      ...(after === undefined ? {} : { after: hide(after) }),
      ...(note === undefined ? {} : { note: hide(note) }),
    })),
  };
}
