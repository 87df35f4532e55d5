import { nearest } from '../src/core/nearest.ts';
import type { Result } from './results.ts';
import { type Figures, figuresOf } from './table.ts';

/** What the sentences of the page may take their numbers from. */
export interface FigureSource {
  readonly rows: readonly Result[];
  /** All that the bench can measure, whether it has or not. */
  readonly ids: readonly string[];
  /** What the bench is set up with, by name. */
  readonly settings: Readonly<Record<string, string>>;
}

const PLACE = /\{\{([^{}]+)\}\}/g;
const FIELDS: Readonly<Record<keyof Figures, true>> = {
  median: true,
  spread: true,
  target: true,
  ours: true,
  theirs: true,
  number: true,
};

/**
 * The text with its numbers: `{{setting.NAME}}` is one that the bench is set up with, `{{ID.FIELD}}` a figure of a row.
 * `undefined` when a row has not been measured: then the sentence cannot be written. Error when there is no such name, or the
 * row has no such figure.
 */
export function withFigures(text: string, source: FigureSource): string | undefined {
  let isWhole = true;
  const filled = text.replace(PLACE, (_, place: string) => {
    const figure = figureAt(place.trim(), source);
    if (figure === undefined) isWhole = false;
    return figure ?? '';
  });
  return isWhole ? filled : undefined;
}

function figureAt(place: string, { rows, ids, settings }: FigureSource): string | undefined {
  const [id = '', field = ''] = place.split('.');
  if (id === 'setting') return settings[field] ?? unknown(place, field, Object.keys(settings));
  if (!ids.includes(id)) return unknown(place, id, ids);
  if (!isField(field)) return unknown(place, field, Object.keys(FIELDS));
  const row = rows.find((one) => one.id === id);
  if (row === undefined) return undefined;
  const figure = figuresOf(row)[field];
  if (figure === '') throw new Error(`{{${place}}}: the row has no ${field}`);
  return figure;
}

function isField(field: string): field is keyof Figures {
  return Object.hasOwn(FIELDS, field);
}

function unknown(place: string, name: string, known: readonly string[]): never {
  const meant = nearest(name, known);
  const hint = meant === undefined ? '' : `; did you mean ${JSON.stringify(meant)}?`;
  throw new Error(`{{${place}}}: there is no ${JSON.stringify(name)}${hint}`);
}
