/** How often what occurred. */
export class Tally {
  readonly #counts = new Map<string, number>();

  /** `names` must occur. */
  constructor(names: readonly string[]) {
    for (const name of names) this.#counts.set(name, 0);
  }

  add(name: string, count = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
  }

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  never(): readonly string[] {
    return [...this.#counts].flatMap(([name, count]) => (count === 0 ? [name] : []));
  }

  text(): string {
    return [...this.#counts]
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([name, count]) => `${name}: ${count}`)
      .join('\n');
  }
}
