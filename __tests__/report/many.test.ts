import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { BuildOnceError } from '../../src/errors.ts';
import { type ManyRun, reportMany } from '../../src/report/many.ts';
import { renderMarkdown, renderText } from '../../src/report/render.ts';
import { failureOf, type Report, reportOf } from '../../src/report/report.ts';
import type { Results, Run } from '../../src/stage.ts';
import { sampleHash } from '../support/sample-hash.ts';
import { sampleRun } from '../support/sample-run.ts';

const hash = sampleHash('ab'.repeat(32));
const miss: Results['lookup'] = {
  reason: 'not-found',
  detail: 'it is not there',
  image: undefined,
  existing: new Map(),
  hashTags: new Map(),
};
const hit: Results['lookup'] = {
  reason: 'hit',
  detail: 'it has this content',
  existing: new Map(),
  hashTags: new Map(),
  image: {
    repository: { registry: 'ghcr.io', path: 'acme/app' },
    descriptor: { mediaType: 'application/vnd.oci.image.index.v1+json', digest: digestOf('index'), sizeBytes: 5 },
    manifest: { kind: 'index', mediaType: 'application/vnd.oci.image.index.v1+json', annotations: {}, manifests: [] },
  },
};
const reporter = { of: reportOf, failureOf, markdown: renderMarkdown };
const imageOf = (name: string, lookup: Results['lookup'], error?: Error, more: Partial<Run> = {}) => ({
  target: { name },
  run: sampleRun({ results: { hash, lookup }, ...more }),
  error,
  durationMs: 5,
});
const tell = (images: ManyRun['images'], command: ManyRun['command'] = 'build'): Report => {
  const error = images.find((image) => image.error !== undefined)?.error;
  return reportMany({ command, images, matrix: { entries: [], waves: [] }, durationMs: 9, error }, reporter);
};
const stopped = (name: string): Error => new BuildOnceError('BUILD_STOPPED', `"${name}" was not built`, 1, {});

describe('the summary of several images', () => {
  it('begins with those that are missing, and folds those that are there, which may be hundreds', () => {
    const there = Array.from({ length: 30 }, (_, at) => imageOf(`a${at}`, hit));
    const summary = renderMarkdown(tell([...there, imageOf('z', miss)], 'plan'));
    const [open = '', folded = ''] = summary.split('<details><summary>30 images there</summary>');
    expect(open).toContain('<code>z</code> | missing');
    expect(open).not.toContain('<code>a0</code>');
    expect(folded).toContain('<code>a29</code> | there | hit: it has this content');
  });

  it('has no column that is empty for all', () => {
    const summary = renderMarkdown(tell([imageOf('y', miss), imageOf('z', miss)], 'plan'));
    expect(summary).toContain('| Image | What | Why | Took |');
    expect(summary).not.toContain('<code></code>');
  });

  it('tells those that failed from those that were stopped by them, of which there is nothing more to say', () => {
    const report = tell([imageOf('a', miss, stopped('a')), imageOf('b', miss, new Error('no')), imageOf('c', hit)]);
    const summary = renderMarkdown(report);
    expect(report.headline).toBe('Built 0 of 3 images, reused 1, 1 failed, 1 not built');
    expect(summary).toContain('<details><summary><code>b</code></summary>');
    expect(summary).not.toContain('<details><summary><code>a</code></summary>');
  });

  it('tells of an interrupted run once', () => {
    const error = new BuildOnceError('INTERRUPTED', 'interrupted by SIGINT', 1, {});
    const report = tell([imageOf('a', miss, error), imageOf('b', miss, error)]);
    expect(report.headline).toBe('Built 0 of 2 images, reused 0, 2 interrupted');
    expect(renderMarkdown(report)).not.toContain('<details>');
  });
});

it('in a terminal each image has one line, with a space behind its word, whatever failed', () => {
  const lines = renderText(tell([imageOf('a', miss, stopped('a')), imageOf('bb', miss, new Error('x\ny'))])).split(
    '\n',
  );
  expect(lines.slice(1, 3)).toEqual([
    '  a   not built BUILD_STOPPED: "a" was not built',
    expect.stringMatching(/^ {2}bb {2}failed {4}\S/),
  ]);
  expect(lines[3]).toMatch(/^ {2}took/);
});

it('what was saved is the sum, to the millisecond', () => {
  const images = [0.1, 0.2, 0.7].map((savedSeconds, at) => imageOf(`${at}`, hit, undefined, { savedSeconds }));
  expect(tell(images).outputs).toMatchObject({ 'seconds-saved': '1' });
  expect(0.1 + 0.2).not.toBe(0.3);
});
