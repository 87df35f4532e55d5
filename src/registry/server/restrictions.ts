import { parseDigest } from '../../core/digest.ts';
import { Turns } from '../turns.ts';
import { type Answer, Refusal, withoutHeader } from './answer.ts';
import type { Route } from './route.ts';
import type { Shelves } from './shelves.ts';

/** What registries say of an immutable tag: Amazon ECR, Oracle's, Harbor. */
const CODES = { 400: 'TAG_INVALID', 409: 'CONFLICT', 412: 'PRECONDITION' } as const;

export interface ImmutableTags {
  /** Which tags; all when absent. */
  readonly tags?: RegExp;
  /** 400 when absent. */
  readonly status?: keyof typeof CODES;
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

/** A request, as far as restrictions go. */
export interface RestrictedRequest {
  readonly method: string;
  readonly route: Route;
  readonly query: URLSearchParams;
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

  async answer({ method, route, query }: RestrictedRequest, work: () => Promise<Answer>): Promise<Answer> {
    const { referrers = true, tagDeletion = true } = this.#restrictions;
    if (route.kind === 'referrers' && !referrers) throw new Refusal(404, 'UNSUPPORTED', 'there is no such endpoint');
    if (route.kind !== 'manifest') return work();
    const isTag = parseDigest(route.reference) === undefined;
    if (method === 'DELETE' && isTag && !tagDeletion) {
      throw new Refusal(405, 'UNSUPPORTED', 'a tag cannot be deleted here, only its manifest');
    }
    if (method !== 'PUT') return work();
    const tags = [...(isTag ? [route.reference] : []), ...query.getAll('tag')];
    const answer = await this.#setTags(route.name, tags, work);
    return referrers ? answer : withoutHeader(answer, 'OCI-Subject');
  }

  #setTags(name: string, tags: readonly string[], work: () => Promise<Answer>): Promise<Answer> {
    const { immutableTags = false } = this.#restrictions;
    const { tags: pattern = /^/, status = 400 } = typeof immutableTags === 'boolean' ? {} : immutableTags;
    const immutable = immutableTags === false ? [] : tags.filter((tag) => tag.search(pattern) >= 0);
    if (immutable.length === 0) return work();
    return this.#turns.take(async () => {
      const taken = immutable.find((tag) => this.#shelves.shelf(name)?.tags.has(tag));
      if (taken === undefined) return work();
      throw new Refusal(status, CODES[status], `the tag ${taken} of ${name} exists and is immutable`);
    });
  }
}
