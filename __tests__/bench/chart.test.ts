import { describe, expect, it } from 'vitest';
import { renderChart } from '../../bench/chart.ts';
import { comparedRow, countedRow, session } from './sample-results.ts';
import { elementsOf } from './xml.ts';

const HOSTILE = 'a <b> & "c" `d`';
const { target: _, ...withoutTarget } = comparedRow({ ours: { what: 'not shown either', medianMs: 1 } });
const rows = [
  comparedRow(),
  comparedRow({ id: 'less', spread: { median: 0.9, lowest: 0.8, highest: 1.1 }, target: 1 }),
  comparedRow({
    id: 'far',
    spread: { median: 5000, lowest: 0.001, highest: 90_000 },
    ours: { what: HOSTILE, medianMs: 1 },
  }),
  comparedRow({ id: 'more', comparison: 'over', ours: { what: 'not shown', medianMs: 1 } }),
  withoutTarget,
  countedRow(),
];
const chart = renderChart({ sessions: [session()], rows });

describe('the chart', () => {
  it('is well-formed XML with a title and a description', () => {
    const elements = elementsOf(chart);
    expect(elements[0]).toBe('svg');
    expect(elements.slice(1, 3)).toEqual(['title', 'desc']);
    expect(new Set(elements)).toEqual(new Set(['svg', 'title', 'desc', 'style', 'rect', 'g', 'path', 'text', 'line']));
  });

  it('has a bar for each row whose target says how many times faster, with both medians', () => {
    expect(chart.match(/class="(?:bar|less)"/g)).toEqual(['class="bar"', 'class="less"', 'class="bar"']);
    expect(chart).toContain('>12.5× (100 ms, 1,250 ms)</text>');
    expect(chart).not.toContain('not shown');
  });

  it('says the same in words', () => {
    expect(/<desc id="desc">([^<]*)</.exec(chart)?.[1]).toMatch(
      /^ours \(100 ms\) against theirs \(1,250 ms\): 12\.5× faster\. /,
    );
  });

  it('shows names as they are', () => {
    expect(chart).toContain('a &lt;b&gt; &amp; &quot;c&quot; d – against theirs');
  });

  it('stays inside its frame, whatever was measured', () => {
    const width = Number(/viewBox="0 0 (\d+)/.exec(chart)?.[1]);
    const all = [...chart.matchAll(/ (?:x|x1|x2)="([^"]*)"/g)].map(([, x]) => Number(x));
    expect(all.filter((x) => !(x >= 0 && x <= width))).toEqual([]);
  });

  it('needs nothing from elsewhere', () => {
    expect(chart.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|<script|@import|url\(|href/);
  });

  it('has colours for a dark page too', () => {
    expect(chart).toContain('@media(prefers-color-scheme:dark)');
  });

  it('of nothing is a chart too', () => {
    expect(elementsOf(renderChart({ sessions: [], rows: [] }))).toContain('svg');
  });
});
