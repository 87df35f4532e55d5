import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Finding, PlatformScan, Severity } from '../../src/core/findings.ts';
import type { GateRules } from '../../src/core/scan-rules.ts';
import { parseTrivyReport } from '../../src/core/trivy-report.ts';

export const SCAN_FIXTURES = path.join(import.meta.dirname, '..', 'fixtures');

/** What stands in the fixtures where Trivy wrote the image's secret in clear. */
export const STAND_IN = 'TOKEN-STOOD-HERE';

/** A report of real Trivy, made by tools/trivy-fixtures.ts. */
export function trivyReport(name: string): string {
  return readFileSync(path.join(SCAN_FIXTURES, 'trivy', `${name}.json`), 'utf8');
}

export function scanOf(json: unknown, platform = 'linux/amd64'): PlatformScan {
  const scan = parseTrivyReport(json, platform);
  if (!scan.ok) throw new Error(scan.problem);
  return scan.value;
}

/** What real Trivy found. */
export function realScan(name: string, platform = 'linux/amd64'): PlatformScan {
  return scanOf(JSON.parse(trivyReport(name)), platform);
}

export function platformScan(findings: readonly Finding[], platform = 'linux/amd64'): PlatformScan {
  return { platform, scanner: '0.70.0', system: undefined, findings, hidden: [] };
}

const FACTS = { description: '', url: undefined, layer: undefined };

export function vulnerability(id: string, severity: Severity, fixed: string | undefined = '2.0', name = 'lib'): Finding {
  const versions = { installed: '1.0', fixed, status: undefined, purl: undefined, score: undefined };
  const place = { target: 'Node.js', file: `app/${name}/package.json`, origin: 'language' } as const;
  return { kind: 'vulnerability', ...FACTS, id, severity, title: `a flaw of ${name}`, ...place, package: name, ...versions };
}

export function secret(id: string, severity: Severity, file = 'app/.env', startLine = 1): Finding {
  const place = { target: file, file, startLine, endLine: startLine };
  return { kind: 'secret', ...FACTS, id, severity, title: 'a token', category: undefined, ...place };
}

export const LENIENT: GateRules = {
  failOn: 'none',
  severities: ['CRITICAL', 'HIGH'],
  ignoreUnfixed: false,
  budget: new Map(),
};
