import type { CommandCall } from '../command.ts';
import type { Host } from '../host.ts';
import type {
  checkMayPush,
  destinationOf,
  findProblems,
  openWorkbench,
  originOf,
  planBaseBuild,
  planImageBuild,
  refuseChangedContext,
  takeBuilt,
} from '../image-build.ts';
import type { isGiven, parseOptions, RawOptions } from '../options.ts';
import type { ImageReporter } from '../report/many.ts';
import type { Run, RunnableStage } from '../stage.ts';
import type { openReadyScanner } from '../stages/ready.ts';

/** What is done for one image. It comes from who calls, so that it is not in two bundles. */
export interface ImagePipeline {
  readonly parseOptions: typeof parseOptions;
  readonly isGiven: typeof isGiven;
  /** All that can be decided of one image before the first request. UsageError with every problem. */
  prepare(raw: RawOptions, host: Host, isRequested: boolean): Promise<Run>;
  /** Nothing is to be done: the ref of the event was deleted. */
  isIdle(run: Run): boolean;
  /** Up to where it is known whether the image is there, and why not. */
  readonly look: readonly RunnableStage[];
  /** The content hash alone, made as `look` makes it: of what nobody wants but as a base. */
  readonly hashOnly: readonly RunnableStage[];
  readonly openScanner: typeof openReadyScanner;
  readonly build: {
    readonly plan: typeof planImageBuild;
    readonly planBase: typeof planBaseBuild;
    readonly checkMayPush: typeof checkMayPush;
    readonly open: typeof openWorkbench;
    readonly destinationOf: typeof destinationOf;
    readonly originOf: typeof originOf;
    readonly findProblems: typeof findProblems;
    readonly refuseChangedContext: typeof refuseChangedContext;
    readonly take: typeof takeBuilt;
  };
  /** After the build, or instead of it. */
  readonly finish: readonly RunnableStage[];
  /** Those of them that must not run for two images at once. */
  readonly inTurn: ReadonlySet<RunnableStage>;
  readonly report: ImageReporter;
  /** Closes what the runs have opened. */
  close(): void;
}

/** A run over several images: what was asked for. */
export interface ManyCall {
  readonly command: 'build' | 'plan';
  readonly raw: RawOptions;
  readonly host: Host;
  readonly call: CommandCall;
}
