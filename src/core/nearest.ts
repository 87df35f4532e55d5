/** The known name that a person most likely meant, or `undefined` when none is near (Levenshtein distance ≤ 2 or a third). */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase().slice(0, 64);
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const candidate of known) {
    const lower = candidate.toLowerCase();
    const farthest = Math.min(Math.max(2, Math.floor(candidate.length / 3)), (best?.distance ?? Infinity) - 1);
    // No name is nearer than the difference in length, and a list may have a million names.
    if (Math.abs(wanted.length - lower.length) > farthest) continue;
    const distance = editDistance(wanted, lower);
    if (distance <= farthest) best = { name: candidate, distance };
  }
  return best?.name;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, substitution));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
