import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isBuildOnceError } from '../../src/errors.ts';
import type { Clock } from '../../src/registry/retry.ts';
import { Pace, type PacedAnswer } from '../../src/retention/pace.ts';
import { type Random, seededRandom } from '../support/random.ts';

const MINUTE_MS = 60_000;
const METHODS = ['GET', 'DELETE', 'DELETE', 'DELETE', 'POST'] as const;
type Method = (typeof METHODS)[number];

/** Time that goes on to the next thing that is to happen, once all that happens now is over. */
class EventClock implements Clock {
  #nowMs = Date.UTC(2026, 10, 21);
  readonly #ahead: { readonly atMs: number; readonly wake: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  random(): number {
    return 0;
  }

  sleep(durationMs: number): Promise<void> {
    return new Promise((wake) => void this.#ahead.push({ atMs: this.#nowMs + durationMs, wake }));
  }

  async runOut(): Promise<void> {
    await new Promise(setImmediate);
    while (this.#ahead.length > 0) {
      this.#ahead.sort((a, b) => b.atMs - a.atMs);
      const next = this.#ahead.pop();
      this.#nowMs = Math.max(this.#nowMs, next?.atMs ?? 0);
      next?.wake();
      await new Promise(setImmediate);
    }
  }
}

interface Sent {
  readonly method: Method;
  readonly atMs: number;
  readonly points: number;
}

/** What GitHub saw of a run, and what it asked for. */
interface Traffic {
  readonly sent: Sent[];
  readonly atOnce: number[];
  /** Of requests that started while GitHub had asked for a pause. */
  readonly early: number[];
  readonly spent: string[];
}

function randomAnswer(random: Random, refusals: number): PacedAnswer {
  const seconds = String(1 + random.below(random.pick([5, 90])));
  const answer = (status: number, headers: Readonly<Record<string, string>> = {}, message = ''): PacedAnswer => {
    return { status, header: (name) => headers[name], body: Buffer.from(JSON.stringify({ message })) };
  };
  if (!random.chance(refusals)) return answer(random.pick([200, 204, 403, 404]));
  return random.pick([
    answer(429, { 'retry-after': seconds }),
    answer(403, { 'retry-after': seconds }),
    answer(403, {}, 'You have exceeded a secondary rate limit.'),
    answer(429),
  ]);
}

interface Load {
  /** Those that are asked for, one by chance each time. */
  readonly methods: readonly Method[];
  /** How often GitHub refuses. */
  readonly refusals: number;
  /** Between two requests, and how long one takes: at most. */
  readonly gapMs: number;
  readonly lengthMs: number;
}

const REQUESTS = 400;

async function runTraffic({ methods, refusals, gapMs, lengthMs }: Load, random: Random): Promise<Traffic> {
  const clock = new EventClock();
  const pace = new Pace({ clock, reserve: 0 });
  const traffic: Traffic = { sent: [], atOnce: [], early: [], spent: [] };
  let [pauseEndMs, inFlight] = [0, 0];
  const request = async (method: Method, afterMs: number): Promise<void> => {
    await clock.sleep(afterMs);
    const leave = await pace.enter(method);
    const atMs = clock.now();
    inFlight += 1;
    traffic.atOnce.push(inFlight);
    traffic.sent.push({ method, atMs, points: method === 'GET' ? 1 : 5 });
    if (atMs < pauseEndMs) traffic.early.push(pauseEndMs - atMs);
    await clock.sleep(random.below(lengthMs + 1));
    const answer = randomAnswer(random, refusals);
    inFlight -= 1;
    const seconds = answer.header('retry-after');
    const isLimit = leave(answer);
    if (isLimit) pauseEndMs = Math.max(pauseEndMs, clock.now() + Number(seconds ?? 60) * 1000);
  };
  let atMs = 0;
  const all = Array.from({ length: REQUESTS }, () => {
    atMs += random.below(gapMs + 1);
    return request(random.pick(methods), atMs).catch((error: unknown) => {
      if (!isBuildOnceError(error)) throw error;
      traffic.spent.push(error.code);
    });
  });
  await clock.runOut();
  await Promise.all(all);
  return traffic;
}

/** The most in any minute that ends with a request. */
function mostInAMinute(sent: readonly Sent[], amountOf: (one: Sent) => number): number {
  let [most, sum, oldest] = [0, 0, 0];
  for (const one of sent) {
    sum += amountOf(one);
    for (let first = sent[oldest]; first !== undefined && first.atMs <= one.atMs - MINUTE_MS; first = sent[oldest]) {
      sum -= amountOf(first);
      oldest += 1;
    }
    most = Math.max(most, sum);
  }
  return most;
}

const load = fc.record({
  methods: fc.oneof(
    fc.constant(METHODS),
    fc.constantFrom(...METHODS).map((one) => [one]),
  ),
  refusals: fc.constantFrom(0, 0.002, 0.02, 0.1),
  gapMs: fc.constantFrom(0, 50, 400, 5000),
  lengthMs: fc.integer({ min: 1, max: 3000 }),
});
/** Those that come nearest to a limit. */
const calm = { refusals: 0, gapMs: 0, lengthMs: 1 };
const examples: [Load, number][] = [
  [{ ...calm, methods: ['DELETE'] }, 1],
  [{ ...calm, methods: ['POST'] }, 1],
  [{ ...calm, methods: ['GET'], lengthMs: 3000 }, 1],
];

it('I15: whatever comes and whatever GitHub answers, its limits are kept, and no pause is broken', async () => {
  const most = { points: 0, posts: 0, atOnce: 0 };
  await fc.assert(
    fc.asyncProperty(load, fc.integer({ min: 0, max: 2 ** 31 }), async (load, seed) => {
      const { sent, atOnce, early, spent } = await runTraffic(load, seededRandom(seed));
      const points = mostInAMinute(sent, (one) => one.points);
      const posts = mostInAMinute(sent, ({ method }) => (method === 'POST' ? 1 : 0));
      expect(points).toBeLessThanOrEqual(900);
      expect(posts).toBeLessThanOrEqual(80);
      expect(Math.max(0, ...atOnce)).toBeLessThanOrEqual(10);
      expect(early).toEqual([]);
      expect(spent.filter((code) => code !== 'RETENTION_SPENT')).toEqual([]);
      expect(sent.length + spent.length).toBe(REQUESTS);
      most.points = Math.max(most.points, points);
      most.posts = Math.max(most.posts, posts);
      most.atOnce = Math.max(most.atOnce, ...atOnce);
    }),
    { numRuns: 50, examples },
  );
  // Or it would show little.
  expect(most.points).toBeGreaterThan(850);
  expect(most).toMatchObject({ posts: 80, atOnce: 10 });
});
