import { describe, expect, test } from 'vitest';
import { type Digest, digestOf } from '../../src/core/digest.ts';
import type { PlannedManifest, RepositoryPlan, RootDeletion } from '../../src/core/retention/plan.ts';
import { BuildOnceError } from '../../src/errors.ts';
import { MEDIA_TYPES } from '../../src/oci/types.ts';
import { type Applied, type ApplyRequest, applyPlan } from '../../src/retention/apply.ts';
import { openJournal, parseJournal } from '../../src/retention/journal.ts';
import { type ImageStore, SPENT } from '../../src/retention/store.ts';
import { undoSteps } from '../../src/retention/undo.ts';
import { type DirectFaults, directStore } from '../support/ghcr/direct-store.ts';
import { makeImage } from '../support/ghcr/images.ts';
import { inspect } from '../support/ghcr/integrity.ts';
import { DEFAULT_SHAPE } from '../support/ghcr/options.ts';
import { PackageStore } from '../support/ghcr/store.ts';

const NOW_MS = Date.UTC(2026, 10, 21);
const DAY_MS = 86_400_000;
const { ociIndex } = MEDIA_TYPES;

/** A package of images with two platforms each, one a day, and a plan that deletes the oldest so many. */
async function open({
  images = 4,
  doomed = 2,
  faults = {},
}: {
  images?: number;
  doomed?: number;
  faults?: DirectFaults;
} = {}) {
  const content = new PackageStore(() => NOW_MS);
  const made = Array.from({ length: images }, (_, position) => {
    const atMs = NOW_MS - (images - position) * DAY_MS;
    return makeImage(
      { store: content, shape: { ...DEFAULT_SHAPE, attest: false }, name: `i${position}`, atMs },
      { tags: [`t${position}`] },
    );
  });
  const store = directStore(content, () => NOW_MS, faults);
  const inventory = await store.list();
  const planned = (digest: Digest): PlannedManifest => {
    const { id, tags } = inventory.entries.find((entry) => entry.digest === digest) ?? { id: '0', tags: [] };
    return { id, digest, tags };
  };
  const deletions = made.slice(0, doomed).map(
    ({ index, platforms }): RootDeletion => ({
      root: planned(index.digest),
      rule: '*: keep 2',
      reason: 'not among the 2 newest',
      pushedAtMs: 0,
      freedBytes: 10,
      members: platforms.map(({ digest }) => ({ ...planned(digest), role: 'child' as const, after: [index.digest] })),
    }),
  );
  const plan: RepositoryPlan = {
    repository: store.name,
    policy: '*: keep 2',
    deletions,
    untags: [],
    kept: [],
    warnings: [],
    stops: [],
    refusals: [],
  };
  let journal = '';
  const apply = (more: Partial<ApplyRequest> = {}): Promise<Applied> =>
    applyPlan({
      store,
      plan,
      inventory,
      journal: openJournal({ append: (_, line) => void (journal += line) }, 'j'),
      now: () => new Date(NOW_MS),
      signal: new AbortController().signal,
      deadlineMs: undefined,
      onProgress: () => {},
      ...more,
    });
  return { content, store, made, plan, inventory, apply, journal: () => journal };
}

describe('a plan is carried out', () => {
  test('the oldest image first, each before its parts', async () => {
    const { apply, content, plan, journal } = await open();
    expect(await apply()).toMatchObject({
      deletedRoots: 2,
      failed: [],
      skipped: [],
      stopped: undefined,
      freedBytes: 20,
      steps: 6,
    });
    const steps = parseJournal(journal());
    expect(steps.ok && steps.value.map(({ manifest }) => manifest.digest)).toEqual(
      plan.deletions.flatMap(({ root, members }) => [root.digest, ...members.map(({ digest }) => digest)]),
    );
    expect(inspect(content)).toMatchObject({ taggedImages: 2, brokenTags: [], orphanChildren: [] });
  });

  test('case 51: an image whose tags have changed stays, with its parts', async () => {
    const { apply, content, made } = await open();
    content.tag('new', made[0]?.index.digest ?? digestOf(''));
    const applied = await apply();
    expect(applied).toMatchObject({ deletedRoots: 1 });
    expect(applied.skipped).toEqual([
      expect.objectContaining({ reason: expect.stringMatching(/t0 was pushed meanwhile|its tags have changed/) }),
    ]);
    expect(inspect(content)).toMatchObject({ taggedImages: 3, brokenTags: [] });
  });

  test('case 37: what was pushed meanwhile keeps the parts that it needs', async () => {
    const { apply, content, made } = await open();
    const [platform] = made[0]?.platforms ?? [];
    if (platform === undefined) throw new Error('there is no platform');
    makeImage(
      { store: content, shape: { ...DEFAULT_SHAPE, attest: false }, name: 'late', atMs: undefined },
      { tags: ['late'], shared: platform },
    );
    const applied = await apply();
    expect(applied.skipped).toEqual([expect.objectContaining({ reason: 'late was pushed meanwhile and needs it' })]);
    expect(inspect(content)).toMatchObject({ brokenTags: [] });
  });

  test.each(['', '.sig'])('an image that was signed meanwhile under sha256-HEX%s stays', async (suffix) => {
    const { apply, content, made } = await open();
    const tag = `${made[0]?.index.digest.replace(':', '-')}${suffix}`;
    content.put({ schemaVersion: 2, mediaType: ociIndex, manifests: [] }, ociIndex, { tags: [tag] });
    expect(await apply()).toMatchObject({
      deletedRoots: 1,
      skipped: [{ reason: `${tag} was pushed meanwhile and needs it` }],
    });
  });

  test('case 42: a refusal for ever is left alone, with its parts, and the rest goes on', async () => {
    const refusal = { outcome: 'refused', reason: 'more than 5,000 downloads', isFinal: true } as const;
    const { apply, content } = await open({
      faults: { beforeRemove: (_, count) => (count === 1 ? refusal : undefined) },
    });
    expect(await apply()).toMatchObject({
      deletedRoots: 1,
      failed: [],
      skipped: [{ reason: 'more than 5,000 downloads' }],
    });
    expect(inspect(content)).toMatchObject({ taggedImages: 3, brokenTags: [], orphanChildren: [] });
  });

  test('another refusal is a failure', async () => {
    const refusal = { outcome: 'refused', reason: 'broken', isFinal: false } as const;
    const { apply } = await open({ faults: { beforeRemove: (_, count) => (count === 2 ? refusal : undefined) } });
    expect(await apply()).toMatchObject({ deletedRoots: 2, failed: [{ reason: 'broken' }], freedBytes: 10 });
  });

  test('case 41: what is gone already is as good as deleted', async () => {
    const { apply, content, plan } = await open();
    for (const { root } of plan.deletions) {
      const version = content.byDigest.get(root.digest);
      if (version !== undefined) content.remove(version);
    }
    expect(await apply()).toMatchObject({ deletedRoots: 2, failed: [], skipped: [] });
    expect(inspect(content)).toMatchObject({ orphanChildren: [], brokenTags: [] });
  });

  test('case 47: a spent allowance ends it, and says so', async () => {
    const { apply } = await open({
      faults: {
        beforeRemove(_, count) {
          if (count === 2) throw new BuildOnceError(SPENT, 'no more requests until 12:00', 1);
          return undefined;
        },
      },
    });
    expect(await apply()).toMatchObject({ deletedRoots: 1, stopped: 'no more requests until 12:00' });
  });

  test('case 48: an image is not begun that the allowance does not suffice for', async () => {
    const { apply, store, content } = await open();
    const applied = await apply({ store: { ...store, allowance: () => 5 } });
    expect(applied).toMatchObject({ deletedRoots: 0, stopped: expect.stringContaining('5 requests') });
    expect(inspect(content)).toMatchObject({ deletedVersions: 0 });
  });

  test('no image is begun after the time that is allowed', async () => {
    const { apply } = await open();
    expect(await apply({ deadlineMs: NOW_MS })).toMatchObject({
      deletedRoots: 0,
      stopped: expect.stringContaining('max-time'),
    });
  });

  test('case 49: interrupted after any number of deletions, no tag is broken, and undo brings all back', async () => {
    for (let kill = 1; kill <= 6; kill += 1) {
      const stopping = new AbortController();
      const { apply, content, store, journal } = await open({
        faults: {
          beforeRemove(_, count) {
            if (count !== kill) return undefined;
            stopping.abort();
            throw new Error('the request was cut');
          },
        },
      });
      const before = content.list().map(({ digest, tags }) => [digest, tags]);
      const applied = await apply({ signal: stopping.signal });
      expect(applied).toMatchObject({ stopped: 'the run was interrupted', steps: kill });
      expect(inspect(content)).toMatchObject({ deletedVersions: kill - 1 });
      expect(inspect(content), `killed at ${kill}`).toMatchObject({ brokenTags: [] });
      await undo(store, journal());
      expect(content.list().map(({ digest, tags }) => [digest, tags])).toEqual(before);
    }
  });

  test('a manifest that cannot be read among what came meanwhile stops it', async () => {
    const { apply, content } = await open({ faults: { isUnreadable: () => true } });
    makeImage(
      { store: content, shape: { ...DEFAULT_SHAPE, attest: false }, name: 'late', atMs: undefined },
      { tags: ['late'] },
    );
    expect(await apply()).toMatchObject({ deletedRoots: 0, stopped: expect.stringContaining('too much has changed') });
  });
});

test('an image that stays loses the tags that two rules let go', async () => {
  const { apply, content, store, made, plan } = await open();
  const [digest = digestOf('')] = made.map(({ index }) => index.digest);
  for (const tag of ['a', 'b']) content.tag(tag, digest);
  const { entries } = await store.list();
  const manifest = entries.find((entry) => entry.digest === digest) ?? { id: '0', digest, tags: [] };
  const removeTag: ImageStore['removeTag'] = async (_, tag) => {
    const version = content.byDigest.get(digest);
    if (version !== undefined) version.tags = version.tags.filter((one) => one !== tag);
    return { outcome: 'deleted' };
  };
  const untags = ['a', 'b'].map((tag) => ({ manifest, tags: [tag], rule: `${tag}: delete` }));
  const applied = await apply({ store: { ...store, removeTag }, plan: { ...plan, deletions: [], untags } });
  expect(applied).toMatchObject({ untagged: ['a', 'b'], skipped: [] });
});

describe('a registry, a disk or a person in the way', () => {
  test('says that it deletes, and does nothing: the parts stay, and it is a failure', async () => {
    const { apply, content } = await open({ faults: { beforeRemove: () => ({ outcome: 'deleted' }) } });
    const reason = expect.stringContaining('there still');
    expect(await apply()).toMatchObject({ deletedRoots: 0, deleted: [], steps: 2, failed: [{ reason }, { reason }] });
    expect(inspect(content)).toMatchObject({ deletedVersions: 0 });
  });

  test('what cannot be written down is not deleted, and is a failure', async () => {
    const { apply, content } = await open();
    let room = 3;
    const append = (): void => {
      room -= 1;
      if (room < 0) throw new BuildOnceError('FILE_UNWRITABLE', 'no space left on device', 1);
    };
    const applied = await apply({ journal: openJournal({ append }, 'j') });
    const reason = expect.stringContaining('no space left');
    expect(applied).toMatchObject({ deleted: [{}, {}], steps: 2, failed: [{ reason }], stopped: reason });
    expect(inspect(content)).toMatchObject({ deletedVersions: 2, brokenTags: [] });
  });

  test('what is pushed while a large image goes keeps the parts that it needs', async () => {
    let nowMs = NOW_MS;
    const scene = await open({
      doomed: 1,
      faults: {
        beforeRemove(_, count) {
          nowMs += 31_000;
          if (count === 2) late();
          return undefined;
        },
      },
    });
    const late = (): void => {
      const shared = scene.made[0]?.platforms[1];
      const shape = { ...DEFAULT_SHAPE, attest: false };
      makeImage({ store: scene.content, shape, name: 'late', atMs: undefined }, { tags: ['late'], shared });
    };
    expect(await scene.apply({ now: () => new Date(nowMs) })).toMatchObject({
      deletedRoots: 1,
      skipped: [{ reason: 'late was pushed meanwhile and needs it' }],
      freedBytes: 0,
    });
    expect(inspect(scene.content)).toMatchObject({ brokenTags: [] });
  });
});

describe('case 58: undo', () => {
  test('brings everything back, once; a tag that is on something else by now stays there', async () => {
    const { apply, content, store, journal, made } = await open({ images: 12, doomed: 10 });
    const before = content.list().map(({ digest }) => digest);
    await apply();
    content.tag('t0', made[11]?.index.digest ?? digestOf(''));
    const first = await undo(store, journal());
    expect(content.list().map(({ digest }) => digest)).toEqual(before);
    expect(content.tags.get('t0')).toBe(made[11]?.index.digest);
    expect(content.tags.get('t1')).toBe(made[1]?.index.digest);
    expect(new Set(first)).toEqual(new Set(['restored']));
    expect(new Set(await undo(store, journal()))).toEqual(new Set(['present']));
  });
});

async function undo(store: ImageStore, journal: string): Promise<readonly string[]> {
  const steps = parseJournal(journal);
  if (!steps.ok) throw new Error(steps.problem);
  const undone = await undoSteps(steps.value, async () => store, {
    signal: new AbortController().signal,
    onStep: () => {},
  });
  return undone.map(({ restoration }) => restoration.outcome);
}
