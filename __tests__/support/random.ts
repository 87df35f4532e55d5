/** Choices by chance that are the same for the same seed. */
export interface Random {
  /** From 0 up to, not including, 1. */
  fraction(): number;
  /** True as often as this, from 0 to 1. */
  chance(probability: number): boolean;
  /** A whole number below this one. */
  below(limit: number): number;
  /** One of these; there must be one. */
  pick<T>(choices: readonly T[]): T;
}

/** A linear congruential generator (Numerical Recipes), of which the upper bits are used. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const fraction = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
  return {
    fraction,
    chance: (probability) => fraction() < probability,
    below: (limit) => Math.floor(fraction() * limit),
    pick(choices) {
      const picked = choices[Math.floor(fraction() * choices.length)];
      if (picked === undefined) throw new RangeError('there is nothing to pick from');
      return picked;
    },
  };
}
