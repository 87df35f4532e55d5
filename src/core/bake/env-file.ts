import { quote } from '../printable.ts';
import type { Reader } from './findings.ts';

const LINE = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.]*)[ \t]*=[ \t]*(.*?)[ \t]*$/;
const BARE = /^[^'"`$\\#]*$/;
const COMMENTED = /^([^'"`$\\#]*?)[ \t]+#.*$/;
const QUOTED = /^(?:'([^'\\]*)'|"([^"$\\]*)")(?:[ \t]+#.*)?$/;

/** The variables of a `.env` file with plain lines `NAME=VALUE`; whatever compose reads in a way of its own is for buildx. */
export function parseEnvFile(text: string, reader: Reader): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  for (const [index, line] of text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .entries()) {
    if (/^[ \t]*(?:#.*)?$/.test(line)) continue;
    const [, name, given = ''] = LINE.exec(line) ?? [];
    const [, single, double] = QUOTED.exec(given) ?? [];
    const value = single ?? double ?? (BARE.test(given) ? given : COMMENTED.exec(given)?.[1]);
    if (name === undefined || value === undefined) reader.beyond(index + 1, `the line ${quote(name ?? '')}`);
    else variables.set(name, value);
  }
  return variables;
}
