import { describe, expect, onTestFinished, test } from 'vitest';
import { parseRetention } from '../../src/core/retention/parse-policies.ts';
import { planRepository } from '../../src/core/retention/plan-repository.ts';
import type { Descriptor } from '../../src/oci/types.ts';
import type { RegistryRepository } from '../../src/registry/open.ts';
import { startRegistry } from '../../src/registry/server.ts';
import { applyPlan } from '../../src/retention/apply.ts';
import { openJournal, parseJournal } from '../../src/retention/journal.ts';
import { readManifests } from '../../src/retention/read-manifests.ts';
import { openRegistryStore } from '../../src/retention/registry-store.ts';
import type { ImageStore } from '../../src/retention/store.ts';
import { undoSteps } from '../../src/retention/undo.ts';
import { openRepository } from '../registry/open-repository.ts';
import { onPlatform, pushImage, sampleImage, sampleIndex } from '../registry/sample-image.ts';

const CREATED = 'org.opencontainers.image.created';
const IMAGES = 8;

interface Published {
  readonly index: Descriptor;
  readonly referrers: readonly Descriptor[];
}

/** Images of two platforms, of which one is the same for two neighbours; with signatures of the index, of a platform, of one. */
async function publish(repository: RegistryRepository): Promise<readonly Published[]> {
  const published: Published[] = [];
  let shared = await pushImage(repository, sampleImage());
  for (let number = 0; number < IMAGES; number += 1) {
    if (number % 2 === 0) shared = await pushImage(repository, sampleImage());
    const own = await pushImage(repository, sampleImage());
    const annotations = { [CREATED]: `2026-01-${String(number + 10)}T00:00:00Z` };
    const children = [
      onPlatform(shared, { os: 'linux', architecture: 'amd64' }),
      onPlatform(own, { os: 'linux', architecture: 'arm64' }),
    ];
    const { descriptor: index, bytes } = sampleIndex(children, { annotations });
    await repository.push(index, bytes);
    for (const tag of [`1.0.${number}`, `sha-${number}`]) await repository.tag(index, tag);
    const attach = (subject: Descriptor) =>
      pushImage(repository, sampleImage([], { subject, artifactType: 'application/x.signature' }));
    const signature = await attach(index);
    published.push({ index, referrers: [signature, await attach(own), await attach(signature)] });
  }
  return published;
}

async function plan(store: ImageStore, retention: string) {
  const parsed = parseRetention(retention);
  if (!parsed.ok || parsed.value === 'off' || parsed.value.general === undefined) throw new Error('no policy');
  const inventory = await store.list();
  const manifests = await readManifests(store, inventory, {
    cache: { find: () => undefined, keep: () => {}, retain: () => {} },
    onRead: () => {},
  });
  const git = { pullRequests: undefined, branches: undefined, gitTags: undefined };
  const { abilities } = store;
  const policy = parsed.value.general;
  return { inventory, plan: planRepository({ inventory, manifests, policy, protections: [], git, abilities }) };
}

describe.each([
  ['with the referrers API', true],
  ['without it', false],
])('a registry %s', (_, referrers) => {
  test('keeps what is kept with all that belongs to it, loses the rest whole, and gets it back (cases 1, 22, 26, 27, 28)', async () => {
    const registry = await startRegistry({ referrers });
    onTestFinished(() => registry.close());
    const repository = openRepository(registry.host);
    const published = await publish(repository);
    const open = () => openRegistryStore({ repository, now: Date.now, findsMissing: true });
    const store = open();
    const { inventory, plan: planned } = await plan(store, '*: keep 3\nlimits: max-delete 100%');
    expect(planned.refusals).toEqual([]);
    expect(planned.stops).toEqual([]);
    expect(planned.warnings).toEqual([]);
    expect(planned.deletions.map(({ root }) => root.tags)).toEqual(
      Array.from({ length: IMAGES - 3 }, (__, number) => [`1.0.${number}`, `sha-${number}`]),
    );

    let journal = '';
    const applied = await applyPlan({
      store,
      plan: planned,
      inventory,
      journal: openJournal({ append: (__, line) => void (journal += line) }, 'journal'),
      now: () => new Date(),
      signal: new AbortController().signal,
      deadlineMs: undefined,
      onProgress: () => {},
    });
    expect(applied).toMatchObject({ deletedRoots: IMAGES - 3, failed: [], skipped: [], stopped: undefined });
    expect(await registry.integrity()).toEqual([]);
    const left = await open().list();
    const there = new Set(left.entries.map(({ digest }) => digest));
    for (const [number, { index, referrers: own }] of published.entries()) {
      for (const { digest } of [index, ...own])
        expect([number, there.has(digest)]).toEqual([number, number >= IMAGES - 3]);
    }
    // Three indexes, four platforms of theirs, nine signatures, and where there is no API a list for each signed manifest.
    expect(left.entries.filter(({ tags }) => !tags.some((tag) => tag.startsWith('sha256-')))).toHaveLength(3 + 5 + 9);
    expect((await plan(open(), '*: keep 3')).plan.deletions).toEqual([]);

    const steps = parseJournal(journal);
    if (!steps.ok) throw new Error(steps.problem);
    const undo = () =>
      undoSteps(steps.value, async () => open(), { signal: new AbortController().signal, onStep: () => {} });
    const outcomes = (undone: Awaited<ReturnType<typeof undo>>) =>
      new Set(undone.map(({ restoration }) => restoration.outcome));
    expect(outcomes(await undo())).not.toContain('lost');
    const byDigest = (entries: typeof inventory.entries) =>
      [...entries].sort((a, b) => (a.digest < b.digest ? -1 : 1)).map(({ digest, tags }) => ({ digest, tags }));
    expect(byDigest((await open().list()).entries)).toEqual(byDigest(inventory.entries));
    expect(await registry.integrity()).toEqual([]);
    expect(outcomes(await undo())).toEqual(new Set(['present']));
  });
});

test('a signature that an index names as a platform of its own stays with what it signs', async () => {
  const registry = await startRegistry();
  onTestFinished(() => registry.close());
  const repository = openRepository(registry.host);
  const annotations = { [CREATED]: '2026-01-01T00:00:00Z' };
  const push = async ({ descriptor, bytes }: ReturnType<typeof sampleIndex>, tag: string): Promise<Descriptor> => {
    await repository.push(descriptor, bytes);
    await repository.tag(descriptor, tag);
    return descriptor;
  };
  const release = await push(sampleIndex([await pushImage(repository, sampleImage())], { annotations }), '1.0.0');
  const signature = await pushImage(
    repository,
    sampleImage([], { subject: release, artifactType: 'application/x.signature' }),
  );
  const thief = await push(sampleIndex([signature], { annotations }), 'pr-666');
  const store = openRegistryStore({ repository, now: Date.now });
  const { plan: planned } = await plan(store, 'pr-*: delete');
  expect(planned.deletions).toMatchObject([{ root: { digest: thief.digest }, members: [] }]);
});
