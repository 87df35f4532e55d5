import { expect, onTestFinished, test } from 'vitest';
import type { Digest } from '../../src/core/digest.ts';
import { parseRetention } from '../../src/core/retention/parse-policies.ts';
import { MEDIA_TYPES } from '../../src/oci/types.ts';
import { type Draft, type DraftRequest, draftPlan } from '../../src/retention/draft.ts';
import { directStore } from '../support/ghcr/direct-store.ts';
import { makeImage } from '../support/ghcr/images.ts';
import { DEFAULT_SHAPE } from '../support/ghcr/options.ts';
import { PackageStore } from '../support/ghcr/store.ts';
import { openSite } from './protections/surroundings.ts';

const NOW_MS = Date.UTC(2026, 10, 21);
const DAY_MS = 86_400_000;
const { ociIndex, ociManifest } = MEDIA_TYPES;
const shape = { ...DEFAULT_SHAPE, attest: false, referrers: 'none' } as const;

interface Setting extends Partial<Pick<DraftRequest, 'findProtections'>> {
  readonly retention: string;
  /** The registry's clock. */
  readonly listedAtMs?: number;
}

async function draft(
  content: PackageStore,
  { retention, listedAtMs = NOW_MS, findProtections = async () => [] }: Setting,
): Promise<Draft> {
  const parsed = parseRetention(retention);
  if (!parsed.ok || parsed.value === 'off' || parsed.value.general === undefined) throw new Error('no policy');
  const site = openSite();
  onTestFinished(() => site.close());
  return draftPlan({
    host: { ...site.request().host, now: () => new Date(NOW_MS) },
    store: directStore(content, () => listedAtMs),
    policy: parsed.value.general,
    cache: { find: () => undefined, keep: () => {}, retain: () => {} },
    findProtections,
    readGitState: async () => ({ pullRequests: undefined, branches: undefined, gitTags: undefined }),
  });
}

function gone({ plan }: Draft): readonly Digest[] {
  return plan.deletions.flatMap(({ root, members }) => [root, ...members].map(({ digest }) => digest));
}

test.each(['protect', 'a source'])(
  'an index that is needed by its digest (%s) keeps its platforms, though another one calls it a mere platform',
  async (by) => {
    const content = new PackageStore(() => NOW_MS);
    const atMs = NOW_MS - 50 * DAY_MS;
    const { index } = makeImage({ store: content, shape, name: 'pinned', atMs });
    const lie = { schemaVersion: 2, mediaType: ociIndex, manifests: [{ ...index, mediaType: ociManifest }] };
    content.put(lie, ociIndex, { tags: ['mine'] });
    const found = await draft(content, {
      retention: `untagged: delete${by === 'protect' ? `\nprotect ${index.digest}` : ''}`,
      findProtections: async () => (by === 'protect' ? [] : [{ by: 'pod shop', tags: [], digests: [index.digest] }]),
    });
    expect(gone(found)).toEqual([]);
  },
);

test('a registry whose clock is years ahead makes nothing older than it is by the clock of this machine', async () => {
  const content = new PackageStore(() => NOW_MS);
  for (const tag of ['young', 'younger'])
    makeImage({ store: content, shape, name: tag, atMs: NOW_MS - DAY_MS }, { tags: [tag] });
  makeImage({ store: content, shape, name: 'old', atMs: NOW_MS - 50 * DAY_MS }, { tags: ['old'] });
  const ahead = await draft(content, { retention: '*: for 30d', listedAtMs: NOW_MS + 3650 * DAY_MS });
  expect(ahead.plan.deletions.map(({ root }) => root.tags)).toEqual([['old']]);
  const behind = await draft(content, { retention: '*: for 30d', listedAtMs: NOW_MS - 3650 * DAY_MS });
  expect(behind.plan.deletions).toEqual([]);
});
