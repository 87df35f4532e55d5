import { describe, expect, it } from 'vitest';
import { commitOf, findCommit, type GitSource, parseGitSource, pinnedSource } from '../../src/core/git-source.ts';
import { isGitSource } from '../../src/core/remote-source.ts';

const REMOTE = 'https://github.com/acme/app.git';
const A = 'a'.repeat(40);
const B = 'b'.repeat(40);
const PLAIN: GitSource = {
  remote: REMOTE,
  ref: undefined,
  checksum: undefined,
  directory: '',
  submodules: true,
  keepsGitDirectory: false,
};

function sourceOf(text: string): GitSource {
  const source = parseGitSource(text);
  if (!source.ok) throw new Error(source.problem);
  return source.value;
}

describe('a git repository', () => {
  it.each<[string, Partial<GitSource>]>([
    [REMOTE, {}],
    [`${REMOTE}#`, {}],
    [`${REMOTE}#main`, { ref: 'main' }],
    [`${REMOTE}#feature/x:services/api`, { ref: 'feature/x', directory: 'services/api' }],
    [`${REMOTE}#:app`, { directory: 'app' }],
    [`${REMOTE}#:/./app//web/`, { directory: 'app/web' }],
    [`${REMOTE}#main:a%20b`, { ref: 'main', directory: 'a b' }],
    [`${REMOTE}#refs/pull/7/merge`, { ref: 'refs/pull/7/merge' }],
    [`${REMOTE}#${A}`, { ref: A }],
    [`${REMOTE}?ref=main&subdir=app`, { ref: 'main', directory: 'app' }],
    [`${REMOTE}?tag=v1`, { ref: 'refs/tags/v1' }],
    [`${REMOTE}?tag=refs/tags/v1#refs/tags/v1`, { ref: 'refs/tags/v1' }],
    [`${REMOTE}?branch=main&checksum=${A}`, { ref: 'refs/heads/main', checksum: A }],
    [`${REMOTE}?commit=aaaaaaa#main`, { ref: 'main', checksum: 'aaaaaaa' }],
    [`${REMOTE}?submodules=false`, { submodules: false }],
    [`${REMOTE}?submodules`, {}],
    [`${REMOTE}?keep-git-dir=1`, { keepsGitDirectory: true }],
    [`${REMOTE}?keep-git-dir`, { keepsGitDirectory: true }],
    [`${REMOTE}?keep-git-dir=F`, {}],
    ['HTTP://127.0.0.1:8080/a/b.git', { remote: 'http://127.0.0.1:8080/a/b.git' }],
    ['http://[::1]:80/b.git', { remote: 'http://[::1]:80/b.git' }],
    ['git://example.com/app#v1', { remote: 'git://example.com/app', ref: 'v1' }],
    ['ssh://git@example.com:22/app#v1', { remote: 'ssh://git@example.com:22/app', ref: 'v1' }],
    ['git@github.com:acme/app.git#v1:a', { remote: 'git@github.com:acme/app.git', ref: 'v1', directory: 'a' }],
    ['git@github.com:acme/app?ref=v1', { remote: 'git@github.com:acme/app', ref: 'v1' }],
  ])('%s is read as BuildKit does', (text, expected) => {
    expect(isGitSource(text)).toBe(true);
    expect(sourceOf(text)).toEqual({ ...PLAIN, ...expected });
  });

  it.each([
    ['https://example.com/app', 'does not end in .git'],
    ['https://example.com/app.tar.gz', 'does not end in .git'],
    ['https://example.com/app.git/', 'does not end in .git'],
    ['https://hunter2@github.com/acme/app.git', 'credentials'],
    ['https://me:hunter2@github.com/acme/app.git', 'credentials'],
    ['ssh://git:hunter2@github.com/acme/app.git', 'credentials'],
    ['git://hunter2@github.com/acme/app.git', 'credentials'],
    ['https://-oProxyCommand=x/app.git', 'host'],
    ['ssh://-oProxyCommand=x/app.git', 'host'],
    ['ssh://git@-oProxyCommand=x/app.git', 'host'],
    ['git@github.com:-x/app.git', 'host'],
    ['https:///app.git', 'host'],
    ['ssh://github.com', 'path'],
    [`${REMOTE}#--upload-pack=touch x`, 'blanks'],
    [`${REMOTE}#--upload-pack=x`, 'ref "--upload-pack=x" cannot be one'],
    [`${REMOTE}?ref=-x`, 'ref "-x" cannot be one'],
    [`${REMOTE}#main%0A`, 'ref "main" cannot be one'],
    [`${REMOTE}#ma*`, 'cannot be one'],
    [`${REMOTE}#a..b`, 'cannot be one'],
    [`${REMOTE}#HEAD^`, 'cannot be one'],
    [`${REMOTE}#main\n`, 'control characters'],
    [`${REMOTE}#main\u001b[31m`, 'control characters'],
    [`${REMOTE}#%ff`, 'percent-encoded'],
    [`${REMOTE}#main:../x`, 'leads outside'],
    [`${REMOTE}#main:a/%2e%2e/../x`, 'leads outside'],
    [`${REMOTE}?subdir=a#main:b`, 'several directories'],
    [`${REMOTE}?ref=a#b`, 'several refs: "b", "a"'],
    [`${REMOTE}?tag=a&branch=a`, 'several refs'],
    [`${REMOTE}?ref=`, 'no value'],
    [`${REMOTE}?ref=a&ref=a`, 'twice'],
    [`${REMOTE}?depth=1`, '"depth" in its query: ref, tag, branch'],
    [`${REMOTE}?submodules=maybe`, 'true or false'],
    [`${REMOTE}?checksum=main`, 'checksum "main"'],
    [`${REMOTE}?checksum=${B}#${A}`, 'names one commit and the checksum of another'],
    [`${REMOTE}#${'x/'.repeat(500_000)}`, 'cannot be one'],
  ])('%j is refused, and its address not shown', (text, problem) => {
    const source = parseGitSource(text);
    expect(source).toMatchObject({ ok: false, problem: expect.stringContaining(problem) });
    expect(JSON.stringify(source)).not.toMatch(/hunter2|github\.com/);
    expect(JSON.stringify(source).length).toBeLessThan(400);
  });

  it.each(['./https://x/a.git', 'https:/x/a.git', 'github.com/acme/app', 'C:\\a.git', '../a.git', 'me@host'])(
    '%s is none',
    (text) => {
      expect(isGitSource(text)).toBe(false);
    },
  );

  it.each([
    [REMOTE, `${REMOTE}#${B}`],
    [`${REMOTE}#main:app`, `${REMOTE}#${B}:app`],
    [`${REMOTE}#main:a%23/b c%25`.replace(' ', '%20'), `${REMOTE}#${B}:a%23/b%20c%25`],
    [`${REMOTE}?tag=v1&subdir=app&submodules=false`, `${REMOTE}?submodules=false#${B}:app`],
    [`${REMOTE}?keep-git-dir=true`, `${REMOTE}?keep-git-dir=true#${B}`],
    ['git@github.com:acme/app.git#v1:a%', `git@github.com:acme/app.git#${B}:a%`],
  ])('%s at a commit is %s', (text, pinned) => {
    expect(pinnedSource(sourceOf(text), B)).toBe(pinned);
    expect(sourceOf(pinned)).toMatchObject({ ref: B, directory: sourceOf(text).directory });
  });

  it('names its commit itself with all 40 or 64 digits', () => {
    expect(commitOf({ ...PLAIN, ref: A })).toBe(A);
    expect(commitOf({ ...PLAIN, ref: 'c'.repeat(64) })).toBe('c'.repeat(64));
    expect([commitOf(PLAIN), commitOf({ ...PLAIN, ref: 'aaaaaaa' })]).toEqual([undefined, undefined]);
  });
});

describe('the commit behind a ref', () => {
  const listing = (...refs: readonly (readonly [string, string])[]): string =>
    refs.map(([name, id]) => `${id}\t${name}\n`).join('');

  it.each<[string, Partial<GitSource>, string]>([
    ['the default branch', {}, listing(['HEAD', A], ['refs/remotes/x/HEAD', B])],
    ['a branch', { ref: 'main' }, listing(['refs/heads/x/main', B], ['refs/heads/main', A])],
    ['a tag', { ref: 'v1' }, listing(['refs/tags/v1', A])],
    ['an annotated tag', { ref: 'v1' }, listing(['refs/tags/v1', B], ['refs/tags/v1^{}', A])],
    [
      'the branch before the tag',
      { ref: 'x' },
      listing(['refs/tags/x', B], ['refs/tags/x^{}', B], ['refs/heads/x', A]),
    ],
    ['a full name', { ref: 'refs/tags/x' }, listing(['refs/heads/x', B], ['refs/tags/x', A])],
    ['a pull request', { ref: 'pull/7/head' }, listing(['refs/pull/7/head', A])],
    ['the commit that is asked for', { ref: 'main', checksum: 'aaaaaaa' }, listing(['refs/heads/main', A])],
    ['a tag by its own id', { ref: 'v', checksum: B }, listing(['refs/tags/v', B], ['refs/tags/v^{}', A])],
  ])('is that of %s', (_, source, text) => {
    expect(findCommit({ ...PLAIN, ...source }, text)).toEqual({ ok: true, value: A });
  });

  it.each<[Partial<GitSource>, string, string]>([
    [{}, '', 'it has no default branch'],
    [{ ref: 'v1' }, listing(['refs/heads/x/v1', A]), 'it has no branch and no tag "v1"'],
    [{ ref: '__proto__' }, '', 'it has no branch and no tag "__proto__"'],
    [{ ref: 'main' }, 'hello\trefs/heads/main', 'it has no branch'],
    [{ ref: 'main', checksum: 'bbbbbbb' }, listing(['refs/heads/main', A]), `"main" is ${A}, not bbbbbbb`],
  ])('%j is a problem where it is not listed', (source, text, problem) => {
    expect(findCommit({ ...PLAIN, ...source }, text)).toMatchObject({ problem: expect.stringContaining(problem) });
  });
});
