import type { KnownBases } from './base-configs.ts';
import type { ImageChoice } from './core/image-choice.ts';
import { isLocalName, type RepositoryName, sameRepository } from './core/reference.ts';
import type { Wanted } from './core/reuse.ts';
import type { SignMode } from './core/sign-plan.ts';
import type { TagCandidate, TagPlan } from './core/tag-candidates.ts';
import type { TrustPlan } from './core/trust-plan.ts';
import type { FindDistrust } from './distrust.ts';
import type { Host } from './host.ts';
import type { Platform } from './oci/types.ts';
import type { Options } from './options.ts';
import type { Scanner } from './platform-scans.ts';
import type { FoundImage } from './registry/image.ts';
import type { Registries, RegistriesSettings, RegistryRepository } from './registry/open.ts';
import type { Turns } from './registry/turns.ts';
import type { SharedWork } from './shared-work.ts';
import type { AttachResult } from './stages/attach.ts';
import type { BuildResult } from './stages/build.ts';
import type { ChooseResult } from './stages/choose.ts';
import type { EngineResult } from './stages/engine.ts';
import type { RunEvent } from './stages/event.ts';
import type { ExplainResult } from './stages/explain.ts';
import type { GitContexts } from './stages/git-contexts.ts';
import type { HashResult } from './stages/hash.ts';
import type { LoadResult } from './stages/load.ts';
import type { LookupResult } from './stages/lookup.ts';
import type { PruneResult } from './stages/prune.ts';
import type { PushResult } from './stages/push.ts';
import type { ScanResult } from './stages/scan.ts';
import type { SignResult } from './stages/sign.ts';
import type { TagResult } from './stages/tag.ts';
import type { UndoResult } from './stages/undo.ts';
import type { VerdictResult } from './stages/verdict.ts';
import type { VerifyResult } from './stages/verify.ts';

/** What each stage leaves for those after it. */
export interface Results {
  readonly hash: HashResult;
  readonly engine: EngineResult;
  readonly lookup: LookupResult;
  readonly explain: ExplainResult;
  readonly build: BuildResult;
  readonly choose: ChooseResult;
  readonly scan: ScanResult;
  readonly push: PushResult;
  readonly attach: AttachResult;
  readonly verdict: VerdictResult;
  readonly sign: SignResult;
  readonly verify: VerifyResult;
  readonly tag: TagResult;
  readonly load: LoadResult;
  readonly prune: PruneResult;
  readonly undo: UndoResult;
}

/** How `prune` is to go about it, where a person calls it. */
export interface PruneCall {
  /** `false` plans only. */
  readonly apply: boolean;
  /** Where to write the plan. */
  readonly planOut: string | undefined;
  /** The plan to carry out, and no other. */
  readonly planFile: string | undefined;
  /** Shows the plan and asks; `undefined` asks nobody. */
  readonly ask: ((plan: string) => Promise<boolean>) | undefined;
}

export type StageName = keyof Results;

/** A stage that has nothing to do, and why. */
export interface Skip {
  readonly skip: string;
}

/** One line of the journal: what a stage did, or why it did nothing. */
export interface JournalEntry {
  readonly stage: StageName;
  readonly skipped: string | undefined;
  readonly durationMs: number;
  /** Of a build that made several images in one call: how many. */
  readonly imageCount?: number;
}

/** Trivy, made ready while other things are done, or for several images. */
export interface ReadyScanner {
  readonly ready: Promise<Scanner>;
  /** Whoever shares it scans one image after the other. */
  readonly turns?: Turns;
  stop(): Promise<void>;
}

/** A named context that is another image of this run. */
export interface Link {
  /** What the other image is called. */
  readonly target: string;
  /** Its content hash. */
  readonly hash: string;
  /** Its Dockerfile may leave triggers, ONBUILD, which nobody looks through here. */
  readonly mayTrigger: boolean;
}

/** One run of a command: what it was asked for, what it can reach, and what its stages found out so far. */
export interface Run {
  readonly command: string;
  readonly options: Options;
  /** The platforms to build: as asked, else Linux on this machine's architecture. */
  readonly platforms: readonly Platform[];
  /** What started the run. */
  readonly event: RunEvent;
  /** How this run signs. */
  readonly signing: SignMode;
  /** Whose images it reuses. */
  readonly trust: TrustPlan;
  /** Asks that of what is in a registry. */
  readonly findDistrust: FindDistrust;
  /** The tags that this run is to set, decided before the first request. */
  readonly tags: TagPlan;
  readonly host: Host;
  readonly registries: Registries;
  /** How these registries are reached, for what opens its own. */
  readonly access: RegistriesSettings;
  /** As a person calls `prune`; the action has none, and carries its plan out. */
  readonly prune: PruneCall | undefined;
  /** The journal that `undo` reads. */
  readonly journalPath: string | undefined;
  /** The image that the command is about; the baseline without one. */
  readonly named?: ImageChoice;
  readonly startedAt: Date;
  /** Set where named contexts are other images of this run, by the context's name. */
  readonly links?: ReadonlyMap<string, Link>;
  /** Set before the hash, where a context is a git repository. */
  readonly git?: GitContexts;
  /** Set where base images have triggers that the hash, made again, is to cover. */
  readonly bases?: KnownBases;
  /** Set where the run is one of several over the same files and registries. */
  readonly shared?: SharedWork;
  /** Set where an image is to be scanned that is only being built. */
  readonly scanner?: ReadyScanner;
  readonly results: Partial<Results>;
  /** How long the build took of the image that was reused, where that is known: at the end. */
  readonly savedSeconds?: number;
  readonly journal: readonly JournalEntry[];
}

/** One step of the pipeline: it decides purely, then acts. Stages meet only in `Run.results`. */
export interface Stage<Name extends StageName, Plan extends object> {
  readonly name: Name;
  /** What a person reads above the stage's log lines. */
  readonly title: string;
  /** Pure: from the options and the results so far to what is to be done, or a reason to do nothing. */
  plan(run: Run): Plan | Skip;
  apply(plan: Plan, run: Run): Promise<Results[Name]>;
}

/** A stage with its plan's type closed over, so that stages of all kinds stand in one list. */
export type RunnableStage = (run: Run) => Promise<Run>;

/** The result of a stage that has run already; a stage that asks too early is a mistake in the pipeline. */
export function resultOf<Name extends StageName>(run: Run, name: Name): Results[Name] {
  const result = run.results[name];
  if (result === undefined) throw new TypeError(`the stage ${name} has not run yet`);
  return result;
}

/** The image that the run has ended with so far: what the tags are on, else what was built, found or named. */
export function imageOf({ results: { tag, build, lookup, choose } }: Run): FoundImage | undefined {
  return tag?.image ?? build?.image ?? lookup?.image ?? choose?.image;
}

/** What an image must be to be reused by this run. */
export function wantedOf(run: Run): Wanted {
  const { hash } = resultOf(run, 'hash');
  return { hash, platforms: run.platforms, maxAgeMs: run.options.maxAge, nowMs: run.startedAt.getTime() };
}

/** One of the run's images, with the right to push where the run pushes. */
export function openImage({ registries, event }: Run, name: RepositoryName): RegistryRepository {
  return registries.open(name, event.push ? 'push' : 'pull');
}

/** The tags that are for this image: all but full references to another one. */
export function candidatesFor({ tags }: Run, name: RepositoryName): readonly TagCandidate[] {
  return tags.candidates.filter(({ repository }) => repository === undefined || sameRepository(repository, name));
}

/**
 * Whether the image is to be in the local engine: as asked, and where a name leads to no registry, since nothing would remain
 * of the build otherwise.
 */
export function isLoaded({ options }: Run): boolean {
  return options.load || options.images.some(isLocalName);
}

/** Closes over a stage: plan, then apply inside a log group, then a journal line. */
export function runnable<Name extends StageName, Plan extends object>(stage: Stage<Name, Plan>): RunnableStage {
  return async (run) => {
    run.host.signal.throwIfAborted();
    const startedAt = run.host.now().getTime();
    const plan = stage.plan(run);
    const skipped = isSkip(plan) ? plan.skip : undefined;
    const results = isSkip(plan)
      ? {}
      : { [stage.name]: await run.host.log.group(stage.title, () => stage.apply(plan, run)) };
    const entry = { stage: stage.name, skipped, durationMs: run.host.now().getTime() - startedAt };
    return { ...run, results: { ...run.results, ...results }, journal: [...run.journal, entry] };
  };
}

function isSkip(plan: object): plan is Skip {
  return 'skip' in plan;
}
