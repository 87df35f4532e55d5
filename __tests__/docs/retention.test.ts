import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseRetention } from '../../src/core/retention/parse-policies.ts';
import { CHECKOUT } from '../support/programs.ts';

const PAGE = readFileSync(join(CHECKOUT, 'docs/retention.md'), 'utf8');

function blocks(language: string): readonly string[] {
  const pattern = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm');
  return [...PAGE.matchAll(pattern)].map(([, text = '']) => text);
}

/** The first column of all tables of a section. */
function examples(section: string): readonly string[] {
  const text = new RegExp(`^## ${section}\\n([\\s\\S]*?)(?=^## |$(?![\\s\\S]))`, 'm').exec(PAGE)?.[1] ?? '';
  return [...text.matchAll(/^\| `(.*?)`/gm)].map(([, example = '']) => example.replaceAll('\\|', '|'));
}

/** Every value of this key, wherever it stands. */
function valuesOf(json: unknown, key: string): readonly unknown[] {
  if (typeof json !== 'object' || json === null) return [];
  return Object.entries(json).flatMap(([name, value]) => [...(name === key ? [value] : []), ...valuesOf(value, key)]);
}

/** Blocks of YAML are policies, or workflows with policies in them. */
const inYaml = blocks('yaml').flatMap((text) => (/^on:/m.test(text) ? valuesOf(parse(text), 'retention') : [text]));
const inTables = [
  ...[...PAGE.slice(0, PAGE.indexOf('## ')).matchAll(/^\| `(.*?)`/gm)].flatMap(([, text = '']) =>
    text === 'retention' ? [] : [text],
  ),
  ...examples('Selectors').map((selector) => `${selector}: keep all`),
  ...examples('Clauses').map((clauses) => `x: ${clauses}`),
  ...examples('Protect').map((item) => `protect ${item}\nx: keep all`),
  ...examples('Limits').map((limit) => `x: keep all\nlimits: ${limit}`),
];
const problemsOf = (text: unknown) => {
  const parsed = parseRetention(String(text));
  return parsed.ok ? [] : parsed.problems;
};

describe('what docs/retention.md shows', () => {
  it.each([...blocks('retention'), ...inYaml].map(String))('is a policy: %j', (text) => {
    expect(problemsOf(text)).toEqual([]);
  });

  it.each(inTables)('in a table is a policy: %j', (text) => {
    expect(problemsOf(text)).toEqual([]);
  });

  it('is all of the grammar', () => {
    const shown = `${inTables.join('\n')}\n`;
    const words =
      'keep by updated semver image-created for since used majors minors patches prereleases hourly daily weekly ' +
      'monthly yearly while open branch tag delete report untagged orphans broken except max-delete min-keep max-time ' +
      'grace reserve tz untag @releases @git-tags @in-use @file';
    const missing = words.split(' ').filter((word) => !shown.includes(word));
    expect(missing).toEqual([]);
    expect(inYaml.length).toBeGreaterThan(3);
  });
});
