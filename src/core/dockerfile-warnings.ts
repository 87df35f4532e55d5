import { type Change, changeOf, type RunFacts } from './changing-value.ts';
import { quote } from './printable.ts';
import { parseReference } from './reference.ts';
import type { TargetReads } from './target-text.ts';
import type { Warning } from './warning.ts';

/** What the target reads on one platform, as far as it is looked at here. */
type Reads = Pick<TargetReads, 'args' | 'images'>;

const OFTEN: Readonly<Record<Change, string>> = {
  commit: "is made from this run's commit, so that every commit builds",
  run: 'is another one in every run, so that every run builds',
};

/** Build args, and parts of the names of images, that no later run has again: each arg once, on the first ARG. */
export function findChangingValues(targets: readonly Reads[], facts: RunFacts): readonly Warning[] {
  const warnings = new Map<string, Warning>();
  for (const { name, value, line } of targets.flatMap(({ args }) => args)) {
    const change = changeOf(name, value, facts);
    if (change === undefined || warnings.has(name)) continue;
    const message = `the build arg ${quote(name)} ${OFTEN[change]}; say it by a label, which does not count: org.opencontainers.image.revision, .version or .created`;
    warnings.set(name, { message, line });
  }
  for (const { reference, line } of targets.flatMap(({ images }) => images)) {
    const change = reference.includes('@') ? undefined : changeOf('', reference, facts);
    if (change === undefined) continue;
    const message = `the image name ${quote(reference)} ${OFTEN[change]}; name that image by what is in it: by its digest, or by its hash tag`;
    warnings.set(`${line} ${reference}`, { message, line });
  }
  return [...warnings.values()];
}

/** Images that are whatever is newest: those without a tag or with the tag `latest`, and without a digest. */
export function findLatestImages(targets: readonly Reads[]): readonly Warning[] {
  const warnings = new Map<string, Warning>();
  for (const { reference, line } of targets.flatMap(({ images }) => images)) {
    const parsed = parseReference(reference);
    if (!parsed.ok || parsed.value.digest !== undefined || (parsed.value.tag ?? 'latest') !== 'latest') continue;
    const seen = parsed.value.tag === undefined ? 'has no tag, which means "latest"' : 'is named by "latest"';
    const message = `the image ${quote(reference)} ${seen}: its next major version comes in unasked; name a version, or a digest`;
    warnings.set(`${line} ${reference}`, { message, line });
  }
  return [...warnings.values()];
}
