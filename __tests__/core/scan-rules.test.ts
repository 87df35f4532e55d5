import { describe, expect, it } from 'vitest';
import { severityBudget, severityList } from '../../src/core/scan-rules.ts';

describe('scan-severity', () => {
  it.each([
    ['CRITICAL,HIGH', ['CRITICAL', 'HIGH']],
    ['low\n Medium , UNKNOWN', ['LOW', 'MEDIUM', 'UNKNOWN']],
    ['HIGH,high', ['HIGH']],
    ['', []],
  ])('%j is %j', (text, value) => {
    expect(severityList(text)).toEqual({ ok: true, value });
  });

  it('names all that is wrong', () => {
    expect(severityList('CRITICL,HIGH,bad')).toEqual({
      ok: false,
      problem:
        '"CRITICL" is no severity: CRITICAL, HIGH, MEDIUM, LOW, UNKNOWN are; did you mean CRITICAL?; ' +
        '"bad" is no severity: CRITICAL, HIGH, MEDIUM, LOW, UNKNOWN are',
    });
  });
});

describe('scan-budget', () => {
  it.each([
    [
      'CRITICAL=0,HIGH=5',
      [
        ['CRITICAL', 0],
        ['HIGH', 5],
      ],
    ],
    [
      'medium = 12\nLOW=1000000',
      [
        ['MEDIUM', 12],
        ['LOW', 1_000_000],
      ],
    ],
    ['', []],
  ])('%j is %j', (text, entries) => {
    const budget = severityBudget(text);
    expect(budget.ok && [...budget.value]).toEqual(entries);
  });

  it.each([
    ['HIGH', '"HIGH" is no budget: SEVERITY=NUMBER is allowed, as in HIGH=5'],
    ['HIGH=1=2', '"HIGH=1=2" is no budget: SEVERITY=NUMBER is allowed, as in HIGH=5'],
    ['HIGH=-1', '"HIGH=-1" has no number of findings: 0 to 1000000 are allowed'],
    ['HIGH=1.5', '"HIGH=1.5" has no number of findings: 0 to 1000000 are allowed'],
    ['HIGH=1000001', '"HIGH=1000001" has no number of findings: 0 to 1000000 are allowed'],
    ['HIGH=', '"HIGH=" has no number of findings: 0 to 1000000 are allowed'],
    ['HIHG=1', '"HIHG" is no severity: CRITICAL, HIGH, MEDIUM, LOW, UNKNOWN are; did you mean HIGH?'],
    ['HIGH=1,high=2,LOW=1', 'HIGH is given more than once'],
  ])('%j is refused', (text, problem) => {
    expect(severityBudget(text)).toEqual({ ok: false, problem });
  });

  it('names all that is wrong', () => {
    const result = severityBudget('HIGH,CRITICAL=x,LOW=1');
    expect(!result.ok && result.problem.split('; ')).toHaveLength(2);
  });
});
