import { isReservedTag } from '../core/legal-tag.ts';
import { applyTagPolicy } from '../core/policy.ts';
import { quote } from '../core/printable.ts';
import { formatRepositoryName, type RepositoryName, sameRepository } from '../core/reference.ts';
import { planTags, type TagCandidate, type TagPlan } from '../core/tag-candidates.ts';
import type { GitEvent } from '../core/tag-rules.ts';
import type { Problem } from '../errors.ts';
import type { Options } from '../options.ts';

type TagOptions = Pick<
  Options,
  'images' | 'tags' | 'flavor' | 'version' | 'tagPrefix' | 'immutableTags' | 'forbidTags'
>;

/** The tags of a run, or every problem of the inputs that decide them. */
export type PreparedTags =
  | { readonly ok: true; readonly plan: TagPlan }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** In the order in which they are set: tags that never move, then those that do, `latest` last. */
const ORDER: Readonly<Record<TagCandidate['kind'], number>> = {
  immutable: 0,
  'version-line': 1,
  branch: 2,
  'other-moving': 3,
};

/** Works out which tags this run is to set. Pure. */
export function prepareTags(options: TagOptions, event: GitEvent): PreparedTags {
  const planned = planTags({ ...options, event });
  if (!planned.ok) return planned;
  const { candidates, version, notices } = planned.value;
  const policy = applyTagPolicy(candidates, options.forbidTags);
  const problems = [...policy.problems, ...findReserved(candidates), ...findStrangers(candidates, options.images)];
  if (problems.length > 0) return { ok: false, problems };
  const ordered = [...policy.allowed].sort(
    (a, b) => Number(a.latest) - Number(b.latest) || ORDER[a.kind] - ORDER[b.kind],
  );
  return { ok: true, plan: { candidates: ordered, version, notices: [...notices, ...policy.notices] } };
}

/** Tags that mean something else: a content hash stands for one image only, and this run sets its own. */
function findReserved(candidates: readonly TagCandidate[]): readonly Problem[] {
  return candidates.flatMap(({ tag }) =>
    isReservedTag(tag)
      ? [{ input: 'tags', message: `${quote(tag)} is reserved for content hashes and referrers` }]
      : [],
  );
}

/** Full references to repositories that nothing is pushed to: such a tag would silently never be. */
function findStrangers(candidates: readonly TagCandidate[], images: readonly RepositoryName[]): readonly Problem[] {
  return candidates.flatMap(({ repository, tag }) => {
    if (repository === undefined || images.some((image) => sameRepository(image, repository))) return [];
    const name = formatRepositoryName(repository);
    return [{ input: 'tags', message: `${quote(`${name}:${tag}`)} is for ${quote(name)}, which images does not name` }];
  });
}
