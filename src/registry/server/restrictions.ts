import { parseDigest } from '../../core/digest.ts';
import { Turns } from '../turns.ts';
import { type Answer, Refusal } from './answer.ts';
import type { Route } from './route.ts';
import { withoutHeader } from './sabotage.ts';
import type { Shelves } from './shelves.ts';

export interface ImmutableTags {
  /** Which tags; all when absent. */
  readonly tags?: RegExp;
  /** 400 as Amazon ECR, which is what absent means, 409, or 412 as Harbor. */
  readonly status?: 400 | 409 | 412;
}

/** What a registry that knows less, or allows less, leaves out. */
export interface Restrictions {
  /** `false`: the registry has no referrers API, so that clients keep a fallback tag. */
  readonly referrers?: boolean;
  /** `false`: a tag cannot be deleted without its manifest, as in docker-registry 2. */
  readonly tagDeletion?: boolean;
  /** A tag that exists is not set again, to the same digest neither: Amazon ECR refuses that as well. */
  readonly immutableTags?: boolean | ImmutableTags;
}

/** Stands before the handlers of a registry, which know nothing of it. */
export class Restricted {
  readonly #restrictions: Restrictions;
  readonly #shelves: Shelves;
  /** Of two that create an immutable tag at the same time, one is the second. */
  readonly #turns = new Turns();

  constructor(restrictions: Restrictions, shelves: Shelves) {
    this.#restrictions = restrictions;
    this.#shelves = shelves;
  }

  async answer(method: string, route: Route, work: () => Promise<Answer>): Promise<Answer> {
    const { referrers = true, tagDeletion = true } = this.#restrictions;
    if (route.kind === 'referrers' && !referrers) throw new Refusal(404, 'UNSUPPORTED', 'there is no such endpoint');
    if (route.kind !== 'manifest') return work();
    const isTag = parseDigest(route.reference) === undefined;
    if (method === 'DELETE' && isTag && !tagDeletion) {
      throw new Refusal(405, 'UNSUPPORTED', 'a tag cannot be deleted here, only its manifest');
    }
    if (method !== 'PUT') return work();
    const answer = await (isTag ? this.#putTag(route, work) : work());
    return referrers ? answer : withoutHeader(answer, 'OCI-Subject');
  }

  #putTag({ name, reference }: Route, work: () => Promise<Answer>): Promise<Answer> {
    const { immutableTags = false } = this.#restrictions;
    const { tags = /^/, status = 400 } = typeof immutableTags === 'boolean' ? {} : immutableTags;
    if (immutableTags === false || reference.search(tags) < 0) return work();
    return this.#turns.take(async () => {
      if (!this.#shelves.shelf(name)?.tags.has(reference)) return work();
      throw new Refusal(status, 'DENIED', `the tag ${reference} of ${name} exists and is immutable`);
    });
  }
}
