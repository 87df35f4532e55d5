import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../../src/core/digest.ts';
import { planRepository } from '../../../src/core/retention/plan-repository.ts';
import type { KeepClause, RetentionLimits } from '../../../src/core/retention/policy.ts';
import {
  actionRule,
  DAY_MS,
  forDays,
  HOUR_MS,
  keep,
  protectTag,
  rule,
  samplePolicy,
  selector,
  semver,
} from '../../support/sample-policy.ts';
import {
  ABILITIES,
  deletedDigests,
  deletedTags,
  keptTags,
  NOW_MS,
  SampleRepository,
} from '../../support/sample-repository.ts';

const DELETE_ALL = samplePolicy([actionRule('*', 'delete')]);

function tagOf(digest: Digest, suffix = ''): string {
  return `${digest.replace(':', '-')}${suffix}`;
}

describe('what rules let go', () => {
  it('case 1: keep 10 of 20 keeps the ten newest images, and leaves nothing of the others', () => {
    const repo = new SampleRepository();
    for (let day = 20; day > 0; day -= 1) repo.image([`b-${day}`], day);
    const plan = planRepository(repo.request(samplePolicy([rule('b-*', keep(10))])));
    expect(deletedTags(plan)).toEqual([20, 19, 18, 17, 16, 15, 14, 13, 12, 11].map((day) => `b-${day}`));
    expect(keptTags(plan)).toHaveLength(10);
    expect(deletedDigests(plan)).toHaveLength(30);
  });

  it('case 2: keep 0 predicts that the last tagged image cannot go, and keeps the newest', () => {
    const repo = new SampleRepository();
    for (const day of [3, 1, 2]) repo.image([`b-${day}`], day);
    const request = repo.request(samplePolicy([rule('b-*', keep(0))]), {
      abilities: { ...ABILITIES, keepsLastTagged: true },
    });
    const plan = planRepository(request);
    expect(deletedTags(plan)).toEqual(['b-3', 'b-2']);
    expect(plan.kept).toMatchObject([{ tags: ['b-1'], by: 'last tagged' }]);
    expect(deletedTags(planRepository({ ...request, abilities: ABILITIES }))).toEqual(['b-3', 'b-2', 'b-1']);
  });

  it.each([
    ['exactly as old as the limit', 0, []],
    ['a millisecond older', 1, ['a']],
    ['a millisecond younger', -1, []],
  ])('case 3: for 14d, and the image is %s', (_, moreMs, gone) => {
    const repo = new SampleRepository();
    repo.manifest({ tags: ['a'], pushedAtMs: NOW_MS - 14 * DAY_MS - moreMs });
    expect(deletedTags(planRepository(repo.request(samplePolicy([rule('*', forDays(14))]))))).toEqual(gone);
  });

  it('case 4: sha-* keep 3 counts no image with no such tag, and takes none that has a version too', () => {
    const repo = new SampleRepository();
    for (let n = 9; n > 0; n -= 1) repo.image([`sha-${n}`, ...(n % 3 === 0 ? [`1.${n}.0`] : [])], n);
    const plan = planRepository(repo.request(samplePolicy([rule('sha-*', keep(3))])));
    expect(deletedTags(plan)).toEqual(['sha-8', 'sha-7', 'sha-5', 'sha-4']);
  });

  it('case 5: the first rule that matches a tag decides', () => {
    const repo = new SampleRepository();
    repo.manifest({ tags: ['pr-keep'] });
    repo.manifest({ tags: ['pr-1'] });
    const rules = [actionRule('pr-keep', 'keep'), actionRule('pr-*', 'delete'), actionRule('*', 'keep')];
    const plan = planRepository(repo.request(samplePolicy(rules)));
    expect(plan.deletions).toMatchObject([
      { root: { tags: ['pr-1'] }, rule: 'pr-*: delete', reason: 'the rule deletes it' },
    ]);
    expect(plan.kept).toMatchObject([{ tags: ['pr-keep'], by: 'pr-keep: keep', reason: 'keep all' }]);
  });

  it('case 6: keeps what no rule speaks of: tags, what has none, orphans, images with parts that are missing', () => {
    const repo = new SampleRepository();
    repo.manifest({ tags: ['odd'] });
    repo.manifest({});
    repo.manifest({ subject: digestOf('gone') });
    repo.index([digestOf('gone')], { tags: ['b-1'] });
    const plan = planRepository(repo.request(samplePolicy([actionRule('b-*', 'delete')])));
    expect(plan.deletions).toEqual([]);
    expect(plan.kept.map(({ by }) => by)).toEqual(['no rule', 'no rule', 'no rule', 'no rule']);
  });

  it('case 9: floating tags stay with a root that stays, and hold one that expires unless a rule speaks of them', () => {
    const repo = new SampleRepository();
    repo.manifest({ tags: ['v1.0.0'], daysAgo: 9 });
    repo.manifest({ tags: ['v1.1.0', 'v1.1'], daysAgo: 8 });
    repo.manifest({ tags: ['v1.2.0', 'v1', 'v1.2', 'latest'], daysAgo: 7 });
    const full = rule(/^v\d+\.\d+\.\d+$/, keep(0));
    expect(deletedTags(planRepository(repo.request(samplePolicy([full]))))).toEqual(['v1.0.0']);
    const covered = planRepository(repo.request(samplePolicy([rule('v*', keep(0))])));
    expect(deletedTags(covered)).toEqual(['v1.0.0', 'v1.1.0', 'v1.1']);
    expect(keptTags(covered)).toEqual(['latest', 'v1', 'v1.2', 'v1.2.0']);
  });

  it('case 9: a root with nothing but floating tags stays and takes no slot', () => {
    const repo = new SampleRepository();
    repo.manifest({ tags: ['1.0.0'], daysAgo: 5 });
    repo.manifest({ tags: ['1.0.1'], daysAgo: 4 });
    repo.manifest({ tags: ['1', '1.0', 'latest'], daysAgo: 3 });
    const plan = planRepository(repo.request(samplePolicy([rule('*', keep(1))])));
    expect(deletedTags(plan)).toEqual(['1.0.0']);
  });

  it('takes build numbers for what they are where no version has them', () => {
    const repo = new SampleRepository();
    for (const n of [1, 2, 3]) repo.manifest({ tags: [`${n}`], daysAgo: 10 - n });
    expect(deletedTags(planRepository(repo.request(samplePolicy([rule('*', keep(1))]))))).toEqual(['1', '2']);
  });

  it('case 10: a backport that was pushed last is the newest by push, and not by version', () => {
    const repo = new SampleRepository();
    repo.manifest({ tags: ['1.0.8'], daysAgo: 30 });
    repo.manifest({ tags: ['2.0.0'], daysAgo: 20 });
    repo.manifest({ tags: ['1.0.9'], daysAgo: 1 });
    const gone = (clause: KeepClause) => deletedTags(planRepository(repo.request(samplePolicy([rule('*', clause)]))));
    expect(gone(keep(1, 'semver'))).toEqual(['1.0.8', '1.0.9']);
    expect(gone(keep(1))).toEqual(['1.0.8', '2.0.0']);
    expect(gone(semver({ minors: 1, patches: 1 }))).toEqual(['1.0.8']);
  });

  it('case 14: an image of which one tag expires stays, with both', () => {
    const repo = new SampleRepository();
    repo.image(['sha-1', 'prod'], 50);
    const plan = planRepository(repo.request(samplePolicy([actionRule('sha-*', 'delete')])));
    expect(plan).toMatchObject({ deletions: [], untags: [], kept: [{ tags: ['sha-1', 'prod'], by: 'no rule' }] });
  });

  it('untag safe takes off the expired tag only, and only where the registry can', () => {
    const repo = new SampleRepository();
    repo.image(['sha-1', 'prod'], 50);
    repo.image(['sha-2', 'keep-me'], 50);
    const policy = samplePolicy([actionRule('sha-*', 'delete')], {
      limits: { untag: 'safe' },
      protect: [protectTag('sha-2')],
    });
    expect(planRepository(repo.request(policy)).untags).toMatchObject([{ tags: ['sha-1'], rule: 'sha-*: delete' }]);
    const unable = planRepository(repo.request(policy, { abilities: { ...ABILITIES, deletesTags: false } }));
    expect(unable.untags).toEqual([]);
    expect(unable.warnings).toEqual([expect.stringContaining('untag safe does nothing')]);
  });

  it('case 19: takes a tag for a link only when it has a whole digest', () => {
    const repo = new SampleRepository();
    const tags = ['sha256-abc', '_x', `x${'y'.repeat(127)}`, `sha256-${'a'.repeat(63)}`, `sha256-${'A'.repeat(64)}`];
    for (const tag of tags) repo.manifest({ tags: [tag] });
    expect(deletedTags(planRepository(repo.request(DELETE_ALL))).toSorted()).toEqual(tags.toSorted());
  });

  it('case 20: a tag that is called untagged is a tag', () => {
    const repo = new SampleRepository();
    repo.manifest({ tags: ['untagged'], daysAgo: 9 });
    repo.manifest({ daysAgo: 9 });
    const plan = planRepository(repo.request(samplePolicy([rule('untagged', forDays(7))])));
    expect(plan.deletions).toMatchObject([{ root: { tags: [] } }]);
    expect(keptTags(plan)).toEqual(['untagged']);
  });

  it.each([
    ['pushedAtMs', [rule('*', keep(0))]],
    ['pushedAtMs', [rule('*', forDays(1))]],
    ['pushedAtMs', [rule('*', { kind: 'calendar', period: 'daily', count: 0 })]],
    ['createdAtMs', [rule('*', keep(0, 'image-created'))]],
    ['updatedAtMs', [rule('*', forDays(1, 'updated'))]],
  ] as const)('keeps what has no %s where the rule asks for it', (date, rules) => {
    const repo = new SampleRepository();
    repo.manifest({ tags: ['a'], [date]: undefined });
    repo.manifest({ tags: ['b'], createdAtMs: NOW_MS - 50 * DAY_MS });
    expect(deletedTags(planRepository(repo.request(samplePolicy(rules))))).toEqual(['b']);
  });

  it('used counts from the last pull, and from the push of what was never pulled', () => {
    const repo = new SampleRepository();
    repo.manifest({ tags: ['pulled'], daysAgo: 90, usedAtMs: NOW_MS - 3 * DAY_MS });
    repo.manifest({ tags: ['idle'], daysAgo: 90, usedAtMs: NOW_MS - 61 * DAY_MS });
    repo.manifest({ tags: ['new'], daysAgo: 5 });
    const policy = samplePolicy([rule('*', { kind: 'used', ageMs: 60 * DAY_MS })]);
    const plan = planRepository(repo.request(policy));
    expect(deletedTags(plan)).toEqual(['idle']);
    expect(plan.deletions[0]?.reason).toBe('not pulled for 60d');
    const refused = planRepository(repo.request(policy, { abilities: { ...ABILITIES, reportsPulls: false } }));
    expect(refused.refusals).toEqual([expect.stringContaining('which this registry does not tell')]);
  });

  it('says why something goes without ages that change by the hour', () => {
    const repo = new SampleRepository();
    for (const day of [40, 30]) repo.manifest({ tags: [`b-${day}`], daysAgo: day });
    const policy = samplePolicy([rule('b-*', keep(1), forDays(14), { kind: 'calendar', period: 'weekly', count: 1 })]);
    const plan = planRepository(repo.request(policy));
    expect(plan.deletions.map(({ reason }) => reason)).toEqual([
      'not the newest, older than 14d, not the last of its week, or of none of the 1 newest',
    ]);
  });
});

describe('the short forms', () => {
  const policy = samplePolicy([rule('versions', keep(2, 'semver')), rule('others', keep(2))]);

  it('judges versions and everything else in two lanes', () => {
    const repo = new SampleRepository();
    for (const [n, tag] of ['1.9.0', '1.10.0', '1.2.0'].entries()) repo.image([tag, `sha-${n}`], 50 - n);
    for (const n of [1, 2, 3]) repo.image([`main-${n}`], 20 - n);
    repo.image([], 30);
    const plan = planRepository(repo.request(policy));
    expect(keptTags(plan)).toEqual(['1.10.0', '1.9.0', 'main-2', 'main-3', 'sha-0', 'sha-1']);
    expect(plan.deletions.map(({ rule }) => rule)).toEqual(['versions', 'others', 'others']);
  });

  it('never takes the image that is latest, nor one with moving tags only', () => {
    const repo = new SampleRepository();
    repo.image(['latest', 'main-0'], 60);
    repo.image(['1', '1.0'], 60);
    for (const n of [0, 1, 2]) repo.image([`1.0.${n}`], 50 - n);
    for (const n of [1, 2, 3]) repo.image([`main-${n}`], 20 - n);
    expect(deletedTags(planRepository(repo.request(policy)))).toEqual(['1.0.0', 'main-1']);
  });
});

describe('what belongs together', () => {
  it('case 21: takes all platforms and attestations of an image, and nothing of another', () => {
    const repo = new SampleRepository();
    repo.image(['old'], 9, 10);
    repo.image(['new'], 1, 10);
    const plan = planRepository(repo.request(samplePolicy([rule('*', keep(1))])));
    expect(plan.deletions.map(({ members }) => members.length)).toEqual([10]);
  });

  it('case 22: leaves a child that an image that stays holds too', () => {
    const repo = new SampleRepository();
    const shared = repo.manifest({ daysAgo: 9 });
    const own = repo.manifest({ daysAgo: 9 });
    const old = repo.index([shared, own], { tags: ['old'], daysAgo: 9 });
    repo.index([shared], { tags: ['new'], daysAgo: 1 });
    const plan = planRepository(repo.request(samplePolicy([rule('*', keep(1))])));
    expect(deletedDigests(plan)).toEqual([old, own]);
  });

  it('deletes what two images that go share with the second of them', () => {
    const repo = new SampleRepository();
    const shared = repo.manifest({ daysAgo: 9 });
    const first = repo.index([shared], { tags: ['a'], daysAgo: 9 });
    const second = repo.index([shared], { tags: ['b'], daysAgo: 8 });
    const plan = planRepository(repo.request(DELETE_ALL));
    expect(plan.deletions.map(({ root, members }) => [root.digest, members.map(({ digest }) => digest)])).toEqual([
      [first, []],
      [second, [shared]],
    ]);
    expect(plan.deletions[1]?.members[0]?.after.toSorted()).toEqual([first, second].toSorted());
  });

  it('case 23: follows an index inside an index, in both directions', () => {
    const repo = new SampleRepository();
    const leaf = repo.manifest({ daysAgo: 9 });
    const inner = repo.index([leaf], { daysAgo: 9 });
    const outer = repo.index([inner], { tags: ['nested'], daysAgo: 9 });
    const policy = samplePolicy([actionRule('untagged', 'delete')]);
    expect(planRepository(repo.request(policy)).deletions).toEqual([]);
    expect(deletedDigests(planRepository(repo.request(DELETE_ALL)))).toEqual([outer, inner, leaf]);
  });

  it('case 24: deletes a child once that an index lists twice', () => {
    const repo = new SampleRepository();
    const child = repo.manifest();
    const index = repo.index([child, child], { tags: ['a'] });
    const plan = planRepository(repo.request(DELETE_ALL));
    expect(deletedDigests(plan)).toEqual([index, child]);
    expect(plan.deletions[0]?.members[0]?.after).toEqual([index]);
  });

  it('case 25: comes to an end with subjects in a circle and indexes that name themselves', () => {
    const repo = new SampleRepository();
    const [one, other, self] = [digestOf('one'), digestOf('other'), digestOf('self')];
    repo.manifest({ digest: one, subject: other, tags: ['one'], daysAgo: 3 });
    repo.manifest({ digest: other, subject: one, tags: ['other'], daysAgo: 2 });
    repo.index([{ digest: self, type: 'unknown', sizeBytes: 1 }], { digest: self, subject: self, tags: ['self'] });
    expect(keptTags(planRepository(repo.request(samplePolicy([actionRule('one', 'delete')]))))).toEqual([
      'one',
      'other',
      'self',
    ]);
    expect(new Set(deletedDigests(planRepository(repo.request(DELETE_ALL))))).toEqual(new Set([one, other, self]));
  });

  const links = [
    ['the subject', (repo: SampleRepository, subject: Digest) => repo.manifest({ subject, daysAgo: 9 })],
    [
      "cosign's tag",
      (repo: SampleRepository, subject: Digest) => repo.manifest({ tags: [tagOf(subject, '.sig')], daysAgo: 9 }),
    ],
    [
      'the fallback tag',
      (repo: SampleRepository, subject: Digest) => {
        const bundle = repo.manifest({ daysAgo: 9 });
        repo.index([bundle], { tags: [tagOf(subject)], daysAgo: 9 });
        return bundle;
      },
    ],
  ] as const;

  it.each(links)('case 26: a signature by %s follows its image', (_, sign) => {
    const repo = new SampleRepository();
    const old = repo.image(['old'], 9);
    const oldSignature = sign(repo, old);
    const young = repo.image(['new'], 1);
    const signature = sign(repo, young);
    const rules = [rule('*', keep(1)), actionRule('untagged', 'delete'), actionRule('orphans', 'delete')];
    const gone = deletedDigests(planRepository(repo.request(samplePolicy(rules))));
    expect(gone).toContain(oldSignature);
    expect(gone).not.toContain(signature);
  });

  it.each(links)('case 27: signatures by %s of platforms take no slot, and none is lost', (_, sign) => {
    const repo = new SampleRepository();
    for (let n = 12; n > 0; n -= 1) {
      const platforms = [repo.manifest({ daysAgo: n }), repo.manifest({ daysAgo: n })];
      const index = repo.index(platforms, { tags: [`b-${n}`], daysAgo: n });
      for (const digest of [index, ...platforms]) sign(repo, digest);
    }
    const plan = planRepository(repo.request(samplePolicy([rule('*', keep(6)), actionRule('untagged', 'delete')])));
    expect(keptTags(plan)).toEqual([1, 2, 3, 4, 5, 6].map((n) => `b-${n}`));
    const perImage = repo.entries.length / 12;
    expect(deletedDigests(plan)).toHaveLength(6 * perImage);
  });

  it('case 28: the signature of an SBOM follows the image', () => {
    const repo = new SampleRepository();
    const image = repo.image(['a'], 9);
    const sbom = repo.manifest({ subject: image });
    const signature = repo.manifest({ subject: sbom });
    const kept = planRepository(
      repo.request(samplePolicy([actionRule('orphans', 'delete'), actionRule('untagged', 'delete')])),
    );
    expect(kept.deletions).toEqual([]);
    const plan = planRepository(repo.request(DELETE_ALL));
    expect(deletedDigests(plan).slice(0, 3)).toEqual([image, sbom, signature]);
    expect(plan.deletions[0]?.members.map(({ role }) => role)).toEqual(['referrer', 'referrer', 'child', 'child']);
  });

  it('case 29: collects a referrer whose subject is gone once it is old enough', () => {
    const repo = new SampleRepository();
    const old = repo.manifest({ subject: digestOf('gone'), daysAgo: 3 });
    repo.manifest({ subject: digestOf('gone'), daysAgo: 0.5 });
    const bundle = repo.manifest({ daysAgo: 3 });
    const fallback = repo.index([bundle], { tags: [tagOf(digestOf('gone'))], daysAgo: 3 });
    const plan = planRepository(repo.request(samplePolicy([rule('orphans', forDays(1)), actionRule('*', 'keep')])));
    expect(new Set(deletedDigests(plan))).toEqual(new Set([old, fallback, bundle]));
  });

  it('case 30: a fallback index stays whole while its subject stays, and goes before what it lists', () => {
    const repo = new SampleRepository();
    const image = repo.manifest({ tags: ['a'] });
    const bundles = [repo.manifest({}), repo.manifest({})];
    const fallback = repo.index(bundles, { tags: [tagOf(image)] });
    expect(planRepository(repo.request(samplePolicy([actionRule('untagged', 'delete')]))).deletions).toEqual([]);
    const [deletion] = planRepository(repo.request(DELETE_ALL)).deletions;
    expect(deletion?.members.map(({ role, after }) => [role, new Set(after)])).toEqual([
      ['fallback-index', new Set([image])],
      ['referrer', new Set([fallback, image])],
      ['referrer', new Set([fallback, image])],
    ]);
  });

  it('case 31: takes the layers in the index of a build cache for no missing manifests', () => {
    const repo = new SampleRepository();
    const layer = { digest: digestOf('layer'), type: 'blob' as const, sizeBytes: 5000 };
    repo.index([layer], { tags: ['buildcache-1'] });
    const plan = planRepository(
      repo.request(samplePolicy([rule('buildcache*', keep(0)), actionRule('broken', 'report')])),
    );
    expect(plan).toMatchObject({ deletions: [{ freedBytes: 6000 }], warnings: [] });
  });

  it('case 32: reports images with parts that are missing, and deletes them by their own rule only', () => {
    const repo = new SampleRepository();
    repo.index([digestOf('gone')], { tags: ['ghost'], daysAgo: 9 });
    repo.index([repo.manifest({ daysAgo: 9 }), digestOf('gone')], { tags: ['partial'], daysAgo: 9 });
    repo.index([repo.index([digestOf('gone')], { daysAgo: 9 })], { tags: ['deep'], daysAgo: 9 });
    const plan = planRepository(repo.request(DELETE_ALL));
    expect(plan.deletions).toEqual([]);
    expect(plan.warnings).toHaveLength(3);
    expect(plan.warnings[0]).toMatch(/^deep \(sha256:.*names manifests that are not there/);
    const rules = [actionRule('*', 'keep'), rule('broken', forDays(7))];
    expect(deletedTags(planRepository(repo.request(samplePolicy(rules))))).toEqual(['ghost', 'partial', 'deep']);
  });

  it.each(['it is HTML', 'manifest unknown\u001b[31m'])(
    'cases 33 and 35: nothing goes while a manifest is unreadable (%j)',
    (reason) => {
      const repo = new SampleRepository();
      repo.image(['old'], 90);
      repo.unreadable({ daysAgo: 2 }, reason);
      const plan = planRepository(
        repo.request(samplePolicy([actionRule('*', 'delete'), actionRule('untagged', 'delete')])),
      );
      expect(plan.deletions).toEqual([]);
      expect(plan.kept).toMatchObject([{ by: 'unreadable' }, { by: 'unreadable' }]);
      expect(plan.warnings.join()).toContain('could not be read');
      expect(plan.warnings.join()).not.toContain('\u001b');
    },
  );

  it('follows chains of 20,000 referrers and of 20,000 indexes to their ends', () => {
    const repo = new SampleRepository();
    let referrer = repo.manifest({ tags: ['signed'] });
    for (let n = 0; n < 20_000; n += 1) referrer = repo.manifest({ subject: referrer });
    let index = repo.manifest({});
    for (let n = 0; n < 20_000; n += 1) index = repo.index([index]);
    repo.index([index], { tags: ['nested'] });
    const plan = planRepository(repo.request(DELETE_ALL));
    expect(plan.deletions.map(({ members }) => members.length)).toEqual([20_000, 20_001]);
    expect(planRepository(repo.request(samplePolicy([actionRule('untagged', 'delete')]))).deletions).toEqual([]);
  });

  it('a tagged child follows its index, takes no slot, and stays where no rule speaks of its tag', () => {
    const repo = new SampleRepository();
    const arm = repo.manifest({ tags: ['b-1-arm64'], daysAgo: 9 });
    const amd = repo.manifest({ tags: ['amd64'], daysAgo: 9 });
    const index = repo.index([arm, amd], { tags: ['b-1'], daysAgo: 9 });
    repo.manifest({ tags: ['b-2'], daysAgo: 8 });
    repo.manifest({ tags: ['b-3'], daysAgo: 7 });
    const plan = planRepository(repo.request(samplePolicy([rule('b-*', keep(2))])));
    expect(deletedDigests(plan)).toEqual([index, arm]);
  });

  it('a signed tagged child loses its signature only after it is gone itself', () => {
    const repo = new SampleRepository();
    const child = repo.manifest({ tags: ['b-1-arm64'] });
    const signature = repo.manifest({ subject: child });
    const index = repo.index([child], { tags: ['b-1'] });
    expect(deletedDigests(planRepository(repo.request(DELETE_ALL)))).toEqual([index, child, signature]);
  });

  it('a tagged referrer and its subject stay together', () => {
    const repo = new SampleRepository();
    const image = repo.manifest({ tags: ['a-1'] });
    repo.manifest({ tags: ['sbom-1'], subject: image });
    const plan = planRepository(repo.request(samplePolicy([actionRule('a-*', 'delete')])));
    expect(plan.kept).toMatchObject([
      { tags: ['sbom-1'], by: 'no rule' },
      { tags: ['a-1'], by: 'needed' },
    ]);
  });

  it('I4: nothing goes while the list is not complete: what holds it may be missing', () => {
    const repo = new SampleRepository();
    repo.image(['multi'], 9);
    repo.manifest({ tags: ['single'], daysAgo: 9 });
    repo.manifest({ daysAgo: 9 });
    const request = repo.request(samplePolicy([actionRule('*', 'delete'), actionRule('untagged', 'delete')]));
    const plan = planRepository({ ...request, inventory: { ...request.inventory, isComplete: false } });
    expect(plan.deletions).toEqual([]);
    expect(plan.kept.map(({ by }) => by)).toEqual(['incomplete list', 'incomplete list', 'incomplete list']);
    expect(plan.warnings).toHaveLength(1);
  });
});

describe('what is protected', () => {
  it('case 16: keeps what is named, and refuses for a name that nothing has', () => {
    const repo = new SampleRepository();
    repo.image(['latest'], 90);
    repo.image(['old'], 90);
    const policy = samplePolicy([actionRule('*', 'delete')], {
      protect: [protectTag('nothing'), protectTag('latest')],
    });
    const plan = planRepository(repo.request(policy));
    expect(plan.kept).toMatchObject([{ tags: ['latest'], by: 'protect latest' }]);
    expect(plan.refusals).toEqual([expect.stringContaining('"nothing" matches nothing here')]);
    const optional = samplePolicy([], { protect: [protectTag('nothing?')] });
    expect(planRepository(repo.request(optional)).refusals).toEqual([]);
  });

  it('refuses for a digest, a source and an exception that match nothing', () => {
    const repo = new SampleRepository();
    repo.image(['a'], 90);
    const exceptions = [
      { selector: selector('typo'), optional: false },
      { selector: selector('maybe'), optional: true },
    ];
    const rules = [
      { ...rule('*', keep(1)), subject: { kind: 'tags' as const, selector: { ...selector('*'), exceptions } } },
    ];
    const policy = samplePolicy(rules, {
      protect: [
        { kind: 'digest', text: digestOf('x'), digest: digestOf('x'), optional: false },
        { kind: 'source', text: '@releases', source: 'releases', argument: undefined, optional: false },
      ],
    });
    const protections = [{ by: '@releases', tags: ['v9'], digests: [] }];
    expect(planRepository(repo.request(policy, { protections })).refusals).toEqual([
      expect.stringContaining('protect "sha256:'),
      expect.stringContaining('protect "@releases" matches nothing'),
      expect.stringContaining('except "typo" matches nothing'),
    ]);
    const found = [{ by: '@releases', tags: ['a'], digests: [] }];
    expect(planRepository(repo.request(policy, { protections: found })).refusals).toHaveLength(2);
  });

  it('keeps the image that holds a protected manifest, and all that belongs to it', () => {
    const repo = new SampleRepository();
    const platform = repo.manifest({});
    const index = repo.index([platform], { tags: ['old'] });
    const signature = repo.manifest({ subject: platform });
    const plan = planRepository(
      repo.request(DELETE_ALL, { protections: [{ by: 'compose.yml:12', tags: [], digests: [platform] }] }),
    );
    expect(plan.deletions).toEqual([]);
    expect(plan.kept).toMatchObject([{ digest: index, by: 'compose.yml:12' }]);
    expect(signature).toBeDefined();
  });

  it.each([
    ['a tagged image', { tags: ['a'] }, 1, 'grace'],
    ['a tagged image', { tags: ['a'] }, 3, undefined],
    ['an image without a tag', {}, 23, 'grace'],
    ['an image without a tag', {}, 25, undefined],
    ['an image without a date', { tags: ['a'], pushedAtMs: undefined }, 0, 'grace'],
  ])('I3: keeps %s in its grace period %j (%d h)', (_, entry, hours, by) => {
    const repo = new SampleRepository();
    repo.manifest({ daysAgo: hours / 24, ...entry });
    const limits = { grace: { taggedMs: 2 * HOUR_MS, untaggedMs: 24 * HOUR_MS } };
    const rules = [actionRule('*', 'delete'), actionRule('untagged', 'delete')];
    expect(planRepository(repo.request(samplePolicy(rules, { limits }))).kept[0]?.by).toBe(by);
  });

  it('I3: keeps an old image while what would go with it is young, and one whose tags were just moved', () => {
    const repo = new SampleRepository();
    const image = repo.manifest({ tags: ['a'] });
    repo.manifest({ subject: image, daysAgo: 0 });
    repo.manifest({ tags: ['b'], updatedAtMs: NOW_MS - HOUR_MS });
    const limits = { grace: { taggedMs: 2 * HOUR_MS, untaggedMs: 24 * HOUR_MS } };
    const plan = planRepository(repo.request(samplePolicy([actionRule('*', 'delete')], { limits })));
    expect(plan.deletions).toEqual([]);
    expect(plan.kept.map(({ by }) => by)).toEqual(['grace', 'grace']);
  });
});

describe('the breaker', () => {
  const images = (count: number): SampleRepository => {
    const repo = new SampleRepository();
    for (let n = count; n > 0; n -= 1) repo.manifest({ tags: [`b-${n}`], daysAgo: n });
    return repo;
  };
  const percent = (value: number, atLeast: number) =>
    ({ maxDelete: { kind: 'percent', percent: value, atLeast } }) as const;
  const count = (value: number) => ({ maxDelete: { kind: 'count', count: value } }) as const;

  it.each<[string, Partial<RetentionLimits>, number, readonly string[]]>([
    ['case 53: 31 of 100 with 30%', percent(30, 0), 69, ['31 of 100 tagged images would go, and max-delete is 30%']],
    ['case 53: 30 of 100 with 30%', percent(30, 0), 70, []],
    ['60 of 100 by default', percent(50, 10), 40, ['60 of 100 tagged images would go, and max-delete is 50%']],
    [
      '10 of 100 with 5%, and fewer are never too many',
      percent(5, 10),
      90,
      ['10 of 100 tagged images would go, and max-delete is 5%'],
    ],
    ['9 of 100 with 5%, and fewer than 10 are never too many', percent(5, 10), 91, []],
    ['5 with max-delete 5', count(5), 95, []],
    ['6 with max-delete 5', count(5), 94, ['6 images would go, and max-delete is 5']],
    ['5 left with min-keep 6', { minKeep: 6 }, 5, ['5 images would be left, and min-keep is 6']],
    ['nothing goes', { ...count(0), minKeep: 200 }, 100, []],
  ])('%s', (_, limits, keeps, stops) => {
    expect(planRepository(images(100).request(samplePolicy([rule('*', keep(keeps))], { limits }))).stops).toEqual(
      stops,
    );
  });
});

describe('what is freed', () => {
  const blob = (name: string, sizeBytes: number) => ({ digest: digestOf(name), sizeBytes });

  it('counts blobs that nothing holds that stays, each once', () => {
    const repo = new SampleRepository();
    repo.manifest({ tags: ['a'], daysAgo: 3 }, [blob('base', 5000), blob('own', 700), blob('both', 30)]);
    repo.manifest({ tags: ['b'], daysAgo: 2 }, [blob('base', 5000), blob('both', 30)]);
    repo.manifest({ tags: ['c'], daysAgo: 1 }, [blob('base', 5000)]);
    const plan = planRepository(repo.request(samplePolicy([rule('*', keep(1))])));
    expect(plan.deletions.map(({ freedBytes }) => freedBytes)).toEqual([830, 100]);
  });

  it('counts manifests only while one that stays was not read', () => {
    const repo = new SampleRepository();
    repo.manifest({ tags: ['a'], daysAgo: 3 }, [blob('own', 700)]);
    repo.image(['b'], 1);
    const request = repo.request(samplePolicy([rule('*', keep(1))]), { manifests: repo.readAsNeeded().manifests });
    expect(planRepository(request).deletions).toMatchObject([{ freedBytes: 100 }]);
  });

  it('takes the word of the registry or engine', () => {
    const repo = new SampleRepository();
    repo.manifest({ tags: ['a'], sizeBytes: 42_000 }, [blob('own', 700)]);
    expect(planRepository(repo.request(DELETE_ALL)).deletions).toMatchObject([{ freedBytes: 42_000 }]);
  });
});

describe('what is too young', () => {
  it('stays by its grace, also in a list of which nothing was read', () => {
    const repo = new SampleRepository();
    for (let day = 3; day > 0; day -= 1) repo.image([`b-${day}`], day);
    const limits = { grace: { taggedMs: 9 * DAY_MS, untaggedMs: 9 * DAY_MS } };
    const request = repo.request(samplePolicy([rule('b-*', keep(1))], { limits }));
    for (const manifests of [request.manifests, new Map()]) {
      const { kept } = planRepository({ ...request, manifests });
      const why = kept.flatMap(({ tags, by }) => tags.map((tag) => [tag, by]));
      expect(Object.fromEntries(why)).toMatchObject({ 'b-2': 'grace', 'b-3': 'grace' });
    }
  });
});
