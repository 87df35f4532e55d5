import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { type RegistryOptions, startRegistry } from '../../src/registry/server.ts';
import { type RegistryProxy, type SeenRequest, startRegistryProxy } from '../support/registry-proxy.ts';
import { partOf, type Snapshot, statusOfManifest, takeSnapshot } from './repository-snapshot.ts';
import {
  CLI,
  IMAGES,
  type ImageName,
  makeSignedRepository,
  PLATFORMS,
  type SignedRepository,
} from './signed-repository.ts';

const toolchain = inject('toolchain');
const { docker, cosign, crane, registry } = toolchain.layers;
const TIMEOUT_MS = 240_000;

async function embedded(options?: RegistryOptions): Promise<string> {
  const server = await startRegistry(options);
  onTestFinished(() => server.close());
  return server.host;
}

const NEWEST = '* : keep 3';
const LINES = '[0-9]* : semver 2 majors, 1 minors, 1 patches\nhash-* : delete';
const OF_NEWEST: readonly ImageName[] = ['scanned', 'plain', 'mixed'];
// 2.0.0 is `stable` too, of which no rule speaks.
const OF_LINES: readonly ImageName[] = ['sigTags', 'sbom', 'scanned', 'plain', 'mixed'];
const REGISTRIES = [
  ['docker-registry', () => Promise.resolve(toolchain.registry), LINES, OF_LINES],
  ['the embedded registry', () => embedded(), LINES, OF_LINES],
  ['the embedded registry without the referrers API', () => embedded({ referrers: false }), NEWEST, OF_NEWEST],
] as const;
/** Whose platforms are signed as well. */
const SIGNED_THROUGHOUT: readonly ImageName[] = ['bundles', 'sigTags', 'sbom', 'scanned', 'ours'];

describe.skipIf(!docker || !cosign || !crane || !registry)('signed images of two platforms', () => {
  let built: SignedRepository;
  beforeAll(async () => {
    built = await makeSignedRepository(toolchain);
  }, TIMEOUT_MS);
  afterAll(() => built?.remove());

  const prune = (image: string, policy: string, ...more: string[]): Promise<string> =>
    built.job.run(...CLI, 'prune', '--apply', `--images=${image}`, `--retention=${graceless(policy)}`, ...more);
  const undo = (journal: string): Promise<string> => built.job.run(...CLI, 'undo', journal);

  /** Pulls, checks and runs each platform, and verifies its signature and that of the index. */
  const expectWhole = async (image: string, name: ImageName): Promise<void> => {
    const reference = `${image}:${IMAGES[name][0]}`;
    const digests = [(await built.job.run('crane', 'digest', reference)).trim()];
    for (const platform of name === 'plain' ? PLATFORMS.slice(0, 1) : PLATFORMS) {
      digests.push(await built.job.run('crane', 'digest', `--platform=${platform}`, reference));
      expect(await built.job.run('crane', 'validate', `--platform=${platform}`, `--remote=${reference}`)).toMatch(
        /PASS/,
      );
      const [, architecture] = platform.split('/');
      const shown = name !== 'mixed' ? name : architecture === 'amd64' ? 'ours' : 'scanned';
      const at = `${image}@${digests.at(-1)}`;
      expect(await built.job.run('docker', 'run', '--rm', '--quiet', `--platform=${platform}`, at)).toBe(shown);
      await built.job.run('docker', 'image', 'rm', '--force', at);
    }
    if (name === 'plain') return;
    for (const digest of SIGNED_THROUGHOUT.includes(name) ? digests : digests.slice(0, 1)) {
      const own = [`--key=${built.publicKey}`, '--insecure-ignore-tlog=true'];
      await built.job.run('cosign', 'verify', ...own, `${image}@${digest}`);
    }
    const verified = await built.job.run(...CLI, 'verify', reference, `--sign-key=${built.publicKey}`);
    expect(verified).toContain('with the key');
  };

  /** Just the images with these tags are there, and nothing of the others. */
  const expectLeft = async (image: string, before: Snapshot, kept: readonly ImageName[]): Promise<void> => {
    const expected = partOf(
      before,
      kept.flatMap((name) => IMAGES[name]),
    );
    expect(await takeSnapshot(image)).toEqual(expected);
    const gone = Object.keys(before.manifests).filter((digest) => expected.manifests[digest] === undefined);
    expect(gone.length).toBeGreaterThan(10);
    expect(new Set(await Promise.all(gone.map((digest) => statusOfManifest(image, digest))))).toEqual(new Set([404]));
  };

  it.each(REGISTRIES)(
    'go with all that is theirs, stay with all that is theirs, and come back byte for byte: in %s',
    { timeout: TIMEOUT_MS },
    async (_, start, policy, kept) => {
      const image = await built.copyTo(await start());
      const before = await takeSnapshot(image);
      const said = await prune(image, policy);
      expect(said).not.toMatch(/warning|failed|skipped/);
      await expectLeft(image, before, kept);
      for (const name of kept) await expectWhole(image, name);
      expect(await prune(image, policy)).toContain('no image to delete');

      const journal = journalIn(said);
      expect(await undo(journal)).toMatch(/^[1-9]\d* brought back, \d+ there already, 0 lost$/m);
      expect(await takeSnapshot(image)).toEqual(before);
      for (const name of keysOf(IMAGES).filter((one) => !kept.includes(one))) await expectWhole(image, name);
      expect(await undo(journal)).toMatch(/^0 brought back, [1-9]\d* there already, 0 lost$/m);
      expect(await takeSnapshot(image)).toEqual(before);
    },
  );

  describe.each(REGISTRIES.slice(0, 2))('in %s', (_, start) => {
    it.each([
      ['after a deletion, before it is written down', 3, 'after'],
      ['late', 20, 'before'],
    ] as const)(
      'are whole when the pruning is killed %s, and the next one finishes',
      { timeout: TIMEOUT_MS },
      async (__, count, side) => {
        const proxy = await startRegistryProxy(await start());
        onTestFinished(() => proxy.close());
        const image = await built.copyTo(proxy.host);
        const before = await takeSnapshot(image);
        const journals = await killed(proxy, { image, deletions: count, side });
        proxy.release();
        const left = await takeSnapshot(image);
        for (const tags of Object.values(IMAGES))
          for (const tag of tags) if (left.tags[tag] !== undefined) await expectPulled(image, tag);
        const said = await prune(image, NEWEST);
        expect(await prune(image, NEWEST)).toContain('no image to delete');
        const { tags } = partOf(before, [...IMAGES.scanned, ...IMAGES.plain, ...IMAGES.mixed]);
        expect((await takeSnapshot(image)).tags).toEqual(tags);
        for (const journal of [journalIn(said), ...journals]) expect(await undo(journal)).toContain(' 0 lost');
        expect(await takeSnapshot(image)).toEqual(before);
      },
    );
  });

  const expectPulled = async (image: string, tag: string): Promise<void> => {
    for (const platform of tag === 'edge' ? PLATFORMS.slice(0, 1) : PLATFORMS)
      await built.job.run('crane', 'validate', `--platform=${platform}`, `--remote=${image}:${tag}`);
  };

  /** Ends a pruning without a word at one of its deletions; answers the journals that it has left. */
  const killed = async (
    proxy: RegistryProxy,
    at: { readonly image: string; readonly deletions: number; readonly side: 'before' | 'after' },
  ): Promise<readonly string[]> => {
    const state = path.join(built.job.directory, '.local/state/build-once-prune');
    const journals = (): readonly string[] => {
      const names = readdirSync(path.dirname(state)).includes('build-once-prune') ? readdirSync(state) : [];
      return names.filter((name) => name.startsWith('journal-')).map((name) => path.join(state, name));
    };
    const known = new Set(journals());
    let deletions = 0;
    // The first asks whether this registry deletes at all.
    const isThere = ({ method }: SeenRequest): boolean => {
      if (at.side === 'after' && deletions > at.deletions) return true;
      if (method === 'DELETE') deletions += 1;
      return at.side === 'before' && deletions > at.deletions;
    };
    proxy.forget();
    const held = proxy.hold(isThere);
    const [program, ...args] = CLI;
    const given = ['prune', '--apply', `--images=${at.image}`, `--retention=${graceless(NEWEST)}`];
    const child = spawn(program, [...args, ...given], {
      cwd: built.job.workspace,
      env: built.job.env,
      stdio: 'ignore',
    });
    const ended = once(child, 'exit');
    await Promise.race([held, ended]);
    expect(child.exitCode).toBe(null);
    child.kill('SIGKILL');
    expect(await ended).toEqual([null, 'SIGKILL']);
    return journals().filter((name) => !known.has(name));
  };

  describe('of which a tag expires', () => {
    const POLICY = 'stable : delete\nedge : keep 1\nlimits : untag safe, grace 1s';
    const pruneTags = (image: string): Promise<string> =>
      built.job.run(...CLI, 'prune', '--apply', `--images=${image}`, `--retention=${POLICY}`);

    it('lose that tag alone in the embedded registry, and get it back', { timeout: TIMEOUT_MS }, async () => {
      const image = await built.copyTo(await embedded());
      const before = await takeSnapshot(image);
      const said = await pruneTags(image);
      const { stable: _, ...tags } = before.tags;
      expect(await takeSnapshot(image)).toEqual({ ...before, tags });
      await expectWhole(image, 'sbom');
      expect(await undo(journalIn(said))).toContain('1 brought back');
      expect(await takeSnapshot(image)).toEqual(before);
    });

    it('keep it in docker-registry, which deletes no tag alone: 61', { timeout: TIMEOUT_MS }, async () => {
      const proxy = await startRegistryProxy(toolchain.registry);
      onTestFinished(() => proxy.close());
      const image = await built.copyTo(proxy.host);
      const before = await takeSnapshot(image);
      proxy.forget();
      expect(await pruneTags(image)).toContain('cannot take a tag off');
      expect(proxy.requests.filter(({ method }) => /^(?:PUT|POST|PATCH)$/.test(method))).toEqual([]);
      expect(await takeSnapshot(image)).toEqual(before);
    });
  });
});

/** Without a grace period to speak of: these images are minutes old. */
function graceless(policy: string): string {
  return `${policy}\nlimits : grace 1s`;
}

function journalIn(said: string): string {
  const [, file = ''] = /what was deleted is in (\S+): /.exec(said) ?? [];
  expect(file, said).not.toBe('');
  return file;
}

function keysOf(images: typeof IMAGES): readonly ImageName[] {
  return ['ours', 'bundles', 'sigTags', 'sbom', 'scanned', 'plain', 'mixed'].filter(
    (name): name is ImageName => name in images,
  );
}
