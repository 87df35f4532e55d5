import { type Parsed, parsed, unparsable } from './parsed.ts';

/** The text as one CSV field: quoted where it holds a comma, a quote, a line break or outer blanks (RFC 4180, §2). */
export function csvField(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** These fields as one CSV record. */
export function csvRecord(fields: readonly string[]): string {
  return fields.map(csvField).join(',');
}

/** The fields of one CSV record, in the strict form that buildx takes: a quote stands around a whole field or nowhere. */
export function parseCsvRecord(text: string): Parsed<readonly string[]> {
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  const fields: string[] = [];
  for (;;) {
    const match = field.exec(text);
    if (match === null) return unparsable('a double quote must enclose a whole comma-separated field');
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '') return parsed(fields);
  }
}
