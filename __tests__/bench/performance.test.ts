import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GROUPS, idsOf } from '../../bench/groups.ts';
import { performanceFiles, readResults } from '../../bench/performance.ts';
import { SHORTFALLS } from '../../bench/shortfalls.ts';
import { CHECKOUT } from '../support/programs.ts';
import { elementsOf } from './xml.ts';

const read = (file: string): string => readFileSync(join(CHECKOUT, file), 'utf8');

describe('docs/performance', () => {
  it.each(Object.entries(performanceFiles()))('%s is what the results make, byte by byte', (file, content) => {
    expect(read(file)).toBe(content);
  });

  it('the chart is well-formed', () => {
    expect(elementsOf(read('docs/performance.svg'))[0]).toBe('svg');
  });

  const prose = [
    { what: 'the template', text: read('bench/performance.template.md') },
    ...SHORTFALLS.map(({ title, sentences }) => ({ what: title, text: [title, ...sentences].join('\n') })),
  ];
  it.each(prose)('$what: no figure of its own', ({ text }) => {
    const written = text
      .replace(/```[\s\S]*?```/g, '')
      .replace(/`[^`]*`/g, '')
      .replace(/\{\{[^{}]*\}\}/g, '')
      .replace(/\]\([^)]*\)/g, '');
    expect(written.match(/.*[0-9].*/g) ?? []).toEqual([]);
  });

  it('has no row that the bench does not have', () => {
    const ids = idsOf(GROUPS);
    expect(readResults().rows.filter(({ id }) => !ids.includes(id))).toEqual([]);
  });

  it('explains rows that there are', () => {
    const ids = idsOf(GROUPS);
    expect(SHORTFALLS.flatMap(({ rows }) => rows).filter((id) => !ids.includes(id))).toEqual([]);
  });

  it('has the circumstances of every row', () => {
    const { rows, sessions } = readResults();
    const known = sessions.map(({ id }) => id);
    expect(rows.filter(({ session }) => !known.includes(session))).toEqual([]);
    expect(known.filter((id) => rows.every(({ session }) => session !== id))).toEqual([]);
  });
});
