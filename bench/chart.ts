import { type Compared, isCompared, type Results } from './results.ts';
import { figuresOf, formatNumber } from './table.ts';

const WIDTH = 820;
const LEFT = 24;
const RIGHT = 190;
const TOP = 66;
const ROW = 46;
/** Of a row, above its bar. */
const LABEL = 22;
const BAR = 14;
const BOTTOM = 44;
/** Characters of a line that have room; the glyphs of a system's font are narrower than this allows for. */
const MAX_TEXT = 112;
const TICKS = [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/** A panel of its own behind it, so that it can be read on a page of any colour. */
const STYLE = [
  '.panel{fill:#ffffff;stroke:#d0d7de}.text{fill:#1f2328}.dim{fill:#57606a}.line{stroke:#d8dee4}.one{stroke:#57606a}',
  '.bar{fill:#0969da}.less{fill:#9a6700}.whisker{stroke:#1f2328}.target{stroke:#cf222e}',
  '@media(prefers-color-scheme:dark){.panel{fill:#161b22;stroke:#30363d}.text{fill:#e6edf3}.dim{fill:#9198a1}.line{stroke:#30363d}',
  '.one{stroke:#9198a1}.bar{fill:#4493f8}.less{fill:#d29922}.whisker{stroke:#e6edf3}.target{stroke:#ff7b72}}',
].join('');

/** Where a factor is on the axis, in pixels. */
type Scale = (factor: number) => number;

/**
 * docs/performance.svg: a bar for each row whose target says how many times faster, from the lowest pair to the highest, on a
 * logarithmic axis. The same results make the same bytes.
 */
export function renderChart({ rows }: Results): string {
  const shown = rows
    .filter(isCompared)
    .filter(({ comparison, target }) => comparison === 'faster' && target !== undefined);
  const height = TOP + shown.length * ROW + BOTTOM;
  const ticks = ticksFor(shown);
  const scale = scaleOf(ticks);
  const foot = height - BOTTOM;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title desc">`,
    '<title id="title">How many times faster build-once is</title>',
    `<desc id="desc">${escape(shown.map(sentence).join(' '))}</desc>`,
    `<style>${STYLE}</style>`,
    `<rect class="panel" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="6"/>`,
    '<g font-family="system-ui,-apple-system,Segoe UI,Helvetica,Arial,sans-serif" font-size="12">',
    text({ x: LEFT, y: 28 }, 'text', 'How many times faster build-once is', 'font-size="16" font-weight="600"'),
    text(
      { x: LEFT, y: 47 },
      'dim',
      'Median of the pairs; the thin line goes from the lowest to the highest, a red mark is the target. Logarithmic.',
    ),
    ...ticks.flatMap((tick) => [
      `<path class="${tick === 1 ? 'one' : 'line'}" d="${besideBars(scale(tick), shown.length)}"/>`,
      text({ x: scale(tick), y: foot + 18 }, 'dim', `${formatNumber(tick, tick < 1 ? 1 : 0)}×`, 'text-anchor="middle"'),
    ]),
    text(
      { x: LEFT, y: foot + 36 },
      'dim',
      'Right of 1× ours is faster. In brackets are the medians of ours and of theirs.',
    ),
    ...shown.flatMap((row, index) => rowShapes(row, TOP + index * ROW, scale)),
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

/** A vertical line with a gap for the words above each bar. */
function besideBars(x: number, rows: number): string {
  const from = (index: number): number => TOP + index * ROW + LABEL - 2;
  return Array.from({ length: rows }, (_, index) => `M${pixels(x)} ${from(index)}v${BAR + 6}`).join('');
}

function rowShapes(row: Compared, top: number, scale: Scale): readonly string[] {
  const { spread, target } = row;
  const { number } = figuresOf(row);
  const barTop = top + LABEL;
  const middle = barTop + BAR / 2;
  const [from, to] = [Math.min(scale(1), scale(spread.median)), Math.max(scale(1), scale(spread.median))];
  const end = Math.max(to, scale(spread.highest), scale(target ?? 1));
  return [
    text({ x: LEFT, y: top + 15 }, 'text', shortened(`${plain(row.ours.what)} – against ${plain(row.theirs.what)}`)),
    `<rect class="${spread.median < 1 ? 'less' : 'bar'}" x="${pixels(from)}" y="${pixels(barTop)}" width="${pixels(Math.max(1, to - from))}" height="${BAR}" rx="2"/>`,
    line({ x1: scale(spread.lowest), y1: middle, x2: scale(spread.highest), y2: middle }, 'whisker'),
    ...(target === undefined
      ? []
      : [line({ x1: scale(target), y1: barTop - 3, x2: scale(target), y2: barTop + BAR + 3 }, 'target', 2)]),
    text({ x: end + 8, y: middle + 4 }, 'text', valueText(row, number)),
  ];
}

function valueText(row: Compared, number: string): string {
  const { ours, theirs } = figuresOf(row);
  return `${number}× (${ours}, ${theirs})`;
}

function sentence(row: Compared): string {
  const { median, ours, theirs } = figuresOf(row);
  return `${plain(row.ours.what)} (${ours}) against ${plain(row.theirs.what)} (${theirs}): ${median}.`;
}

/** Those around everything that is drawn. */
function ticksFor(rows: readonly Compared[]): readonly number[] {
  const drawn = rows.flatMap(({ spread, target }) => [spread.lowest, spread.highest, target ?? 1]);
  const [least, most] = [Math.min(1, ...drawn), Math.max(2, ...drawn)];
  const first = TICKS.findLastIndex((tick) => tick <= least);
  const last = TICKS.findIndex((tick) => tick >= most);
  return TICKS.slice(Math.max(0, first), last === -1 ? undefined : last + 1);
}

/** What is beyond the ends is drawn at them. */
function scaleOf(ticks: readonly number[]): Scale {
  const [first = 1] = ticks;
  const last = ticks.at(-1) ?? first;
  const width = WIDTH - LEFT - RIGHT;
  return (factor) =>
    LEFT + width * (Math.log(Math.min(last, Math.max(first, factor)) / first) / Math.log(last / first));
}

interface Ends {
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
}

function line({ x1, y1, x2, y2 }: Ends, name: string, width = 1): string {
  return `<line class="${name}" x1="${pixels(x1)}" y1="${pixels(y1)}" x2="${pixels(x2)}" y2="${pixels(y2)}" stroke-width="${width}"/>`;
}

interface Place {
  readonly x: number;
  readonly y: number;
}

function text({ x, y }: Place, name: string, content: string, more = ''): string {
  return `<text class="${name}" x="${pixels(x)}" y="${pixels(y)}"${more === '' ? '' : ` ${more}`}>${escape(content)}</text>`;
}

function pixels(value: number): string {
  return String(Number(value.toFixed(1)));
}

function plain(markdown: string): string {
  return markdown.replaceAll('`', '');
}

function shortened(words: string): string {
  return words.length <= MAX_TEXT ? words : `${words.slice(0, MAX_TEXT - 1)}…`;
}

function escape(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
