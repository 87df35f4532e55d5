import { readFileSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { describeMissing, inspectMachine } from './layers.ts';
import { idleToolchain, startToolchain } from './toolchain.ts';

/**
 * Once per run: finds out which layers this machine can run, says which are skipped, starts what the selected test files
 * need, and takes it down at the end. With BUILD_ONCE_LAYERS=all a missing layer is a failure: nothing may be skipped.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const machine = await inspectMachine(process.env);
  if (!(await needsToolchain(project))) {
    project.provide('toolchain', idleToolchain(machine));
    return () => Promise.resolve();
  }
  const { toolchain, missing, stop } = await startToolchain(machine, process.env['TOOLCHAIN_RUNS']);
  const lines = describeMissing(missing);
  for (const line of lines) project.vitest.logger.log(line);
  if (lines.length > 0 && process.env['BUILD_ONCE_LAYERS'] === 'all') {
    await stop();
    throw new Error(`BUILD_ONCE_LAYERS=all, and not every layer can run:\n${lines.join('\n')}`);
  }
  project.provide('toolchain', toolchain);
  return stop;
}

/** True when one of the test files of this run injects the toolchain; true also when they cannot be told. */
async function needsToolchain(project: TestProject): Promise<boolean> {
  const filters = 'filenamePattern' in project.vitest ? project.vitest.filenamePattern : undefined;
  const names = Array.isArray(filters) ? filters.filter((name) => typeof name === 'string') : [];
  const { testFiles } = await project.globTestFiles(names);
  return testFiles.length === 0 || testFiles.some((file) => readFileSync(file, 'utf8').includes("inject('toolchain')"));
}
