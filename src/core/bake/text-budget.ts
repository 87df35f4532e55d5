import type { Reader } from './findings.ts';

const MAX_LENGTH = 1 << 20;
/** Of all texts that were put together: what a file of 4 MiB can ask for has no end. */
const MAX_TOTAL_LENGTH = 1 << 25;

/** How much text variables may come to. */
export class TextBudget {
  #totalLength = 0;

  /** Whether a text of this length, which begins at `line`, is still to be made; a problem is reported where it is not. */
  allows(length: number, line: number, reader: Reader): boolean {
    this.#totalLength += length;
    if (length > MAX_LENGTH) reader.problem(line, `a text comes to more than ${MAX_LENGTH} characters`);
    else if (this.#totalLength > MAX_TOTAL_LENGTH)
      reader.problem(undefined, `all texts together come to more than ${MAX_TOTAL_LENGTH} characters`);
    else return true;
    return false;
  }
}
