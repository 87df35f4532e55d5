import { type Change, changeOf, type RunFacts } from './changing-value.ts';
import { quote } from './printable.ts';
import { parseReference } from './reference.ts';
import type { TargetReads } from './target-text.ts';
import type { Warning } from './warning.ts';

/** A build arg as a build has it, and the ARG that asks for it. */
export interface NamedValue {
  readonly name: string;
  readonly value: string;
  readonly line: number | undefined;
}

type Images = TargetReads['images'];

const OFTEN: Readonly<Record<Change, string>> = {
  commit: "is made from this run's commit, so that every commit builds",
  run: 'is another one in every run, so that every run builds',
};

/** Build args that no later run has again: each name once, where it comes first. */
export function findChangingArgs(args: readonly NamedValue[], facts: RunFacts): readonly Warning[] {
  const warnings = new Map<string, Warning>();
  for (const { name, value, line } of args) {
    const change = changeOf(name, value, facts);
    if (change === undefined || warnings.has(name)) continue;
    const message = `the build arg ${quote(name)} ${OFTEN[change]}; say it by a label, which does not count: org.opencontainers.image.revision, .version or .created`;
    warnings.set(name, { message, line });
  }
  return [...warnings.values()];
}

/** Images whose names no later run has again. One warning a line. */
export function findChangingImages(images: Images, facts: RunFacts): readonly Warning[] {
  return oncePerLine(images, ({ reference }) => {
    const change = reference.includes('@') ? undefined : changeOf('', reference, facts);
    if (change === undefined) return undefined;
    return `the image name ${quote(reference)} ${OFTEN[change]}; name that image by what is in it: by its digest, or by its hash tag`;
  });
}

/** Images that are whatever is newest: those without a tag or with the tag `latest`, and no digest. One warning a line. */
export function findLatestImages(images: Images): readonly Warning[] {
  return oncePerLine(images, ({ reference }) => {
    const parsed = parseReference(reference);
    if (!parsed.ok || parsed.value.digest !== undefined || (parsed.value.tag ?? 'latest') !== 'latest')
      return undefined;
    const seen = parsed.value.tag === undefined ? 'has no tag, which means "latest"' : 'is named by "latest"';
    return `the image ${quote(reference)} ${seen}: its next major version comes in unasked; name a version, or a digest`;
  });
}

function oncePerLine(images: Images, say: (image: Images[number]) => string | undefined): readonly Warning[] {
  const warnings = new Map<number | undefined, Warning>();
  for (const image of images) {
    const message = say(image);
    if (message !== undefined && !warnings.has(image.line)) warnings.set(image.line, { message, line: image.line });
  }
  return [...warnings.values()];
}
