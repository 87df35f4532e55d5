/** The value with one part of it replaced by `other`, removed or added; `pick` chooses one of so many. */
export function changed(value: unknown, pick: (count: number) => number, other: unknown): unknown {
  if (typeof value !== 'object' || value === null || pick(4) === 0) return other;
  if (Array.isArray(value)) {
    const at = pick(value.length + 1);
    if (pick(4) === 0) return value.toSpliced(at, 1);
    return at === value.length ? [...value, other] : value.with(at, changed(value[at], pick, other));
  }
  const entries = Object.entries(value);
  const at = pick(entries.length + 1);
  const [name, item] = entries[at] ?? ['added', undefined];
  if (pick(4) === 0) return Object.fromEntries(entries.toSpliced(at, 1));
  return { ...value, [name]: changed(item, pick, other) };
}
