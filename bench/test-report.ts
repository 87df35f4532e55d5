import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHECKOUT, run } from '../__tests__/support/programs.ts';
import { parseJson, textAt, valueAt } from '../src/core/json.ts';

const VITEST = 'node_modules/vitest/vitest.mjs';

/** What one test came to. */
export interface TestOutcome {
  /** The outermost `describe` that it is in; empty when it is in none. */
  readonly group: string;
  readonly status: 'passed' | 'failed';
  /** Why it failed; else empty. */
  readonly message: string;
}

/** Runs files of tests of this checkout with these variables, and reads what they came to. Error when none was run. */
export async function runTests(
  files: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<readonly TestOutcome[]> {
  const directory = mkdtempSync(join(tmpdir(), 'build-once-tests-'));
  try {
    const file = join(directory, 'report.json');
    const argv = [process.execPath, VITEST, 'run', ...files, '--reporter=json', `--outputFile=${file}`] as const;
    const { stderr } = await run([...argv], { cwd: CHECKOUT, env: { ...process.env, ...variables } });
    const outcomes = readOutcomes(existsSync(file) ? parseJson(readFileSync(file, 'utf8')) : undefined);
    if (outcomes.length === 0) throw new Error(`no test was run:\n${stderr.slice(-4000)}`);
    return outcomes;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The tests in a report of vitest in JSON that were run. */
export function readOutcomes(report: unknown): readonly TestOutcome[] {
  const tests = listAt(report, 'testResults').flatMap((file) => listAt(file, 'assertionResults'));
  return tests.flatMap((test) => {
    const status = textAt(test, 'status');
    if (status !== 'passed' && status !== 'failed') return [];
    const [group = ''] = listAt(test, 'ancestorTitles');
    const [message = ''] = listAt(test, 'failureMessages');
    return [{ group: String(group), status, message: String(message) }];
  });
}

function listAt(json: unknown, name: string): readonly unknown[] {
  const value = valueAt(json, name);
  return Array.isArray(value) ? value : [];
}
