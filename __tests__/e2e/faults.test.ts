import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type ExpectStatic, inject, it } from 'vitest';
import {
  type FaultRule,
  type RegistryOptions,
  type RunningRegistry,
  startRegistry,
} from '../../src/registry/server.ts';
import { type Job, openJob } from '../support/job.ts';
import { type Login, plantImage } from '../support/planted-image.ts';
import { readTags, shownBy, type TagTable, watchTraces } from '../support/publication.ts';
import type { ActionResult, ActionRun } from '../support/runner.ts';
import type { RunnerEvent } from '../support/runner-environment.ts';

const toolchain = inject('toolchain');
const RELEASE = { name: 'push', ref: 'refs/tags/v1.2.3' };
const PLATFORMS = ['linux/amd64', 'linux/arm64'];
const MOVING = ['1.2', '1', 'latest'];
const USER = 'publisher';

interface Scenario {
  readonly name: string;
  readonly faults?: readonly FaultRule[];
  readonly registry?: RegistryOptions;
  /** After so many requests a token is expired. */
  readonly tokenUses?: number;
  /** The image starts from one of this registry. */
  readonly hasBase?: true;
  /** A run for main has built and pushed this content before the fault. */
  readonly isBuilt?: true;
  /** The first request like this gets no answer; then this happens to the run, or to the registry. */
  readonly at?: { readonly request: Pick<FaultRule, 'method' | 'kind' | 'path' | 'skip'>; readonly what: Happening };
  /** The first run's end, when it is none with every tag set. */
  readonly ends?: {
    readonly code?: string;
    readonly exitCode?: number;
    /** The tags that are as asked; all others are as they were. */
    readonly set?: readonly string[];
  };
}

type Happening = 'SIGKILL' | 'SIGINT' | 'SIGTERM' | 'outage' | 'restart';

const HASH_TAG = /\/manifests\/hash-/;
const VERSION_TAG = /\/manifests\/1\.2\.3$/;
const LATEST = /\/manifests\/latest$/;
const BY_DIGEST = /\/manifests\/sha256:/;
const UPLOAD = { kind: 'upload', method: 'PUT' } as const;
const lookup = (action: FaultRule['action'], times?: number): FaultRule => ({
  method: 'GET',
  path: HASH_TAG,
  action,
  ...(times === undefined ? {} : { times }),
});
const status = (code: number, headers?: Readonly<Record<string, string>>): FaultRule['action'] => ({
  kind: 'status',
  status: code,
  ...(headers === undefined ? {} : { headers }),
});

const SCENARIOS: readonly Scenario[] = [
  // Signing in
  { name: 'a token service that is down for a moment', faults: [{ kind: 'token', times: 2, action: status(500) }] },
  {
    name: 'a token service that sends a page',
    faults: [{ kind: 'token', action: { kind: 'html' } }],
    ends: { code: 'UNEXPECTED_ANSWER', exitCode: 1 },
  },
  {
    name: 'a token service that gives no right to push',
    faults: [{ kind: 'token', path: /push/, action: status(403) }],
    ends: { code: 'DENIED', exitCode: 1 },
  },
  { name: 'tokens that expire all the time', tokenUses: 12 },
  // Looking for the image
  { name: 'a lookup that fails three times', faults: [lookup(status(500), 3)] },
  {
    name: 'a lookup that fails for good',
    faults: [lookup(status(503))],
    ends: { code: 'UNAVAILABLE', exitCode: 1 },
  },
  {
    name: 'half a manifest',
    isBuilt: true,
    faults: [lookup({ kind: 'truncate' })],
    ends: { code: 'DIGEST_INVALID', exitCode: 1 },
  },
  {
    name: 'a manifest with a wrong bit',
    isBuilt: true,
    faults: [lookup({ kind: 'wrongDigest', where: 'body' })],
    ends: { code: 'DIGEST_INVALID', exitCode: 1 },
  },
  {
    name: 'a digest that is not of its manifest',
    isBuilt: true,
    faults: [lookup({ kind: 'wrongDigest', where: 'header' })],
    ends: { code: 'DIGEST_INVALID', exitCode: 1 },
  },
  {
    name: 'a page instead of a manifest',
    faults: [lookup({ kind: 'html' })],
    ends: { code: 'UNEXPECTED_ANSWER', exitCode: 1 },
  },
  { name: 'a manifest that is cut', isBuilt: true, faults: [lookup({ kind: 'cutBody', afterBytes: 100 }, 2)] },
  {
    name: 'no header with the digest',
    isBuilt: true,
    faults: [{ kind: 'manifest', action: { kind: 'omitHeader', name: 'Docker-Content-Digest' } }],
  },
  {
    name: 'too many requests for the base image',
    hasBase: true,
    faults: [{ path: /\/base\/image\//, times: 2, action: status(429, { 'Retry-After': '1' }) }],
  },
  // Uploads
  {
    name: 'blobs that cannot be asked for at once',
    faults: [{ kind: 'blob', method: 'HEAD', times: 2, action: status(500) }],
  },
  {
    name: 'uploads that are cut as they begin',
    faults: [{ kind: 'upload', method: 'POST', times: 2, action: { kind: 'drop' } }],
  },
  {
    name: 'uploads that are cut in the middle',
    faults: [{ ...UPLOAD, times: 2, action: { kind: 'cutRequest', afterBytes: 100 } }],
  },
  {
    name: 'uploads that are stored and answered 500',
    faults: [{ ...UPLOAD, times: 2, action: { kind: 'storeThenFail', status: 500 } }],
  },
  {
    name: 'uploads that are stored and not answered',
    faults: [{ ...UPLOAD, times: 2, action: { kind: 'storeThenFail' } }],
  },
  {
    name: 'a layer that is too large',
    faults: [{ ...UPLOAD, action: status(413) }],
    ends: { code: 'TOO_LARGE', exitCode: 1 },
  },
  // Manifests and tags
  {
    name: 'a manifest that is refused once',
    faults: [{ method: 'PUT', path: BY_DIGEST, times: 1, action: status(500) }],
  },
  {
    name: 'a hash tag that is stored and not answered',
    faults: [{ method: 'PUT', path: HASH_TAG, times: 1, action: { kind: 'storeThenFail' } }],
  },
  {
    name: 'a right to push that is lost before the manifests',
    faults: [{ method: 'PUT', path: BY_DIGEST, action: status(403) }],
    ends: { code: 'DENIED', exitCode: 1 },
  },
  {
    name: 'a right to push that is lost before the hash tag',
    faults: [{ method: 'PUT', path: HASH_TAG, action: status(403) }],
    ends: { code: 'DENIED', exitCode: 1 },
  },
  {
    name: 'a moving tag that is never set',
    faults: [{ method: 'PUT', path: LATEST, action: status(500) }],
    ends: { code: 'UNAVAILABLE', exitCode: 1, set: ['hash', '1.2.3', '1.2', '1'] },
  },
  {
    name: 'a list of tags that cannot be read',
    faults: [{ kind: 'tags', action: status(500) }],
    ends: { code: 'UNAVAILABLE', exitCode: 1, set: ['hash', '1.2.3'] },
  },
  {
    name: 'a list of tags that is a page',
    faults: [{ kind: 'tags', action: { kind: 'html' } }],
    ends: { code: 'UNEXPECTED_ANSWER', exitCode: 1, set: ['hash', '1.2.3'] },
  },
  {
    name: 'a tag that does not show for a moment',
    faults: [{ method: 'HEAD', path: VERSION_TAG, skip: 1, times: 2, action: status(404) }],
  },
  {
    name: 'a tag that never shows',
    faults: [{ method: 'HEAD', path: VERSION_TAG, action: status(404) }],
    ends: { code: 'TAG_NOT_READABLE', exitCode: 1, set: ['hash', '1.2.3'] },
  },
  ...([400, 409, 412] as const).map(
    (refusal): Scenario => ({
      name: `an immutable tag that is set, not answered, and then refused with ${refusal}`,
      registry: { immutableTags: { tags: /^\d+\.\d+\.\d+$/, status: refusal } },
      faults: [{ method: 'PUT', path: VERSION_TAG, times: 1, action: { kind: 'storeThenFail' } }],
    }),
  ),
  // The whole registry
  {
    name: 'a slow registry',
    registry: { latencyMs: 20 },
    faults: [{ action: { kind: 'slow', bytesPerSecond: 20_000 } }],
  },
  { name: 'a registry that restarts in the middle of an upload', at: { request: UPLOAD, what: 'restart' } },
  {
    name: 'a registry that goes away in the middle of an upload',
    at: { request: UPLOAD, what: 'outage' },
    ends: { code: 'CONNECTION_FAILED', exitCode: 1 },
  },
  {
    name: 'a registry that goes away before the version tag',
    at: { request: { method: 'PUT', path: VERSION_TAG }, what: 'outage' },
    ends: { code: 'CONNECTION_FAILED', exitCode: 1, set: ['hash'] },
  },
  // The run
  { name: 'a machine that is lost as it uploads', at: { request: { ...UPLOAD, skip: 1 }, what: 'SIGKILL' }, ends: {} },
  {
    name: 'a machine that is lost as it pushes manifests',
    at: { request: { method: 'PUT', path: BY_DIGEST, skip: 1 }, what: 'SIGKILL' },
    ends: {},
  },
  {
    name: 'a machine that is lost at the hash tag',
    at: { request: { method: 'PUT', path: HASH_TAG }, what: 'SIGKILL' },
    ends: {},
  },
  {
    name: 'a machine that is lost at the version tag',
    at: { request: { method: 'PUT', path: VERSION_TAG }, what: 'SIGKILL' },
    ends: { set: ['hash'] },
  },
  {
    name: 'a machine that is lost at the last tag',
    at: { request: { method: 'PUT', path: LATEST }, what: 'SIGKILL' },
    ends: { set: ['hash', '1.2.3', '1.2', '1'] },
  },
  {
    name: 'a lookup without an answer, and a job that is cancelled',
    at: { request: { method: 'GET', path: HASH_TAG }, what: 'SIGTERM' },
    ends: { exitCode: 143 },
  },
  { name: 'a job that is cancelled as it uploads', at: { request: UPLOAD, what: 'SIGINT' }, ends: { exitCode: 130 } },
  {
    name: 'a job that is cancelled between the tags',
    at: { request: { method: 'PUT', path: LATEST }, what: 'SIGINT' },
    ends: { exitCode: 130, set: ['hash', '1.2.3', '1.2', '1'] },
  },
];

interface Shop {
  readonly job: Job;
  readonly image: string;
  readonly login: Login;
  /** Another one after an outage. */
  registry: RunningRegistry;
  reopen(): Promise<void>;
  close(): Promise<void>;
}

/** A checkout, and a registry with a login whose tags are on a release before. */
async function openShop({ registry: options = {}, tokenUses, hasBase }: Scenario): Promise<Shop> {
  const directory = mkdtempSync(join(tmpdir(), 'faults-'));
  const login = { username: USER, password: `p4ss-${randomUUID()}` };
  const users = [{ name: USER, password: login.password }];
  const rights = { 'base/*': ['pull'] } as const;
  const auth = { kind: 'bearer', users, anonymous: rights, ...(tokenUses === undefined ? {} : { tokenUses }) } as const;
  const open = (port = 0): Promise<RunningRegistry> => startRegistry({ ...options, auth, directory, port });
  const registry = await open();
  const base = `${registry.host}/base/image:1`;
  const job = openJob(toolchain, {
    Dockerfile: `FROM ${hasBase ? base : 'scratch'}\nCOPY data /data\n`,
    data: randomBytes(200_000).toString('hex'),
  });
  const image = `${registry.host}/acme/app`;
  await plantImage({ image, tags: ['1.2.2', ...MOVING], login });
  if (hasBase) await plantImage({ image: `${registry.host}/base/image`, tags: ['1'], platforms: PLATFORMS, login });
  const shop: Shop = {
    job,
    image,
    login,
    registry,
    reopen: async () => {
      await shop.registry.close();
      shop.registry = await open(Number(registry.host.split(':')[1]));
    },
    close: async () => {
      await shop.registry.close();
      job.remove();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return shop;
}

type Interrupt = NonNullable<ActionRun['interrupt']>;

/** Does what a scenario says as soon as its request hangs. */
function happening(shop: Shop, what: Happening): Interrupt {
  let done = false;
  return {
    signal: what === 'outage' || what === 'restart' ? 'SIGKILL' : what,
    async when() {
      if (done || !shop.registry.requests.some(({ fault }) => fault === 'stall')) return false;
      done = true;
      if (what === 'restart') await shop.reopen();
      else if (what === 'outage') await shop.registry.close();
      else return true;
      return false;
    },
  };
}

describe.skipIf(!toolchain.layers.docker)('a release leaves nothing half-done after', () => {
  it.concurrent.for(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(
    '%s',
    async ([, scenario], { expect }) => {
      const shop = await openShop(scenario);
      const traces = watchTraces(shop.job.env['DOCKER_CONFIG'] ?? '');
      const run = (event: RunnerEvent, more: Partial<ActionRun> = {}): Promise<ActionResult> =>
        shop.job.step(
          { images: shop.image, platforms: PLATFORMS.join(','), ...shop.login },
          { ...more, ...traces.settings, event },
        );
      try {
        if (scenario.isBuilt) expect(await run({ name: 'push' })).toMatchObject({ status: 'success' });
        const before = await readTags(shop.image, shop.login);
        shop.registry.forgetRequests();
        const { at, faults = [] } = scenario;
        for (const rule of at === undefined ? faults : [{ ...at.request, action: { kind: 'stall' } } as const]) {
          shop.registry.fail(rule);
        }
        const first = await run(RELEASE, at === undefined ? {} : { interrupt: happening(shop, at.what) });
        const hits = shop.registry.requests.filter(
          ({ fault, status }) => fault !== undefined || (scenario.tokenUses !== undefined && status === 401),
        ).length;
        shop.registry.repair();
        if (at?.what === 'outage') await shop.reopen();
        const between = await readTags(shop.image, shop.login);
        const problems = await shop.registry.integrity();
        const second = await run(RELEASE);
        const after = await readTags(shop.image, shop.login);

        if (at?.what !== 'restart') expect(hits, 'the fault has met requests').toBeGreaterThan(0);
        expectEnd(expect, first, scenario);
        expect(problems).toEqual([]);
        expect(second, second.log).toMatchObject({ status: 'success', exitCode: 0 });
        const asked = askedOf(second);
        expect(after).toEqual({ ...before, ...asked });
        const isSet = ([tag]: readonly [string, string]): boolean =>
          scenario.ends === undefined || (scenario.ends.set ?? []).includes(tag.startsWith('hash-') ? 'hash' : tag);
        expect(between).toEqual({ ...before, ...Object.fromEntries(Object.entries(asked).filter(isSet)) });
        expect(await shop.registry.integrity()).toEqual([]);
        expect(traces.left()).toEqual([]);
        for (const text of [shownBy(first), shownBy(second)]) expect(text).not.toContain(shop.login.password);
      } finally {
        await shop.close();
        traces.remove();
      }
    },
  );
});

/** All that a release asks for, on the one digest of its run. */
function askedOf({ outputs }: ActionResult): TagTable {
  const { digest = '', hash = '' } = outputs;
  return Object.fromEntries([`hash-${hash.slice(0, 32)}`, '1.2.3', ...MOVING].map((tag) => [tag, digest]));
}

function expectEnd(expect: ExpectStatic, first: ActionResult, { ends, at }: Scenario): void {
  if (ends === undefined) expect(first, first.log).toMatchObject({ status: 'success', exitCode: 0 });
  else if (at?.what === 'SIGKILL') expect(first, first.log).toMatchObject({ signal: 'SIGKILL' });
  else expect(first, first.log).toMatchObject({ status: 'failure', exitCode: ends.exitCode });
  expect(first.post, first.post?.log).toMatchObject({ status: 'success' });
  if (ends?.code !== undefined) {
    expect(first.annotations.map(({ message }) => message).join('\n')).toMatch(new RegExp(`^${ends.code}: `, 'm'));
  }
}
