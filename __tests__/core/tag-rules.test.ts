import { describe, expect, it } from 'vitest';
import { parseTagLines, parseTagRules } from '../../src/core/tag-rules.ts';

describe('lines', () => {
  it('are trimmed; blank ones and comments are left out', () => {
    const text = '\n  # all tags\n type=sha \r\n\r\n1.0\n\t#x\n';
    expect(parseTagLines(text)).toEqual({ ok: true, value: ['type=sha', '1.0'] });
  });

  it('keep a # inside', () => {
    expect(parseTagLines('type=match,pattern=a#b')).toEqual({ ok: true, value: ['type=match,pattern=a#b'] });
  });

  it('are refused when they are absurdly long', () => {
    expect(parseTagLines('x'.repeat(1_000_000))).toMatchObject({ ok: false, problem: expect.stringContaining('4096') });
  });
});

describe('one rule', () => {
  it.each([
    ['type=sha', { source: { type: 'sha', format: 'short' }, priority: 100 }],
    ['TYPE=sha , Format=long', { source: { type: 'sha', format: 'long' } }],
    ['type=edge', { source: { type: 'edge', branch: undefined }, priority: 700, prefix: undefined }],
    ['type=ref,event=pr', { source: { type: 'ref', event: 'pr' }, prefix: [{ kind: 'text', text: 'pr-' }] }],
    ['type=raw,value=a=b', { source: { type: 'raw', value: [{ kind: 'text', text: 'a=b' }] } }],
    ['"type=raw","value=a,b ""c"""', { source: { type: 'raw', value: [{ kind: 'text', text: 'a,b "c"' }] } }],
    ['type=match,pattern=x=(.),group=1', { source: { type: 'match', group: 1 }, priority: 800 }],
    ['ghcr.io/acme/app:1', { source: { type: 'reference', tag: '1' } }],
    [
      'localhost:5000/app:1',
      { source: { type: 'reference', repository: { registry: 'localhost:5000', path: 'app' } } },
    ],
  ])('%s', (line, expected) => {
    expect(parseTagRules(line)).toMatchObject({ ok: true, value: [expected] });
  });

  it('names every problem of the line', () => {
    expect(parseTagRules('-x, .y')).toMatchObject({ ok: false, problem: expect.stringMatching(/"-x".*; ".y"/) });
    expect(parseTagRules('type=sha,a=1,b=2')).toMatchObject({
      ok: false,
      problem: expect.stringMatching(/"a".*; "b"/),
    });
  });
});
