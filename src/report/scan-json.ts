import { countBySeverity, type PlatformScan } from '../core/findings.ts';
import type { ImageFinding } from '../core/image-findings.ts';
import type { ImageScan } from '../core/image-scan.ts';

/** The same as a file. */
export function renderScanJson(scan: ImageScan): string {
  return `${JSON.stringify(scanDocument(scan), undefined, 2)}\n`;
}

/** A scan for programs: everything that was found, each finding once, and what the gate made of it. */
export function scanDocument(scan: ImageScan): object {
  const { image, comparedWith, findings, verdict } = scan;
  const { rules, passed, breaches } = verdict;
  const positions = new Map(findings.map((found, position) => [found, position]));
  return {
    schema: 1,
    image,
    comparedWith,
    passed,
    rules: { ...rules, budget: Object.fromEntries(rules.budget) },
    // By position in `findings`.
    breaches: breaches.map((breach) => ({
      rule: breach.rule,
      severity: breach.severity,
      allowed: breach.allowed,
      findings: breach.findings.map((found) => positions.get(found)),
    })),
    counts: countBySeverity(findings.map(({ finding }) => finding)),
    new: comparedWith === undefined ? undefined : findings.filter(({ isNew }) => isNew).length,
    platforms: scan.scans.map(platformOf),
    findings: findings.map(findingOf),
  };
}

function platformOf({ platform, scanner, system, findings, hidden }: PlatformScan): object {
  return { platform, scanner, system, counts: countBySeverity(findings), hidden };
}

function findingOf({ finding, occurrences, isNew }: ImageFinding): object {
  const { layer: _, ...facts } = finding;
  return { ...facts, isNew, occurrences };
}
