import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// .ci/run names a file here, to count from.
const report = process.env['BUILD_ONCE_TEST_REPORT'];

// oxlint-disable-next-line import/no-default-export -- vitest asks for one
export default defineConfig({
  test: {
    include: ['__tests__/**/*.test.ts'],
    globalSetup: ['__tests__/support/global-setup.ts'],
    // vitest leaves one processor to itself; on two, each file would wait for the programs of the one before.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
