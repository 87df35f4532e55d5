import { type Parsed, parsed, unparsable } from './parsed.ts';
import { toLine } from './printable.ts';

/** Where the key to sign with is. */
export type SigningKey =
  /** The key itself, in PEM form, with line feeds. */
  | { readonly kind: 'text'; readonly pem: string }
  /** In a variable of the environment. */
  | { readonly kind: 'variable'; readonly name: string }
  /** In a service that signs and does not give it away, or in Kubernetes. */
  | { readonly kind: 'service'; readonly uri: string }
  | { readonly kind: 'file'; readonly path: string };

/** https://docs.sigstore.dev/cosign/key_management/overview/ */
const SERVICES = ['awskms', 'azurekms', 'gcpkms', 'hashivault', 'k8s'];
const MAX_URI_LENGTH = 2048;
const MAX_PATH_LENGTH = 4096;

/** What stands in the first line of a PEM file: `ENCRYPTED SIGSTORE PRIVATE KEY`; `undefined` for what is none. */
export function pemLabel(text: string): string | undefined {
  return /^-----BEGIN ([A-Z0-9 ]{1,60})-----$/m.exec(toPem(text))?.[1];
}

/** As PEM files are written, whatever a form or a variable has made of its lines. */
export function toPem(text: string): string {
  return `${text.replace(/\r\n?/g, '\n').trim()}\n`;
}

/** What the input `sign-key` names. The problem never quotes the value: a key that was pasted badly is still a key. */
export function parseSigningKey(text: string): Parsed<SigningKey> {
  if (text.includes('-----BEGIN ')) return parsed({ kind: 'text', pem: toPem(text) });
  const value = text.trim();
  const allowed = `a file, the key's text (-----BEGIN …), env://NAME, or ${SERVICES.map((name) => `${name}://…`).join(', ')}`;
  if (value === '') return unparsable(`is empty: ${allowed} is allowed`);
  if (/[\n\r\0]/.test(value)) return unparsable(`has several lines and is no key in PEM form: ${allowed} is allowed`);
  const [, scheme, rest = ''] = /^([A-Za-z][A-Za-z0-9+.-]{0,20}):\/\/(.*)$/.exec(value) ?? [];
  if (scheme === undefined)
    return value.length > MAX_PATH_LENGTH
      ? unparsable(`is too long for the path of a file`)
      : parsed({ kind: 'file', path: value });
  if (scheme === 'env') {
    if (/^[A-Za-z_][A-Za-z0-9_]{0,254}$/.test(rest)) return parsed({ kind: 'variable', name: rest });
    return unparsable('env:// needs the name of a variable: env://COSIGN_PRIVATE_KEY');
  }
  if (!SERVICES.includes(scheme))
    return unparsable(`${toLine(scheme, 30)}:// is no place for a key: ${allowed} is allowed`);
  if (/^[\x21-\x7e]+$/.test(value) && value.length <= MAX_URI_LENGTH && rest !== '')
    return parsed({ kind: 'service', uri: value });
  return unparsable(`${scheme}:// needs the key's name, without spaces`);
}
