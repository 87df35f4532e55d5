import { quote } from './core/printable.ts';
import type { Problem } from './errors.ts';
import type { Files } from './host.ts';
import { parseAuthorities } from './registry/trust.ts';

/** The authorities in the file of the input `registry-ca`, or what is wrong with it. */
export interface Authorities {
  /** In PEM form; `undefined` when there is no such input or nothing usable in it. */
  readonly text: string | undefined;
  readonly problems: readonly Problem[];
}

export function readAuthorities(files: Files, path: string | undefined): Authorities {
  if (path === undefined) return { text: undefined, problems: [] };
  const read = readText(files, path);
  if (read === undefined)
    return bad(`${quote(path)} is not there, or cannot be read: the path of a PEM file is allowed`);
  const authorities = parseAuthorities(read);
  if (!authorities.ok) return bad(`${quote(path)} ${authorities.problem}`);
  return { text: authorities.value, problems: [] };
}

function bad(message: string): Authorities {
  return { text: undefined, problems: [{ input: 'registry-ca', message }] };
}

function readText(files: Files, path: string): string | undefined {
  try {
    return files.readText(path);
  } catch {
    return undefined;
  }
}
