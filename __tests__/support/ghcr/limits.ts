import type { GhcrSettings } from './options.ts';

/** Why a request was refused, and how often; and how near the limits came. */
export interface LimitCounts {
  primary: number;
  points: number;
  content: number;
  concurrent: number;
  registry: number;
  peakPoints: number;
  peakConcurrent: number;
}

export interface LimitRefusal {
  readonly kind: 'primary' | 'points' | 'content' | 'concurrent';
  readonly message: string;
  readonly headers: Readonly<Record<string, string>>;
}

const SECONDARY = 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.';
const CONTENT = 'You have exceeded a secondary rate limit and have been temporarily blocked from content creation.';
const HOUR_MS = 3_600_000;

/** GitHub's limits, which are counted always, and kept where `rateLimit` says so. */
export class Limits {
  readonly counts: LimitCounts = {
    primary: 0,
    points: 0,
    content: 0,
    concurrent: 0,
    registry: 0,
    peakPoints: 0,
    peakConcurrent: 0,
  };
  inFlight = 0;
  readonly #settings: GhcrSettings;
  readonly #points: RecentSum;
  readonly #contentMinute: RecentSum;
  readonly #contentHour = new RecentSum(HOUR_MS);
  readonly #registry = new RecentSum(1000);
  #primary: { startMs: number; used: number };

  constructor(settings: GhcrSettings) {
    this.#settings = settings;
    this.#points = new RecentSum(settings.windowMs);
    this.#contentMinute = new RecentSum(settings.windowMs);
    this.#primary = { startMs: settings.now(), used: 0 };
  }

  /** Takes the request into account; answers why it is refused, where it is. */
  enter(method: string, authorization: string): LimitRefusal | undefined {
    const nowMs = this.#settings.now();
    if (nowMs - this.#primary.startMs > this.#settings.primaryWindowMs) this.#primary = { startMs: nowMs, used: 0 };
    const points = method === 'GET' || method === 'HEAD' ? 1 : 5;
    const kind = this.#settings.rateLimit ? this.#exceeded({ method, points, nowMs, authorization }) : undefined;
    if (kind !== undefined) {
      this.counts[kind] += 1;
      return this.#refusal(kind);
    }
    this.#points.add(nowMs, points);
    this.counts.peakPoints = Math.max(this.counts.peakPoints, this.#points.at(nowMs));
    if (method === 'POST') for (const window of [this.#contentMinute, this.#contentHour]) window.add(nowMs, 1);
    this.#primary.used += 1;
    return undefined;
  }

  /** False when the registry has had enough. */
  enterRegistry(): boolean {
    const { registryPerSecond, now } = this.#settings;
    if (registryPerSecond === 0) return true;
    if (this.#registry.at(now()) >= registryPerSecond) {
      this.counts.registry += 1;
      return false;
    }
    this.#registry.add(now(), 1);
    return true;
  }

  headers(authorization: string): Readonly<Record<string, string>> {
    const limit = this.limitOf(authorization);
    return {
      'x-ratelimit-limit': String(limit),
      'x-ratelimit-remaining': String(Math.max(0, limit - this.#primary.used)),
      'x-ratelimit-used': String(this.#primary.used),
      'x-ratelimit-resource': 'core',
      'x-ratelimit-reset': String(Math.ceil((this.#primary.startMs + this.#settings.primaryWindowMs) / 1000)),
    };
  }

  limitOf(authorization: string): number {
    return this.#settings.primary || (authorization.includes('ghs_') ? 1000 : 5000);
  }

  #exceeded(request: {
    readonly method: string;
    readonly points: number;
    readonly nowMs: number;
    readonly authorization: string;
  }): LimitRefusal['kind'] | undefined {
    const { points, maxConcurrent, contentPerMinute, contentPerHour } = this.#settings;
    const { nowMs } = request;
    if (this.#primary.used >= this.limitOf(request.authorization)) return 'primary';
    if (this.inFlight > maxConcurrent) return 'concurrent';
    if (this.#points.at(nowMs) + request.points > points) return 'points';
    if (request.method !== 'POST') return undefined;
    const isFull = this.#contentMinute.at(nowMs) >= contentPerMinute || this.#contentHour.at(nowMs) >= contentPerHour;
    return isFull ? 'content' : undefined;
  }

  #refusal(kind: LimitRefusal['kind']): LimitRefusal {
    if (kind === 'primary') return { kind, message: 'API rate limit exceeded for installation ID 1.', headers: {} };
    const { retryAfterS } = this.#settings;
    const headers = retryAfterS === 0 ? {} : { 'retry-after': String(retryAfterS) };
    return { kind, message: kind === 'content' ? CONTENT : SECONDARY, headers };
  }
}

/** A sum of what came within this time. */
class RecentSum {
  readonly #windowMs: number;
  readonly #entries: { readonly atMs: number; readonly amount: number }[] = [];
  #sum = 0;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  at(nowMs: number): number {
    for (let oldest = this.#entries[0]; oldest !== undefined; oldest = this.#entries[0]) {
      if (oldest.atMs > nowMs - this.#windowMs) break;
      this.#entries.shift();
      this.#sum -= oldest.amount;
    }
    return this.#sum;
  }

  add(nowMs: number, amount: number): void {
    this.#entries.push({ atMs: nowMs, amount });
    this.#sum += amount;
  }
}
