import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../src/core/digest.ts';
import { BuildOnceError } from '../../src/errors.ts';
import { MEDIA_TYPES } from '../../src/oci/types.ts';
import { reportPrune } from '../../src/report/prune.ts';
import { openJournal, parseJournal } from '../../src/retention/journal.ts';
import type { ImageStore, Removal } from '../../src/retention/store.ts';
import { makeImage } from '../support/ghcr/images.ts';
import { inspect } from '../support/ghcr/integrity.ts';
import { openPlannedPackage, PLAIN_SHAPE, type PlannedPackage } from '../support/ghcr/planned-package.ts';
import { seededRandom } from '../support/random.ts';

const RUNS = { numRuns: 150 };
const EDITS = [
  'none',
  'none',
  'tag added',
  'tag lost',
  'tag to a new image',
  'tag to an image that stays',
  'signed',
  'other digest',
  'gone',
] as const;
type Edit = (typeof EDITS)[number];
/** Those that the image itself shows. */
const UNLISTED: readonly Edit[] = ['none', 'tag added', 'tag lost', 'tag to a new image', 'other digest', 'gone'];

const seed = fc.integer({ min: 0, max: 2 ** 31 });
const isThere = ({ content }: PlannedPackage, digest: Digest): boolean => content.byDigest.has(digest);

/** What somebody does to the image at a position between the plan and its application. */
function edit({ content, doomed, kept }: PlannedPackage, position: number, how: Edit): void {
  const digest = doomed[position]?.index.digest ?? digestOf('');
  const version = content.byDigest.get(digest);
  const tag = `t${position}`;
  if (how === 'tag added') content.tag(`new-${position}`, digest);
  if (how === 'tag lost' && version !== undefined) {
    version.tags = [];
    content.tags.delete(tag);
  }
  const making = { store: content, shape: PLAIN_SHAPE, name: `late${position}`, atMs: undefined };
  if (how === 'tag to a new image') makeImage(making, { tags: [tag] });
  if (how === 'tag to an image that stays') content.tag(tag, kept[0]?.index.digest ?? digest);
  if (how === 'signed') {
    const { ociIndex } = MEDIA_TYPES;
    const json = { schemaVersion: 2, mediaType: ociIndex, manifests: [], annotations: { of: digest } };
    content.put(json, ociIndex, { tags: [digest.replace(':', '-')] });
  }
  if (how === 'gone' && version !== undefined) content.remove(version);
}

describe('a plan that is carried out', () => {
  it.each([
    ['and no other', EDITS, {}],
    ['also where no list tells of the change', UNLISTED, { changes: async () => [] }],
  ] as const)(
    'I5: skips the images that were changed since it was made, with their parts, %s',
    async (_, all, more) => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.constantFrom(...all), { minLength: 1, maxLength: 6 }), async (edits) => {
          const one = await openPlannedPackage({ doomed: edits.length });
          for (const [position, how] of edits.entries()) edit(one, position, how);
          const replaced = new Set(
            one.doomed.flatMap(({ index }, at) => (edits[at] === 'other digest' ? index.digest : [])),
          );
          const look: ImageStore['look'] = async (manifest) => {
            const found = await one.store.look(manifest);
            return found && replaced.has(found.digest) ? { ...found, digest: digestOf('another') } : found;
          };
          const applied = await one.apply({ store: { ...one.store, ...more, look } });
          const isChanged = edits.map((how) => how !== 'none' && how !== 'gone');
          const expected = one.doomed.filter((_, at) => isChanged[at]).map(({ index }) => index.digest);
          expect(applied.skipped.map(({ manifest }) => manifest.digest)).toEqual(expected);
          expect(applied).toMatchObject({
            failed: [],
            stopped: undefined,
            deletedRoots: edits.length - expected.length,
          });
          for (const [at, { index, platforms }] of one.doomed.entries())
            for (const { digest } of [index, ...platforms]) expect(isThere(one, digest)).toBe(isChanged[at]);
          expect(inspect(one.content).brokenTags).toEqual([]);
        }),
        RUNS,
      );
    },
  );

  it('I9: goes on after a refusal, which is a failure only when it is not final, and its sums add up', async () => {
    const answers = fc.array(fc.constantFrom('done', 'done', 'gone', 'final', 'not final'), {
      minLength: 3,
      maxLength: 18,
    });
    await fc.assert(
      fc.asyncProperty(answers, async (answers) => {
        const answerOf = new Map<Digest, string>();
        const beforeRemove = ({ digest }: { readonly digest: Digest }): Removal | undefined => {
          const answer = answerOf.get(digest) ?? 'done';
          if (answer.endsWith('final')) return { outcome: 'refused', reason: answer, isFinal: answer === 'final' };
          const version = one.content.byDigest.get(digest);
          if (answer === 'gone' && version !== undefined) one.content.remove(version);
          return undefined;
        };
        const one = await openPlannedPackage({ doomed: Math.floor(answers.length / 3) }, { beforeRemove });
        for (const [at, { digest }] of one.steps.entries()) answerOf.set(digest, answers[at] ?? 'done');
        const isRefused = (digest: Digest): boolean => answerOf.get(digest)?.endsWith('final') === true;
        const { deletions } = one.plan;
        const tried = deletions.flatMap(({ root, members }) => (isRefused(root.digest) ? [root] : [root, ...members]));
        const by = (answer: string) => tried.filter(({ digest }) => answerOf.get(digest) === answer);
        const whole = deletions.filter(
          ({ root, members }) => ![root, ...members].some(({ digest }) => isRefused(digest)),
        );

        const applied = await one.apply();
        const left = (answer: string) => by(answer).map((manifest) => ({ manifest, reason: answer }));
        expect(applied).toEqual({
          deleted: tried.filter(({ digest }) => !isRefused(digest)),
          deletedRoots: deletions.filter(({ root }) => !isRefused(root.digest)).length,
          untagged: [],
          failed: left('not final'),
          skipped: left('final'),
          freedBytes: whole.reduce((sum, { freedBytes }) => sum + freedBytes, 0),
          steps: tried.length,
          stopped: undefined,
          isStale: false,
        });
        expect(inspect(one.content).brokenTags).toEqual([]);
        const pruned = { name: one.store.name, plan: one.plan, applied, error: undefined };
        const said = { isDryRun: false, hash: '', planPath: undefined, journalPath: 'j', refusal: undefined };
        expect(reportPrune({ ...said, repositories: [pruned] }).outputs).toMatchObject({
          deleted: String(applied.deletedRoots),
          failed: String(by('not final').length),
          skipped: String(by('final').length),
          'freed-bytes': String(applied.freedBytes),
        });
      }),
      RUNS,
    );
  });

  it('I14: asks for nothing that is not in the journal, and for nothing more once the journal cannot be written', async () => {
    const room = fc.option(fc.nat({ max: 30 }), { nil: Number.POSITIVE_INFINITY });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), room, seed, async (doomed, room, seed) => {
        const random = seededRandom(seed);
        const one = await openPlannedPackage({ doomed });
        const asked: string[] = [];
        const check = (action: string, { digest }: { readonly digest: Digest }, tag?: string): void => {
          expect(one.journal.length, `${action} of ${digest}, when nothing can be written`).toBeLessThanOrEqual(room);
          const steps = parseJournal(one.journal.join(''));
          const last = steps.ok ? steps.value.at(-1) : undefined;
          expect(last).toMatchObject({ action, manifest: { digest }, outcome: undefined });
          if (tag !== undefined) expect(last?.manifest.tags).toEqual([tag]);
          asked.push(`${action} ${digest} ${tag ?? ''}`);
        };
        const store: ImageStore = {
          ...one.store,
          remove(manifest) {
            check('delete', manifest);
            const refused = { outcome: 'refused', reason: 'no', isFinal: random.chance(0.5) } as const;
            return random.chance(0.2) ? Promise.resolve(refused) : one.store.remove(manifest);
          },
          async removeTag(manifest, tag) {
            check('untag', manifest, tag);
            return { outcome: 'deleted' };
          },
        };
        const append = (_: string, line: string): void => {
          if (one.journal.length >= room) throw new BuildOnceError('FILE_UNWRITABLE', 'no space left on device', 1);
          one.journal.push(line);
        };
        const entry = one.inventory.entries.find(({ tags }) => tags.includes(`t${doomed}`));
        const manifest = entry ?? { id: '0', digest: digestOf(''), tags: [] };
        const untags = [{ manifest, tags: [`t${doomed}`], rule: 't*: delete' }];
        const applied = await one.apply({
          store,
          plan: { ...one.plan, untags },
          journal: openJournal({ append }, 'j'),
        });

        const text = one.journal.join('');
        const steps = parseJournal(text);
        const written = steps.ok ? steps.value : [];
        expect(
          written.map(
            (step) =>
              `${step.action} ${step.manifest.digest} ${step.action === 'untag' ? step.manifest.tags.join() : ''}`,
          ),
        ).toEqual(asked);
        expect(applied.steps).toBe(asked.length);
        const known = new Set(
          written.filter(({ action }) => action === 'delete').map(({ manifest }) => manifest.digest),
        );
        expect([...one.content.lost.values()].filter(({ digest }) => !known.has(digest))).toEqual([]);
      }),
      RUNS,
    );
  });

  it('I16: by two runs at once ends as by one, also when one of them is killed, and breaks no tag on the way', async () => {
    const kill = fc.option(fc.integer({ min: 1, max: 10 }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        kill,
        seed,
        async (doomed, isEdited, kill, seed) => {
          const random = seededRandom(seed);
          const [alone, both] = [await openPlannedPackage({ doomed }), await openPlannedPackage({ doomed })];
          for (const one of [alone, both]) if (isEdited) edit(one, seed % doomed, 'tag added');
          const slowly = async <T>(work: () => Promise<T>): Promise<T> => {
            for (let turns = random.below(6); turns > 0; turns -= 1) await Promise.resolve();
            return work();
          };
          const storeOf = (killAt: number | undefined): Partial<Parameters<PlannedPackage['apply']>[0]> => {
            const stopping = new AbortController();
            let count = 0;
            const store: ImageStore = {
              ...both.store,
              look: (manifest) => slowly(() => both.store.look(manifest)),
              save: (manifest) => slowly(() => both.store.save(manifest)),
              remove: (manifest) =>
                slowly(async () => {
                  count += 1;
                  if (count === killAt) {
                    stopping.abort();
                    throw new Error('killed');
                  }
                  const removal = await both.store.remove(manifest);
                  expect(inspect(both.content).brokenTags).toEqual([]);
                  return removal;
                }),
            };
            return { store, signal: stopping.signal };
          };
          const once = await alone.apply();
          const [first, second] = await Promise.all([both.apply(storeOf(kill)), both.apply(storeOf(undefined))]);
          const present = ({ content }: PlannedPackage) => [...content.byDigest.keys()].sort();
          expect(present(both)).toEqual(present(alone));
          expect([...both.content.tags]).toEqual([...alone.content.tags]);
          for (const applied of kill === undefined ? [first, second] : [second])
            expect(applied).toMatchObject({ deletedRoots: once.deletedRoots, failed: [], stopped: undefined });
          expect(second.skipped).toEqual(once.skipped);
        },
      ),
      RUNS,
    );
  });
});
