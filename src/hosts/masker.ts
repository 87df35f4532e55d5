import { toPrintable } from '../core/printable.ts';

const MASK = '***';
/** Shorter texts would turn ordinary words into asterisks. */
const MIN_SECRET_LENGTH = 3;

/** Replaces secrets in text that a person will read. */
export class Masker {
  #secrets: readonly string[] = [];

  /** Hides the secret, and each of its lines, from now on. */
  add(secret: string): readonly string[] {
    const lines = [secret, ...secret.split(/\r?\n/)].filter((line) => line.trim().length >= MIN_SECRET_LENGTH);
    this.#secrets = [...new Set([...this.#secrets, ...lines])].sort((a, b) => b.length - a.length);
    return lines;
  }

  /** The text with every secret replaced, longest first, so that none is left in part. Hide before you cut or escape. */
  hide(text: string): string {
    return this.#secrets.reduce((safe, secret) => safe.replaceAll(secret, MASK), text);
  }

  /** The text as {@link toPrintable} gives it, less the secrets that stood in it or that its removals put together. */
  toPrintable(text: string): string {
    return this.hide(toPrintable(this.hide(text)));
  }
}
