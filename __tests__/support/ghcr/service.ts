import { setTimeout as sleep } from 'node:timers/promises';
import { type Random, seededRandom } from '../random.ts';
import { fillStore, makeImage } from './images.ts';
import { Limits } from './limits.ts';
import {
  DEFAULT_SETTINGS,
  DEFAULT_SHAPE,
  type GhcrFault,
  type GhcrOptions,
  type GhcrSettings,
  type PackageShape,
} from './options.ts';
import { PackageStore, type Version } from './store.ts';

/** A request as it came. */
export interface Call {
  readonly method: string;
  /** Without `/api/v3`. */
  readonly path: string;
  /** As it was asked, on the client's name for this server. */
  readonly url: URL;
  readonly authorization: string;
  readonly contentType: string | undefined;
  body(): Promise<Buffer>;
}

/** What is answered: JSON or bytes. */
export interface Reply {
  readonly status: number;
  readonly json?: unknown;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface GhcrPackage {
  readonly name: string;
  readonly shape: PackageShape;
  readonly store: PackageStore;
  /** An index whose children are there already. */
  pending: Version | undefined;
}

/** All that the API and the registry share. */
export class Service {
  readonly settings: GhcrSettings;
  readonly packages = new Map<string, GhcrPackage>();
  readonly limits: Limits;
  /** Tokens of the registry, with the time of their end. */
  readonly tokens = new Map<string, number>();
  readonly random: Random;
  lists = 0;
  readonly #hits = new Map<GhcrFault, number>();

  constructor(options: GhcrOptions) {
    this.settings = { ...DEFAULT_SETTINGS, ...options };
    const shape: PackageShape = { ...DEFAULT_SHAPE, ...options };
    this.random = seededRandom(shape.seed * 7919 + 13);
    this.limits = new Limits(this.settings);
    for (const [name, own] of Object.entries(this.settings.packages)) this.#addPackage(name, { ...shape, ...own });
  }

  /** By its name, as GitHub compares names. */
  find(name: string): GhcrPackage | undefined {
    return this.packages.get(name.toLowerCase());
  }

  /** What is to go wrong with this request. */
  fault(on: GhcrFault['on'], path: string): GhcrFault | undefined {
    return this.settings.faults.find((fault) => {
      const hits = this.#hits.get(fault) ?? 0;
      if (fault.on !== on || hits >= (fault.times ?? Number.POSITIVE_INFINITY) || fault.matches?.(path) === false)
        return false;
      if (!this.random.chance(fault.probability ?? 1)) return false;
      this.#hits.set(fault, hits + 1);
      return true;
    });
  }

  /** Another image comes in from a build: the one that is half there, where there is one. */
  race(one: GhcrPackage): void {
    const { store, shape, pending } = one;
    if (pending === undefined) {
      makeImage({ store, shape, name: `race ${store.byId.size}`, atMs: undefined }, { tags: ['raced'] });
      return;
    }
    const nowMs = this.settings.now();
    store.add({ ...pending, tags: [], createdAtMs: nowMs, updatedAtMs: nowMs });
    store.tag('raced', pending.digest);
    one.pending = undefined;
  }

  async wait(latencyMs: number, jitterMs = 0): Promise<void> {
    if (latencyMs > 0 || jitterMs > 0) await sleep(latencyMs + this.random.fraction() * jitterMs);
  }

  #addPackage(name: string, shape: PackageShape): void {
    const store = new PackageStore(this.settings.now);
    const pending = fillStore(store, shape, this.settings.now());
    this.packages.set(name.toLowerCase(), { name, shape, store, pending });
  }
}

/** The answer that a fault makes of the true one; `cut`: there is none. */
export async function spoil(fault: GhcrFault, answer: () => Reply | Promise<Reply>): Promise<Reply | 'cut'> {
  if (fault.answer === 'cut') return 'cut';
  if (typeof fault.answer === 'number') return { status: fault.answer, json: { message: 'fault injected' } };
  if (fault.answer === 'html') {
    return { status: 200, body: '<!DOCTYPE html><p>Log in</p>', headers: { 'content-type': 'text/html' } };
  }
  const reply = await answer();
  const body = Buffer.from(reply.body ?? '');
  if (fault.answer === 'truncated') return { ...reply, body: body.subarray(0, body.length / 2) };
  return { ...reply, body: Buffer.from(body.toString().replace(/"size":\d/, '"size":9')) };
}
