import { quote } from './core/printable.ts';
import type { Problem } from './errors.ts';
import type { Files } from './host.ts';
import { parseAuthorities } from './registry/trust.ts';
import { MAX_CERTIFICATES_BYTES, whyUnreadable } from './regular-file.ts';

/** The authorities in the file of the input `registry-ca`, or what is wrong with it. */
export interface Authorities {
  /** In PEM form; `undefined` when there is no such input or nothing usable in it. */
  readonly text: string | undefined;
  readonly problems: readonly Problem[];
}

export function readAuthorities(files: Files, path: string | undefined): Authorities {
  if (path === undefined) return { text: undefined, problems: [] };
  const read = readText(files, path);
  if ('problem' in read) return bad(`${quote(path)} ${read.problem}: the path of a PEM file is allowed`);
  const authorities = parseAuthorities(read.text);
  if (!authorities.ok) return bad(`${quote(path)} ${authorities.problem}`);
  return { text: authorities.value, problems: [] };
}

function bad(message: string): Authorities {
  return { text: undefined, problems: [{ input: 'registry-ca', message }] };
}

function readText(files: Files, path: string): { readonly text: string } | { readonly problem: string } {
  try {
    const text = files.readRegular(path, MAX_CERTIFICATES_BYTES);
    return text === undefined ? { problem: 'is not there' } : { text };
  } catch (error) {
    return { problem: whyUnreadable(error) };
  }
}
