import { type Digest, digestOf } from '../../src/core/digest.ts';
import type { InventoryEntry, KnownManifests, ManifestFacts, Unreadable } from '../../src/core/retention/inventory.ts';
import type { KeepClause, ProtectItem, RetentionPolicy, RetentionRule } from '../../src/core/retention/policy.ts';
import { type Random, seededRandom } from './random.ts';
import { actionRule, DAY_MS, forDays, HOUR_MS, keep, protectTag, rule, samplePolicy, semver } from './sample-policy.ts';
import { NOW_MS, SampleRepository } from './sample-repository.ts';

/** What a random repository may hold besides images. */
export interface RandomOptions {
  /** Manifests that cannot be read. */
  readonly unreadable?: boolean;
  /** Manifests that name each other, or themselves. No honest registry has one. */
  readonly circles?: boolean;
}

const TAGS = ['v1.0.0', 'v1.0.1', 'v1.1.0', 'v1.2.0-rc.1', 'v2.0.0', 'v1', 'v1.1', '1.10.0', 'latest', 'edge', 'odd'];
const PATTERNS = ['v*', 'b-*', 'sha-*', 'pr-*', '*'];

/**
 * A repository as nobody would push it, the same for the same seed: nested and shared indexes, children listed twice, tagged
 * children, attestations, referrers of referrers, fallback tags, cosign's tags, ghosts, circles, orphans.
 */
export function randomRepository(
  seed: number,
  { unreadable = false, circles = true }: RandomOptions = {},
): SampleRepository {
  const random = seededRandom(seed);
  const repo = new SampleRepository();
  const left = new Set([...TAGS, ...Array.from({ length: 12 }, (_, n) => [`b-${n}`, `sha-${n}`, `pr-${n}`]).flat()]);
  const takeTags = (chance: number): readonly string[] => {
    const tags: string[] = [];
    while (left.size > 0 && random.chance(chance) && tags.length < 3) {
      const tag = random.pick([...left]);
      left.delete(tag);
      tags.push(tag);
    }
    return tags;
  };
  const dated = () => ({
    daysAgo: random.pick([0, 0.05, 0.5, 1, 3, 10, 30, 60, 100]),
    ...(random.chance(0.03) ? { pushedAtMs: undefined } : {}),
  });
  const size = 3 + random.below(22);
  for (let step = 0; step < size; step += 1) pushSomething(repo, random, { takeTags, dated, circles });
  if (unreadable && random.chance(0.5)) repo.unreadable({ tags: takeTags(0.5), ...dated() });
  return repo;
}

interface Pushing {
  readonly takeTags: (chance: number) => readonly string[];
  readonly dated: () => { readonly daysAgo: number };
  readonly circles: boolean;
}

function pushSomething(repo: SampleRepository, random: Random, { takeTags, dated, circles }: Pushing): void {
  const known = repo.entries.map(({ digest }) => digest);
  const some = (most: number): readonly Digest[] =>
    known.length === 0 ? [] : Array.from({ length: random.below(most + 1) }, () => random.pick(known));
  const missing = (): Digest => digestOf(`missing ${random.below(1_000_000)}`);
  const subject = (): Digest => (known.length === 0 || random.chance(0.15) ? missing() : random.pick(known));
  const blob = () => ({ digest: digestOf(`layer ${random.below(20)}`), sizeBytes: 10_000 });
  const kind = random.below(12);
  if (kind <= 1) repo.manifest({ tags: takeTags(0.7), ...dated() }, [blob(), blob()]);
  else if (kind <= 5) {
    const at = dated();
    const own = Array.from({ length: 1 + random.below(3) }, () =>
      repo.manifest({ tags: takeTags(0.08), ...at }, [blob()]),
    );
    const twice = random.chance(0.1) ? own.slice(0, 1) : [];
    const ghost = random.chance(0.08) ? [missing()] : [];
    repo.index([...own, ...twice, ...ghost, ...(random.chance(0.3) ? some(2) : [])], { tags: takeTags(0.7), ...at });
  } else if (kind === 6) repo.index(some(4), { tags: takeTags(0.6), ...dated() });
  else if (kind === 7) repo.manifest({ subject: subject(), tags: takeTags(0.1), ...dated() });
  else if (kind === 8) pushFallback(repo, random, { subject: subject(), ...dated() });
  else if (kind === 9) {
    const suffix = random.pick(['sig', 'att', 'sbom']);
    repo.manifest({ tags: [`${subject().replace(':', '-')}.${suffix}`, ...takeTags(0.05)], ...dated() });
  } else if (kind === 10) {
    const parts = circles ? some(2) : [repo.manifest(dated())];
    repo.index(parts, { subject: subject(), tags: takeTags(0.1), ...dated() });
  } else if (circles) pushCircle(repo, random, { takeTags, dated });
}

function pushFallback(
  repo: SampleRepository,
  random: Random,
  { subject, daysAgo }: { readonly subject: Digest; readonly daysAgo: number },
): void {
  const tag = subject.replace(':', '-');
  if (repo.entries.some(({ tags }) => tags.includes(tag))) return;
  const bundles = Array.from({ length: 1 + random.below(2) }, () =>
    repo.manifest({ daysAgo, subject: random.chance(0.8) ? subject : undefined }),
  );
  repo.index(bundles, { tags: [tag], daysAgo });
}

function pushCircle(repo: SampleRepository, random: Random, { takeTags, dated }: Omit<Pushing, 'circles'>): void {
  const [one, other] = [digestOf(`circle ${repo.entries.length}`), digestOf(`circle of ${repo.entries.length}`)];
  const leaf = repo.manifest(dated());
  const named = (digest: Digest) => ({ digest, type: 'unknown' as const, sizeBytes: 1000 });
  switch (random.below(3)) {
    case 0:
      repo.index([named(one), leaf], { digest: one, tags: takeTags(0.7), ...dated() });
      break;
    case 1:
      repo.index([named(other), leaf], { digest: one, tags: takeTags(0.5), ...dated() });
      repo.index([named(one)], { digest: other, tags: takeTags(0.5), ...dated() });
      break;
    default:
      repo.manifest({ digest: one, subject: other, tags: takeTags(0.5), ...dated() });
      repo.manifest({ digest: other, subject: one, tags: takeTags(0.5), ...dated() });
  }
}

/** A policy in the line form, or, now and then, a short form. */
export function randomPolicy(seed: number): RetentionPolicy {
  const random = seededRandom(seed ^ 0x5eed);
  const limits = {
    grace: random.pick([
      { taggedMs: 0, untaggedMs: 0 },
      { taggedMs: 2 * HOUR_MS, untaggedMs: DAY_MS },
    ]),
    untag: random.pick(['off', 'safe'] as const),
  };
  const protect: ProtectItem[] = random.chance(0.5) ? [protectTag(`${random.pick(TAGS)}?`)] : [];
  if (random.chance(0.2)) {
    const count = random.below(3);
    const clauses = random.chance(0.5) ? [keep(count)] : [keep(count), forDays(random.pick([1, 10, 50]))];
    const lanes = [rule('versions', ...clauses.map((one) => (one.kind === 'keep' ? keep(count, 'semver') : one)))];
    return samplePolicy([...lanes, rule('others', ...clauses)], { limits, protect });
  }
  const rules: RetentionRule[] = Array.from({ length: 1 + random.below(4) }, () => randomRule(random));
  for (const kind of ['untagged', 'orphans', 'broken']) {
    if (random.chance(0.6))
      rules.push(random.chance(0.3) ? actionRule(kind, 'delete') : rule(kind, ...randomClauses(random)));
  }
  return samplePolicy(rules, { limits, protect });
}

function randomRule(random: Random): RetentionRule {
  const pattern = random.pick(PATTERNS);
  if (random.chance(0.25)) return actionRule(pattern, random.pick(['keep', 'delete', 'report'] as const));
  return rule(pattern, ...randomClauses(random));
}

function randomClauses(random: Random): readonly KeepClause[] {
  const clauses = Array.from({ length: random.below(3) }, (): KeepClause => {
    switch (random.below(5)) {
      case 0:
        return keep(random.below(4), random.pick(['pushed', 'updated', 'semver', 'image-created'] as const));
      case 1:
        return semver({
          majors: random.below(3),
          minors: random.below(3),
          ...(random.chance(0.5) ? { prereleases: 1 } : {}),
        });
      case 2:
        return {
          kind: 'calendar',
          period: random.pick(['hourly', 'daily', 'weekly', 'monthly'] as const),
          count: random.below(4),
        };
      case 3:
        return { kind: 'used', ageMs: 20 * DAY_MS };
      default:
        return forDays(random.pick([0, 1, 5, 20, 80]));
    }
  });
  return random.chance(0.2) ? [...clauses, { kind: 'while', state: 'open' }] : clauses;
}

/** Pull requests as they stand in the tags of random repositories. */
export const PULL_REQUESTS: ReadonlyMap<number, 'open' | number> = new Map<number, 'open' | number>([
  [1, 'open'],
  [2, NOW_MS - 2 * DAY_MS],
  [3, NOW_MS - 40 * DAY_MS],
  [5, NOW_MS - 90 * DAY_MS],
]);

/**
 * A repository as somebody sees it who knows nothing of planning: what can be pulled, and what is signed. Slow and plain, so that
 * it can be read.
 */
export class NaiveRegistry {
  readonly #present: Map<Digest, InventoryEntry>;
  readonly #facts: KnownManifests;

  constructor(entries: readonly InventoryEntry[], facts: KnownManifests) {
    this.#present = new Map(entries.map((entry) => [entry.digest, entry]));
    this.#facts = facts;
  }

  remove(digest: Digest): void {
    this.#present.delete(digest);
  }

  has(digest: Digest): boolean {
    return this.#present.has(digest);
  }

  /** What somebody sees who asks for a manifest: it and all below it, and what belongs to any of that. */
  visible(digest: Digest): ReadonlySet<Digest> {
    const seen = new Set<Digest>();
    if (this.#present.has(digest)) seen.add(digest);
    for (const one of seen) {
      for (const next of [...this.#childrenOf(one), ...this.#referrersOf(one)])
        if (this.#present.has(next)) seen.add(next);
    }
    return seen;
  }

  #childrenOf(digest: Digest): readonly Digest[] {
    const facts = this.#factsOf(digest);
    return facts?.kind === 'index' ? facts.children.map((child) => child.digest) : [];
  }

  #referrersOf(subject: Digest): readonly Digest[] {
    const prefix = subject.replace(':', '-');
    const found: Digest[] = [];
    for (const { digest, tags } of this.#present.values()) {
      const facts = this.#factsOf(digest);
      // What an index holds, and nobody named, belongs to that index.
      const isPart = tags.length === 0 && this.#isHeld(digest);
      const holdsSubject = this.#childrenOf(digest).includes(subject);
      if (facts !== undefined && facts.subject === subject && !isPart && !holdsSubject) found.push(digest);
      const isLink = [prefix, `${prefix}.sig`, `${prefix}.att`, `${prefix}.sbom`].some((tag) => tags.includes(tag));
      if (isLink) found.push(digest);
      if (tags.includes(prefix)) found.push(...this.#childrenOf(digest));
    }
    return found;
  }

  #isHeld(digest: Digest): boolean {
    return [...this.#facts.values()].some(
      (facts) =>
        facts.kind === 'index' && facts.children.some((child) => child.digest === digest && child.type === 'manifest'),
    );
  }

  #factsOf(digest: Digest): ManifestFacts | undefined {
    const facts: ManifestFacts | Unreadable | undefined = this.#facts.get(digest);
    return facts === undefined || facts.kind === 'unreadable' ? undefined : facts;
  }
}
