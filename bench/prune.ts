import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GhcrOptions } from '../__tests__/support/ghcr/options.ts';
import { numberAt, parseJson, textAt } from '../src/core/json.ts';
import { CLI, peakBytes, plainEnvironment } from './hit.ts';
import { startLineProcess } from './line-process.ts';
import { time, type Work } from './measure.ts';

/** What a run took, and what it asked for. */
export interface PruneRun {
  readonly tookMs: number;
  /** That the stand-in answered, tokens and what came before a token among them. */
  readonly requests: number;
  /** Manifests that were read. */
  readonly manifests: number;
  readonly deletions: number;
  /** By one of GitHub's limits. */
  readonly refusals: number;
}

/** A package of so many versions on a stand-in for GitHub, which is a process of its own; each is measured once. */
export interface PruneScene {
  /** A dry run with nothing in the cache, and the same once more; each request is answered after 100 ms. */
  plan(versions: number): Promise<readonly [cold: PruneRun, warm: PruneRun]>;
  /** A run when nothing is old enough to go. */
  idle(versions: number): Promise<PruneRun>;
  /** A run that deletes, while the stand-in keeps GitHub's limits. */
  full(versions: number): Promise<PruneRun>;
  /** The largest resident memory of a dry run that writes its plan into a file. */
  peakBytes(versions: number): Promise<number>;
}

const KEEP_10 = '* : keep 10\nuntagged : keep 10\nlimits : max-delete 100%';
/** What has a tag only: so the rivals count, and so the target was set. */
const KEEP_10_TAGGED = '* : keep 10\nlimits : max-delete 100%';
const KEEP_10_YEARS = '* : for 10y\nuntagged : for 10y';
/** Before each answer of the stand-in. */
export const LATENCY_MS = 100;
/** Of a package from which a run deletes, and of the largest that a plan lists. */
export const DELETED_VERSIONS = 1000;
export const LISTED_VERSIONS = 100_000;

/**
 * The requests with which dataaxiom/ghcr-cleanup-action plans so many versions, from its code and from counting them at 100,
 * 1,000 and 10,000: two for the package, two for a token, each page, and the manifest of each version.
 */
export function leaderRequests(versions: number): number {
  return 2 + 2 + Math.ceil(versions / 100) + versions;
}

export function openPruneScene(): PruneScene {
  const plan = eachOnce((versions) =>
    onPackage({ versions, latencyMs: LATENCY_MS }, async ({ run, prune }) => {
      const work = prune(KEEP_10);
      return [await run(work), await run(work)] as const;
    }),
  );
  return {
    plan,
    idle: eachOnce((versions) => onPackage({ versions }, ({ run, prune }) => run(prune(KEEP_10_YEARS)))),
    full: eachOnce((versions) =>
      onPackage({ versions, rateLimit: true }, ({ run, prune }) => run(prune(KEEP_10_TAGGED, '--apply'))),
    ),
    peakBytes: eachOnce((versions) =>
      onPackage({ versions }, ({ prune }) => peakBytes(prune(KEEP_10, '--plan-out=plan.json'))),
    ),
  };
}

function eachOnce<T>(measure: (versions: number) => Promise<T>): (versions: number) => Promise<T> {
  const measured = new Map<number, Promise<T>>();
  return (versions) => {
    const one = measured.get(versions) ?? measure(versions);
    measured.set(versions, one);
    return one;
  };
}

interface Package {
  readonly prune: (retention: string, ...more: string[]) => Work;
  readonly run: (work: Work) => Promise<PruneRun>;
}

/** Gives a package to work on, and takes it down. */
async function onPackage<T>(options: GhcrOptions, use: (one: Package) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'build-once-prune-'));
  const ghcr = await startLineProcess('./ghcr.ts', JSON.stringify(options));
  try {
    const greeting = parseJson(ghcr.greeting);
    const ca = join(directory, 'ca.pem');
    writeFileSync(ca, textAt(greeting, 'authorities') ?? '');
    const reached = ['HTTPS_PROXY', 'GITHUB_API_URL', 'GITHUB_SERVER_URL'].map((name) => [
      name,
      textAt(greeting, 'env', name),
    ]);
    const env = { ...plainEnvironment(directory), ...Object.fromEntries(reached), DOCKER_CONFIG: directory };
    const fixed = ['--images=ghcr.io/acme/app', `--registry-ca=${ca}`, '--github-token=ghp_bench'];
    return await use({
      prune: (retention, ...more) => ({
        steps: [
          {
            argv: [process.execPath, CLI, 'prune', ...fixed, `--retention=${retention}`, ...more],
            env,
            cwd: directory,
          },
        ],
        check: isPlanned,
      }),
      async run(work) {
        const { tookMs } = await time(work);
        const asked = parseJson(await ghcr.ask());
        const count = (name: string): number => numberAt(asked, name) ?? Number.NaN;
        return {
          tookMs,
          requests: count('requests'),
          manifests: count('manifests'),
          deletions: count('deletions'),
          refusals: count('refusals'),
        };
      },
    });
  } finally {
    await ghcr.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function isPlanned(written: string): string {
  if (/^plan [0-9a-f]{64}/m.test(written)) return '';
  throw new Error(`this was to be a plan:\n${written.slice(-4000)}`);
}
