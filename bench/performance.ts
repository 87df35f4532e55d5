import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from '../__tests__/support/programs.ts';
import { renderChart } from './chart.ts';
import { GROUPS } from './groups.ts';
import { renderPage } from './page.ts';
import type { Results } from './results.ts';
import { SETTINGS } from './settings.ts';

const RESULTS = 'bench/results.json';
const TEMPLATE = 'bench/performance.template.md';

/** What is kept in bench/results.json. */
export function readResults(): Results {
  const results: Results = JSON.parse(read(RESULTS));
  return results;
}

export function writeResults(results: Results): void {
  writeFileSync(join(CHECKOUT, RESULTS), `${JSON.stringify(results, null, 2)}\n`);
}

/** The files that are made from the results, by their paths in the checkout. */
export function performanceFiles(results: Results = readResults()): Readonly<Record<string, string>> {
  const template = read(TEMPLATE);
  return {
    'docs/performance.md': renderPage({ template, results, groups: GROUPS, settings: SETTINGS }),
    'docs/performance.svg': renderChart(results),
  };
}

/** Writes those files. */
export function writePerformance(results: Results): void {
  for (const [file, content] of Object.entries(performanceFiles(results))) writeFileSync(join(CHECKOUT, file), content);
}

function read(file: string): string {
  return readFileSync(join(CHECKOUT, file), 'utf8');
}
