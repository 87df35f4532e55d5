import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { renderMarkdown, renderText } from '../../src/report/render.ts';
import type { Report } from '../../src/report/report.ts';

const DIGEST = digestOf('image');
const report: Report = {
  status: 'built',
  headline: 'Built',
  notPushed: undefined,
  loaded: undefined,
  explanation: undefined,
  reason: 'not-found: the registry has no hash-0123',
  image: `ghcr.io/acme/app@${DIGEST}`,
  hash: 'ab'.repeat(32),
  savedSeconds: undefined,
  inputs: ['1,024 files', 'base image node:22'],
  warnings: ['Dockerfile:3: look here'],
  platforms: [
    { platform: 'linux/amd64', digest: DIGEST, sizeBytes: 12_345_678 },
    { platform: 'linux/arm64', digest: DIGEST, sizeBytes: undefined },
  ],
  tags: [{ reference: 'ghcr.io/acme/app:1.2.3', outcome: 'created' }],
  signatures: [],
  scan: undefined,
  prune: undefined,
  several: undefined,
  subjects: [],
  steps: [
    { name: 'hash', durationMs: 120, skipped: undefined },
    { name: 'lookup', durationMs: 0, skipped: undefined },
    { name: 'build', durationMs: 3000, skipped: 'the image is in the registry' },
  ],
  durationMs: 1234,
  failure: undefined,
  outputs: {},
};
const HOSTILE = [
  '\n::set-output name=x::y',
  '%0A::error::x',
  '##[command]x',
  '`x` ```\nx\n```',
  ']]>',
  'a | b | c',
  '<script>alert(1)</script>',
  '<img src=x onerror=y>',
  '</code></td></pre><b>x',
  '![x](https://evil.example/x.png)',
  '[x](javascript:alert(1))',
  'https://evil.example www.evil.example',
  '**x** _y_ ~~z~~ # h\n# h',
  '- [ ] x\n1. x\n\n    x',
  '&lt;b&gt; &amp; &#60;',
  '\\| \\<b>',
  '$x$ $$y$$ :tada: @octocat #1',
  '<!-- x',
  '\u001b[31mred\u001b]0;x\u0007',
  '\u202ereversed',
  'nul \0, half \ud800',
  'x'.repeat(1_000_000),
  '|'.repeat(1_000_000),
  ' '.repeat(1_000_000),
  '\n'.repeat(1_000_000),
];

/** A report in which a stranger wrote every text that is not ours. */
function hostileReport(text: string): Report {
  return {
    ...report,
    status: 'failed',
    headline: 'Failed',
    reason: text,
    image: text,
    hash: text,
    inputs: [text, text],
    warnings: [text],
    platforms: [{ platform: text, digest: DIGEST, sizeBytes: 1 }],
    tags: [{ reference: text, outcome: text }],
    failure: { code: text, message: text, hint: text, at: undefined },
  };
}

/** What a browser would show of a text with character references. */
function decoded(text: string): string {
  return text.replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)));
}

/** What of this Markdown a renderer takes for markup that is not ours (GFM 0.29). */
function strangeMarkup(markdown: string): string[] {
  const found: string[] = [];
  const tags = [...markdown.matchAll(/<[^>]*>?/g)].map(([tag]) => tag);
  found.push(...tags.filter((tag) => !['<code>', '</code>', '<pre>', '</pre>', '<br>'].includes(tag)));
  const words = markdown.replace(/<[^>]*>/g, '');
  found.push(
    ...(words.replace(/^### |^\*\*|\*\*$|^\| --- .*$|^\|.*\|$/gm, '').match(/[`*_[\]\\~$!]|&(?!#\d+;)/g) ?? []),
  );
  found.push(...(markdown.match(/:\/\/|www\.|[^\P{Cc}\t\n]|[\p{Cs}\p{Bidi_Control}]/giu) ?? []));
  return found;
}

/** The cells of every table row. */
function cellsOf(markdown: string): string[][] {
  const rows = markdown.split('\n').filter((line) => line.startsWith('|'));
  return rows.map((row) => row.slice(2, -2).split(' | '));
}

describe('the summary', () => {
  it('says what happened, why, for which platforms, and which tags were set', () => {
    const markdown = renderMarkdown(report);
    const digest = DIGEST;
    expect(decoded(markdown).split('\n')).toEqual([
      '### Built',
      '',
      '|  |  |',
      '| --- | --- |',
      `| Image | <code>ghcr.io/acme/app@${digest}</code> |`,
      '| Why | not-found: the registry has no hash-0123 |',
      `| Content | <code>${'ab'.repeat(32)}</code> |`,
      '| Hashed | 1,024 files<br>base image node:22 |',
      '| Warnings | Dockerfile:3: look here |',
      '| Took | 1.2 s (hash 120 ms) |',
      '',
      '| Platform | Digest | Size |',
      '| --- | --- | --- |',
      `| <code>linux/amd64</code> | <code>${digest}</code> | 12.3 MB |`,
      `| <code>linux/arm64</code> | <code>${digest}</code> | – |`,
      '',
      '| Tag | What happened |',
      '| --- | --- |',
      '| <code>ghcr.io/acme/app:1.2.3</code> | created |',
      '',
    ]);
    expect(strangeMarkup(markdown)).toEqual([]);
  });

  it('has the names that people type for Docker, as the terminal has', () => {
    const local: Report = {
      ...report,
      image: 'docker.io/library/myapp:hash-01',
      tags: [{ reference: 'docker.io/library/myapp:dev', outcome: 'created' }],
    };
    const markdown = decoded(renderMarkdown(local));
    expect(markdown).toContain('| Image | <code>myapp:hash-01</code> |');
    expect(markdown).toContain('| <code>myapp:dev</code> | created |');
    expect(renderText(local)).toMatch(/^ {2}image +myapp:hash-01$[^]*^ {2}tag +myapp:dev {2}created$/m);
  });

  it('says what a hit saved, as the terminal does', () => {
    const hit: Report = { ...report, status: 'reused', headline: 'Reused', savedSeconds: 252.4 };
    expect(renderMarkdown(hit)).toContain('| Saved | 4 min 12 s of building |\n');
    expect(renderText(hit)).toMatch(/^ {2}saved {5}4 min 12 s of building$/m);
  });

  it('is short when little is known', () => {
    const bare: Report = {
      ...report,
      status: 'hashed',
      headline: 'Hashed',
      reason: '',
      image: undefined,
      hash: undefined,
      inputs: [],
      warnings: [],
      platforms: [],
      tags: [],
    };
    expect(renderMarkdown(bare)).toBe('### Hashed\n\n|  |  |\n| --- | --- |\n| Took | 1.2 s &#40;hash 120 ms&#41; |\n');
  });

  it('shows a failure with its message to the letter', () => {
    const failure = { code: 'BUILD_FAILED', message: 'a <b>\n\n  c | d', hint: 'Look at `x`.', at: undefined };
    const markdown = decoded(renderMarkdown({ ...report, status: 'failed', headline: 'Failed', failure }));
    expect(markdown).toContain(
      '### Failed\n\n**BUILD_FAILED**\n\n<pre>a <b>\n\n  c | d</pre>\n\nHint: Look at `x`.\n\n|',
    );
  });

  it('makes no list of a hint', () => {
    const failure = { code: 'X', message: 'x', hint: '- [ ] x', at: undefined };
    expect(decoded(renderMarkdown({ ...report, failure }))).toContain('\n\nHint: - [ ] x\n\n');
  });

  it('shows the beginning and the end of a long message', () => {
    const message = `begin\n${'x'.repeat(1_000_000)}\nend`;
    const markdown = renderMarkdown({ ...report, failure: { code: 'X', message, hint: undefined, at: undefined } });
    expect(markdown).toMatch(/<pre>begin\n[^<]*\n…\n[^<]*\nend<\/pre>/);
    expect(markdown.length).toBeLessThan(200_000);
  });

  it('says how many rows it leaves out', () => {
    const tags = Array.from({ length: 201 }, (_, index) => ({ reference: `a/b:${index}`, outcome: 'created' }));
    const inputs = tags.map(({ reference }) => reference);
    const markdown = renderMarkdown({ ...report, tags, inputs });
    expect(markdown).toContain('<code>a/b:199</code>');
    expect(markdown).not.toContain('<code>a/b:200</code>');
    expect(markdown).toContain('| and 1 more |  |');
    expect(markdown).toContain('a/b:199<br>and 1 more |');
    expect(renderMarkdown({ ...report, tags: tags.slice(1), inputs })).toContain('a/b:200');
  });

  it('shows hostile text and renders none of it (%#)', () => {
    for (const text of HOSTILE) {
      const markdown = renderMarkdown(hostileReport(text));
      expect(strangeMarkup(markdown)).toEqual([]);
      const widths = cellsOf(markdown).map((cells) => cells.length);
      expect(widths).toEqual([2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 2, 2, 2]);
      expect(markdown.length).toBeLessThan(500_000);
    }
  });

  it('loses nothing of a text but what is not printable', () => {
    const text = '<b> & "c" `d` |e| [f](g) #1 @h $i$ http://j www.k {l} !m ~n~ \\o';
    expect(decoded(renderMarkdown(hostileReport(text)))).toContain(`| Why | ${text} |`);
  });

  it('renders nothing of any text', () => {
    const text = fc.string({ unit: fc.constantFrom(...'<>&;#|`*_[]()!~\\$@{}:/w. \n\r\t-+=1a\u001b\u202e\ud800"\'') });
    fc.assert(
      fc.property(text, (hostile) => {
        const markdown = renderMarkdown(hostileReport(hostile));
        expect(strangeMarkup(markdown)).toEqual([]);
        expect(new Set(cellsOf(markdown).map((cells) => cells.length))).toEqual(new Set([2, 3]));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the text for a terminal', () => {
  it('says the same in plain lines', () => {
    expect(renderText(report)).toBe(
      [
        'Built',
        `  image     ghcr.io/acme/app@${DIGEST}`,
        '  why       not-found: the registry has no hash-0123',
        `  content   ${'ab'.repeat(32)}`,
        `  platform  linux/amd64  ${DIGEST}  12.3 MB`,
        `  platform  linux/arm64  ${DIGEST}  –`,
        '  tag       ghcr.io/acme/app:1.2.3  created',
        '  took      1.2 s (hash 120 ms)',
      ].join('\n'),
    );
  });

  it('has one printable line for each fact, whatever a stranger wrote', () => {
    for (const text of HOSTILE) {
      const lines = renderText(hostileReport(text)).split('\n');
      expect(lines.map((line) => line.slice(0, 12).trim())).toEqual([
        'Failed',
        'image',
        'why',
        'content',
        'platform',
        'tag',
        'took',
      ]);
      expect(lines.join('')).not.toMatch(/\p{Cc}|\p{Cs}|\p{Bidi_Control}/u);
      expect(lines.join('').length).toBeLessThan(10_000);
    }
  });
});

describe('a scan', () => {
  const scan = {
    passed: true,
    summary: '2 findings | <b>1 critical</b>',
    keptSince: undefined,
    document: {},
    markdown: '#### What the scan found\n\n| a | b |',
    text: 'a table',
  };

  it('ends the summary, as it was rendered', () => {
    const text = renderMarkdown({ ...report, scan });
    expect(text.endsWith(`\n\n${scan.markdown}\n`)).toBe(true);
    expect(text).not.toContain('| Scan |');
  });

  it('that was kept says since when, and shows what it says to the letter', () => {
    const text = renderMarkdown({ ...report, scan: { ...scan, keptSince: '2026-11-21T17:00:00Z' } });
    expect(text).toContain(
      '| Scan | passed: 2 findings &#124; &#60;b&#62;1 critical&#60;/b&#62; &#40;kept since 2026-11-21T17:00:00Z&#41; |',
    );
  });

  it.each([
    [scan, '  scan      passed: 2 findings | <b>1 critical</b>'],
    [{ ...scan, passed: false, summary: 'one\n\u001b[31mtwo' }, /^ {2}scan {6}failed: one.*two$/m],
    [{ ...scan, keptSince: '2026-11-21T17:00:00Z' }, '(kept since 2026-11-21T17:00:00Z)'],
  ])('is one line in a terminal', (section, line) => {
    const text = renderText({ ...report, scan: section });
    expect(text).toMatch(line);
    expect(text).not.toContain('\u001b');
  });

  it('that did not happen is nowhere', () => {
    expect(renderMarkdown(report)).not.toContain('Scan');
    expect(renderText(report)).not.toContain('scan');
  });
});
