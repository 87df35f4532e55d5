import { describe, expect, it } from 'vitest';
import { DATE, kindsOf, onBranch, onPullRequest, onSchedule, onTag, plan, tagsOf } from '../support/tag-runs.ts';

describe('priorities', () => {
  it('sorts by the default priorities, and names the image by the first', () => {
    const rules = [
      'type=sha',
      'foo',
      'type=ref,event=branch',
      'type=edge',
      'type=match,pattern=.*,value=m',
      'type=schedule',
    ];
    const { candidates, version } = plan(rules, onSchedule);
    expect(candidates.map(({ tag, priority }) => [tag, priority])).toEqual([
      ['nightly', 1000],
      ['m', 800],
      ['edge', 700],
      ['master', 600],
      ['foo', 200],
      ['sha-860c190', 100],
    ]);
    expect(version).toBe('nightly');
  });

  it('obeys the attribute, keeps the order of equals, and puts latest last whatever the priorities', () => {
    const rules = [
      'type=raw,value=a',
      'type=raw,value=b',
      'type=semver,pattern={{version}},priority=-1',
      'type=raw,value=c,priority=2000',
    ];
    expect(plan(rules, onTag('v1.2.3'))).toMatchObject({ version: 'c' });
    expect(tagsOf(rules, onTag('v1.2.3'))).toEqual(['c', 'a', 'b', '1.2.3', 'latest']);
  });
});

describe('flavor', () => {
  const rules = ['type=semver,pattern={{version}}', 'type=semver,pattern={{major}}'];
  it.each([
    [['latest=auto'], ['1.2.3', '1', 'latest']],
    [['latest=false'], ['1.2.3', '1']],
    [['latest=true'], ['1.2.3', '1', 'latest']],
    [['prefix=foo-'], ['foo-1.2.3', 'foo-1', 'latest']],
    [['prefix=foo-,onlatest=true'], ['foo-1.2.3', 'foo-1', 'foo-latest']],
    [['suffix=-alpine'], ['1.2.3-alpine', '1-alpine', 'latest']],
    [['suffix=-alpine,onlatest=true'], ['1.2.3-alpine', '1-alpine', 'latest-alpine']],
    [
      ['prefix=a-,onlatest=true', 'suffix=-z,onlatest=false'],
      ['a-1.2.3-z', 'a-1-z', 'a-latest'],
    ],
    [
      ['latest=true', 'latest=false'],
      ['1.2.3', '1'],
    ],
    [['prefix={{sha}}-'], ['860c190-1.2.3', '860c190-1', 'latest']],
  ])('%j', (flavor, expected) => {
    expect(tagsOf(rules, onTag('v1.2.3'), { flavor })).toEqual(expected);
  });

  it.each([
    ['latest=true', onBranch('dev'), ['dev', 'latest']],
    ['latest=auto', onBranch('dev'), ['dev']],
    ['latest=true', onTag('v1.2.3-rc.1'), ['v1.2.3-rc.1']],
  ])('%s on another event', (flavor, event, expected) => {
    expect(tagsOf(['type=ref,event=branch', 'type=ref,event=tag'], event, { flavor: [flavor] })).toEqual(expected);
  });

  it('gives way to the prefix and suffix of a rule, also to the standing ones of sha and pr', () => {
    const all = ['type=sha', 'type=raw,value=a,prefix=b-', 'type=raw,value=c,suffix=', 'type=ref,event=pr'];
    const flavor = ['prefix=x-', 'suffix=-y'];
    expect(tagsOf(all, onPullRequest, { flavor })).toEqual(['pr-2-y', 'b-a-y', 'x-c', 'sha-860c190-y']);
  });
});

describe('without rules', () => {
  it.each([
    ['acceptance 1: a version', onTag('v2.0.1'), ['2.0.1', '2.0', '2', 'latest']],
    ['acceptance 4: a pre-release', onTag('v2.1.0-rc.1'), ['2.1.0-rc.1']],
    ['acceptance 5: 0.x gets no 0', onTag('v0.3.0'), ['0.3.0', '0.3', 'latest']],
    ['acceptance 6: build metadata stays', onTag('v1.2.3+b5'), ['1.2.3_b5', '1.2', '1', 'latest']],
    ['a tag without v', onTag('1.2.3'), ['1.2.3', '1.2', '1', 'latest']],
    ['a tag that is no version', onTag('release-5'), ['release-5']],
    ['a branch', onBranch('my/branch'), ['my-branch']],
    ['a pull request', onPullRequest, ['pr-2']],
    ['a merge queue', onBranch('gh-readonly-queue/main/pr-7-abc'), []],
    ['no event', { date: DATE }, []],
  ])('%s', (_, event, expected) => {
    expect(tagsOf([], event)).toEqual(expected);
  });

  it('takes the version input over the git tag, on a branch and without an event', () => {
    const expected = ['3.1.0', '3.1', '3', 'latest'];
    expect(tagsOf([], onTag('v1.2.3'), { version: '3.1.0' })).toEqual(expected);
    expect(tagsOf([], onBranch('main'), { version: 'v3.1.0' })).toEqual(expected);
    expect(tagsOf([], { date: DATE }, { version: '3.1.0' })).toEqual(expected);
  });

  it('never publishes the version input from a pull request', () => {
    expect(tagsOf([], onPullRequest, { version: '3.1.0' })).toEqual(['pr-2']);
    expect(tagsOf(['type=semver,pattern={{version}}', 'x'], onPullRequest, { version: '3.1.0' })).toEqual(['x']);
  });

  it.each([
    ['app/v', 'app/v1.2.3', ['1.2.3', '1.2', '1', 'latest']],
    ['app/', 'app/v1.2.3', ['1.2.3', '1.2', '1', 'latest']],
    ['pkg@', 'pkg@1.2.3', ['1.2.3', '1.2', '1', 'latest']],
    ['app/v', 'api/v9.9.9', []],
    ['app/v', 'v9.9.9', []],
    ['', 'v1.2.3', ['1.2.3', '1.2', '1', 'latest']],
  ])('tag-prefix %s and the git tag %s', (tagPrefix, tag, expected) => {
    expect(tagsOf([], onTag(tag), { tagPrefix })).toEqual(expected);
  });

  it('marks what it makes as implicit', () => {
    expect(plan([], onTag('v1.2.3')).candidates.map(({ implicit }) => implicit)).toEqual([true, true, true, true]);
    const written = plan(['1.0', 'type=ref,event=tag'], onTag('v1.2.3')).candidates;
    expect(written.map(({ tag, implicit }) => [tag, implicit])).toEqual([
      ['v1.2.3', false],
      ['1.0', false],
      ['latest', true],
    ]);
    expect(plan(['a'], onBranch('b'), { flavor: ['latest=true'] }).candidates.at(-1)).toMatchObject({
      implicit: false,
    });
  });
});

describe('major version zero', () => {
  it.each([
    ['type=semver,pattern={{major}}', []],
    ['type=semver,pattern=v{{major}}', []],
    ['type=semver,pattern={{major}},major-zero=true', ['0', 'latest']],
    ['type=pep440,pattern={{major}}', []],
    ['type=semver,pattern={{major}}.{{minor}}', ['0.3', 'latest']],
  ])('%s', (rule, expected) => {
    expect(tagsOf([rule], onTag('v0.3.0'))).toEqual(expected);
  });

  it('says why there is no 0', () => {
    expect(plan(['type=semver,pattern={{major}}'], onTag('v0.3.0')).notices).toEqual([
      expect.stringContaining('major-zero=true'),
    ]);
  });
});

describe('kinds', () => {
  it('tells versions, version lines, branches and the rest apart', () => {
    expect(kindsOf([], onTag('v1.2.3'))).toEqual({
      '1.2.3': 'immutable',
      '1.2': 'version-line',
      '1': 'version-line',
      latest: 'version-line',
    });
    expect(kindsOf(['type=ref,event=branch', 'type=edge', 'type=sha', 'x'], onBranch('master'))).toEqual({
      master: 'branch',
      edge: 'branch',
      'sha-860c190': 'other-moving',
      x: 'other-moving',
    });
    expect(kindsOf([], onPullRequest)).toEqual({ 'pr-2': 'other-moving' });
  });

  it.each([
    ['type=ref,event=tag', 'v1.2.3', { 'v1.2.3': 'immutable', latest: 'version-line' }],
    ['type=semver,pattern={{major}}.{{minor}}.{{patch}}', 'v1.2.3', { '1.2.3': 'immutable', latest: 'version-line' }],
    ['type=semver,pattern={{minor}}', 'v1.2.3', { 2: 'other-moving', latest: 'version-line' }],
    ['type=semver,pattern=stable', 'v1.2.3', { stable: 'version-line', latest: 'version-line' }],
    ['type=semver,pattern={{major}}', 'v2.0.0-rc.1', { '2.0.0-rc.1': 'immutable' }],
    ['type=pep440,pattern={{version}}', '1.2.3rc1', { '1.2.3rc1': 'immutable' }],
    ['type=match,pattern=\\d+\\.\\d+', 'v1.2.3', { '1.2': 'version-line', latest: 'version-line' }],
    ['type=match,pattern=app/v(\\d+\\.\\d+),group=1', 'app/v1.2.3', { '1.2': 'version-line', latest: 'version-line' }],
    ['type=match,pattern=\\d+,group=0', '20200110-RC2', { 20200110: 'other-moving' }],
    ['1.2.3', 'v1.2.3', { '1.2.3': 'immutable' }],
    ['1.2', 'v1.2.3', { '1.2': 'version-line' }],
    ['v1', 'v1.2.3', { v1: 'version-line' }],
    ['latest', 'v1.2.3', { latest: 'version-line' }],
    ['1.3', 'v1.2.3', { '1.3': 'other-moving' }],
    ['1.0.0', 'sometag', { '1.0.0': 'immutable' }],
    ['latest', 'sometag', { latest: 'other-moving' }],
  ])('%s on %s', (rule, tag, expected) => {
    expect(kindsOf([rule], onTag(tag))).toEqual(expected);
  });

  it('lets latest on a branch follow the branch', () => {
    expect(kindsOf(['latest'], onBranch('master'))).toEqual({ latest: 'branch' });
    expect(kindsOf(['x'], onBranch('master'), { flavor: ['latest=true'] })).toMatchObject({ latest: 'branch' });
  });

  it('takes immutable-tags in place of full versions', () => {
    const rules = ['type=semver,pattern={{version}}', 'type=semver,pattern={{major}}', 'type=sha'];
    expect(kindsOf(rules, onTag('v1.2.3'), { immutableTags: '^(?:sha-|1$)' })).toEqual({
      '1.2.3': 'other-moving',
      '1': 'immutable',
      'sha-860c190': 'immutable',
      latest: 'version-line',
    });
  });

  it('keeps a tag that two rules make once, guarded when one of them is a version line', () => {
    const rules = ['type=pep440,pattern={{version}}', 'type=pep440,pattern={{major}}.{{minor}}', 'latest'];
    expect(kindsOf(rules, onTag('1.2'))).toEqual({ '1.2': 'version-line', latest: 'version-line' });
  });
});

describe('full references', () => {
  it('go to their repository only, as they are', () => {
    const { candidates } = plan(['ghcr.io/ACME/App:1.0', 'app:2', 'x'], onBranch('dev'), { flavor: ['prefix=p-'] });
    expect(candidates.map(({ tag, repository }) => [tag, repository])).toEqual([
      ['1.0', { registry: 'ghcr.io', path: 'acme/app' }],
      ['2', { registry: 'docker.io', path: 'library/app' }],
      ['p-x', undefined],
    ]);
  });

  it('may carry the same tag in two repositories', () => {
    expect(tagsOf(['ghcr.io/a/b:1, ghcr.io/a/c:1, 1'], onBranch('dev'))).toEqual(['1', '1', '1']);
  });
});

describe('the name of a branch or pull request', () => {
  it.each([
    '1.2.5',
    '1.2',
    '1',
    'latest',
    'v1.2.5',
    '1.2.5-rc.1',
    `hash-${'0'.repeat(32)}`,
    `sha256-${'a'.repeat(64)}`,
  ])('never stands where releases stand: %s', (branch) => {
    const { candidates, notices } = plan([], onBranch(branch));
    expect(candidates).toEqual([]);
    expect(notices).toEqual([expect.stringContaining('is a name for releases')]);
  });

  it('does not by a prefix that was taken away, or by a template, either', () => {
    expect(tagsOf(['type=ref,event=pr,prefix='], onPullRequest)).toEqual([]);
    expect(tagsOf(['type=raw,value={{branch}}'], onBranch('latest'))).toEqual([]);
  });

  it('leaves the dates and words alone that the workflow chose', () => {
    expect(tagsOf(["type=raw,value={{date 'YYYYMMDD'}}", 'type=raw,value=latest'], onBranch('main'))).toEqual([
      '20200110',
      'latest',
    ]);
  });

  it('is a tag otherwise', () => {
    expect(tagsOf([], onBranch('release-1.2'))).toEqual(['release-1.2']);
    expect(tagsOf([], onPullRequest)).toEqual(['pr-2']);
  });
});
