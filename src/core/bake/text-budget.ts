import type { Reader } from './findings.ts';

const MAX_LENGTH = 1 << 20;
/** Of all texts that were put together: what a file of 4 MiB can ask for has no end. */
const MAX_TOTAL_LENGTH = 1 << 25;

/** How much text variables may come to. */
export class TextBudget {
  #totalLength = 0;

  /** Takes what a text of this length needs, which begins at `line`; false, and a problem is reported, where that is too much. */
  take(length: number, line: number, reader: Reader): boolean {
    if (length > MAX_LENGTH) {
      reader.problem(line, `a text comes to more than ${MAX_LENGTH} characters`);
      return false;
    }
    this.#totalLength += length;
    if (this.#totalLength <= MAX_TOTAL_LENGTH) return true;
    reader.problem(undefined, `all texts together come to more than ${MAX_TOTAL_LENGTH} characters`);
    return false;
  }
}
