import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// .ci/run names a file here, to count from.
const report = process.env['BUILD_ONCE_TEST_REPORT'];

// oxlint-disable-next-line import/no-default-export -- vitest asks for one
export default defineConfig({
  test: {
    include: ['__tests__/**/*.test.ts'],
    globalSetup: ['__tests__/support/global-setup.ts'],
    // More than there are processors: many files wait for programs, registries and paces most of their time.
    maxWorkers: availableParallelism() + 1,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
