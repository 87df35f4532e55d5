import type { RequestKind } from './route.ts';

/** What goes wrong. Where a request is not said to be done, the registry has not looked at it. */
export type FaultAction =
  /** This status, and nothing is done. The body is an error document of the registry when absent. */
  | {
      readonly kind: 'status';
      readonly status: number;
      /** As `{ 'Retry-After': '1' }`. */
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** The connection is cut before an answer, and nothing is done. */
  | { readonly kind: 'drop' }
  /** The request is done, and its answer stops after this many bytes of the body; absent: nothing is done or answered. */
  | { readonly kind: 'stall'; readonly afterBytes?: number }
  /** A page of HTML with the status 200, as proxies and login walls send it; nothing is done. */
  | { readonly kind: 'html' }
  /** The connection is cut after this many bytes of the answer's body. The request is done. */
  | { readonly kind: 'cutBody'; readonly afterBytes: number }
  /** The connection is cut once the registry took this many bytes of the request's body; a shorter one is done. */
  | { readonly kind: 'cutRequest'; readonly afterBytes: number }
  /** The answer's body comes this slowly. */
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }
  /** One bit of the body, or the digest in the headers, is not what was stored. */
  | { readonly kind: 'wrongDigest'; readonly where: 'body' | 'header' }
  /** Half of the body, with a Content-Length that agrees. */
  | { readonly kind: 'truncate' }
  /** The request is done, and the client is told this status; absent: the connection is cut. A refusal goes through. */
  | { readonly kind: 'storeThenFail'; readonly status?: number }
  /** The answer lacks this header: `Docker-Content-Digest`, `Location`. */
  | { readonly kind: 'omitHeader'; readonly name: string };

/** Which requests a fault hits: those that match everything that is said here. */
export interface FaultRule {
  readonly action: FaultAction;
  readonly method?: string | readonly string[];
  readonly kind?: RequestKind | readonly RequestKind[];
  /** Tested against the path as it was sent, with its query. */
  readonly path?: RegExp;
  /** How many matching requests pass before the first is hit; 0 when absent. */
  readonly skip?: number;
  /** How many requests are hit; all when absent. */
  readonly times?: number;
  /** From 0 to 1: each matching request is hit with this probability; always when absent. */
  readonly probability?: number;
  /** For `probability`: the same seed makes the same choices. 1 when absent. */
  readonly seed?: number;
}

/** What a rule is asked about. */
export interface FaultTarget {
  readonly method: string;
  readonly path: string;
  readonly kind: RequestKind;
}

interface Armed {
  readonly rule: FaultRule;
  readonly random: () => number;
  skipped: number;
  hits: number;
}

/** The rules of a registry, in the order in which they were given. */
export class Faults {
  #armed: Armed[] = [];

  constructor(rules: readonly FaultRule[] = []) {
    for (const rule of rules) this.add(rule);
  }

  add(rule: FaultRule): void {
    this.#armed.push({ rule, random: generator(rule.seed ?? 1), skipped: 0, hits: 0 });
  }

  clear(): void {
    this.#armed = [];
  }

  /** The action of the first rule that hits this request. Only that one counts it, and those before it that let it pass. */
  next(target: FaultTarget): FaultAction | undefined {
    return this.#armed.find((armed) => hits(armed, target))?.rule.action;
  }
}

function hits(armed: Armed, target: FaultTarget): boolean {
  const { rule } = armed;
  if (!matches(rule, target) || armed.hits >= (rule.times ?? Number.POSITIVE_INFINITY)) return false;
  if (armed.skipped < (rule.skip ?? 0)) {
    armed.skipped += 1;
    return false;
  }
  if (rule.probability !== undefined && armed.random() >= rule.probability) return false;
  armed.hits += 1;
  return true;
}

function matches({ method, kind, path }: FaultRule, target: FaultTarget): boolean {
  return (
    (method === undefined || [method].flat().includes(target.method)) &&
    (kind === undefined || [kind].flat().includes(target.kind)) &&
    // Unlike `test`, it takes no notice of where a global expression stood.
    (path === undefined || target.path.search(path) >= 0)
  );
}

/** Numbers from 0 up to, not including, 1: mulberry32, which needs no more than 32 bits of state. */
function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
