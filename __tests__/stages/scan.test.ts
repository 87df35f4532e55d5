import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { isBuildOnceError } from '../../src/errors.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { MEDIA_TYPES } from '../../src/oci/types.ts';
import { parseOptions, type RawOptions } from '../../src/options.ts';
import type { FoundImage } from '../../src/registry/image.ts';
import type { Results, Run } from '../../src/stage.ts';
import { chooseStage } from '../../src/stages/choose.ts';
import { passGate } from '../../src/stages/gate.ts';
import { pushStage } from '../../src/stages/push.ts';
import { scanStage } from '../../src/stages/scan.ts';
import { verdictStage } from '../../src/stages/verdict.ts';
import { sampleHash } from '../support/sample-hash.ts';
import { sampleRun } from '../support/sample-run.ts';
import { sampleScan } from '../support/sample-scan.ts';

const repository = { registry: 'ghcr.io', path: 'acme/app' };
const image: FoundImage = {
  repository,
  descriptor: { mediaType: MEDIA_TYPES.ociIndex, digest: digestOf('index'), sizeBytes: 1 },
  manifest: { kind: 'index', mediaType: MEDIA_TYPES.ociIndex, manifests: [], annotations: {} },
};
const PROBLEM = {
  line: 3,
  rule: 'X',
  severity: undefined,
  message: 'x',
  url: undefined,
  source: 'buildx',
} as const;
const engine: Results['engine'] = {
  platform: { os: 'linux', architecture: 'amd64' },
  isOwn: true,
  image,
  unfit: undefined,
  detail: '',
};
const build: Results['build'] = {
  image,
  labels: {},
  sizesBytes: new Map(),
  metadata: {},
  problems: [],
  layoutPath: '/tmp/layout',
};
const pushed: Results['build'] = { ...build, layoutPath: undefined };
const lookup = { reason: 'hit', detail: '', image, existing: new Map(), hashTags: new Map() } as const;
const choose = { image, reference: 'ghcr.io/acme/app:1' };
const warnings = [{ message: 'look here', line: 3 }];
const hash = sampleHash('ab'.repeat(32), { warnings, dockerfile: 'docker/Dockerfile' });
const record: Results['scan']['record'] = {
  schema: 1,
  image: image.descriptor.digest,
  scannedAt: '2026-11-21T17:00:00Z',
  settings: digestOf('settings'),
  scanner: '0.70.0',
  database: undefined,
  platforms: [],
};

interface Setting {
  readonly results: Partial<Results>;
  readonly inputs?: RawOptions;
  readonly event?: Partial<Run['event']>;
  readonly cwd?: string;
}

function runWith({ results, inputs = {}, event = {}, cwd = '/work/app' }: Setting): Run {
  const run = sampleRun({
    options: parseOptions({ images: 'ghcr.io/acme/app', ...inputs }).options,
    host: createTerminalHost({ env: {}, cwd, write: () => {} }),
    results,
  });
  return { ...run, event: { ...run.event, ...event } };
}

const FOREIGN = { push: false, untrusted: 'it comes from a fork' };

describe('the scan', () => {
  it.each<[string, Setting, object]>([
    ['is off', { results: { lookup }, inputs: { scan: 'false' } }, { skip: 'scan is off' }],
    ['has no image', { results: { lookup: { ...lookup, image: undefined } } }, { skip: 'there is no image' }],
    [
      'has one that only the local engine knows',
      { results: { lookup, engine } },
      { skip: 'only the local engine has the image' },
    ],
    [
      'looks at what was built, in its layout, whatever was found before',
      { results: { lookup: { ...lookup, image: undefined }, build: { ...build, problems: [PROBLEM] }, hash } },
      {
        image,
        layoutPath: '/tmp/layout',
        only: [],
        mayKeep: false,
        dockerfile: 'docker/Dockerfile',
        problems: [PROBLEM],
        warnings,
      },
    ],
    ['looks at what the builder has pushed', { results: { build: pushed } }, { layoutPath: undefined, mayKeep: false }],
    [
      'takes what is kept with a reused image, and of it all platforms',
      { results: { lookup, hash }, inputs: { platforms: 'linux/arm64' } },
      { image, layoutPath: undefined, only: [], mayKeep: true, problems: [] },
    ],
    [
      'is what the command is for, whatever scan says, of the platforms that are named',
      { results: { choose }, inputs: { scan: 'false', platforms: 'linux/arm64,linux/arm/v7' } },
      { image, only: ['linux/arm64', 'linux/arm/v7'], mayKeep: false, dockerfile: undefined, warnings: [] },
    ],
    ['looks at all platforms when none is named', { results: { choose } }, { only: [] }],
    [
      'names no Dockerfile outside of the workspace',
      { results: { lookup, hash: { ...hash, dockerfile: '/elsewhere/Dockerfile' } } },
      { dockerfile: undefined },
    ],
    [
      'names the Dockerfile as the repository does',
      { results: { lookup, hash: { ...hash, dockerfile: '/work/app/a/../Dockerfile' } } },
      { dockerfile: 'Dockerfile' },
    ],
  ])('%s', (_, setting, plan) => {
    expect(scanStage.plan(runWith(setting))).toMatchObject(plan);
  });

  it('names no Dockerfile of a git repository that is not the workspace', () => {
    const run = runWith({ results: { lookup, hash } });
    const remote = 'https://github.com/acme/app.git';
    const main = {
      pinned: `${remote}#${'a'.repeat(40)}`,
      remote,
      commit: 'a'.repeat(40),
      file: 'Dockerfile',
      keepsGitDirectory: false,
    };
    expect(scanStage.plan({ ...run, git: { main, secrets: [] } })).toMatchObject({ dockerfile: undefined });
  });
});

describe('what was built', () => {
  it.each<[string, Setting, object]>([
    ['is not there', { results: { lookup } }, { skip: 'nothing was built' }],
    ['stays here', { results: { build }, event: { push: false } }, { skip: 'push is off' }],
    ["stays here in a stranger's run", { results: { build }, event: FOREIGN }, { skip: 'it comes from a fork' }],
    ['has been pushed by the builder', { results: { build: pushed } }, { skip: 'the builder has pushed it' }],
    ['is pushed from its layout', { results: { build } }, { image, layoutPath: '/tmp/layout' }],
  ])('%s', (_, setting, plan) => {
    expect(pushStage.plan(runWith(setting))).toEqual(plan);
  });
});

describe('the result of the scan', () => {
  const scan = sampleScan({ record });

  it.each<[string, Setting, object]>([
    ['is none', { results: { lookup } }, { skip: 'nothing was scanned' }],
    ['is of no image', { results: { scan } }, { skip: 'nothing was scanned' }],
    ['came from the image', { results: { lookup, scan: sampleScan() } }, { skip: 'it is kept already' }],
    ['is not kept without a push', { results: { lookup, scan }, event: { push: false } }, { skip: 'push is off' }],
    ['is not kept by a stranger', { results: { lookup, scan }, event: FOREIGN }, { skip: 'it comes from a fork' }],
    ['is kept with what was reused', { results: { lookup, scan } }, { image, record }],
    ['is kept with what was built', { results: { build, scan } }, { image, record }],
  ])('%s', (_, setting, plan) => {
    expect(verdictStage.plan(runWith(setting))).toEqual(plan);
  });
});

describe('the gate', () => {
  const failed = sampleScan({ passed: false, broken: 'CVE-1 in lib 1.0: lib 2.0 mends it' });
  const outcome = async (results: Partial<Results>): Promise<string> => {
    const run = runWith({ results });
    try {
      expect(await passGate(run)).toBe(run);
      return 'passed';
    } catch (error) {
      if (!isBuildOnceError(error)) throw error;
      return `${error.code} ${error.exitCode}: ${error.message}`;
    }
  };

  it.each<[string, Partial<Results>, string]>([
    ['lets pass what nobody scanned', { lookup }, 'passed'],
    ['lets pass what is allowed', { lookup, scan: sampleScan() }, 'passed'],
    [
      'stops what is not, and names it',
      { lookup, scan: failed },
      'SCAN_REJECTED 1: the scan found what is not allowed, and no tag was set:\nCVE-1 in lib 1.0: lib 2.0 mends it',
    ],
    [
      'speaks of no tags where none was to be set',
      { choose, scan: failed },
      'SCAN_REJECTED 1: the scan found what is not allowed:\nCVE-1 in lib 1.0: lib 2.0 mends it',
    ],
  ])('%s', async (_, results, said) => {
    expect(await outcome(results)).toBe(said);
  });
});

describe('the image that a command is about', () => {
  it('is the one that was named, else the one in use', () => {
    const named = { repository, target: { tag: '1' } };
    expect(chooseStage.plan(sampleRun({ named }))).toEqual({ named });
    expect(chooseStage.plan(sampleRun())).toEqual({ named: undefined });
  });
});
