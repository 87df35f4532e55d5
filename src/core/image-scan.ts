import type { PlatformScan } from './findings.ts';
import { type ImageFinding, mergeScans } from './image-findings.ts';
import type { GateRules } from './scan-rules.ts';
import { judge, type Verdict } from './scan-verdict.ts';

/** The published image that `new` means. */
export interface Baseline {
  /** `ghcr.io/acme/app:1.2.3` */
  readonly name: string;
  readonly scans: readonly PlatformScan[];
}

/** All that is known of an image after its platforms were scanned. */
export interface ImageScan {
  readonly image: string;
  readonly scans: readonly PlatformScan[];
  /** The name of the baseline; `undefined` when there was none to compare with. */
  readonly comparedWith: string | undefined;
  /** Each once, the worst first. */
  readonly findings: readonly ImageFinding[];
  readonly verdict: Verdict;
}

export interface ScannedImage {
  readonly image: string;
  readonly scans: readonly PlatformScan[];
  readonly baseline: Baseline | undefined;
}

/** Brings the scans of an image's platforms together, compares them with the published image and judges them. */
export function assessImage({ image, scans, baseline }: ScannedImage, rules: GateRules): ImageScan {
  const findings = mergeScans(scans, baseline?.scans);
  return { image, scans, comparedWith: baseline?.name, findings, verdict: judge(findings, rules) };
}
