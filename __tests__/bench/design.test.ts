import { describe, expect, it } from 'vitest';
import { GROUPS } from '../../bench/groups.ts';

// The numbers that the design sets (DESIGN §8), by the rows of the bench that hold them.

const TARGETS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'a skip: a bare Node process that makes one HEAD': { 'cli-head': 2, 'action-head': 2 },
  'a skip: a fully cached build on a warm builder': { 'cached-docker': 2.5, 'cached-container': 2.5 },
  'a skip: a fresh builder with registry cache': { 'fresh-small': 8, 'fresh-large': 30 },
  'requests on a hit': { requests: 3 },
  'hash of 100,000 files': {
    'hash-100k-sha256sum': 3,
    'hash-100k-hashfiles': 30,
    'hash-memory-100k': 300,
  },
  'plan of 500 images over one tree': { 'many-plan': 2, 'many-plan-reads': 1, 'many-plan-copied-reads': 1 },
  'the acceptance cases': { 'cases-stale': 0, 'cases-wasted': 0, 'cases-unhashed': 0 },
  'prune plan, 10,000 versions': { 'prune-plan-10000-field': 0.25, 'prune-violations': 0 },
  'action start': { 'start-empty': 60, 'dist-size': 6 },
  'a miss over the bare build': {
    'miss-docker-cached': 500,
    'miss-docker-cold': 500,
    'miss-docker-container-cached': 500,
    'miss-docker-container-cold': 500,
  },
};

const measured = new Map(
  GROUPS.flatMap(({ facts, rows }) => [...facts, ...rows]).map(({ name, target }) => [name, target] as const),
);

describe('the numbers of the design', () => {
  it.each(Object.entries(TARGETS))('%s: each row holds its target', (_, targets) => {
    expect(Object.fromEntries(Object.keys(targets).map((id) => [id, measured.get(id)]))).toEqual(targets);
  });
});
