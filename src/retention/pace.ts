import { toLine } from '../core/printable.ts';
import { type Clock, parseRetryAfter, type RetryNotice } from '../registry/retry.ts';
import { Turns } from '../registry/turns.ts';
import type { GitHubRequest } from './github-api.ts';
import { RecentUse } from './recent-use.ts';
import { spent } from './store.ts';

type Method = GitHubRequest['method'];

export interface PaceSettings {
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  /** How many requests of the hour's allowance are left to others. */
  readonly reserve: number;
  /** Told of every pause that GitHub asks for. */
  readonly onPause?: ((notice: Omit<RetryNotice, 'attempt'>) => void) | undefined;
}

/** What the limits can be seen from. */
export interface PacedAnswer {
  readonly status: number;
  header(name: string): string | undefined;
  /** As far as it was read. */
  readonly body: Uint8Array;
}

/** Says that the request is over, with its answer if there is one; true when that is a limit, so that it is to be sent again. */
export type Leave = (answer: PacedAnswer | undefined) => boolean;

/** https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits */
const MAX_POINTS = 900;
const START_POINTS = 870;
const LEAST_POINTS = 30;
/** What the points of a minute grow by in a minute without a refusal. */
const GROWTH = 1.1;
const MAX_CONTENT_A_MINUTE = 80;
const MAX_CONTENT_AN_HOUR = 500;
const MAX_IN_FLIGHT = 10;
/** The writes of a minute are spread over this, since GitHub limits the time of its processors too. */
const SPREAD_MS = 45_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** Who is asked to wait for longer had better go on another time. */
const MAX_PAUSE_MS = 15 * MINUTE_MS;

/**
 * Lets requests to GitHub's API through inside its limits: one for all of a run. Points, content, requests at once and the
 * hour's allowance are counted; a refusal halves the points of a minute, which then grow again. After a pause one request goes
 * alone, and only when it passes do others follow.
 */
export class Pace {
  readonly #settings: PaceSettings;
  readonly #turns = new Turns();
  readonly #points = new RecentUse(MINUTE_MS);
  readonly #contentMinute = new RecentUse(MINUTE_MS);
  readonly #contentHour = new RecentUse(HOUR_MS);
  readonly #waiting = new Set<() => void>();
  #inFlight = 0;
  #rate: { readonly points: number; readonly sinceMs: number };
  #nextWriteMs = 0;
  #pauseEndMs = 0;
  /** In a row. */
  #refusals = 0;
  #allowance: { readonly remaining: number; readonly reset: string; readonly resetMs: number } | undefined;
  #endMs = Number.POSITIVE_INFINITY;

  constructor(settings: PaceSettings) {
    this.#settings = settings;
    this.#rate = { points: START_POINTS, sinceMs: settings.clock.now() };
  }

  /** Nothing starts at or after this time, in milliseconds since 1970 by the clock of this machine. */
  endAt(atMs: number): void {
    this.#endMs = atMs;
  }

  /**
   * Waits until a request may be sent. BuildOnceError RETENTION_SPENT when that would break into the reserve, be too late, or
   * take too long.
   */
  enter(method: Method): Promise<Leave> {
    return this.#turns.take(() => this.#admit(method));
  }

  /** How many requests may be sent before the reserve begins; `undefined` while GitHub has not said. */
  allowance(): number | undefined {
    const { clock, reserve } = this.#settings;
    if (this.#allowance === undefined || clock.now() >= this.#allowance.resetMs) return undefined;
    return Math.max(0, this.#allowance.remaining - this.#inFlight - reserve);
  }

  async #admit(method: Method): Promise<Leave> {
    const { clock, signal } = this.#settings;
    for (;;) {
      this.#checkAllowance();
      const waitMs = this.#waitMs(method, clock.now());
      if (waitMs === 0) return this.#begin(method);
      if (waitMs === undefined) await new Promise<void>((resolve) => this.#waiting.add(resolve));
      else await clock.sleep(waitMs, signal);
    }
  }

  /** How long at least; `undefined`: until a request that is under way has ended. */
  #waitMs(method: Method, nowMs: number): number | undefined {
    const pauseMs = this.#pauseEndMs - nowMs;
    if (pauseMs > MAX_PAUSE_MS) throw spent(`GitHub asks to wait ${Math.ceil(pauseMs / 1000)} s`);
    if (pauseMs > 0) return this.#inTime(pauseMs, nowMs);
    if (this.#inFlight >= this.#atOnce()) return undefined;
    const waits = this.#uses(method).map(({ use, amount, limit }) => use.waitMs(nowMs, amount, limit));
    if (waits.includes(undefined)) return undefined;
    const spreadMs = method === 'GET' ? 0 : this.#nextWriteMs - nowMs;
    return this.#inTime(Math.max(0, spreadMs, ...waits.map((waitMs) => waitMs ?? 0)), nowMs);
  }

  /** The slower it goes, the fewer are refused together. */
  #atOnce(): number {
    return this.#refusals > 0 ? 1 : Math.ceil((MAX_IN_FLIGHT * this.#pointsAMinute()) / MAX_POINTS);
  }

  #inTime(waitMs: number, nowMs: number): number {
    if (nowMs + waitMs < this.#endMs) return waitMs;
    throw spent('the time that deleting may take (max-time) is over');
  }

  /** All that a request uses up. */
  #uses(method: Method): readonly { readonly use: RecentUse; readonly amount: number; readonly limit: number }[] {
    const points = { use: this.#points, amount: pointsOf(method), limit: this.#pointsAMinute() };
    if (method !== 'POST') return [points];
    return [
      points,
      { use: this.#contentMinute, amount: 1, limit: MAX_CONTENT_A_MINUTE },
      { use: this.#contentHour, amount: 1, limit: MAX_CONTENT_AN_HOUR },
    ];
  }

  #begin(method: Method): Leave {
    const { clock } = this.#settings;
    const startMs = clock.now();
    const uses = this.#uses(method);
    for (const { use, amount } of uses) use.begin(amount);
    if (method !== 'GET') this.#nextWriteMs = startMs + (SPREAD_MS * pointsOf(method)) / this.#pointsAMinute();
    this.#inFlight += 1;
    return (answer) => {
      this.#inFlight -= 1;
      for (const { use, amount } of uses) use.end(clock.now(), amount);
      const isLimit = answer !== undefined && this.#learn(answer, startMs);
      for (const resume of this.#waiting) resume();
      this.#waiting.clear();
      return isLimit;
    };
  }

  #learn(answer: PacedAnswer, startMs: number): boolean {
    this.#noteAllowance(answer);
    const isLimit = isLimitRefusal(answer);
    if (isLimit) this.#slowDown(answer, startMs);
    // What was sent before the pause says nothing of how it is after it.
    else if (answer.status < 400 && startMs >= this.#pauseEndMs) this.#refusals = 0;
    return isLimit;
  }

  #slowDown(answer: PacedAnswer, startMs: number): void {
    const nowMs = this.#settings.clock.now();
    const isFirst = startMs >= this.#pauseEndMs;
    if (isFirst) {
      this.#refusals += 1;
      this.#rate = { points: Math.max(LEAST_POINTS, this.#pointsAMinute() / 2), sinceMs: nowMs };
    }
    // The allowance speaks for itself.
    if (answer.header('x-ratelimit-remaining') === '0') return;
    const askedMs = parseRetryAfter(answer.header('retry-after'), dateOf(answer) ?? nowMs);
    const waitMs = askedMs ?? MINUTE_MS * 2 ** (this.#refusals - 1);
    this.#pauseEndMs = Math.max(this.#pauseEndMs, nowMs + waitMs);
    const reason = `GitHub answered ${answer.status}: ${messageOf(answer)}`;
    if (isFirst) this.#settings.onPause?.({ waitMs, reason });
  }

  #pointsAMinute(): number {
    const { points, sinceMs } = this.#rate;
    const minutes = (this.#settings.clock.now() - sinceMs) / MINUTE_MS;
    return Math.min(MAX_POINTS, points * GROWTH ** minutes);
  }

  #noteAllowance(answer: PacedAnswer): void {
    const nowMs = this.#settings.clock.now();
    const [remaining = '', reset = ''] = ['remaining', 'reset'].map((name) => answer.header(`x-ratelimit-${name}`));
    if (!/^\d{1,9}$/.test(remaining) || !/^\d{1,12}$/.test(reset)) return;
    const before = this.#allowance;
    // Answers come in any order; within the hour there is never more.
    const least = before?.reset === reset ? Math.min(before.remaining, Number(remaining)) : Number(remaining);
    const resetMs = nowMs + Number(reset) * 1000 - (dateOf(answer) ?? nowMs);
    this.#allowance = { remaining: least, reset, resetMs };
  }

  #checkAllowance(): void {
    const { clock, reserve } = this.#settings;
    if (this.#allowance === undefined || clock.now() >= this.#allowance.resetMs) return;
    const { remaining, resetMs } = this.#allowance;
    if (remaining - this.#inFlight > reserve) return;
    const minutes = Math.ceil((resetMs - clock.now()) / MINUTE_MS);
    throw spent(
      `of the requests that GitHub allows this token in an hour ${remaining} are left for the next ${minutes} min, and ` +
        `${reserve} are kept for others (limits: reserve)`,
    );
  }
}

function pointsOf(method: Method): number {
  return method === 'GET' ? 1 : 5;
}

/** Any other 403 is about rights. */
function isLimitRefusal(answer: PacedAnswer): boolean {
  if (answer.status === 429) return true;
  if (answer.status !== 403) return false;
  const isMarked = answer.header('retry-after') !== undefined || answer.header('x-ratelimit-remaining') === '0';
  return isMarked || /secondary rate limit/i.test(messageOf(answer));
}

function messageOf({ body }: PacedAnswer): string {
  return toLine(Buffer.from(body.subarray(0, 2000)).toString());
}

function dateOf(answer: PacedAnswer): number | undefined {
  const dateMs = Date.parse(answer.header('date') ?? '');
  return Number.isNaN(dateMs) ? undefined : dateMs;
}
