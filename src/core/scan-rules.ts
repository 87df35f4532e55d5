import { SEVERITIES, type Severity } from './findings.ts';
import type { Parse } from './kinds.ts';
import { listOf } from './kinds.ts';
import { nearest } from './nearest.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';

/** What the input `scan-fail-on` takes. */
export const FAIL_ON = ['none', 'new', 'any'] as const;
export type FailOn = (typeof FAIL_ON)[number];

/** How many findings of a severity an image may have. */
export type Budget = ReadonlyMap<Severity, number>;

/** What stops a run; the report is whole all the same. */
export interface GateRules {
  readonly failOn: FailOn;
  /** Of which severities `failOn` speaks. */
  readonly severities: readonly Severity[];
  /** Leaves vulnerabilities out that no version mends. */
  readonly ignoreUnfixed: boolean;
  readonly budget: Budget;
}

const MAX_ALLOWED = 1_000_000;

/** `CRITICAL,HIGH`: the input `scan-severity`. */
export const severityList: Parse<readonly Severity[]> = (text) => {
  const severities = listOf(severity, { commas: true })(text);
  return severities.ok ? parsed([...new Set(severities.value)]) : severities;
};

/** `CRITICAL=0,HIGH=5`: the input `scan-budget`. */
export const severityBudget: Parse<Budget> = (text) => {
  const entries = listOf(allowance, { commas: true })(text);
  if (!entries.ok) return entries;
  const names = entries.value.map(([name]) => name);
  const twice = [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
  if (twice.length > 0) return unparsable(`${twice.join(' and ')} is given more than once`);
  return parsed(new Map(entries.value));
};

function severity(text: string): Parsed<Severity> {
  const word = text.trim().toUpperCase();
  const known = SEVERITIES.find((one) => one === word);
  if (known !== undefined) return parsed(known);
  const near = nearest(word, SEVERITIES);
  const hint = near === undefined ? '' : `; did you mean ${near}?`;
  return unparsable(`${quote(text)} is no severity: ${SEVERITIES.join(', ')} are${hint}`);
}

function allowance(text: string): Parsed<readonly [Severity, number]> {
  const [name = '', count, rest] = text.split('=');
  if (count === undefined || rest !== undefined)
    return unparsable(`${quote(text)} is no budget: SEVERITY=NUMBER is allowed, as in HIGH=5`);
  const known = severity(name);
  if (!known.ok) return known;
  const digits = count.trim();
  if (/^[0-9]{1,7}$/.test(digits) && Number(digits) <= MAX_ALLOWED) return parsed([known.value, Number(digits)]);
  return unparsable(`${quote(text)} has no number of findings: 0 to ${MAX_ALLOWED} are allowed`);
}
