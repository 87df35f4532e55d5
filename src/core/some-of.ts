/** The first `max` of these texts, and how many more there are: `a, b and 3 more`. */
export function someOf(texts: readonly string[], max: number): string {
  const more = texts.length > max ? ` and ${texts.length - max} more` : '';
  return `${texts.slice(0, max).join(', ')}${more}`;
}
