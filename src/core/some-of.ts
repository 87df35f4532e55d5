/** The first `max` of these texts, as they are shown, and how many more there are: `a, b and 3 more`. */
export function someOf(texts: readonly string[], max: number, show: (text: string) => string = String): string {
  const more = texts.length > max ? ` and ${texts.length - max} more` : '';
  // Not all of them are shown: there may be a hundred thousand.
  const shown = texts.slice(0, max).map((text) => show(text));
  return `${shown.join(', ')}${more}`;
}
