import { createHash } from 'node:crypto';
import { canonicalPieces } from '../input-manifest.ts';
import { valueAt } from '../json.ts';
import type { Parsed } from '../parsed.ts';
import {
  exactly,
  type JsonLimits,
  malformed,
  parseStrictly,
  readDigest,
  readList,
  readOneOf,
  readText,
  readVersion,
} from '../strict-json.ts';
import type { KeptRoot, PlannedManifest, PlannedMember, RepositoryPlan, RootDeletion, Untag } from './plan.ts';

/** What a plan file says besides the plans; no part of the hash. */
export interface PlanAbout {
  /** RFC 3339. */
  readonly plannedAt: string;
}

/** A plan file, read again. */
export interface PlanDocument {
  readonly about: PlanAbout;
  readonly plans: readonly RepositoryPlan[];
  /** See {@link planHash}. */
  readonly hash: string;
}

/** Some 100,000 images with all that belongs to them. */
const LIMITS: JsonLimits = { maxBytes: 512 * 1024 * 1024, maxContainers: 5_000_000, maxDepth: 12 };
/** Down to one image: a document, its plans, a plan, its deletions. */
const PIECE_DEPTH = 4;
const ROLES = ['fallback-index', 'referrer', 'child'] as const;

/**
 * The sha256 of what is to be done, in 64 hexadecimal digits: what goes, in which order, by which rule, and which tags are taken
 * off. What stays and what is said about it does not count, so that the same deletions have the same hash on another day.
 */
export function planHash(plans: readonly RepositoryPlan[]): string {
  const deeds = plans.map(({ repository, deletions, untags }) => ({
    repository,
    deletions: deletions.map(({ root, rule, members }) => ({ root, rule, members })),
    untags,
  }));
  const hash = createHash('sha256');
  for (const piece of canonicalPieces(deeds, PIECE_DEPTH - 1)) hash.update(piece);
  return hash.digest('hex');
}

/** The plans as a file, in pieces: canonical JSON, one text for the same plans, with their hash. */
export function* formatPlan(plans: readonly RepositoryPlan[], about: PlanAbout): Generator<string> {
  yield* canonicalPieces({ schema: 1, about, plans, hash: planHash(plans) }, PIECE_DEPTH);
  yield '\n';
}

/** Reads a file of {@link formatPlan}; a problem when it is none, or what is to be done is not what the hash was made of. */
export function parsePlanDocument(content: Uint8Array): Parsed<PlanDocument> {
  return parseStrictly(content, LIMITS, (json) => {
    readVersion(json, 'schema', 1);
    const document: PlanDocument = {
      about: readAbout(valueAt(json, 'about')),
      plans: readList(json, 'plans', readPlan),
      hash: readText(valueAt(json, 'hash'), 'hash'),
    };
    exactly(json, 'the plan', { schema: 1, ...document });
    if (planHash(document.plans) !== document.hash)
      return malformed('its hash is not that of its content: it was changed after it was written');
    return document;
  });
}

function readAbout(json: unknown): PlanAbout {
  return exactly(json, 'about', { plannedAt: readText(valueAt(json, 'plannedAt'), 'about.plannedAt') });
}

function readPlan(json: unknown, where: string): RepositoryPlan {
  return exactly(json, where, {
    repository: readText(valueAt(json, 'repository'), `${where}.repository`),
    policy: readText(valueAt(json, 'policy'), `${where}.policy`),
    deletions: readList(json, 'deletions', readDeletion),
    untags: readList(json, 'untags', readUntag),
    kept: readList(json, 'kept', readKept),
    warnings: readList(json, 'warnings', readText),
    stops: readList(json, 'stops', readText),
    refusals: readList(json, 'refusals', readText),
  });
}

function readDeletion(json: unknown, where: string): RootDeletion {
  return exactly(json, where, {
    root: readManifest(valueAt(json, 'root'), `${where}.root`),
    rule: readText(valueAt(json, 'rule'), `${where}.rule`),
    reason: readText(valueAt(json, 'reason'), `${where}.reason`),
    pushedAtMs: readTime(json, where),
    members: readList(json, 'members', readMember),
    freedBytes: readNumber(valueAt(json, 'freedBytes'), `${where}.freedBytes`),
  });
}

function readManifest(json: unknown, where: string): PlannedManifest {
  return exactly(json, where, manifestIn(json, where));
}

function manifestIn(json: unknown, where: string): PlannedManifest {
  return {
    id: readText(valueAt(json, 'id'), `${where}.id`),
    digest: readDigest(valueAt(json, 'digest'), `${where}.digest`),
    tags: readList(json, 'tags', readText),
  };
}

function readMember(json: unknown, where: string): PlannedMember {
  return exactly(json, where, {
    ...manifestIn(json, where),
    role: readOneOf(ROLES, valueAt(json, 'role'), `${where}.role`),
    after: readList(json, 'after', readDigest),
  });
}

function readUntag(json: unknown, where: string): Untag {
  return exactly(json, where, {
    manifest: readManifest(valueAt(json, 'manifest'), `${where}.manifest`),
    tags: readList(json, 'tags', readText),
    rule: readText(valueAt(json, 'rule'), `${where}.rule`),
  });
}

function readKept(json: unknown, where: string): KeptRoot {
  return exactly(json, where, {
    ...manifestIn(json, where),
    by: readText(valueAt(json, 'by'), `${where}.by`),
    reason: readText(valueAt(json, 'reason'), `${where}.reason`),
    pushedAtMs: readTime(json, where),
  });
}

function readTime(json: unknown, where: string): number | undefined {
  const timeMs = valueAt(json, 'pushedAtMs');
  return timeMs === undefined ? undefined : readNumber(timeMs, `${where}.pushedAtMs`);
}

function readNumber(json: unknown, where: string): number {
  return typeof json === 'number' && Number.isFinite(json) ? json : malformed(`${where} is no number`);
}
