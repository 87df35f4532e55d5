import { RegistryError } from '../errors.ts';

/** Time and chance, so that tests need neither wait nor guess. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** RegistryError ABORTED when the signal aborts. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
  /** From 0 up to, not including, 1. */
  random(): number;
}

/** How an attempt ended: with a value, or with a failure that another attempt may cure. Anything thrown is final. */
export type Attempt<T> =
  | { readonly value: T }
  | { readonly failure: Error; readonly retryAfterMs?: number | undefined };

/** A wait before the next attempt. */
export interface RetryNotice {
  readonly waitMs: number;
  /** How the attempt before it failed; safe to print. */
  readonly reason: string;
  /** Which attempt that was, from 1. */
  readonly attempt: number;
}

export interface RetryRules {
  readonly clock: Clock;
  /** Told before every wait. */
  readonly onRetry?: ((notice: RetryNotice) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How often it is tried in all. */
  readonly attempts: number;
}

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 15_000;
/** A registry that asks for more patience than this is asked again after this. */
const MAX_RETRY_AFTER_MS = 60_000;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  random: () => Math.random(),
  sleep(durationMs, signal) {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        reject(new RegistryError('ABORTED', 'interrupted while waiting for a registry', { cause: signal?.reason }));
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop);
        resolve();
      }, durationMs);
      if (signal?.aborted) stop();
      signal?.addEventListener('abort', stop, { once: true });
    });
  },
};

/** Tries until there is a value; throws the last failure when the attempts are used up. */
export async function retry<T>(rules: RetryRules, attempt: () => Promise<Attempt<T>>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    const outcome = await attempt();
    if ('value' in outcome) return outcome.value;
    if (tried >= rules.attempts) throw outcome.failure;
    const waitMs = delayMs(tried, outcome.retryAfterMs, rules.clock);
    rules.onRetry?.({ waitMs, reason: outcome.failure.message, attempt: tried });
    await rules.clock.sleep(waitMs, rules.signal);
  }
}

/**
 * `Retry-After` in milliseconds from now: seconds or an HTTP date (RFC 9110, 10.2.3); `undefined` when it is neither.
 */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  const text = value?.trim() ?? '';
  if (/^[0-9]{1,9}$/.test(text)) return Number(text) * 1000;
  // Date.parse would take a bare number for a year.
  const dateMs = /^[A-Za-z]/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - nowMs);
}

/** Docker Hub's `X-Retry-After`, seconds since 1970, in milliseconds from now: https://docs.docker.com/reference/api/hub/latest/ */
export function parseRetryTime(value: string | undefined, nowMs: number): number | undefined {
  const text = value?.trim() ?? '';
  return /^[0-9]{10}$/.test(text) ? Math.max(0, Number(text) * 1000 - nowMs) : undefined;
}

/** Doubles each time, less up to a half by chance, so that many clients do not come back at once. */
function delayMs(tried: number, retryAfterMs: number | undefined, clock: Clock): number {
  const backOffMs = Math.min(FIRST_DELAY_MS * 2 ** (tried - 1), MAX_DELAY_MS) * (1 - clock.random() / 2);
  return retryAfterMs === undefined ? backOffMs : Math.min(Math.max(retryAfterMs, backOffMs), MAX_RETRY_AFTER_MS);
}
