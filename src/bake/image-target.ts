import type { RawOptions } from '../options.ts';

/** One image of several that one run is about: a target of a bake file, or a Dockerfile of a list. */
export interface ImageTarget {
  /** As the bake file calls it; of a Dockerfile, the name of its directory. */
  readonly name: string;
  /** The file that says so, as it was given. */
  readonly source: string;
  /**
   * What it says, by the names of inputs, each text as a person would write that input; what is not there is as for the
   * whole run. `tags` are full references. `build-contexts` leaves `links` out.
   */
  readonly inputs: RawOptions;
  /** The named contexts that are other targets: `NAME` → the target's name. */
  readonly links: ReadonlyMap<string, string>;
  /** `false` for one that nobody asked for, and that others are built on. */
  readonly isRequested: boolean;
}
