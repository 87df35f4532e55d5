import { expect, test } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import type { Inventory } from '../../src/core/retention/inventory.ts';
import { BuildOnceError } from '../../src/errors.ts';
import { findMissing } from '../../src/retention/verify.ts';
import { directStore } from '../support/ghcr/direct-store.ts';
import { PackageStore } from '../support/ghcr/store.ts';

const PLAN = {
  repository: 'r',
  policy: '',
  deletions: [],
  untags: [],
  kept: [],
  warnings: [],
  stops: [],
  refusals: [],
};
const store = directStore(new PackageStore(Date.now), Date.now);
const entry = { id: '1', digest: digestOf('1'), tags: ['1'], pushedAtMs: 0, updatedAtMs: 0 };
const before: Inventory = { repository: 'r', listedAtMs: 0, entries: [entry], isComplete: true };

test('finds what should be there still', async () => {
  expect(await findMissing(store, PLAN, before)).toEqual({ isKnown: true, missing: [entry] });
});

test('knows nothing when the registry cannot be listed any more, or changes all the time', async () => {
  const list = () => Promise.reject(new BuildOnceError('GITHUB_UNAVAILABLE', 'GitHub is gone', 1));
  expect(await findMissing({ ...store, list }, PLAN, before)).toEqual({ isKnown: false, reason: 'GitHub is gone' });
  const half = async () => ({ ...before, entries: [], isComplete: false });
  expect(await findMissing({ ...store, list: half }, PLAN, before)).toMatchObject({ isKnown: false });
});
