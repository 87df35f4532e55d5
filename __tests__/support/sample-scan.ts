import type { Results } from '../../src/stage.ts';

/** What the scan stage leaves when nothing was found; `parts` stand in for its own. */
export function sampleScan(parts: Partial<Results['scan']> = {}): Results['scan'] {
  return {
    passed: true,
    summary: 'nothing found',
    broken: '',
    counts: { CRITICAL: 0, HIGH: 0, MEDIUM: 0, LOW: 0, UNKNOWN: 0 },
    newVulnerabilities: undefined,
    keptSince: undefined,
    files: { directory: '/tmp/reports', sarif: '/tmp/reports/scan.sarif' },
    document: { schema: 1, findings: [] },
    text: 'the text of the scan',
    markdown: '#### The Markdown of the scan',
    record: undefined,
    ...parts,
  };
}
