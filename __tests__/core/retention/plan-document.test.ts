import { describe, expect, it } from 'vitest';
import type { RepositoryPlan } from '../../../src/core/retention/plan.ts';
import { formatPlan, parsePlanDocument, planHash } from '../../../src/core/retention/plan-document.ts';
import { planRepository } from '../../../src/core/retention/plan-repository.ts';
import { HOUR_MS, keep, rule, samplePolicy } from '../../support/sample-policy.ts';
import { NOW_MS, SampleRepository } from '../../support/sample-repository.ts';

const ABOUT = { plannedAt: '2026-06-15T12:00:00.000Z' };

function samplePlan(laterMs = 0): RepositoryPlan {
  const repo = new SampleRepository();
  for (const day of [4, 3, 2, 1]) repo.image([`sha-${day}`, ...(day === 3 ? ['prod'] : [])], day);
  repo.manifest({ subject: repo.entries[2]?.digest, pushedAtMs: undefined });
  const request = repo.request(samplePolicy([rule('sha-*', keep(1))], { limits: { untag: 'safe' } }));
  return planRepository({ ...request, inventory: { ...request.inventory, listedAtMs: NOW_MS + laterMs } });
}

describe('a plan file', () => {
  it('is read as it was written, and is one text for one plan', () => {
    const plan = samplePlan();
    expect(plan.deletions).toHaveLength(2);
    expect(plan.untags).toHaveLength(1);
    const text = formatPlan([plan], ABOUT);
    expect(parsePlanDocument(Buffer.from(text))).toEqual({
      ok: true,
      value: { about: ABOUT, plans: [plan], hash: planHash([plan]) },
    });
    expect(formatPlan([samplePlan()], ABOUT)).toBe(text);
  });

  it('has the same hash hours later, and whatever is said of what stays', () => {
    const plan = samplePlan();
    expect(planHash([samplePlan(5 * HOUR_MS)])).toBe(planHash([plan]));
    expect(planHash([{ ...plan, kept: [], warnings: ['x'], stops: ['x'] }])).toBe(planHash([plan]));
    expect(planHash([])).not.toBe(planHash([plan]));
  });

  it.each([
    ['a root', '"tags":["sha-4"]', '"tags":["prod"]'],
    ['an id', '"id":"1003"', '"id":"1012"'],
    ['a rule', '"rule":"sha-*"', '"rule":"*"'],
    ['a role', '"role":"child"', '"role":"referrer"'],
    ['the repository', 'ghcr.io/acme/app', 'ghcr.io/acme/other'],
    ['a tag to take off', '"tags":["sha-3"]', '"tags":["prod"]'],
    ['what must go before', '"after":[', '"after":["sha256:' + '0'.repeat(64) + '",'],
    ['the hash', /"hash":"./, '"hash":"g'],
  ])('case 52: is refused when %s was changed', (_, from, to) => {
    const text = formatPlan([samplePlan()], ABOUT);
    const changed = text.replace(from, to).replace(',]', ']');
    expect(changed).not.toBe(text);
    expect(parsePlanDocument(Buffer.from(changed))).toEqual({
      ok: false,
      problem: expect.stringContaining('its hash is not'),
    });
  });

  it.each([
    ['', 'it is not JSON'],
    ['[]', 'its schema is none'],
    ['{"schema":2}', 'its schema is 2'],
    ['{"schema":1}', 'about'],
    [formatPlan([], ABOUT).replace('{', '{"more":1,'), 'the plan has "more"'],
    [formatPlan([samplePlan()], ABOUT).replace('"freedBytes":', '"freedBytes":"x","f":'), 'freedBytes is no number'],
    [formatPlan([samplePlan()], ABOUT).replace('"digest":"sha256', '"digest":"md5'), 'is no digest'],
    [formatPlan([samplePlan()], ABOUT).replace('"kept":[', '"kept":[null,'), 'kept[0]'],
    ['['.repeat(50), 'it nests too deep'],
  ])('is refused when it is something else: %#', (text, problem) => {
    expect(parsePlanDocument(Buffer.from(text))).toEqual({ ok: false, problem: expect.stringContaining(problem) });
  });
});
