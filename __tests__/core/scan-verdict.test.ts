import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareFindings, type Finding, type PlatformScan, SEVERITIES } from '../../src/core/findings.ts';
import { mergeScans } from '../../src/core/image-findings.ts';
import { FAIL_ON, type GateRules } from '../../src/core/scan-rules.ts';
import { describeBreach, describeVerdict, judge, type Verdict } from '../../src/core/scan-verdict.ts';
import { LENIENT, platformScan, realScan, secret, vulnerability } from '../support/trivy-reports.ts';

const KNOWN = [platformScan([vulnerability('OLD', 'HIGH')])];

function verdictOn(
  findings: readonly Finding[],
  rules: Partial<GateRules>,
  known: readonly PlatformScan[] = KNOWN,
): Verdict {
  return judge(mergeScans([platformScan(findings)], known), { ...LENIENT, ...rules });
}

describe('the gate', () => {
  const old = vulnerability('OLD', 'HIGH');
  const fresh = vulnerability('NEW', 'HIGH');
  const unfixed = vulnerability('UNFIXED', 'CRITICAL', { fixed: undefined });
  it.each<[string, readonly Finding[], Partial<GateRules>, readonly string[]]>([
    ['passes when nothing was found', [], { failOn: 'any', budget: new Map([['LOW', 0]]) }, []],
    ['reports only, by default', [old, fresh, unfixed], {}, []],
    ['stops at any', [old, fresh], { failOn: 'any' }, ['2 HIGH findings, and scan-fail-on: any allows none']],
    [
      'stops at what is new',
      [old, fresh],
      { failOn: 'new' },
      ['1 new HIGH finding, and scan-fail-on: new allows none'],
    ],
    ['passes what is known', [old], { failOn: 'new' }, []],
    [
      'looks at the severities that are named',
      [old, secret('t', 'LOW')],
      { failOn: 'any', severities: ['CRITICAL'] },
      [],
    ],
    [
      'says what breaks each rule, the worst first',
      [old, unfixed, secret('t', 'LOW')],
      { failOn: 'any', severities: ['LOW', 'CRITICAL'] },
      ['1 CRITICAL finding, and scan-fail-on: any allows none', '1 LOW finding, and scan-fail-on: any allows none'],
    ],
    ['leaves out what no version mends', [unfixed], { failOn: 'any', ignoreUnfixed: true }, []],
    [
      'never leaves a secret out',
      [secret('t', 'CRITICAL')],
      { failOn: 'any', ignoreUnfixed: true },
      ['1 CRITICAL finding, and scan-fail-on: any allows none'],
    ],
    ['keeps a budget', [old, fresh], { budget: new Map([['HIGH', 2]]) }, []],
    [
      'stops above a budget, whatever else is allowed',
      [old, fresh],
      { budget: new Map([['HIGH', 1]]) },
      ['2 HIGH findings, and scan-budget allows 1'],
    ],
    [
      'lets a budget say how many of any are allowed',
      [old, fresh],
      { failOn: 'any', budget: new Map([['HIGH', 2]]) },
      [],
    ],
    [
      'holds new ones against both',
      [old, fresh],
      { failOn: 'new', budget: new Map([['HIGH', 0]]) },
      ['2 HIGH findings, and scan-budget allows none', '1 new HIGH finding, and scan-fail-on: new allows none'],
    ],
    [
      'has budgets for severities that scan-severity does not name',
      [secret('t', 'LOW')],
      { budget: new Map([['LOW', 0]]) },
      ['1 LOW finding, and scan-budget allows none'],
    ],
  ])('%s', (_, findings, rules, breaches) => {
    const verdict = verdictOn(findings, rules);
    expect(verdict.breaches.map(describeBreach)).toEqual(breaches);
    expect(verdict.passed).toBe(breaches.length === 0);
  });

  it('stops at what only one of the platforms has, and says which version mends it', () => {
    const scans = [realScan('os-amd64'), realScan('os-arm64', 'linux/arm64')];
    const verdict = judge(mergeScans(scans, undefined), { ...LENIENT, failOn: 'any', severities: ['CRITICAL'] });
    expect(describeVerdict(verdict)).toBe(
      '1 CRITICAL finding, and scan-fail-on: any allows none\n  CVE-2024-5535 in openssl 3.3.0-r2 (linux/arm64): fixed in 3.3.1-r1',
    );
  });

  it('counts what several platforms have once', () => {
    const scans = [realScan('os-amd64'), realScan('os-arm64', 'linux/arm64')];
    expect(judge(mergeScans(scans, undefined), { ...LENIENT, budget: new Map([['HIGH', 1]]) }).passed).toBe(true);
  });

  it('names ten findings of a rule, in printable lines', () => {
    const many = Array.from({ length: 12 }, (_, index) => vulnerability(`CVE-${index}\n::error::x\u001b[31m`, 'HIGH'));
    const text = describeVerdict(verdictOn(many, { failOn: 'any' }));
    expect(text.split('\n')).toHaveLength(12);
    expect(text).toContain('\n  and 2 more');
    expect(text).not.toContain('\n::');
  });
});

const id = fc.constantFrom('A', 'B', 'C');
const severity = fc.constantFrom(...SEVERITIES);
const finding: fc.Arbitrary<Finding> = fc.oneof(
  fc
    .tuple(id, severity, fc.boolean(), fc.constantFrom('lib', 'other'))
    .map(([name, level, isFixed, of]) => vulnerability(name, level, { package: of, fixed: isFixed ? '2' : undefined })),
  fc.tuple(id, severity, fc.constantFrom('a', 'b')).map(([name, level, file]) => secret(name, level, file)),
);
const platform = fc.constantFrom('linux/amd64', 'linux/arm64');
const scans = fc.uniqueArray(
  fc.tuple(platform, fc.array(finding, { maxLength: 6 })).map(([of, findings]) => platformScan(findings, of)),
  { selector: (scan) => scan.platform, minLength: 1 },
);
const rules: fc.Arbitrary<GateRules> = fc.record({
  failOn: fc.constantFrom(...FAIL_ON),
  severities: fc.subarray([...SEVERITIES]),
  ignoreUnfixed: fc.boolean(),
  budget: fc.array(fc.tuple(severity, fc.nat(3))).map((entries) => new Map(entries)),
});
const known = fc.option(scans, { nil: undefined });

function passes(of: readonly PlatformScan[], before: readonly PlatformScan[] | undefined, by: GateRules): boolean {
  return judge(mergeScans(of, before), by).passed;
}

describe('whatever was found, the gate', () => {
  it('does not pass an image that it stopped because it found one thing more', () => {
    fc.assert(
      fc.property(scans, known, rules, finding, fc.nat(), (of, before, by, added, position) => {
        const at = position % of.length;
        const more = of.map((scan, index) =>
          index === at ? { ...scan, findings: [...scan.findings, added].sort(compareFindings) } : scan,
        );
        if (passes(more, before, by)) expect(passes(of, before, by)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('does not stop an image because more was published with it before', () => {
    fc.assert(
      fc.property(scans, known, rules, finding, (of, before = [], by, added) => {
        const more = before.map((scan) => ({ ...scan, findings: [...scan.findings, added].sort(compareFindings) }));
        if (passes(of, before, by)) expect(passes(of, more, by)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('stops no image more because it leaves out what no version mends', () => {
    fc.assert(
      fc.property(scans, known, rules, (of, before, by) => {
        const strict = judge(mergeScans(of, before), { ...by, ignoreUnfixed: false });
        const lenient = judge(mergeScans(of, before), { ...by, ignoreUnfixed: true });
        if (strict.passed) expect(lenient.passed).toBe(true);
        for (const { findings } of lenient.breaches)
          for (const { finding: left } of findings) expect(left.kind === 'vulnerability' && !left.fixed).toBe(false);
      }),
    );
  });

  it('is stricter with any than with new, and with new than with none', () => {
    fc.assert(
      fc.property(scans, scans, rules, (of, before, by) => {
        const free = { ...by, budget: new Map() };
        const [none, fresh, any] = FAIL_ON.map((failOn) => passes(of, before, { ...free, failOn }));
        expect(none).toBe(true);
        if (any) expect(fresh).toBe(true);
      }),
    );
  });

  it('passes an image that is what was published, when only new ones count', () => {
    fc.assert(
      fc.property(scans, rules, (of, by) => {
        expect(passes(of, of, { ...by, failOn: 'new', budget: new Map() })).toBe(true);
      }),
    );
  });

  it('names for each rule more findings than are allowed, all of its severity', () => {
    fc.assert(
      fc.property(scans, known, rules, (of, before, by) => {
        for (const { allowed, severity: level, findings } of judge(mergeScans(of, before), by).breaches) {
          expect(findings.length).toBeGreaterThan(allowed);
          expect(findings.every((found) => found.finding.severity === level)).toBe(true);
        }
      }),
    );
  });
});
