const MAX_CHARACTERS = 1 << 25;

/**
 * What may still be done to expand words, everywhere together: in characters of the values of variables. A small file can
 * ask for terabytes, or for years of comparing patterns.
 */
export interface Allowance {
  charactersLeft: number;
}

/** An allowance far beyond what any build needs. */
export function fullAllowance(): Allowance {
  return { charactersLeft: MAX_CHARACTERS };
}

/** Takes something off an allowance. What is wrong when it does not last; `undefined` when it does. */
export function spend(allowance: Allowance, characters: number): string | undefined {
  allowance.charactersLeft -= characters;
  if (allowance.charactersLeft >= 0) return undefined;
  return `the values of variables, all together, come to more than ${MAX_CHARACTERS} characters`;
}
