import type { Row } from './rows.ts';

/** What signing costs. */
export const SIGN_ROWS: readonly Row[] = [
  {
    name: 'sign-cosign',
    ours: 'sign, attach, verify: an index and two platforms',
    theirs: '`cosign sign` and `cosign verify` of each',
    comparison: 'faster',
    target: undefined,
    needs: ['cosign'],
    pairs: 3,
    open: async (scenes) => (await scenes.sign()).cosign,
  },
  {
    name: 'sign-more',
    ours: 'the same with one more manifest',
    theirs: 'without it',
    comparison: 'over',
    target: 100,
    needs: [],
    pairs: 3,
    open: async (scenes) => (await scenes.sign()).more,
  },
];
