import { NAMES } from './hit-rows.ts';
import type { Row } from './rows.ts';

/** What a scan costs. */
export const SCAN_ROWS: readonly Row[] = [
  {
    name: 'scan-platforms',
    ours: '`build-once scan`, two platforms',
    theirs: 'the same, one platform, and one more start of Trivy',
    comparison: 'slower',
    target: 1.3,
    needs: ['docker', 'trivy'],
    pairs: 1,
    open: async (scenes) => (await scenes.scan()).platforms(),
  },
  {
    name: 'scan-kept',
    ours: `${NAMES.cli}, with a kept result`,
    theirs: 'the same with `scan: false`',
    comparison: 'over',
    target: undefined,
    needs: ['docker', 'trivy'],
    pairs: 3,
    open: async (scenes) => (await scenes.scan()).kept(),
  },
  {
    name: 'scan-miss',
    ours: 'miss, docker driver, cached, with a scan of two platforms',
    theirs: 'the same with `scan: false`',
    comparison: 'over',
    target: undefined,
    needs: ['docker', 'trivy'],
    pairs: 1,
    open: async (scenes) => (await scenes.scan()).miss(),
  },
];
