import type { Problem } from './errors.ts';
import type { OptionName } from './option-table.ts';
import type { Options } from './options.ts';
import type { PruneCall, RunnableStage } from './stage.ts';

/** A command: what it needs, and the stages it runs, in order. */
export interface Command {
  readonly required: readonly OptionName[];
  /** It may call buildx, so that secrets must be there. */
  readonly builds: boolean;
  /** It takes several images, by `files`. */
  readonly takesFiles?: true;
  /** It only looks, so that what a build needs besides may be missing. */
  readonly plans?: true;
  /** It takes the name of an image in a registry. */
  readonly takesImage?: boolean;
  /** It has to know whose signatures count. */
  readonly verifies?: true;
  /** It reads no files of a build. */
  readonly hasNoContext?: true;
  /** It deletes images, or brings them back; a build does so too where it is told what to keep. */
  readonly prunes?: true;
  /** Whether Trivy may be needed. */
  readonly scans?: (options: Options) => boolean;
  readonly stages: readonly RunnableStage[];
}

/** What a caller adds to the inputs of a command. */
export interface CommandCall {
  /** Problems that the caller has seen already, to be told together with those of the inputs. */
  readonly found?: readonly Problem[];
  /**
   * The image that `explain` compares with, or that `scan` looks at: a tag or digest of the first of `images`, or a full
   * reference.
   */
  readonly reference?: string | undefined;
  /** How `prune` is to go about it. */
  readonly prune?: PruneCall;
  /** The journal that `undo` reads. */
  readonly journal?: string | undefined;
}
