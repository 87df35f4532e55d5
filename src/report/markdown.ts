import { toLine } from '../core/printable.ts';

/** How much of a text one cell or line shows. */
export const MAX_LINE_LENGTH = 1000;

/** A table whose cells are Markdown already. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** A stranger's text, as code; shortened. */
export function code(text: string): string {
  return `<code>${escape(toLine(text, MAX_LINE_LENGTH))}</code>`;
}

/** A stranger's text, shown and never rendered; shortened. */
export function plain(text: string): string {
  return escape(toLine(text, MAX_LINE_LENGTH));
}

/** Everything that Markdown or HTML could take for markup or for a link, as character references (GFM 0.29, §6.9). */
export function escape(text: string): string {
  return text.replace(
    /[&<>"'`|*_~[\]()#!\\@{}$]|:(?=\/\/)|(?<=www)\./gi,
    (character) => `&#${character.charCodeAt(0)};`,
  );
}
