import type { LayerName } from '../__tests__/support/layers.ts';
import type { Contest } from './measure.ts';
import type { Scenes } from './scenes.ts';
import type { Comparison } from './statistics.ts';

/** Something that is compared. */
export interface Row {
  /** Its id in the results, and for `--only`. */
  readonly name: string;
  readonly ours: string;
  readonly theirs: string;
  readonly comparison: Comparison;
  /** From the design; `undefined` where it sets none. Milliseconds when the comparison is `over`. */
  readonly target: number | undefined;
  readonly needs: readonly LayerName[];
  /** Pairs per round: short processes are measured more often, long ones less than once. */
  readonly pairs: number;
  /** Takes minutes: it is measured only where `--only` asks for it. */
  readonly slow?: boolean | undefined;
  readonly open: (scenes: Scenes) => Promise<Contest>;
}

/** Something that is counted, not timed. */
export interface Fact {
  readonly name: string;
  readonly what: string;
  readonly unit: 'MB' | 'requests' | 's' | '×' | 'reads' | 'cases' | 'packages' | 'violations';
  /** The most that it should be. */
  readonly target: number | undefined;
  readonly needs: readonly LayerName[];
  /** Takes minutes: it is counted only where `--only` asks for it. */
  readonly slow?: boolean | undefined;
  readonly count: (scenes: Scenes) => Promise<number>;
}
