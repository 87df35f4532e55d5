import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { formatRepositoryName } from '../../src/core/reference.ts';
import { parseRetention } from '../../src/core/retention/parse-policies.ts';
import { formatPlan } from '../../src/core/retention/plan-document.ts';
import { planRepository } from '../../src/core/retention/plan-repository.ts';
import type { RetentionPolicy } from '../../src/core/retention/policy.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { parseOptions } from '../../src/options.ts';
import { planText, reportPrune } from '../../src/report/prune.ts';
import { applyPlan } from '../../src/retention/apply.ts';
import { draftPlan } from '../../src/retention/draft.ts';
import { openJournal } from '../../src/retention/journal.ts';
import type { GivenPlan } from '../../src/retention/plan-file.ts';
import { readPolicies } from '../../src/retention/policies.ts';
import { findProtections } from '../../src/retention/protections/find-protections.ts';
import { openStores } from '../../src/retention/stores.ts';
import { findTargets } from '../../src/retention/targets.ts';
import { seededRandom } from '../support/random.ts';
import { NaiveRegistry, PULL_REQUESTS, randomPolicy, randomRepository } from '../support/random-inventory.ts';
import { MemoryCache } from '../support/random-package/world.ts';
import { deletedDigests, SampleRepository } from '../support/sample-repository.ts';
import { sampleRun } from '../support/sample-run.ts';
import { openClient, startGhcr } from './open-ghcr.ts';
import { openSite } from './protections/surroundings.ts';

const RUNS = { numRuns: 300 };
const seed = fc.integer({ min: 0, max: 2 ** 31 });
const blank = fc.stringMatching(/^[ \t]{0,3}$/);

function parse(text: string): RetentionPolicy {
  const parsed = parseRetention(text);
  if (parsed.ok && parsed.value !== 'off' && parsed.value.general !== undefined) return parsed.value.general;
  throw new Error(parsed.ok ? 'off' : parsed.problems.join('\n'));
}

describe('the breaker', () => {
  const counts = fc.record({
    tagged: fc.nat({ max: 40 }),
    untagged: fc.nat({ max: 10 }),
    keep: fc.integer({ min: 1, max: 30 }),
    takesUntagged: fc.boolean(),
  });
  // Most about where a plan is stopped, relative to what it deletes and leaves.
  const near = fc.integer({ min: -2, max: 2 });
  const limits = fc.record({
    maxDelete: fc.oneof(
      fc.constant(undefined),
      near.map((more) => ({ more })),
      fc.integer({ min: 0, max: 100 }).map((percent) => ({ percent })),
      fc.constantFrom(0, 25, 50, 75, 100).map((percent) => ({ percent })),
    ),
    minKeep: fc.option(near, { nil: undefined }),
  });

  it('I7: stops what deletes more than max-delete or leaves fewer than min-keep, and nothing else', () => {
    const seen = { stopped: 0, free: 0 };
    fc.assert(
      fc.property(counts, limits, ({ tagged, untagged, keep, takesUntagged }, { maxDelete, minKeep }) => {
        const repo = new SampleRepository();
        for (let n = 0; n < tagged; n += 1) repo.image([`t${n}`], 10 + n);
        for (let n = 0; n < untagged; n += 1) repo.image([], 10 + n);
        const deletedTagged = Math.max(0, tagged - keep);
        const deleted = deletedTagged + (takesUntagged ? untagged : 0);
        const left = tagged + untagged - deleted;
        const most = maxDelete && ('more' in maxDelete ? Math.max(1, deleted + maxDelete.more) : maxDelete.percent);
        const least = minKeep && Math.max(1, left + minKeep);
        const said = [
          ...(maxDelete === undefined ? [] : [`max-delete ${most}${'percent' in maxDelete ? '%' : ''}`]),
          ...(least === undefined ? [] : [`min-keep ${least}`]),
        ];
        const lines = [`t*: keep ${keep}`, ...(takesUntagged ? ['untagged: delete'] : [])];
        const text = [...lines, ...(said.length > 0 ? [`limits: ${said.join(', ')}`] : [])].join('\n');
        const plan = planRepository(repo.request(parse(text)));

        expect(plan.deletions).toHaveLength(deleted);
        const isOverShare = (percent: number): boolean => deletedTagged * 100 > tagged * percent;
        let isOver = deletedTagged >= 10 && isOverShare(50);
        if (maxDelete !== undefined && most !== undefined)
          isOver = 'more' in maxDelete ? deleted > most : isOverShare(maxDelete.percent);
        const leavesTooFew = deleted > 0 && left < (least ?? 0);
        const expected = [...(isOver ? ['max-delete'] : []), ...(leavesTooFew ? ['min-keep'] : [])];
        expect(plan.stops.map((stop) => /max-delete|min-keep/.exec(stop)?.[0])).toEqual(expected);
        expect(plan.refusals).toEqual([]);
        seen[expected.length > 0 ? 'stopped' : 'free'] += 1;
      }),
      RUNS,
    );
    expect(Math.min(seen.stopped, seen.free)).toBeGreaterThan(20);
  });

  it('I7, I10: an item to protect is taken without the blanks around it, and refused where it matches nothing, without ?', () => {
    const item = fc.record({
      tag: fc.constantFrom('t0', 't1', 't2', 't3', 'none', 'no-*', 't9'),
      mark: fc.constantFrom('', '?'),
      before: blank,
      after: blank,
    });
    const items = fc.uniqueArray(item, { minLength: 1, maxLength: 5, selector: ({ tag }) => tag });
    fc.assert(
      fc.property(items, fc.constantFrom('line', 'text', 'list'), (items, form) => {
        const repo = new SampleRepository();
        for (let n = 0; n < 4; n += 1) repo.image([`t${n}`], 10 + n);
        const written = items.map(({ tag, mark, before, after }) => `${before}${tag}${mark}${after}`);
        const yaml = form === 'text' ? JSON.stringify(written.join(',')) : JSON.stringify(written);
        const text =
          form === 'line'
            ? `protect ${written.join(',')}\nt*: delete`
            : `protect: ${yaml}\nrules: [{ match: 't*', delete: true }]`;
        const plan = planRepository(repo.request(parse(text)));
        const hits = items.map(({ tag }) => tag).filter((tag) => /^t[0-3]$/.test(tag));
        const idle = items.flatMap(({ tag, mark }) => (mark === '' && !hits.includes(tag) ? [tag] : []));
        const kept = plan.kept
          .filter(({ by }) => by.startsWith('protect'))
          .map(({ tags, by }) => `${by} ${tags.join()}`);
        expect(kept.toSorted()).toEqual(hits.map((tag) => `protect ${tag} ${tag}`).toSorted());
        expect(plan.deletions).toHaveLength(4 - hits.length);
        const refused = plan.refusals.map((one) => /^protect "(.*?)" matches nothing/.exec(one)?.[1] ?? one);
        expect(refused.toSorted()).toEqual(idle.toSorted());
      }),
      RUNS,
    );
  });
});

it('I11: a rule with a word that means nothing is refused, with its line and a column in it', () => {
  const wrong = fc.constantFrom(
    'keep 1O',
    'keep -1',
    'keep 1.5',
    'for 10d5',
    'for 10',
    'kepe 3',
    'keep 3 by age',
    'weekly',
    'semver 3 mino',
    'used 3q',
    'while closed',
    'delete 3',
    'keep 3, keep 4',
    '',
    'keep 3 for',
    'keep 0x10',
    'for 1d1d',
  );
  const subject = fc.constantFrom('//', '/(/', '[', '@releases', 'a:b', '', '|a', 'a except', '/a/x');
  const line = fc.oneof(
    wrong.map((clause) => `x-*: ${clause}`),
    subject.map((match) => `${match}: keep 3`),
    fc.constantFrom('protect //', 'protect @nobody', 'limits: max-delete -1', 'limits: grace 1O', 'limits: speed 3'),
  );
  fc.assert(
    fc.property(line, fc.nat({ max: 4 }), fc.nat({ max: 4 }), blank, (line, before, after, blank) => {
      const good = (count: number, name: string) =>
        Array.from({ length: count }, (_, n) => `${name}${n}-*: keep ${n + 1}`);
      const parsed = parseRetention([...good(before, 'a'), `${blank}${line}`, ...good(after, 'b')].join('\n'));
      if (parsed.ok) throw new Error(`it is taken for a policy: ${line}`);
      for (const problem of parsed.problems) {
        const [, at, column] = /^line (\d+), column (\d+): [^\p{Cc}]+$/u.exec(problem) ?? [];
        expect(Number(at), problem).toBe(before + 1);
        expect(Number(column), problem).toBeGreaterThan(blank.length);
        expect(Number(column), problem).toBeLessThanOrEqual(blank.length + line.length + 1);
      }
    }),
    RUNS,
  );
});

it('I12: what this run pushed stays, with all that can be seen from it, whatever the rules', async () => {
  const site = openSite();
  onTestFinished(() => site.close());
  let wouldGo = 0;
  await fc.assert(
    fc.asyncProperty(seed, seed, seed, async (worldSeed, policySeed, ownSeed) => {
      const random = seededRandom(ownSeed);
      const repo = randomRepository(worldSeed);
      const own = {
        tags: [] as string[],
        digests: repo.entries.filter(() => random.chance(0.1)).map(({ digest }) => digest),
      };
      for (const { tags } of repo.entries) for (const tag of tags) if (random.chance(0.15)) own.tags.push(tag);
      const { protections } = await findProtections(site.request({ own }));
      const git = { pullRequests: PULL_REQUESTS, branches: undefined, gitTags: undefined };
      const policy = randomPolicy(policySeed);
      const isOwn = ({ digest, tags }: (typeof repo.entries)[number]): boolean =>
        own.digests.includes(digest) || tags.some((tag) => own.tags.includes(tag));
      const mine = repo.entries.filter(isOwn).map(({ digest }) => digest);

      const plan = planRepository(repo.request(policy, { git, protections }));
      const isDeleted = new Set(deletedDigests(plan));
      const registry = new NaiveRegistry(repo.entries, repo.facts);
      const lost = mine.flatMap((digest) => [...registry.visible(digest)]).filter((digest) => isDeleted.has(digest));
      expect(lost).toEqual([]);
      expect(plan.untags.flatMap(({ tags }) => tags).filter((tag) => own.tags.includes(tag))).toEqual([]);
      const without = new Set(deletedDigests(planRepository(repo.request(policy, { git }))));
      wouldGo += mine.filter((digest) => without.has(digest)).length;
    }),
    RUNS,
  );
  expect(wouldGo).toBeGreaterThan(20);
});

describe('what a run writes', () => {
  it('I13: holds no token, neither as it is nor as it is sent', async () => {
    const token = fc.stringMatching(/^gh[psu]_[A-Za-z0-9]{36}$/);
    const faults = fc.constantFrom(200, 400, 403, 404, 500, 'cut' as const, 'html' as const);
    await fc.assert(
      fc.asyncProperty(token, seed, faults, async (token, seed, answer) => {
        const fault = { on: 'delete', answer, probability: 0.3 } as const;
        const { ghcr, clock } = await startGhcr({ versions: 24, seed, faults: answer === 200 ? [] : [fault] });
        const { store } = openClient(ghcr, clock, { token });
        const said: string[] = [];
        const host = createTerminalHost({
          env: { GITHUB_TOKEN: token },
          cwd: '/',
          write: (text) => void said.push(text),
        });
        const none = { pullRequests: undefined, branches: undefined, gitTags: undefined };
        const { plan, inventory } = await draftPlan({
          host: { ...host, now: () => new Date(clock.now() + 400 * 86_400_000) },
          store,
          policy: parse('*: keep 1\nuntagged: delete\nlimits: grace 1s'),
          cache: new MemoryCache(),
          findProtections: async () => [],
          readGitState: async () => none,
        });
        const applied = await applyPlan({
          store,
          plan,
          inventory,
          journal: openJournal({ append: (_, line) => void said.push(line) }, 'j'),
          now: () => new Date(clock.now()),
          signal: host.signal,
          deadlineMs: undefined,
          onProgress: () => {},
        });
        expect(applied.steps).toBeGreaterThan(0);
        const pruning = { isDryRun: false, hash: 'x', planPath: 'p', journalPath: 'j', refusal: undefined };
        const report = reportPrune({
          ...pruning,
          repositories: [{ name: store.name, plan, applied, error: undefined }],
        });
        said.push(planText([plan]), ...formatPlan([plan], { plannedAt: 'now' }), JSON.stringify(report));
        const all = said.join('\n');
        for (const secret of [token, `kim:${token}`].flatMap((one) => [one, Buffer.from(one).toString('base64')]))
          expect(all.includes(secret)).toBe(false);
        await ghcr.close();
      }),
      { numRuns: 25 },
    );
  });
});

it('I17: a pattern stands for what is there and fits; with a plan nothing is acted upon that it does not name', async () => {
  const name = fc
    .tuple(fc.constantFrom('app', 'app-a', 'app-b', 'lib', 'lib/app', 'a'), fc.constantFrom('', '-x', '/y'))
    .map((parts) => parts.join(''));
  const image = fc.oneof(name, fc.constantFrom('*', 'app-*', '*-x', 'lib*', 'lib/*', 'none*', 'a*a'));
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(name, { minLength: 1, maxLength: 10 }),
      fc.uniqueArray(image, { minLength: 1, maxLength: 4 }),
      fc.option(name, { nil: undefined }),
      seed,
      async (there, images, only, seed) => {
        const packages = Object.fromEntries(there.map((path) => [path, { versions: 0 }]));
        const { ghcr } = await startGhcr({ packages });
        // A name of a registry cannot end in an address.
        const server = `localhost:${new URL(ghcr.url).port}`;
        const owner = `containers.${server}/acme`;
        const host = createTerminalHost({ env: { GITHUB_API_URL: `http://${server}` }, cwd: '/', write: () => {} });
        const own = { match: '*', keep: 3 };
        const retention =
          only === undefined ? '10' : JSON.stringify({ images: { [`${owner}/${only}`]: { rules: [own] } } });
        const given = images.map((path) => `${owner}/${path}`).join(',');
        const { options, problems } = parseOptions({ images: given, retention, 'github-token': 'ghp_token' });
        expect(problems).toEqual([]);
        const run = sampleRun({ host, options });
        const stores = openStores(run, []);
        const actUpon = async (plan?: GivenPlan): Promise<readonly string[]> => {
          const targets = await findTargets(run, { stores, policies: readPolicies(run, plan) }, plan);
          for (const target of targets) expect(target.store.name).toBe(formatRepositoryName(target.name));
          return targets.map((target) => target.store.name);
        };
        const fits = (image: string, path: string): boolean =>
          new RegExp(`^${image.replaceAll('*', '[^/]*')}$`).test(path);
        const expected = images
          .flatMap((image) => (image.includes('*') ? there.toSorted().filter((path) => fits(image, path)) : [image]))
          .filter((path) => only === undefined || path === only)
          .map((path) => `${owner}/${path}`);
        const found = await actUpon();
        expect(found).toEqual([...new Set(expected)]);

        const random = seededRandom(seed);
        const nothing = { deletions: [], untags: [], kept: [], warnings: [], stops: [], refusals: [] };
        const planned = found.filter(() => random.chance(0.6));
        const plan = planned.map((repository) => ({ ...nothing, repository, policy: '*: keep 3' }));
        expect(await actUpon(plan)).toEqual(planned);
        stores.close();
        await ghcr.close();
      },
    ),
    { numRuns: 40 },
  );
});
