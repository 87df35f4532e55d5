import { describe, expect, it } from 'vitest';
import type { Parsed } from '../../src/core/parsed.ts';
import { databaseReference, downloadUrl, SCANNERS, time, trivyVersion, wordsOf } from '../../src/core/scan-options.ts';
import { SCAN_OPTIONS } from '../../src/scan-option-table.ts';

type Name = keyof typeof SCAN_OPTIONS;

function parse(name: Name, text: string): Parsed<unknown> {
  return SCAN_OPTIONS[name].parse(text);
}

function problemOf(result: Parsed<unknown>): string {
  return result.ok ? `no problem: ${JSON.stringify(result.value)}` : result.problem;
}

describe('a value that is refused, and what is said of it', () => {
  it.each<[Name, string, string]>([
    ['scan', 'yes', '"yes" is neither true nor false'],
    ['scan-fail-on', 'all', '"all" is not allowed: none, new, any are'],
    ['scan-fail-on', 'anny', '; did you mean any?'],
    ['scan-severity', 'SEVERE', '"SEVERE" is no severity: '],
    ['scan-severity', 'HIGH,CRITCAL', '"CRITCAL" is no severity: '],
    ['scan-severity', 'HIGH,CRITCAL', '; did you mean CRITICAL?'],
    ['scan-ignore-unfixed', 'maybe', '"maybe" is neither true nor false'],
    ['scan-budget', 'CRITICAL', '"CRITICAL" is no budget: SEVERITY=NUMBER is allowed, as in HIGH=5'],
    ['scan-budget', 'HIGH=5=6', '"HIGH=5=6" is no budget'],
    ['scan-budget', 'HIGH=-1', '"HIGH=-1" has no number of findings: 0 to 1000000 are allowed'],
    ['scan-budget', 'HIGH=1e3', '"HIGH=1e3" has no number of findings'],
    ['scan-budget', 'HIGH=', '"HIGH=" has no number of findings'],
    ['scan-budget', 'HIGH=1000001', '"HIGH=1000001" has no number of findings'],
    ['scan-budget', 'HGIH=1', '; did you mean HIGH?'],
    ['scan-budget', 'HIGH=1,CRITICAL=0,high=2', 'HIGH is given more than once'],
    ['scan-scanners', 'vulns', '"vulns" is not allowed: vuln, secret, misconfig, license are; did you mean vuln?'],
    ['scan-scanners', 'vuln,secrets', 'did you mean secret?'],
    ['scan-scanners', 'config', '"config" is not allowed: vuln, secret, misconfig, license are'],
    ['scan-pkg-types', 'os,libary', 'did you mean library?'],
    ['scan-format', 'sarfi', 'did you mean sarif?'],
    ['scan-format', 'spdx-json', '"spdx-json" is not allowed: table, sarif, json, cyclonedx are'],
    ['scan-timeout', '10 fortnights', '"10 fortnights" is not a duration'],
    ['rescan-after', 'tomorrow', '"tomorrow" is not a duration'],
    ['scan-db-repository', 'ghcr.io/Acme/db', '"ghcr.io/Acme/db"'],
    ['scan-db-repository', 'ghcr.io/acme/db:2,https://ghcr.io/acme/db', '"https://ghcr.io/acme/db"'],
    ['scan-java-db-repository', 'ghcr.io//db', '"ghcr.io//db"'],
    ['trivy-version', 'latest', '"latest" is no version: 0.70.0 is one'],
    ['trivy-version', '0.69.4', '0.69.4 is one of the malicious releases of March 2026 (GHSA-69fq-xp46-6x23)'],
    ['trivy-version', ' v0.69.5 ', '0.69.5 is one of the malicious releases'],
    ['trivy-version', '0.69.6', '0.69.6 is one of the malicious releases'],
  ])('%s: %s: %s', (name, text, problem) => {
    const result = parse(name, text);
    expect(result.ok).toBe(false);
    expect(problemOf(result)).toContain(problem);
  });

  it.each([
    'https://me:hunter2@mirror.example/trivy',
    'https://hunter2@mirror.example/trivy',
    'https://mirror.example/trivy?token=hunter2',
    'https://mirror.example/trivy#hunter2',
    'ftp://mirror.example/hunter2',
    'file:///hunter2',
    'mirror.example/hunter2',
    'hunter2',
  ])('the download URL %s is never shown, as a password may be in it', (url) => {
    expect(problemOf(downloadUrl(url))).toBe('https://HOST/PATH is allowed, without user, password and query');
    expect(problemOf(parse('trivy-download-url', url))).not.toContain('hunter2');
  });

  it.each([
    ['a word', wordsOf(SCANNERS)],
    ['a version', trivyVersion],
    ['a reference', databaseReference],
    ['a time', time],
  ])('%s that is hostile is shown in a short printable line', (_, kind) => {
    const problem = problemOf(kind(`\u001b[31m\n::set-output name=x::${'y'.repeat(1_000_000)}`));
    expect(problem.length).toBeLessThan(1000);
    expect(problem).not.toMatch(/\p{Cc}/u);
  });

  it('names every bad word of a list', () => {
    expect(problemOf(parse('scan-scanners', 'a,vuln,b'))).toMatch(/"a" is not allowed.*"b" is not allowed/);
  });

  it('a duration cannot be left out by a comment or blanks', () => {
    expect(problemOf(time(' \n'))).toBe('a duration is needed, as 10m');
  });
});

describe('a value that is taken', () => {
  it.each<[Name, string, unknown]>([
    ['scan', 'False', false],
    ['scan-fail-on', 'new', 'new'],
    ['scan-severity', 'high, Critical,HIGH', ['HIGH', 'CRITICAL']],
    [
      'scan-budget',
      'critical=0\nHIGH = 5',
      new Map([
        ['CRITICAL', 0],
        ['HIGH', 5],
      ]),
    ],
    ['scan-budget', '', new Map()],
    ['scan-scanners', 'Secret,vuln,secret', ['secret', 'vuln']],
    ['scan-pkg-types', 'library', ['library']],
    ['scan-format', 'json\nsarif', ['json', 'sarif']],
    ['scan-skip-dirs', 'usr/share,**/test data', ['usr/share', '**/test data']],
    ['scan-skip-files', '"a,b.txt",c', ['a,b.txt', 'c']],
    ['scan-ignore-file', ' ci/.trivyignore.yaml ', 'ci/.trivyignore.yaml'],
    ['scan-vex', 'repo\nvex/a,b.json', ['repo', 'vex/a,b.json']],
    ['scan-timeout', '90s', 90_000],
    ['rescan-after', '7d', 604_800_000],
    ['trivy-version', 'v0.70.0', '0.70.0'],
    ['trivy-version', '', undefined],
    ['trivy-download-url', ' https://mirror.example/trivy/// ', 'https://mirror.example/trivy'],
    ['trivy-download-url', 'http://127.0.0.1:8080', 'http://127.0.0.1:8080'],
    ['trivy-download-url', '', undefined],
  ])('%s: %j is %j', (name, text, value) => {
    expect(parse(name, text)).toEqual({ ok: true, value });
  });

  it('is a database with a tag, a digest or neither', () => {
    const repository = { registry: 'mirror.example', path: 'trivy-db' };
    const digest = `sha256:${'0'.repeat(64)}`;
    expect(parse('scan-db-repository', `mirror.example/trivy-db:2\nmirror.example/trivy-db@${digest}`)).toEqual({
      ok: true,
      value: [
        { repository, tag: '2', digest: undefined },
        { repository, tag: undefined, digest },
      ],
    });
  });
});
