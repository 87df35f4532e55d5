const SLASH = '/'.charCodeAt(0);

/** Moves the surrogates, which stand for U+10000 and above, behind the rest of the code units. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

/**
 * Orders by code point, as UTF-8 bytes do, and so does every tool that sorts paths by bytes. JavaScript's `<` orders by
 * UTF-16 units and puts U+1F600 before U+FF01. Independent of the locale.
 */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const [one, other] = [a.charCodeAt(index), b.charCodeAt(index)];
    if (one !== other) return rank(one) - rank(other);
  }
  return a.length - b.length;
}

/**
 * The order of a walk that goes down into each directory before it goes on to the next name, names by code point: `a`,
 * `a/b`, `a-b`.
 */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const [one, other] = [a.charCodeAt(index), b.charCodeAt(index)];
    if (one === other) continue;
    if (one === SLASH || other === SLASH) return one === SLASH ? -1 : 1;
    return rank(one) - rank(other);
  }
  return a.length - b.length;
}
