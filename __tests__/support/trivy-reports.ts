import { readFileSync } from 'node:fs';
import path from 'node:path';
import {
  compareFindings,
  type Finding,
  type PlatformScan,
  type Secret,
  type Severity,
  type Vulnerability,
} from '../../src/core/findings.ts';
import type { GateRules } from '../../src/core/scan-rules.ts';
import { parseTrivyReport } from '../../src/core/trivy-report.ts';

export const SCAN_FIXTURES = path.join(import.meta.dirname, '..', 'fixtures');

/** What stands in the fixtures where Trivy wrote the image's secret in clear. */
export const STAND_IN = 'TOKEN-STOOD-HERE';

/** A report of real Trivy, made by tools/trivy-fixtures.ts. */
export function trivyReport(name: string): string {
  return readFileSync(path.join(SCAN_FIXTURES, 'trivy', `${name}.json`), 'utf8');
}

/** The same with a token wherever Trivy found one, in clear and where it masks it. */
export function leakyReport(name: string): { readonly report: unknown; readonly token: string } {
  const token = `ghp_${'a1B2c3D4e5F6'.repeat(3)}`;
  const text = trivyReport(name)
    .replaceAll(STAND_IN, token)
    .replace(/\*{8,}/g, token);
  if (!text.includes(token)) throw new Error(`${name} has no token`);
  return { report: JSON.parse(text), token };
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
  return { platform, scanner: '0.70.0', system: undefined, findings: [...findings].sort(compareFindings), hidden: [] };
}

const FACTS = { description: '', url: undefined, layer: undefined };

type Versions = Partial<Pick<Vulnerability, 'package' | 'installed' | 'fixed'>>;

export function vulnerability(id: string, severity: Severity, versions: Versions = {}): Vulnerability {
  const found = { package: 'lib', installed: '1.0', fixed: '2.0', ...versions };
  const place = { target: 'Node.js', file: `app/${found.package}/package.json`, origin: 'language' } as const;
  const rest = { title: `a flaw of ${found.package}`, status: undefined, purl: undefined, score: undefined };
  return { kind: 'vulnerability', ...FACTS, id, severity, ...place, ...found, ...rest };
}

export function secret(id: string, severity: Severity, file = 'app/.env', startLine = 1): Secret {
  const place = { target: file, file, startLine, endLine: startLine };
  return { kind: 'secret', ...FACTS, id, severity, title: 'a token', category: undefined, ...place };
}

export const LENIENT: GateRules = {
  failOn: 'none',
  severities: ['CRITICAL', 'HIGH'],
  ignoreUnfixed: false,
  budget: new Map(),
};
