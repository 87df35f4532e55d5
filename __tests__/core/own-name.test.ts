import { describe, expect, it } from 'vitest';
import { lowerOwnName } from '../../src/core/own-name.ts';

const own = { repository: 'Acme/My.App', owner: 'Acme' };

describe("GitHub's own name", () => {
  it.each([
    ['ghcr.io/Acme/My.App', 'ghcr.io/acme/my.app'],
    ['Acme/My.App', 'acme/my.app'],
    ['ghcr.io/Acme/My.App:Tag', 'ghcr.io/acme/my.app:Tag'],
    ['ghcr.io/Acme/My.App@sha256:X', 'ghcr.io/acme/my.app@sha256:X'],
    ['ghcr.io/Acme/My.App/Web', 'ghcr.io/acme/my.app/Web'],
    ['ghcr.io/Acme/other', 'ghcr.io/acme/other'],
    ['ghcr.io/Acme/Other', 'ghcr.io/acme/Other'],
    [' ghcr.io/Acme/My.App , docker.io/Acme/My.App\nAcme/x', ' ghcr.io/acme/my.app , docker.io/acme/my.app\nacme/x'],
    ['"ghcr.io/Acme/My.App"', '"ghcr.io/acme/my.app"'],
    ['type=registry,ref=ghcr.io/Acme/My.App:cache,mode=max', 'type=registry,ref=ghcr.io/acme/my.app:cache,mode=max'],
    ['mode=max,ref=Acme/My.App', 'mode=max,ref=acme/my.app'],
  ])('is lower-cased in %j', (text, lowered) => {
    expect(lowerOwnName(text, own)).toBe(lowered);
  });

  it.each([
    'Acme',
    'type=raw,value=Acme',
    'type=raw,value=Acme/x',
    'type=ref,event=branch,prefix=Acme/',
    'type=local,src=/home/runner/work/Acme/My.App/cache',
    'ghcr.io/NotAcme/app',
    'ghcr.io/Acme2/app',
    'ghcr.io/Acme/MyxApp'.replace('Acme', 'Other'),
    'ghcr.io/acme/app:Acme',
    'ghcr.io/ACME/app',
  ])('is not seen in %j', (text) => {
    expect(lowerOwnName(text, own)).toBe(text);
  });

  it('that is unknown changes nothing', () => {
    expect(lowerOwnName('ghcr.io/Acme/App', { repository: '', owner: '' })).toBe('ghcr.io/Acme/App');
  });

  it('is taken to the letter, whatever it holds', () => {
    expect(lowerOwnName('(A+)+/x,.*/y', { repository: '(A+)+/x', owner: '.*' })).toBe('(a+)+/x,.*/y');
  });

  it.each(['Acme/', '/Acme', ',', '=', '"', 'a', 'ref=', ' '])('is looked for in 1 MB of %j in one pass', (piece) => {
    expect(lowerOwnName(piece.repeat(1_000_000 / piece.length), own)).toHaveLength(
      piece.length * (1_000_000 / piece.length),
    );
  });
});
