import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_FINDINGS, parseTrivyReport } from '../../src/core/trivy-report.ts';
import { leakyReport, realScan, scanOf } from '../support/trivy-reports.ts';

const LAYER = 'sha256:398589e4b65bad46f1794969f9740658f0cb95bb619d0428798a62bb51b25a63';

function reportWith(result: object): unknown {
  return { SchemaVersion: 2, ArtifactName: 'app', Results: [{ Target: 'Node.js', Class: 'lang-pkgs', ...result }] };
}

const FLAW = { VulnerabilityID: 'CVE-1', PkgName: 'lib', InstalledVersion: '1', Severity: 'HIGH' };

describe('the findings of real Trivy', () => {
  it('are packages of the system', () => {
    const scan = realScan('os-amd64');
    expect(scan).toMatchObject({
      scanner: '0.70.0',
      system: { name: 'alpine 3.20.3', isSupported: false },
      hidden: [],
    });
    expect(scan.findings).toMatchObject([
      {
        kind: 'vulnerability',
        id: 'CVE-2023-45853',
        severity: 'HIGH',
        origin: 'system',
        package: 'zlib',
        installed: '1.3.1-r1',
        fixed: undefined,
        status: 'affected',
        target: 'alpine',
        file: undefined,
        layer: { position: 1 },
      },
      { id: 'CVE-2023-42364', severity: 'MEDIUM', package: 'busybox', fixed: '1.36.1-r29', score: 5.5 },
    ]);
  });

  it('are packages of languages, with the file that each is in', () => {
    expect(realScan('languages').findings).toMatchObject([
      { id: 'CVE-2019-10744', target: 'Node.js', file: 'app/node_modules/lodash/package.json', fixed: '4.17.12' },
      { id: 'CVE-2021-44906', origin: 'language', purl: 'pkg:npm/minimist@1.2.5' },
      {
        id: 'CVE-2018-18074',
        target: 'Python',
        score: 7.5,
        url: 'https://avd.aquasec.com/nvd/cve-2018-18074',
      },
    ]);
  });

  it('are secrets, with the line and the layer that brought them', () => {
    expect(realScan('secrets').findings).toMatchObject([
      {
        kind: 'secret',
        id: 'github-pat',
        category: 'GitHub',
        file: 'app/.env',
        startLine: 2,
        endLine: 2,
        layer: { digest: LAYER, position: 2 },
      },
      { kind: 'secret', target: 'configuration', file: undefined, startLine: undefined, layer: undefined },
      { kind: 'secret', target: 'configuration' },
    ]);
  });

  it('are misconfigurations, without the lines of a Dockerfile that Trivy made up', () => {
    expect(realScan('misconfigurations').findings).toMatchObject([
      { kind: 'misconfiguration', id: 'DS-0031', severity: 'CRITICAL', startLine: undefined, target: 'configuration' },
      { id: 'DS-0002', message: expect.stringContaining('USER'), resolution: expect.stringContaining('USER') },
      { id: 'DS-0026', severity: 'LOW' },
    ]);
  });

  it('are licenses, when that is asked for', () => {
    expect(realScan('licenses').findings).toMatchObject([
      { kind: 'license', id: 'AGPL-3.0-only', severity: 'CRITICAL', package: 'viral', category: 'forbidden' },
      { kind: 'license', id: 'MIT', severity: 'LOW' },
    ]);
  });

  it('are none, with results and without', () => {
    for (const name of ['clean', 'empty']) expect(realScan(name)).toMatchObject({ findings: [], hidden: [] });
  });

  it('are without those that an ignore file or VEX hides, which are told apart', () => {
    const { findings, hidden } = realScan('suppressed');
    expect(findings.map(({ id }) => id)).toEqual(['CVE-2019-10744']);
    expect(hidden).toEqual([
      {
        kind: 'vulnerability',
        id: 'CVE-2021-44906',
        status: 'ignored',
        statement: 'only our own arguments are parsed',
        source: 'ignored.yaml',
      },
      {
        kind: 'vulnerability',
        id: 'CVE-2018-18074',
        status: 'not_affected',
        statement: 'vulnerable_code_not_in_execute_path',
        source: 'app.vex.json',
      },
    ]);
  });

  it.each(['secrets', 'misconfigurations'])('hold nothing of the secret itself, which the report has (%s)', (name) => {
    const { report, token } = leakyReport(name);
    const scan = scanOf(report);
    expect(scan.findings.length).toBeGreaterThan(2);
    expect(JSON.stringify(scan)).not.toContain(token);
  });
});

describe('a report', () => {
  it.each([
    ['no object', [], 'SchemaVersion is not 2'],
    ['another schema', { SchemaVersion: 1 }, 'SchemaVersion is not 2'],
    ['results that are no list', { SchemaVersion: 2, Results: {} }, 'Results in the report is no list'],
    ['a result that is none', { SchemaVersion: 2, Results: ['x'] }, 'Results[0] is no object'],
    ['findings that are no list', reportWith({ Secrets: 'x' }), 'Secrets in Results[0] is no list'],
    ['a finding that is none', reportWith({ Vulnerabilities: [7] }), 'Results[0].Vulnerabilities[0] names no package'],
    ['a finding without a name', reportWith({ Secrets: [{ Severity: 'LOW' }] }), 'Results[0].Secrets[0] has no RuleID'],
    [
      'a severity that is none',
      reportWith({ Vulnerabilities: [FLAW, { ...FLAW, Severity: 'Critical\u001b[0m' }] }),
      'Results[0].Vulnerabilities[1] has the severity "Critical"',
    ],
    [
      'a severity that is no text',
      reportWith({ Vulnerabilities: [{ ...FLAW, Severity: 4 }] }),
      'Results[0].Vulnerabilities[0] has the severity a value of type number',
    ],
    ['a hidden finding without a kind', reportWith({ ExperimentalModifiedFindings: [{}] }), 'Findings[0] has no Type'],
  ])('with %s is refused', (_, json, problem) => {
    expect(parseTrivyReport(json, 'linux/amd64')).toEqual({ ok: false, problem: expect.stringContaining(problem) });
  });

  it('with more findings than any image has is refused', () => {
    const many = reportWith({ Vulnerabilities: Array.from({ length: MAX_FINDINGS }, () => FLAW) });
    expect(scanOf(many).findings).toHaveLength(MAX_FINDINGS);
    const more = reportWith({ Vulnerabilities: Array.from({ length: MAX_FINDINGS + 1 }, () => FLAW) });
    expect(parseTrivyReport(more, 'linux/amd64').ok).toBe(false);
  });

  it('may have null where there is nothing, fields that are not known, and no severity', () => {
    const flaw = { ...FLAW, Severity: '', Novel: {}, Layer: { Digest: 'x' }, PrimaryURL: 'javascript:alert(1)' };
    const [finding] = scanOf(reportWith({ Secrets: null, Novel: 1, Vulnerabilities: [flaw] })).findings;
    expect(finding).toMatchObject({ severity: 'UNKNOWN', layer: undefined, url: undefined, title: 'CVE-1' });
  });

  it('says of checks which failed, and passes over those that did not', () => {
    const check = { ID: 'DS-1', Severity: 'LOW' };
    const results = [
      { ...check, Status: 'PASS' },
      { ...check, Status: 'EXCEPTION' },
      { ...check, Status: 'FAIL' },
      check,
    ];
    expect(scanOf(reportWith({ Misconfigurations: results })).findings).toHaveLength(2);
  });

  it('names the same thing alike whatever the image is called', () => {
    const called = (name: string): unknown => ({
      SchemaVersion: 2,
      ArtifactName: name,
      Results: [{ Target: `${name} (alpine 3.20)`, Class: 'os-pkgs', Type: 'alpine', Vulnerabilities: [FLAW] }],
    });
    expect(scanOf(called('/tmp/x')).findings).toEqual(scanOf(called('ghcr.io/a/b@sha256:1')).findings);
  });

  it('is read or refused, whatever it is', () => {
    const names = [
      'SchemaVersion',
      'Results',
      'Vulnerabilities',
      'Secrets',
      'Layer',
      'CVSS',
      'Severity',
      'Target',
      'PkgName',
    ];
    const values = fc.object({ key: fc.constantFrom(...names), maxDepth: 5 });
    fc.assert(
      fc.property(values, (json) => {
        expect(typeof parseTrivyReport({ ...json, SchemaVersion: 2 }, 'linux/amd64').ok).toBe('boolean');
      }),
    );
  });

  it('may have texts of a megabyte, which are shortened', () => {
    const long = 'x'.repeat(1_000_000);
    const flaw = { ...FLAW, PkgName: long, Title: long, Description: long, FixedVersion: long, PkgPath: long };
    const { findings } = scanOf(reportWith({ Vulnerabilities: [flaw] }));
    expect(JSON.stringify(findings).length).toBeLessThan(30_000);
  });
});
