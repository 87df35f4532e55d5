import { describe, expect, it } from 'vitest';
import type { Finding, PlatformScan } from '../../src/core/findings.ts';
import { valueAt } from '../../src/core/json.ts';
import { renderSarif } from '../../src/report/sarif.ts';
import { violations } from '../support/json-schema.ts';
import { SARIF_SCHEMA } from '../support/sarif-schema.ts';
import { platformScan, realScan, secret, vulnerability } from '../support/trivy-reports.ts';

const SETTINGS = { category: 'acme/app', dockerfile: 'docker/Dockerfile' };

function sarif(scans: readonly PlatformScan[], settings: Parameters<typeof renderSarif>[1] = SETTINGS): unknown {
  return JSON.parse(renderSarif(scans, settings));
}

function listAt(json: unknown, ...path: readonly string[]): readonly unknown[] {
  const value = valueAt(json, ...path);
  return Array.isArray(value) ? value : [];
}

function resultsOf(findings: readonly Finding[], settings?: Parameters<typeof renderSarif>[1]): readonly unknown[] {
  return listAt(sarif([platformScan(findings)], settings), 'runs', '0', 'results');
}

function rulesOf(findings: readonly Finding[]): readonly unknown[] {
  return listAt(sarif([platformScan(findings)]), 'runs', '0', 'tool', 'driver', 'rules');
}

const fingerprints = (findings: readonly Finding[]): readonly unknown[] =>
  resultsOf(findings).map((result) => valueAt(result, 'partialFingerprints', 'primaryLocationLineHash'));
const uris = (findings: readonly Finding[], settings?: Parameters<typeof renderSarif>[1]): readonly unknown[] =>
  resultsOf(findings, settings).map((result) =>
    valueAt(result, 'locations', '0', 'physicalLocation', 'artifactLocation', 'uri'),
  );

describe('SARIF', () => {
  it.each(['os-amd64', 'languages', 'secrets', 'misconfigurations', 'licenses', 'clean', 'empty', 'suppressed'])(
    'of what real Trivy finds is valid (%s)',
    (name) => {
      expect(violations(SARIF_SCHEMA, sarif([realScan(name), realScan(name, 'linux/arm64')]))).toEqual([]);
    },
  );

  it('has a run and a category for each platform', () => {
    const runs = listAt(sarif([realScan('os-amd64'), realScan('os-arm64', 'linux/arm/v7')]), 'runs');
    expect(runs.map((run) => valueAt(run, 'automationDetails', 'id'))).toEqual([
      'build-once/acme/app/linux/amd64/',
      'build-once/acme/app/linux/arm/v7/',
    ]);
  });

  it('has a rule for each id, as bad as the worst of its findings, with all of them in its help', () => {
    const findings = [vulnerability('CVE-1', 'CRITICAL'), vulnerability('CVE-1', 'LOW', { package: 'other' })];
    const rules = rulesOf(findings);
    expect(rules).toMatchObject([
      { id: 'CVE-1', defaultConfiguration: { level: 'error' }, properties: { 'security-severity': '9.5' } },
    ]);
    expect(valueAt(rules[0], 'help', 'markdown')).toMatch(/lib 1\.0.*\n.*other 1\.0/);
    expect(resultsOf(findings)).toMatchObject([
      { ruleId: 'CVE-1', ruleIndex: 0, level: 'error' },
      { ruleId: 'CVE-1', ruleIndex: 0, level: 'note' },
    ]);
  });

  it.each([
    ['CRITICAL', 9.8, '9.8'],
    ['CRITICAL', 9, '9.5'],
    ['HIGH', 9.8, '8.0'],
    ['HIGH', 7, '7.0'],
    ['MEDIUM', undefined, '5.5'],
    ['LOW', 3.9, '3.9'],
    ['UNKNOWN', 9.8, undefined],
  ] as const)('gives %s with a CVSS score of %s the score %s', (severity, score, shown) => {
    const [rule] = rulesOf([{ ...vulnerability('CVE-1', severity), score }]);
    expect(valueAt(rule, 'properties', 'security-severity')).toBe(shown);
  });

  it('knows a finding again in another build', () => {
    const before = vulnerability('CVE-1', 'HIGH');
    const after = vulnerability('CVE-1', 'LOW', { installed: '1.5', fixed: undefined });
    expect(fingerprints([after])).toEqual(fingerprints([before]));
    expect(fingerprints([vulnerability('CVE-1', 'HIGH', { package: 'other' })])).not.toEqual(fingerprints([before]));
    expect(fingerprints([secret('t', 'HIGH', 'a', 7)])).toEqual(fingerprints([secret('t', 'HIGH', 'a', 1)]));
  });

  it('tells two findings of one run apart', () => {
    expect(new Set(fingerprints([vulnerability('CVE-1', 'HIGH'), vulnerability('CVE-1', 'HIGH')])).size).toBe(2);
  });

  it('shows what is in no file at the Dockerfile, or at the image when there is none', () => {
    const finding = { ...vulnerability('CVE-1', 'HIGH'), file: undefined };
    expect(uris([finding])).toEqual(['docker/Dockerfile']);
    expect(uris([finding], { category: 'acme/app', dockerfile: undefined })).toEqual(['acme/app']);
  });

  it.each([
    ['a b/ü.json', 'a%20b/%C3%BC.json'],
    ['/../.././etc//x', 'etc/x'],
    ['https://evil.test/x', 'https%3A/evil.test/x'],
    ['..', 'image'],
    ['a\ud800\u0000b?#', 'a%EF%BF%BD%EF%BF%BDb%3F%23'],
  ])('shows the file %j at %s', (file, uri) => {
    expect(uris([secret('t', 'HIGH', file)])).toEqual([uri]);
  });

  it('has at most as many results as GitHub takes, the worst first, and says how many are left out', () => {
    const many = Array.from({ length: 25_001 }, (_, index) => vulnerability(`CVE-${index % 7}`, 'LOW'));
    const json = sarif([platformScan(many)]);
    expect(listAt(json, 'runs', '0', 'results')).toHaveLength(25_000);
    expect(valueAt(json, 'runs', '0', 'properties', 'leftOut')).toBe(1);
  });

  it.each(['\u001b[31m\n\ud800', '[x](https://evil.test) {0}', '<b>`|', ' ', 'x'.repeat(100_000), '\u0000'])(
    'is valid, and holds no markup of a stranger, when every text is %j',
    (text) => {
      const finding = vulnerability(text, 'HIGH', { package: text, installed: text, fixed: text });
      const all: Finding[] = [
        { ...finding, title: text, description: text, file: text },
        secret(`2${text}`, 'HIGH', text),
      ];
      const json = sarif([platformScan(all, 'linux/amd64')], { category: text, dockerfile: text });
      expect(violations(SARIF_SCHEMA, json)).toEqual([]);
      for (const result of listAt(json, 'runs', '0', 'results'))
        expect(valueAt(result, 'message', 'text')).not.toMatch(/[[\]{}]|[^\P{Cc}\n]|\p{Cs}/u);
      for (const rule of listAt(json, 'runs', '0', 'tool', 'driver', 'rules'))
        expect(valueAt(rule, 'help', 'markdown')).not.toMatch(/[<>`]|\]\(/);
    },
  );
});
