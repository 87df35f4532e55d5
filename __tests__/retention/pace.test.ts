import { describe, expect, test } from 'vitest';
import { isBuildOnceError } from '../../src/errors.ts';
import { type Leave, Pace, type PacedAnswer, type PaceSettings } from '../../src/retention/pace.ts';
import { type FakeClock, fakeClock } from '../registry/scripted-server.ts';

const START = Date.UTC(2026, 10, 21);
const MINUTE = 60_000;

type Method = Parameters<Pace['enter']>[0];

function answerOf(status: number, headers: Readonly<Record<string, string>> = {}, message = ''): PacedAnswer {
  return { status, header: (name) => headers[name], body: Buffer.from(JSON.stringify({ message })) };
}

const DONE = answerOf(200);

function paced(settings: Partial<PaceSettings> = {}): {
  readonly pace: Pace;
  readonly clock: FakeClock;
  readonly seconds: () => number;
} {
  const clock = fakeClock(START);
  return {
    pace: new Pace({ clock, reserve: 0, ...settings }),
    clock,
    seconds: () => (clock.now() - START) / 1000,
  };
}

/** One after the other, each taking so long. */
async function send(
  pace: Pace,
  methods: readonly Method[],
  each: (leave: Leave, method: Method) => void = (leave) => leave(DONE),
) {
  for (const method of methods) each(await pace.enter(method), method);
}

const times = (count: number, method: Method): Method[] => Array.from({ length: count }, () => method);

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => (isBuildOnceError(error) ? `${error.code}: ${error.message}` : error),
  );
}

describe('the pace of requests to GitHub', () => {
  const lists = times(12, 'GET');
  const inTurn = Array.from({ length: 171 }, (): readonly Method[] => ['GET', ...times(5, 'DELETE')]).flat();

  test.each([
    ['one kind after the other', [...lists, ...times(171, 'GET'), ...times(855, 'DELETE')]],
    ['in turn', [...lists, ...inTurn]],
  ])('does a full run of 1,000 versions in 300 s, and at most 900 points in a minute, %s', async (_, run) => {
    const { pace, clock, seconds } = paced();
    const started: { readonly atMs: number; readonly points: number }[] = [];
    await send(pace, run, (leave, method) => {
      started.push({ atMs: clock.now(), points: method === 'GET' ? 1 : 5 });
      clock.advance(100);
      leave(DONE);
    });
    expect(started).toHaveLength(855 + 171 + 12);
    expect(seconds()).toBeLessThanOrEqual(300);
    const peaks = started.map(({ atMs }) =>
      started
        .filter((one) => one.atMs <= atMs && one.atMs > atMs - MINUTE)
        .reduce((sum, { points }) => sum + points, 0),
    );
    expect(Math.max(...peaks)).toBeLessThanOrEqual(900);
    expect(Math.max(...peaks)).toBeGreaterThan(850);
  });

  test('starts with 870 points, and counts a request until a minute after its answer', async () => {
    const { pace, clock, seconds } = paced();
    const first = await pace.enter('GET');
    await send(pace, times(869, 'GET'));
    clock.advance(MINUTE - 1);
    first(DONE);
    expect(seconds()).toBe(59.999);
    // What ended in the beginning is over by now, the one that took so long is not.
    await send(pace, times(869, 'GET'));
    expect(seconds()).toBeCloseTo(60);
  });

  test('lets ten requests be under way at once', async () => {
    const { pace } = paced();
    const leaves: Leave[] = [];
    await send(pace, times(10, 'GET'), (leave) => leaves.push(leave));
    const order: string[] = [];
    const eleventh = pace.enter('GET').then(() => order.push('eleventh'));
    await new Promise(setImmediate);
    order.push('left');
    leaves[0]?.(DONE);
    await eleventh;
    expect(order).toEqual(['left', 'eleventh']);
  });

  test('makes 80 restorations in a minute and 500 in an hour', async () => {
    const { pace, seconds } = paced();
    await send(pace, times(80, 'POST'));
    expect(seconds()).toBeLessThan(60);
    await send(pace, ['POST']);
    expect(seconds()).toBeGreaterThanOrEqual(60);
    await send(pace, times(419, 'POST'));
    expect(seconds()).toBeLessThan(3600);
    await send(pace, ['POST']);
    expect(seconds()).toBeGreaterThanOrEqual(3600);
  });

  test.each<[string, PacedAnswer, number]>([
    ['as long as GitHub asks', answerOf(403, { 'retry-after': '7' }), 7],
    ['as long as GitHub asks, also with 429', answerOf(429, { 'retry-after': '3' }), 3],
    ['a minute, where it does not say', answerOf(429), 60],
    [
      'a minute, where only the message says what it is',
      answerOf(403, {}, 'You have exceeded a secondary rate limit.'),
      60,
    ],
  ])('waits %s', async (_, refusal, expected) => {
    const pauses: string[] = [];
    const { pace, seconds } = paced({ onPause: ({ waitMs, reason }) => pauses.push(`${waitMs} ${reason}`) });
    expect((await pace.enter('GET'))(refusal)).toBe(true);
    await pace.enter('GET');
    expect(seconds()).toBe(expected);
    expect(pauses).toEqual([expect.stringContaining(`${expected * 1000} GitHub answered ${refusal.status}`)]);
  });

  test.each([
    ['a refusal for want of rights', answerOf(403, { 'x-ratelimit-remaining': '12' }, 'Must have admin rights')],
    ['an answer that fails', answerOf(404)],
    ['no answer', undefined],
  ])('takes %s for no limit', async (_, answer) => {
    const { pace, seconds } = paced();
    expect((await pace.enter('GET'))(answer)).toBe(false);
    await pace.enter('GET');
    expect(seconds()).toBe(0);
  });

  test('waits longer each time, sends one request after a pause, and gives up when it gets too long', async () => {
    const { pace, clock } = paced();
    const slept = (): number[] => clock.sleeps.splice(0).map((ms) => ms / MINUTE);
    const both = [await pace.enter('GET'), await pace.enter('GET')];
    // They were under way at once: that is one refusal.
    for (const leave of both) leave(answerOf(429));
    for (const waited of [1, 2, 4, 8]) {
      const leave = await pace.enter('GET');
      expect(slept()).toEqual([waited]);
      leave(answerOf(429));
    }
    expect(await failureOf(pace.enter('GET'))).toMatch(/^RETENTION_SPENT: .*asks to wait 960 s/);
  });

  test('lets others follow once the one after a pause has passed', async () => {
    const { pace } = paced();
    (await pace.enter('GET'))(answerOf(403, { 'retry-after': '1' }));
    const first = await pace.enter('GET');
    const second = pace.enter('GET');
    const early = await Promise.race([second, new Promise((resolve) => setImmediate(resolve, 'nobody'))]);
    expect(early).toBe('nobody');
    first(DONE);
    const leaves = [await second, await pace.enter('GET')];
    expect(leaves).toHaveLength(2);
  });

  test('halves after a refusal, and grows by a tenth a minute', async () => {
    const { pace, clock, seconds } = paced();
    (await pace.enter('GET'))(answerOf(403, { 'retry-after': '60' }));
    await send(pace, times(435, 'GET'));
    expect(seconds()).toBe(60);
    await send(pace, times(100, 'GET'));
    expect(seconds()).toBeGreaterThanOrEqual(120);
    clock.advance(10 * MINUTE);
    const later = seconds();
    await send(pace, times(900, 'GET'));
    expect(seconds()).toBe(later);
  });

  test('sends fewer at once the slower it goes', async () => {
    const { pace } = paced();
    for (const status of [429, 429, 429, 200]) (await pace.enter('GET'))(answerOf(status, { 'retry-after': '1' }));
    await pace.enter('GET');
    await pace.enter('GET');
    const third = Promise.race([pace.enter('GET'), new Promise((resolve) => setImmediate(resolve, 'nobody'))]);
    expect(await third).toBe('nobody');
  });

  test('spreads deletions, so that GitHub need not do a minute of them in a second', async () => {
    const { pace, seconds } = paced();
    await send(pace, times(100, 'DELETE'));
    expect(seconds()).toBeGreaterThan(20);
  });
});

describe('what is left to others', () => {
  const left = (remaining: number, resetInS: number): PacedAnswer =>
    answerOf(200, {
      'x-ratelimit-remaining': String(remaining),
      'x-ratelimit-reset': String(START / 1000 + resetInS),
    });

  test('is kept: the run is over when it is reached', async () => {
    const { pace } = paced({ reserve: 100 });
    (await pace.enter('GET'))(left(101, 1800));
    (await pace.enter('GET'))(left(100, 1800));
    expect(await failureOf(pace.enter('GET'))).toMatch(
      /^RETENTION_SPENT: .*100 are left for the next 30 min, and 100 are kept/,
    );
  });

  test('counts what is under way, and answers that come late', async () => {
    const { pace } = paced({ reserve: 100 });
    const late = await pace.enter('GET');
    (await pace.enter('GET'))(left(102, 1800));
    const second = await pace.enter('GET');
    late(left(104, 1800));
    expect(await failureOf(pace.enter('GET').then(() => pace.enter('GET')))).toMatch(/^RETENTION_SPENT/);
    second(DONE);
  });

  test('is new after the hour', async () => {
    const { pace, clock } = paced({ reserve: 100 });
    (await pace.enter('GET'))(left(0, 60));
    clock.advance(MINUTE);
    (await pace.enter('GET'))(left(4999, 3660));
    expect(await failureOf(pace.enter('GET'))).toBeUndefined();
  });

  test('is counted by the clock of GitHub (case 59)', async () => {
    const { pace, clock } = paced({ reserve: 100 });
    clock.advance(48 * 60 * MINUTE);
    const headers = { 'x-ratelimit-remaining': '5', 'x-ratelimit-reset': String(START / 1000 + 600) };
    (await pace.enter('GET'))(answerOf(200, { ...headers, date: new Date(START).toUTCString() }));
    expect(await failureOf(pace.enter('GET'))).toMatch(/5 are left for the next 10 min/);
  });

  test('ends the run when GitHub itself says so', async () => {
    const { pace } = paced();
    const headers = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(START / 1000 + 600) };
    expect((await pace.enter('DELETE'))(answerOf(403, headers, 'API rate limit exceeded'))).toBe(true);
    expect(await failureOf(pace.enter('DELETE'))).toMatch(/^RETENTION_SPENT: .*0 are left for the next 10 min/);
  });
});

describe('the time that deleting may take', () => {
  test('ends it before a request that would start too late', async () => {
    const { pace, seconds } = paced();
    pace.endAt(START + 10_000);
    const deleted: number[] = [];
    const work = send(pace, times(100, 'DELETE'), (leave) => {
      deleted.push(seconds());
      leave(DONE);
    });
    expect(await failureOf(work)).toMatch(/^RETENTION_SPENT: .*max-time/);
    expect(deleted.length).toBeGreaterThan(30);
    expect(Math.max(...deleted)).toBeLessThan(10);
  });

  test('can be cut short', async () => {
    const controller = new AbortController();
    const reason = new Error('interrupted');
    const clock = {
      ...fakeClock(START),
      sleep: () => (controller.signal.aborted ? Promise.reject(reason) : Promise.resolve()),
    };
    const pace = new Pace({ clock, reserve: 0, signal: controller.signal });
    (await pace.enter('GET'))(answerOf(429));
    controller.abort(reason);
    expect(await failureOf(pace.enter('GET'))).toBe(reason);
  });
});
