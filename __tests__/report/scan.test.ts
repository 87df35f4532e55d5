import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PlatformScan } from '../../src/core/findings.ts';
import { assessImage, type ImageScan } from '../../src/core/image-scan.ts';
import type { GateRules } from '../../src/core/scan-rules.ts';
import { renderSarif } from '../../src/report/sarif.ts';
import { renderScanJson } from '../../src/report/scan-json.ts';
import { renderScanMarkdown } from '../../src/report/scan-markdown.ts';
import { renderScanText } from '../../src/report/scan-text.ts';
import { LENIENT, platformScan, realScan, SCAN_FIXTURES, secret, vulnerability } from '../support/trivy-reports.ts';

const IMAGE = `ghcr.io/acme/app@sha256:${'0a'.repeat(32)}`;
const SETTINGS = { category: 'acme/app', dockerfile: 'Dockerfile' };
const ANY: GateRules = { ...LENIENT, failOn: 'any' };

function assess(scans: readonly PlatformScan[], rules: GateRules, published?: readonly PlatformScan[]): ImageScan {
  const baseline = published === undefined ? undefined : { name: 'ghcr.io/acme/app:1.2.2', scans: published };
  return assessImage({ image: IMAGE, scans, baseline }, rules);
}

/** What was found, the rules, and what was published before. */
const SHAPES: Readonly<Record<string, () => ImageScan>> = {
  system: () =>
    assess([realScan('os-amd64'), realScan('os-arm64', 'linux/arm64')], {
      ...ANY,
      ignoreUnfixed: true,
      budget: new Map([['MEDIUM', 0]]),
    }),
  languages: () => assess([realScan('languages')], { ...LENIENT, failOn: 'new' }, [realScan('languages-before')]),
  secrets: () => assess([realScan('secrets')], { ...LENIENT, budget: new Map([['CRITICAL', 2]]) }),
  misconfigurations: () => assess([realScan('misconfigurations')], LENIENT),
  licenses: () => assess([realScan('licenses')], ANY),
  nothing: () => assess([realScan('clean'), realScan('empty', 'linux/arm64')], { ...LENIENT, failOn: 'new' }),
  suppressed: () => assess([realScan('suppressed')], { ...LENIENT, failOn: 'new' }),
};

describe.each(Object.keys(SHAPES))('a scan that found %s', (name) => {
  const scan = (): ImageScan => SHAPES[name]?.() ?? assess([], LENIENT);
  const file = (extension: string): string => path.join(SCAN_FIXTURES, 'scan', `${name}.${extension}`);

  it('is shown in the log', async () => {
    await expect(`${renderScanText(scan())}\n`).toMatchFileSnapshot(file('txt'));
  });

  it('is shown in the summary', async () => {
    await expect(renderScanMarkdown(scan())).toMatchFileSnapshot(file('md'));
  });

  it('is SARIF', async () => {
    await expect(renderSarif(scan().scans, SETTINGS)).toMatchFileSnapshot(file('sarif'));
  });

  it('is JSON', async () => {
    await expect(renderScanJson(scan())).toMatchFileSnapshot(file('json'));
  });
});

describe('a summary with more than fits', () => {
  const many = Array.from({ length: 5000 }, (_, index) =>
    vulnerability(`CVE-${index}`, index === 4999 ? 'LOW' : 'HIGH'),
  );

  it('is less than 64 KiB, with what broke a rule first, then the worst, and says how many there are besides', () => {
    const markdown = renderScanMarkdown(assess([platformScan(many)], { ...LENIENT, budget: new Map([['LOW', 0]]) }));
    expect(Buffer.byteLength(markdown)).toBeLessThan(65_536);
    const rows = markdown.split('\n').filter((line) => /^\| (?:HIGH|LOW)/.test(line));
    expect(rows[0]).toContain('CVE-4999');
    expect(rows[1]).toContain('HIGH');
    expect(rows.length).toBeGreaterThan(100);
    expect(markdown).toContain(`| and ${5000 - rows.length} more |`);
  });

  it('is less than 64 KiB when every text is as long as a report may have it, and must be escaped', () => {
    const text = '|'.repeat(4096);
    const hostile = Array.from({ length: 100 }, () => ({
      ...vulnerability(text, 'HIGH', { package: text, fixed: text }),
      title: text,
      file: text,
    }));
    const scans = Array.from({ length: 60 }, (_, index) => platformScan(hostile, `linux/${index}${text}`));
    const markdown = renderScanMarkdown(assess(scans.slice(0, 4), ANY, scans));
    expect(Buffer.byteLength(markdown)).toBeLessThan(65_536);
    expect(markdown).toMatch(/\| and \d+ more \|/);
  });
});

const HOSTILE = [
  '\n::error::x',
  '\u001b[31mred',
  '| a |',
  '<img src=x>',
  '[x](https://evil.test)',
  '`x`',
  '\u202ex',
  '\ud800',
];

describe.each(HOSTILE)('a stranger who writes %j', (text) => {
  const finding = {
    ...vulnerability(text, 'HIGH', { package: text, installed: text, fixed: text }),
    title: text,
    file: text,
  };
  const check = {
    ...secret(text, 'HIGH', text),
    kind: 'misconfiguration',
    message: text,
    resolution: text,
    description: text,
  } as const;
  const hostile = platformScan([{ ...finding, target: text }, check, secret(text, 'LOW', text)]);
  const scan = assessImage(
    {
      image: text,
      scans: [{ ...hostile, system: { name: text, isSupported: true } }],
      baseline: { name: text, scans: [] },
    },
    { ...ANY, failOn: 'new' },
  );

  it('begins no line of the log, and colours none', () => {
    const lines = renderScanText(scan).split('\n');
    expect(lines.every((line) => /^(?:Scan of |The scan | {2})/.test(line))).toBe(true);
    expect(lines.join('')).not.toMatch(/[\p{Cc}\p{Cs}\p{Bidi_Control}]/u);
  });

  it('writes no markup into the summary', () => {
    const markdown = renderScanMarkdown(scan);
    expect(markdown.replace(/<\/?code>|<br>/g, '')).not.toMatch(/<|`|:\/\/|\]\(|[^\P{Cc}\n]|[\p{Cs}\p{Bidi_Control}]/u);
    const rows = markdown.split('\n').filter((line) => line.startsWith('| '));
    expect(new Set(rows.map((row) => row.split(' | ').length))).toEqual(new Set([8, 6]));
  });
});
