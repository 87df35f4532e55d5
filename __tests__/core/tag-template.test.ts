import { describe, expect, it } from 'vitest';
import { parseTemplate, renderTemplate, type TemplateFacts } from '../../src/core/tag-template.ts';

const FACTS: TemplateFacts = {
  event: {
    branch: 'my/branch',
    tag: '',
    sha: '860c190',
    base_ref: 'main',
    is_default_branch: 'false',
    is_not_default_branch: 'true',
  },
  dates: { date: new Date('2020-01-10T00:30:00Z'), commit_date: new Date('2019-12-31T00:00:00Z') },
  version: { raw: 'v1.2.3', version: '1.2.3', major: '1', minor: '2', patch: '3' },
};

describe('rendering', () => {
  it.each([
    ['', ''],
    ['plain }} text { }', 'plain }} text { }'],
    ['{{branch}}', 'my/branch'],
    ['{{ branch }}-{{sha}}x', 'my/branch-860c190x'],
    ['{{tag}}', ''],
    ['v{{major}}.{{minor}}', 'v1.2'],
    ['{{raw}} {{version}} {{patch}}', 'v1.2.3 1.2.3 3'],
    ["{{date 'YYYY'}}", '2020'],
    ['{{date "YYYY" tz="Asia/Tokyo"}}', '2020'],
    ["{{commit_date 'YYYYMMDD'}}", '20191231'],
    ["{{date ''}}", ''],
  ])('%s', (text, expected) => {
    const template = parseTemplate(text, 'version');
    expect(template.ok && renderTemplate(template.value, FACTS)).toBe(expected);
  });

  it('never reads what an expression stood for as an expression', () => {
    const template = parseTemplate('{{branch}}');
    const facts = { ...FACTS, event: { ...FACTS.event, branch: '{{sha}}' } };
    expect(template.ok && renderTemplate(template.value, facts)).toBe('{{sha}}');
  });
});

describe('problems', () => {
  it.each([
    ['{{', 'never closed'],
    ['{{branhc}}', 'did you mean branch?'],
    ['{{}}', 'is not known'],
    ['{{{branch}}}', 'is not known'],
    ['{{branch | upper}}', 'is not known'],
    ['{{major}}', 'type=semver'],
    ["{{date 'YYYY' zone='UTC'}}", '{{date}} needs a format'],
    ["{{date 'YYYY' tz='nowhere'}}", 'is not a time zone'],
    ['{{\u001b[31m}}', 'is not known'],
  ])('%s', (text, expected) => {
    expect(parseTemplate(text)).toMatchObject({ ok: false, problem: expect.stringContaining(expected) });
  });
});
