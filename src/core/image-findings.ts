import {
  compareFindings,
  type Finding,
  type FindingLayer,
  identityOf,
  identityParts,
  linesOf,
  type PlatformScan,
  packageOf,
  rankOf,
  type Severity,
} from './findings.ts';

/** Where a finding was found. */
export interface Occurrence {
  readonly platform: string;
  readonly layer: FindingLayer | undefined;
  /** The published image does not have it, or not that bad; false when there was nothing to compare with. */
  readonly isNew: boolean;
}

/** A finding, and the platforms of the image that have it. */
export interface ImageFinding {
  readonly finding: Finding;
  readonly occurrences: readonly Occurrence[];
  /** On at least one platform. */
  readonly isNew: boolean;
}

/** The findings of all platforms, each once; those that are not in `known` are new. */
export function mergeScans(
  scans: readonly PlatformScan[],
  known: readonly PlatformScan[] | undefined,
): readonly ImageFinding[] {
  const merged = new Map<string, { readonly finding: Finding; readonly occurrences: Occurrence[] }>();
  for (const { platform, findings } of scans) {
    const isNew = known === undefined ? () => false : newnessIn(platform, known);
    const seen = new Map<string, number>();
    for (const finding of findings) {
      const appearance = appearanceOf(finding);
      const count = (seen.get(appearance) ?? 0) + 1;
      seen.set(appearance, count);
      // What looks the same twice on one platform is there twice.
      const key = count === 1 ? appearance : `${count}${appearance}`;
      const occurrence = { platform, layer: finding.layer, isNew: isNew(finding) };
      const entry = merged.get(key);
      if (entry === undefined) merged.set(key, { finding, occurrences: [occurrence] });
      else entry.occurrences.push(occurrence);
    }
  }
  const all = [...merged.values()].map((entry) => ({
    ...entry,
    isNew: entry.occurrences.some((occurrence) => occurrence.isNew),
  }));
  return all.sort((a, b) => compareFindings(a.finding, b.finding));
}

/** What two platforms must have in common to have the same finding. */
function appearanceOf(finding: Finding): string {
  const { startLine, endLine } = linesOf(finding);
  const versions = finding.kind === 'vulnerability' ? [finding.installed, finding.fixed] : [];
  const message = finding.kind === 'misconfiguration' ? finding.message : '';
  return JSON.stringify([
    ...identityParts(finding),
    finding.severity,
    finding.file,
    startLine,
    endLine,
    message,
    ...versions,
  ]);
}

/**
 * Says of findings, given the worst first, whether the published image lacks them. A platform that was not published before is
 * compared with all that were. Of secrets each one counts: a second one in a file is new. Of the rest the worst counts, as
 * the copies of a package come and go.
 */
function newnessIn(platform: string, known: readonly PlatformScan[]): (finding: Finding) => boolean {
  const same = known.filter((scan) => scan.platform === platform);
  const published = new Map<string, Severity[]>();
  // The worst first.
  for (const { finding } of mergeScans(same.length === 0 ? known : same, undefined)) {
    const identity = identityOf(finding);
    const severities = published.get(identity);
    if (severities === undefined) published.set(identity, [finding.severity]);
    else severities.push(finding.severity);
  }
  const taken = new Map<string, number>();
  return (finding) => {
    const identity = identityOf(finding);
    const position = finding.kind === 'secret' ? (taken.get(identity) ?? 0) : 0;
    taken.set(identity, position + 1);
    const before = published.get(identity)?.[position];
    return before === undefined || rankOf(finding.severity) < rankOf(before);
  };
}

/** `lodash 4.17.4`, `app/.env:2`, `the image's configuration`: what is affected, in a stranger's words. */
export function subjectOf(finding: Finding): string {
  const name = packageOf(finding);
  if (finding.kind === 'vulnerability') return `${name ?? ''} ${finding.installed}`.trim();
  if (name !== undefined) return name;
  if (finding.file === undefined) return "the image's configuration";
  const { startLine } = linesOf(finding);
  return startLine === undefined ? finding.file : `${finding.file}:${startLine}`;
}

/** The same, and where a secret is concerned the layer that brought it: taking it out in a later one would not help. */
export function placeOf({ finding, occurrences }: ImageFinding): string {
  const positions = new Set(finding.kind === 'secret' ? occurrences.map(({ layer }) => layer?.position) : []);
  const [position] = positions;
  const isOne = position !== undefined && positions.size === 1;
  return isOne ? `${subjectOf(finding)}, layer ${position}` : subjectOf(finding);
}
