import { textAt, valueAt } from './json.ts';
import { type ScannedPlatform, type ScanRecord, trimTrivyReport } from './scan-record.ts';
import { builderOf, type WorkflowRun } from './workflow-run.ts';

/** https://github.com/sigstore/cosign/blob/v3.0.2/specs/COSIGN_VULN_ATTESTATION_SPEC.md */
export const SCAN_PREDICATE = 'https://cosign.sigstore.dev/attestation/vuln/v1';

/** Who scanned, and when. */
export interface ScanFacts {
  readonly run: WorkflowRun | undefined;
  readonly identity: string | undefined;
  /** What was looked for. */
  readonly scanners: readonly string[];
  /** What the report is to call the image: `ghcr.io/acme/app@sha256:…`. */
  readonly image: string;
  /** RFC 3339. */
  readonly finishedAt: string;
}

/** What the scan of one platform found, with Trivy's report less all that could be secret. */
export function scanPredicate(
  record: Pick<ScanRecord, 'scanner' | 'database' | 'scannedAt'>,
  { report }: ScannedPlatform,
  facts: ScanFacts,
): object {
  const { run, identity, scanners, image, finishedAt } = facts;
  return {
    invocation: {
      parameters: [`--scanners=${scanners.join(',')}`],
      uri: run?.url,
      event_id: run?.runId,
      'builder.id': builderOf(run, identity),
    },
    scanner: {
      uri: `pkg:github/aquasecurity/trivy@v${record.scanner}`,
      version: record.scanner,
      db: { lastUpdate: record.database },
      result: nameImage(trimTrivyReport(report), image),
    },
    metadata: { scanStartedOn: record.scannedAt, scanFinishedOn: finishedAt },
  };
}

/** What was scanned before it was pushed has the name of a folder of that machine. */
function nameImage(report: unknown, image: string): unknown {
  const given = textAt(report, 'ArtifactName');
  const results = valueAt(report, 'Results');
  if (typeof report !== 'object' || report === null || given === undefined) return report;
  return { ...report, ArtifactName: image, Results: Array.isArray(results) ? results.map(rename) : results };

  function rename(result: unknown): unknown {
    const target = textAt(result, 'Target');
    if (typeof result !== 'object' || given === undefined || target?.startsWith(given) !== true) return result;
    return { ...result, Target: `${image}${target.slice(given.length)}` };
  }
}
