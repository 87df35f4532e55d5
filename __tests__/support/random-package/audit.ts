import { textAt, valueAt } from '../../../src/core/json.ts';
import type { PackageStore } from '../ghcr/store.ts';

interface Witnessed {
  readonly children: readonly string[];
  readonly subject: string | undefined;
}

/** Something that somebody needs, and that is not there. */
export interface Loss {
  /** A tag, or the digest of an image without one. */
  readonly of: string;
  readonly digest: string;
}

const LINK = /^sha256-[0-9a-f]{64}(?:\.(?:sig|att|sbom))?$/;

/**
 * Looks at a package as somebody who knows nothing of planning and reads the bytes: whatever an image led to at any time that was
 * witnessed, it must lead to in the end. Slow and plain, so that it can be read.
 */
export class Audit {
  readonly #store: PackageStore;
  readonly #witnessed = new Map<string, Witnessed>();
  /** Tags that say what a manifest belongs to; one that moved counts where it is. */
  readonly #links = new Map<string, string>();

  constructor(store: PackageStore) {
    this.#store = store;
    this.witness();
  }

  /** To be called again after each push. */
  witness(): void {
    for (const digest of this.#store.byDigest.keys()) {
      const json: unknown = JSON.parse(this.#store.bodies.get(digest)?.body ?? 'null');
      const manifests = valueAt(json, 'manifests');
      this.#witnessed.set(digest, {
        children: Array.isArray(manifests) ? manifests.map((one: unknown) => textAt(one, 'digest') ?? '') : [],
        subject: textAt(json, 'subject', 'digest'),
      });
    }
    for (const [tag, digest] of this.#store.tags) if (LINK.test(tag)) this.#links.set(tag, digest);
  }

  /** What an image that is there needs, and is gone; `roots`: images without a tag. */
  losses(roots: readonly string[]): readonly Loss[] {
    const losses: Loss[] = [];
    for (const [of, digest] of this.#images(roots)) {
      for (const one of this.#closure(digest)) if (!this.#store.byDigest.has(one)) losses.push({ of, digest: one });
    }
    return losses;
  }

  /** What is there, and no image that is there leads to. */
  garbage(roots: readonly string[]): ReadonlySet<string> {
    const there = roots.filter((digest) => this.#store.byDigest.has(digest));
    const needed = this.needed(there, this.#store.tags);
    return new Set([...this.#store.byDigest.keys()].filter((digest) => !needed.has(digest)));
  }

  /** What these images and tags lead to, and what a referrer that has a tag is about. */
  needed(roots: readonly string[], tags: ReadonlyMap<string, string>): ReadonlySet<string> {
    const tagged = [...tags].flatMap(([tag, digest]) => (LINK.test(tag) ? [] : [digest]));
    const needed = new Set([...tagged, ...roots].flatMap((digest) => [...this.#closure(digest)]));
    for (const digest of needed) {
      const subject = this.#witnessed.get(digest)?.subject;
      if (subject === undefined || needed.has(subject) || !this.#witnessed.has(subject)) continue;
      for (const one of this.#closure(subject)) needed.add(one);
    }
    return needed;
  }

  #images(roots: readonly string[]): readonly (readonly [of: string, digest: string])[] {
    const tagged = [...this.#store.tags].filter(([tag]) => !LINK.test(tag));
    return [...tagged, ...roots.filter((digest) => this.#store.byDigest.has(digest)).map((one) => [one, one] as const)];
  }

  /** Of what was there at any time: it, what it is made of, and what belongs to any of that. */
  #closure(digest: string): ReadonlySet<string> {
    const seen = new Set([digest]);
    for (const one of seen) {
      for (const next of [...(this.#witnessed.get(one)?.children ?? []), ...this.#belongings(one)])
        if (this.#witnessed.has(next) && !this.#isCircle(one, next)) seen.add(next);
    }
    return seen;
  }

  #belongings(digest: string): readonly string[] {
    const name = digest.replace(':', '-');
    const linked = [name, `${name}.sig`, `${name}.att`, `${name}.sbom`].flatMap((tag) => this.#links.get(tag) ?? []);
    const listed = this.#witnessed.get(this.#links.get(name) ?? '')?.children ?? [];
    const pointing = [...this.#witnessed].flatMap(([other, { subject }]) => (subject === digest ? [other] : []));
    return [...linked, ...listed, ...pointing];
  }

  /** Of two that need each other, one goes first. */
  #isCircle(one: string, other: string): boolean {
    const needs = (a: string, b: string): boolean => {
      const { children = [], subject } = this.#witnessed.get(a) ?? {};
      return children.includes(b) || subject === b;
    };
    return needs(one, other) && needs(other, one);
  }
}
