import { describe, expect, it } from 'vitest';
import { renderPage } from '../../bench/page.ts';
import { comparedRow, countedRow, session } from './sample-results.ts';

const fact = { what: '', unit: 'MB', target: undefined, needs: [], count: () => Promise.resolve(0) } as const;
const groups = [
  { name: 'hit', title: '', facts: ['fast', 'requests', 'later'].map((name) => ({ ...fact, name })), rows: [] },
];
const results = { sessions: [session()], rows: [comparedRow(), countedRow()] };

function page(template: string, more: Partial<Parameters<typeof renderPage>[0]> = {}): string {
  return renderPage({ template, results, groups, settings: { files: '1,000' }, ...more });
}

describe('the page', () => {
  it('says first where it comes from', () => {
    expect(page('# Title')).toMatch(/^<!-- Made from bench\/results\.json .*-->\n\n# Title\n$/);
  });

  it('has the tables of a group, when it was measured, and what has not been', () => {
    const text = page('{{group hit}}');
    expect(text).toContain('| requests of a hit | 4 requests |');
    expect(text).toContain('Measured: machine A, 2026-11-21, commit 0123456789ab, 7 rounds, load 0.5 → 2.0.');
    expect(text).toContain('Not measured yet: `later`.');
  });

  it('tells rows of several sessions apart', () => {
    const second = session({ id: 'second', isDirty: true, rounds: 1, note: 'a busy day', versions: {} });
    const text = page('{{group hit}}\n\n{{machines}}', {
      results: { sessions: [session(), second], rows: [comparedRow(), countedRow({ session: 'second' })] },
    });
    expect(text).toContain('- Measured (`fast`): machine A, ');
    expect(text).toContain(
      '- Measured (`requests`): machine B, 2026-11-21, commit 0123456789ab with changes that no commit has, 1 round, load 0.5 → 2.0; a busy day.',
    );
    expect(text).toContain('- A: 2 × Abacus, 8 GiB, Linux 6.18, build-once 0.1.0, Node 24.21.0\n- B: 2 × Abacus,');
  });

  it('leaves out the items and paragraphs that need a figure which nobody has measured', () => {
    expect(
      page('- It is {{fast.ours}}.\n- Later,\n  {{later.median}}.\n- Last.\n\nNo {{later.median}}.\n\nEnd.'),
    ).toMatch(/-->\n\n- It is 100 ms\.\n- Last\.\n\nEnd\.\n$/);
  });

  it('lists what falls short with its reason, and what nobody has looked into', () => {
    const rows = [countedRow(), comparedRow({ target: 20 })];
    const text = page('{{shortfalls}}', { results: { sessions: [session()], rows } });
    expect(text).toContain('- **Requests of a hit** (4 requests, target ≤ 3 requests). The one more asks');
    expect(text).toContain('- **`fast`** (12.5× faster, target ≥ 20× faster). Nobody has looked into it yet.');
  });

  it('says so when nothing falls short', () => {
    expect(page('{{shortfalls}}', { results: { sessions: [], rows: [] } })).toContain('every target is reached');
  });

  it('is an error with a group that there is not', () => {
    expect(() => page('{{group nope}}')).toThrow('{{group nope}}: there is no such group');
  });
});
