type Entries<V> = Iterable<readonly [string, V]>;

/** What was set last, and below it what was set before. */
interface Layer<V> {
  readonly own: ReadonlyMap<string, V>;
  readonly below: Layer<V> | undefined;
}

/**
 * A map that never changes: `with` gives another one. Earlier ones stay as they are and share what they hold, so that n
 * changes take n log n steps, and not the square of n as copies would.
 */
export class LayeredMap<V> {
  readonly #top: Layer<V> | undefined;

  constructor(entries: Entries<V> = [], below?: LayeredMap<V>) {
    let own = new Map(entries);
    let rest = below === undefined ? undefined : below.#top;
    // Each layer is larger than the one above it: few of them are to be looked through.
    while (rest !== undefined && rest.own.size <= own.size) {
      const merged = new Map(rest.own);
      for (const [key, value] of own) merged.set(key, value);
      own = merged;
      rest = rest.below;
    }
    this.#top = own.size === 0 ? rest : { own, below: rest };
  }

  /** With these entries laid over it. */
  with(entries: Entries<V>): LayeredMap<V> {
    return new LayeredMap(entries, this);
  }

  get(key: string): V | undefined {
    return this.#layerOf(key)?.own.get(key);
  }

  has(key: string): boolean {
    return this.#layerOf(key) !== undefined;
  }

  #layerOf(key: string): Layer<V> | undefined {
    let layer = this.#top;
    while (layer !== undefined && !layer.own.has(key)) layer = layer.below;
    return layer;
  }
}
