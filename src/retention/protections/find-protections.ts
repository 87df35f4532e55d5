import { toLine } from '../../core/printable.ts';
import type { Protection } from '../../core/retention/inventory.ts';
import type { ProtectItem } from '../../core/retention/policy.ts';
import { PolicyError } from '../../errors.ts';
import { findClusterImages } from './clusters.ts';
import { findContainerImages } from './containers.ts';
import { findDeployments } from './deployments.ts';
import { findFileImages } from './files.ts';
import { readReferenceFile } from './reference-file.ts';
import { findGitTags, findReleases } from './releases.ts';
import type { SourceAnswer, Surroundings } from './source.ts';

export interface ProtectionRequest extends Surroundings {
  /** What the policy protects; the sources among it must be readable. */
  readonly protect: readonly ProtectItem[];
  /** The images that this run pushed or reused. */
  readonly own: Pick<Protection, 'tags' | 'digests'>;
}

export interface Protections {
  /**
   * By `this run`, `@releases`, `compose.yml:12`. What a source says that the policy names begins with the item as it was
   * written: `@in-use(kubectl): prod: pod shop/web`. None of them is empty, so that an item without any matches nothing.
   */
  readonly protections: readonly Protection[];
  /** What was not looked at, and why: half sentences. Equal ones come for several repositories. */
  readonly notices: readonly string[];
}

type SourceItem = ProtectItem & { readonly kind: 'source' };
type Finder = (surroundings: Surroundings) => SourceAnswer | Promise<SourceAnswer>;
type Read = SourceAnswer & { readonly kind: 'read' };

const IN_USE: ReadonlyMap<string, Finder> = new Map<string, Finder>([
  ['files', findFileImages],
  ['deployments', findDeployments],
  ['kubectl', findClusterImages],
  ['docker', findContainerImages],
]);

/**
 * Who needs images of one repository: this run, GitHub's releases and the repository's own files where they can be read, and
 * every source that the policy names; of `@in-use` alone those that are there. PolicyError `PROTECTION_UNREADABLE` for what the
 * policy names and cannot be read.
 */
export async function findProtections(request: ProtectionRequest): Promise<Protections> {
  const { protect, own } = request;
  const sources = protect.filter((item): item is SourceItem => item.kind === 'source');
  const items = [...new Map(sources.map((item) => [item.text, item])).values()];
  const answers: Read[] = [];
  // What the policy names goes first: a run that refuses has asked for nothing else.
  for (const item of items) answers.push(await readNamed(item, request));
  const hasReleases = items.some(({ source }) => source === 'releases');
  if (!hasReleases) answers.push(await readDefault('releases', findReleases, request));
  const hasFiles = items.some(({ source, argument }) => source === 'in-use' && (argument ?? 'files') === 'files');
  if (!hasFiles) answers.push(await readDefault('files of the repository', findFileImages, request));
  const isOwn = own.tags.length + own.digests.length > 0;
  return {
    protections: [
      ...(isOwn ? [{ by: 'this run', tags: own.tags, digests: own.digests }] : []),
      ...answers
        .flatMap(({ protections }) => protections)
        .filter(({ tags, digests }) => tags.length + digests.length > 0),
    ],
    notices: [...new Set(answers.flatMap(({ notices }) => notices))],
  };
}

async function readDefault(what: string, find: Finder, surroundings: Surroundings): Promise<Read> {
  const answer = await find(surroundings);
  if (answer.kind === 'read') return answer;
  return { kind: 'read', protections: [], notices: [`no ${what} protect images: ${answer.reason}`] };
}

async function readNamed(item: SourceItem, surroundings: Surroundings): Promise<Read> {
  const answer = await answerOf(item, surroundings);
  if (answer.kind !== 'read') throw unreadable(item, answer);
  const protections = answer.protections.map((protection) => ({ ...protection, by: byItem(item, protection.by) }));
  return { ...answer, protections };
}

function answerOf(item: SourceItem, surroundings: Surroundings): SourceAnswer | Promise<SourceAnswer> {
  const { source, argument } = item;
  if (source === 'releases') return findReleases(surroundings);
  if (source === 'git-tags') return findGitTags(surroundings);
  if (source === 'file') return readReferenceFile(surroundings, argument ?? '');
  if (argument === undefined) return findAllInUse(surroundings);
  const find = IN_USE.get(argument);
  if (find !== undefined) return find(surroundings);
  const hint = `Name one of ${[...IN_USE.keys()].map((name) => `@in-use(${name})`).join(', ')}.`;
  return { kind: 'absent', reason: 'there is no such source', hint };
}

/** Those that are there; one that is there and cannot be read is in the way of all. */
async function findAllInUse(surroundings: Surroundings): Promise<SourceAnswer> {
  const found: Read[] = [];
  const absent: string[] = [];
  for (const [name, find] of IN_USE) {
    const answer = await find(surroundings);
    if (answer.kind === 'unreadable') return { ...answer, reason: `${name}: ${answer.reason}` };
    if (answer.kind === 'read') found.push(answer);
    else absent.push(`@in-use does not ask ${name}: ${answer.reason}`);
  }
  if (found.length === 0) {
    const hint = 'Check the repository out first, set kubectl up, or give the input github-token.';
    return { kind: 'absent', reason: `there is nothing to ask here: ${absent.join('; ')}`, hint };
  }
  return {
    kind: 'read',
    protections: found.flatMap(({ protections }) => protections),
    notices: [...absent, ...found.flatMap(({ notices }) => notices)],
  };
}

function byItem(item: SourceItem, by: string): string {
  return by.startsWith('@') ? item.text : `${item.text}: ${by}`;
}

function unreadable(item: SourceItem, answer: Exclude<SourceAnswer, Read>): PolicyError {
  const message = `retention protects ${toLine(item.text)}, which cannot be read, so nothing is deleted: ${answer.reason}`;
  const cause = answer.kind === 'unreadable' ? answer.cause : undefined;
  return new PolicyError('PROTECTION_UNREADABLE', message, {
    hint: answer.hint,
    ...(cause === undefined ? {} : { cause }),
  });
}
