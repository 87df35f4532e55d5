/** What was used up within a time: counted from before a request is sent until so long after its answer, wherever it counted. */
export class RecentUse {
  readonly #windowMs: number;
  readonly #past: { readonly endMs: number; readonly amount: number }[] = [];
  #open = 0;
  #total = 0;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  begin(amount: number): void {
    this.#open += amount;
    this.#total += amount;
  }

  /** The times must not go back. */
  end(nowMs: number, amount: number): void {
    this.#open -= amount;
    this.#past.push({ endMs: nowMs + this.#windowMs, amount });
  }

  used(nowMs: number): number {
    for (let oldest = this.#past[0]; oldest !== undefined && oldest.endMs <= nowMs; oldest = this.#past[0]) {
      this.#past.shift();
      this.#total -= oldest.amount;
    }
    return this.#total;
  }

  /** How long until so much more is within the limit; `undefined`: not before what is under way has ended. */
  waitMs(nowMs: number, amount: number, limit: number): number | undefined {
    let excess = this.used(nowMs) + amount - limit;
    if (excess <= 0 || this.#total === 0) return 0;
    for (const { endMs, amount } of this.#past) {
      excess -= amount;
      if (excess <= 0) return endMs - nowMs;
    }
    return this.#open > 0 ? undefined : (this.#past.at(-1)?.endMs ?? nowMs) - nowMs;
  }
}
