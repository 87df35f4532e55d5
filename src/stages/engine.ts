import { closestPlatform, formatPlatform } from '../core/platform.ts';
import { familiarName, formatReference, type RepositoryName } from '../core/reference.ts';
import { findUnfit, type Unfit, type Wanted } from '../core/reuse.ts';
import { type Index, MEDIA_TYPES, type Platform } from '../oci/types.ts';
import type { FoundImage } from '../registry/image.ts';
import { isLoaded, type Run, resultOf, type Stage, wantedOf } from '../stage.ts';
import { openDocker } from '../tools/docker-config.ts';
import type { EngineImage } from '../tools/engine.ts';
import { loadEngine } from '../tools/load.ts';

/** What the local engine is, and what it has of this content. */
export interface EngineResult {
  /** The one platform that goes into the engine. */
  readonly platform: Platform;
  /** The engine runs it without emulation. */
  readonly isOwn: boolean;
  /** The image that makes a build and a registry needless; `undefined` when there is none, or when nobody asked. */
  readonly image: FoundImage | undefined;
  /** Why what the engine has is no hit; `undefined` on a hit, and when nobody asked. */
  readonly unfit: Unfit | undefined;
  /** One sentence for the summary. */
  readonly detail: string;
}

interface EnginePlan {
  /** Where to look, in order; empty when the registry decides. */
  readonly names: readonly { readonly repository: RepositoryName; readonly reference: string }[];
  readonly wanted: Wanted;
}

/**
 * Before anything is asked or built, makes sure that there is an engine to load into. A run that pushes nothing is content
 * with an image that the engine has; one that pushes needs it in the registry, and one that a scan may stop needs it where
 * Trivy can look at it.
 */
export const engineStage: Stage<'engine', EnginePlan> = {
  name: 'engine',
  title: 'Look at the local engine',
  plan(run) {
    if (!isLoaded(run)) return { skip: 'load is off' };
    const { tag } = resultOf(run, 'hash');
    const { images, force } = run.options;
    const names = images.map((repository) => ({
      repository,
      reference: formatReference({ repository, tag, digest: undefined }),
    }));
    return {
      names: run.event.push || force || mayBeStopped(run) ? [] : names,
      wanted: wantedOf(run),
    };
  },
  async apply({ names, wanted }, run) {
    const { describeEngine, inspectImages } = await loadEngine();
    const docker = openDocker(run.host, []);
    const own = await describeEngine(docker);
    const platform = closestPlatform(wanted.platforms, own) ?? own;
    const isOwn = platform.architecture === own.architecture;
    sayWhich(run, platform, own);
    const images = await inspectImages(
      docker,
      names.map(({ reference }) => reference),
    );
    const seen = names.map((name) => judge(name, images, { ...wanted, platforms: [platform] }));
    const fit = seen.find(({ unfit }) => unfit === undefined);
    const worst = seen.find(({ unfit }) => unfit?.reason !== 'not-found') ?? seen[0];
    return {
      platform,
      isOwn,
      ...(fit ?? worst ?? { image: undefined, unfit: undefined, detail: 'the registry decides' }),
    };
  },
};

/** What the engine has may have been loaded under other rules, or has never been scanned. */
function mayBeStopped({ options: { scan, scanFailOn, scanBudget } }: Run): boolean {
  return scan && (scanFailOn !== 'none' || scanBudget.size > 0);
}

function sayWhich({ options, platforms, host }: Run, platform: Platform, own: Platform): void {
  if (!options.load)
    host.log.notice('no registry is named, so the image goes into the local engine, as with load: true');
  const name = formatPlatform(platform);
  if (platforms.length > 1) {
    const left = platforms.map(formatPlatform).filter((other) => other !== name);
    host.log.notice(`the local engine takes one platform: it gets ${name}, not ${left.join(', ')}`);
  }
  if (platform.architecture !== own.architecture) {
    host.log.notice(`the local engine runs ${formatPlatform(own)}: there ${name} needs emulation, and --platform`);
  }
}

/** Whether what the engine has under this name is the image that a build would give. */
function judge(
  { repository, reference }: EnginePlan['names'][number],
  images: readonly EngineImage[],
  wanted: Wanted,
): Omit<EngineResult, 'platform' | 'isOwn'> {
  const found = images.find(({ names }) => names.has(reference));
  const name = familiarName(reference);
  if (found === undefined) {
    const detail = `the local engine has no ${name}`;
    return { image: undefined, unfit: { reason: 'not-found', detail }, detail };
  }
  const descriptor = { mediaType: MEDIA_TYPES.ociIndex, digest: found.id, sizeBytes: found.sizeBytes };
  // The engine shows no index; its image has the labels that the index has as annotations.
  const manifest: Index = { kind: 'index', mediaType: descriptor.mediaType, manifests: [], annotations: found.labels };
  const unfit = findUnfit({ ...manifest, manifests: [{ ...descriptor, platform: found.platform }] }, wanted);
  if (unfit === undefined) {
    const detail = `the local engine has this content as ${name}`;
    return { image: { repository, descriptor, manifest }, unfit, detail };
  }
  const detail = `${name} in the local engine is ${found.id}: ${unfit.detail}`;
  return { image: undefined, unfit: { ...unfit, detail }, detail };
}
