import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planTags, type TagPlan, type TagRequest } from '../../src/core/tag-candidates.ts';
import type { GitEvent } from '../../src/core/tag-rules.ts';

const LEGAL = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const SHA = '860c1904a1ce19322e91ac35af1ab07466440c37';
const DATE = new Date('2020-01-10T00:30:00.000Z');

function onBranch(branch: string, more: Partial<GitEvent> = {}): GitEvent {
  return { ref: `refs/heads/${branch}`, sha: SHA, eventName: 'push', defaultBranch: 'master', date: DATE, ...more };
}

function onTag(tag: string, more: Partial<GitEvent> = {}): GitEvent {
  return { ref: `refs/tags/${tag}`, sha: SHA, eventName: 'push', defaultBranch: 'master', date: DATE, ...more };
}

const onPullRequest: GitEvent = {
  ref: 'refs/pull/2/merge',
  sha: SHA,
  eventName: 'pull_request',
  pullRequest: 2,
  baseRef: 'master',
  defaultBranch: 'master',
  date: DATE,
};
const onSchedule = onBranch('master', { eventName: 'schedule' });

function request(tags: readonly string[], event: GitEvent, more: Partial<TagRequest> = {}): TagRequest {
  return { tags, flavor: [], version: undefined, tagPrefix: 'v', immutableTags: undefined, event, ...more };
}

function plan(tags: readonly string[], event: GitEvent, more: Partial<TagRequest> = {}): TagPlan {
  const result = planTags(request(tags, event, more));
  if (!result.ok) throw new Error(result.problems.map(({ input, message }) => `${input}: ${message}`).join('\n'));
  return result.value;
}

function tagsOf(tags: readonly string[], event: GitEvent, more: Partial<TagRequest> = {}): readonly string[] {
  return plan(tags, event, more).candidates.map(({ tag }) => tag);
}

function kindsOf(tags: readonly string[], event: GitEvent, more: Partial<TagRequest> = {}): Record<string, string> {
  return Object.fromEntries(plan(tags, event, more).candidates.map(({ tag, kind }) => [tag, kind]));
}

function problemsOf(tags: readonly string[], more: Partial<TagRequest> = {}): readonly string[] {
  const result = planTags(request(tags, onTag('v1.2.3'), more));
  return result.ok ? [] : result.problems.map(({ input, message }) => `${input}: ${message}`);
}

describe('the documented examples of docker/metadata-action v6', () => {
  describe('type=schedule', () => {
    it.each([
      ['type=schedule', onSchedule, ['nightly']],
      ['type=schedule,pattern=nightly', onSchedule, ['nightly']],
      ["type=schedule,pattern={{date 'YYYYMMDD'}}", onSchedule, ['20200110']],
      ["type=schedule,pattern={{date 'YYYYMMDD-HHmmss' tz='Asia/Tokyo'}}", onSchedule, ['20200110-093000']],
      ["type=schedule,pattern={{date 'YYYYMMDD-hhmmss' tz='Asia/Tokyo'}}", onSchedule, ['20200110-093000']],
      ['type=schedule,enable=true,priority=1000,prefix=,suffix=,pattern=nightly', onSchedule, ['nightly']],
      ['type=schedule', onBranch('master'), []],
    ])('%s', (rule, event, expected) => {
      expect(tagsOf([rule], event)).toEqual(expected);
    });
  });

  describe('type=semver', () => {
    it.each([
      ['v1.2.3', '{{raw}}', ['v1.2.3', 'latest']],
      ['v1.2.3', '{{version}}', ['1.2.3', 'latest']],
      ['v1.2.3', '{{major}}.{{minor}}', ['1.2', 'latest']],
      ['v1.2.3', 'v{{major}}', ['v1', 'latest']],
      ['v1.2.3', '{{minor}}', ['2', 'latest']],
      ['v1.2.3', '{{patch}}', ['3', 'latest']],
      ['v2.0.8-beta.67', '{{raw}}', ['v2.0.8-beta.67']],
      ['v2.0.8-beta.67', '{{version}}', ['2.0.8-beta.67']],
      ['v2.0.8-beta.67', '{{major}}.{{minor}}', ['2.0.8-beta.67']],
      ['v2.0.8-beta.67', '{{major}}', ['2.0.8-beta.67']],
      ['sometag', '{{version}}', []],
    ])('git tag %s with pattern %s', (tag, pattern, expected) => {
      expect(tagsOf([`type=semver,pattern=${pattern}`], onTag(tag))).toEqual(expected);
    });

    it.each([
      [
        'a value stands in for the git tag',
        'type=semver,pattern={{version}},value=v1.0.0',
        onBranch('dev'),
        ['1.0.0', 'latest'],
      ],
      [
        'all attributes, the version from the git tag',
        'type=semver,enable=true,priority=900,prefix=,suffix=,pattern={{version}},value=',
        onTag('v1.2.3'),
        ['1.2.3', 'latest'],
      ],
      [
        'match takes its first group',
        'type=semver,pattern={{version}},match=docker-(.*)',
        onTag('docker-v23.0.1'),
        ['23.0.1', 'latest'],
      ],
      [
        'match without a group is the whole match',
        'type=semver,pattern={{version}},match=\\d+\\..*',
        onTag('p1/v1.2.3'),
        ['1.2.3', 'latest'],
      ],
      [
        'match comes before the look at the pre-release',
        'type=semver,pattern={{major}}.{{minor}},match=^asa/v(\\d+\\.\\d+\\.\\d+(?:-[0-9A-Za-z.-]+)?)$',
        onTag('asa/v1.6.0-rc.1'),
        ['1.6.0-rc.1'],
      ],
      ['nothing on a branch', 'type=semver,pattern={{version}}', onBranch('master'), []],
    ])('%s', (_, rule, event, expected) => {
      expect(tagsOf([rule], event)).toEqual(expected);
    });
  });

  describe('type=pep440', () => {
    it.each([
      ['1.2.3', '{{raw}}', ['1.2.3', 'latest']],
      ['1.2.3', '{{version}}', ['1.2.3', 'latest']],
      ['v1.2.3', '{{version}}', ['1.2.3', 'latest']],
      ['1.2.3', '{{major}}.{{minor}}', ['1.2', 'latest']],
      ['1.2.3', 'v{{major}}', ['v1', 'latest']],
      ['v1.2.3rc2', '{{raw}}', ['v1.2.3rc2']],
      ['1.2.3rc2', '{{version}}', ['1.2.3rc2']],
      ['1.2.3rc2', '{{major}}.{{minor}}', ['1.2.3rc2']],
      ['1.2.3post1', '{{major}}.{{minor}}', ['1.2.3.post1']],
      ['1.2.3beta2', '{{major}}.{{minor}}', ['1.2.3b2']],
      ['1.0dev4', '{{major}}.{{minor}}', ['1.0.dev4']],
      ['not-one', '{{version}}', []],
    ])('git tag %s with pattern %s', (tag, pattern, expected) => {
      expect(tagsOf([`type=pep440,pattern=${pattern}`], onTag(tag))).toEqual(expected);
    });

    it('takes a value in place of the git tag', () => {
      expect(tagsOf(['type=pep440,pattern={{version}},value=1.0.0'], onBranch('dev'))).toEqual(['1.0.0', 'latest']);
    });
  });

  describe('type=match', () => {
    it.each([
      ['v1.2.3', '\\d.\\d.\\d', 0, ['1.2.3', 'latest'], 'as documented'],
      ['v2.0.8-beta.67', 'v(.*)', 1, ['2.0.8-beta.67'], 'latest is for stable versions (theirs sets it)'],
      ['v2.0.8-beta.67', 'v(\\d.\\d)', 1, [], 'a pre-release gives its full version only (theirs sets 2.0)'],
      ['20200110-RC2', '\\d+', 0, ['20200110'], 'latest is for versions (theirs sets it)'],
      ['p1/v1.2.3', 'p1/v(\\d.\\d.\\d)', 1, ['1.2.3', 'latest'], 'as documented'],
      ['v1.2.3', '/V(.*)/i', 1, ['1.2.3', 'latest'], 'a regular expression with flags'],
      ['v1.2.3', 'w(.*)', 1, [], 'no match'],
      ['v1.2.3', 'v(.*)', 2, [], 'no such group'],
    ])('git tag %s with %s, group %i: %j, %s', (tag, pattern, group, expected) => {
      expect(tagsOf([`type=match,"pattern=${pattern}",group=${group}`], onTag(tag))).toEqual(expected);
    });

    it('takes a value in place of the git tag', () => {
      expect(tagsOf(['type=match,pattern=v(.*),group=1,value=v1.0.0'], onBranch('dev'))).toEqual(['1.0.0', 'latest']);
    });

    it('acceptance 16: a quoted pattern with a comma works (theirs makes no tag)', () => {
      expect(tagsOf(['type=match,"pattern=^release\\d{1,2}"'], onTag('release12'))).toEqual(['release12']);
    });
  });

  describe('type=edge', () => {
    it.each([
      ['type=edge', onBranch('master'), ['edge']],
      ['type=edge', onBranch('dev'), []],
      ['type=edge,branch=main', onBranch('main'), ['edge']],
      ['type=edge,enable=true,priority=700,prefix=,suffix=,branch=dev', onBranch('dev'), ['edge']],
      ['type=edge', onTag('v1.2.3'), []],
      ['type=edge', { ref: 'refs/heads/master', date: DATE }, []],
    ])('%s', (rule, event, expected) => {
      expect(tagsOf([rule], event)).toEqual(expected);
    });
  });

  describe('type=ref', () => {
    it.each([
      ['pull_request', 'type=ref,event=pr', onPullRequest, ['pr-2']],
      ['push', 'type=ref,event=branch', onBranch('master'), ['master']],
      ['push', 'type=ref,event=branch', onBranch('my/branch'), ['my-branch']],
      ['push tag', 'type=ref,event=tag', onTag('v1.2.3'), ['v1.2.3', 'latest']],
      [
        'push tag, a pre-release: no latest (theirs sets it)',
        'type=ref,event=tag',
        onTag('v2.0.8-beta.67'),
        ['v2.0.8-beta.67'],
      ],
      ['push tag, no version: no latest (theirs sets it)', 'type=ref,event=tag', onTag('release1'), ['release1']],
      [
        'workflow_dispatch',
        'type=ref,event=branch',
        onBranch('master', { eventName: 'workflow_dispatch' }),
        ['master'],
      ],
      ['all attributes', 'type=ref,enable=true,priority=600,prefix=pr-,suffix=,event=pr', onPullRequest, ['pr-2']],
      ['another event', 'type=ref,event=tag', onBranch('master'), []],
      ['another event', 'type=ref,event=branch', onTag('v1.2.3'), []],
    ])('%s: %s', (_, rule, event, expected) => {
      expect(tagsOf([rule], event)).toEqual(expected);
    });

    it('treats pull_request_target as the pull request that it is about, not as its base branch', () => {
      const event = onBranch('master', { eventName: 'pull_request_target', pullRequest: 7 });
      expect(tagsOf(['type=ref,event=branch', 'type=ref,event=pr'], event)).toEqual(['pr-7']);
    });
  });

  describe('type=raw and plain tags', () => {
    it.each([
      [
        ['type=raw,value=foo', 'type=raw,value=bar'],
        ['foo', 'bar'],
      ],
      [
        ['type=raw,foo', 'type=raw,bar'],
        ['foo', 'bar'],
      ],
      [
        ['foo', 'bar'],
        ['foo', 'bar'],
      ],
      [['foo,bar'], ['foo', 'bar']],
      [['type=raw,enable=true,priority=200,prefix=,suffix=,value=foo'], ['foo']],
      [['type=raw,value=mytag-{{branch}}-{{sha}}'], ['mytag-dev-860c190']],
      [['x-{{branch}}'], ['x-dev']],
      [["type=raw,value={{date 'YYYY'}}"], ['2020']],
    ])('%j', (rules, expected) => {
      expect(tagsOf(rules, onBranch('dev'))).toEqual(expected);
    });
  });

  describe('type=sha', () => {
    it.each([
      ['type=sha', ['sha-860c190']],
      ['type=sha,format=long', [`sha-${SHA}`]],
      ['type=sha,enable=true,priority=100,prefix=sha-,suffix=,format=short', ['sha-860c190']],
      ['type=sha,prefix={{branch}}-', ['dev-860c190']],
      ['type=sha,prefix=', ['860c190']],
    ])('%s', (rule, expected) => {
      expect(tagsOf([rule], onBranch('dev'))).toEqual(expected);
    });

    it('makes nothing without a commit', () => {
      expect(tagsOf(['type=sha'], { date: DATE })).toEqual([]);
    });
  });

  describe('the usual set of rules', () => {
    const rules = [
      'type=schedule',
      'type=semver,pattern={{version}}',
      'type=semver,pattern={{major}}.{{minor}}',
      'type=semver,pattern={{major}}',
      'type=ref,event=branch',
      'type=ref,event=pr',
      'type=sha',
    ];
    it.each([
      ['a pull request', onPullRequest, ['pr-2', 'sha-860c190']],
      ['the default branch', onBranch('master'), ['master', 'sha-860c190']],
      ['a branch', onBranch('releases/v1'), ['releases-v1', 'sha-860c190']],
      ['a release', onTag('v1.2.3'), ['1.2.3', '1.2', '1', 'sha-860c190', 'latest']],
      ['a pre-release', onTag('v2.0.8-beta.67'), ['2.0.8-beta.67', 'sha-860c190']],
      ['a schedule', onSchedule, ['nightly', 'master', 'sha-860c190']],
    ])('on %s', (_, event, expected) => {
      expect(tagsOf(rules, event)).toEqual(expected);
    });
  });

  it.each([
    ['{{branch}}', onBranch('my/branch'), ['x-my-branch']],
    ['{{branch}}', onPullRequest, ['x-']],
    ['{{branch}}', onTag('v1.2.3'), ['x-']],
    ['{{tag}}', onTag('v1.2.3'), ['x-v1.2.3']],
    ['{{tag}}', onBranch('master'), ['x-']],
    ['{{sha}}', onBranch('master'), ['x-860c190']],
    ['{{base_ref}}', onPullRequest, ['x-master']],
    ['{{base_ref}}', onBranch('my/branch', { baseRef: 'master' }), ['x-']],
    ['{{base_ref}}', onTag('v1.2.3', { baseRef: 'refs/heads/master' }), ['x-master']],
    ['{{is_default_branch}}', onBranch('master'), ['x-true']],
    ['{{is_default_branch}}', onBranch('dev'), ['x-false']],
    ['{{is_default_branch}}', onTag('v1.2.3'), ['x-false']],
    ['{{is_default_branch}}', onPullRequest, ['x-false']],
    ['{{is_not_default_branch}}', onBranch('dev'), ['x-true']],
    ['{{is_not_default_branch}}', onBranch('master', { isDefaultBranch: true }), ['x-false']],
    ["{{date 'YYYYMMDD'}}", onBranch('master'), ['x-20200110']],
    [
      "{{commit_date 'YYYYMMDD'}}",
      onBranch('master', { commitDate: new Date('2019-12-31T23:59:59Z') }),
      ['x-20191231'],
    ],
    ["{{commit_date 'YYYYMMDD'}}", onBranch('master'), ['x-20200110']],
  ])('global expression %s', (expression, event, expected) => {
    expect(tagsOf([`type=raw,value=x-${expression}`], event)).toEqual(expected);
  });

  it('takes a quoted date format with commas in it', () => {
    const rule = `type=raw,"value={{date 'dddd, MMMM Do YYYY, h:mm:ss a'}}"`;
    expect(tagsOf([rule], onBranch('dev'))).toEqual(['Friday-January-10th-2020-12-30-00-am']);
  });

  it.each([
    ['enable={{is_default_branch}}', onBranch('master'), ['latest']],
    ['enable={{is_default_branch}}', onBranch('dev'), []],
    ['enable=false', onBranch('master'), []],
  ])('latest of the default branch with %s', (enable, event, expected) => {
    expect(tagsOf([`type=raw,value=latest,${enable}`], event)).toEqual(expected);
  });
});

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
    ['acceptance 6: build metadata stays', onTag('v1.2.3+b5'), ['1.2.3-b5', '1.2', '1', 'latest']],
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

describe('problems', () => {
  it.each([
    [
      'acceptance 15: an unknown attribute',
      'type=raw,value=x,enabled=false',
      '"enabled" is no attribute of type=raw; did you mean enable?',
    ],
    ['an unknown type', 'type=semvar,pattern={{version}}', 'type="semvar" is not known; did you mean semver?'],
    ['an attribute of another type', 'type=sha,pattern=x', '"pattern" is no attribute of type=sha'],
    ['a bad enable', 'type=sha,enable=yes', 'enable="yes" is neither true nor false'],
    ['a bad enable that is rendered', 'type=sha,enable={{sha}}', 'enable="860c190" is neither true nor false'],
    ['a bad priority', 'type=sha,priority=high', 'priority="high" is not a whole number'],
    ['an attribute twice', 'type=sha,format=long,format=short', 'format is given twice'],
    ['a missing pattern', 'type=semver', 'type=semver needs a pattern'],
    ['a missing regular expression', 'type=match', 'type=match needs a pattern'],
    ['a missing event', 'type=ref', 'type=ref needs an event'],
    ['a bad event', 'type=ref,event=branhc', 'event="branhc" is not allowed; did you mean branch?'],
    ['a bad format', 'type=sha,format=medium', 'format="medium" is not allowed'],
    ['a missing value', 'type=raw', 'type=raw needs a value'],
    ['a bad group', 'type=match,pattern=x,group=one', 'is not the number of a group'],
    ['an unknown expression', 'type=raw,value={{brnch}}', 'the expression "brnch" is not known; did you mean branch?'],
    [
      'a version where there is none',
      'type=raw,value={{version}}',
      '{{version}} is known in the pattern of type=semver',
    ],
    ['an open expression', 'type=raw,value={{branch', 'never closed'],
    [
      'a comma in an expression without quotes',
      "type=raw,value={{date 'dddd, MMMM'}}",
      'needs "double quotes" around it',
    ],
    ['a date without format', 'type=raw,value={{date}}', '{{date}} needs a format'],
    ['an unknown time zone', "type=raw,value={{date 'Y' tz='Mars/Base'}}", '"Mars/Base" is not a time zone'],
    ['a block', 'type=raw,value={{#if branch}}x{{/if}}', 'is not known'],
    ['a bad regular expression', 'type=match,pattern=[a', 'is not a regular expression'],
    ['a regular expression that could hang', 'type=match,pattern=(a+)+$', 'could take forever'],
    ['a tag that is none', '-x', '"-x" is no tag'],
    ['a reference without tag', 'ghcr.io/acme/app', 'names no tag'],
    ['a reference with a digest', `ghcr.io/acme/app:1@sha256:${'0'.repeat(64)}`, 'a digest'],
    ['an open quote', 'type=match,"pattern=x', 'never closed'],
  ])('%s', (_, rule, expected) => {
    expect(problemsOf([rule])).toEqual([expect.stringContaining(expected)]);
  });

  it('are all named at once', () => {
    const found = problemsOf(['type=semvar', 'type=sha,enable=yes,priority=x', 'ok', '-x'], {
      flavor: ['latest=maybe', 'onlatest=true'],
      version: 'banana',
      tagPrefix: 'a b',
      immutableTags: '(',
    });
    expect(found.map((text) => text.split(':')[0])).toEqual([
      'flavor',
      'immutable-tags',
      'tags',
      'tags',
      'tags',
      'tag-prefix',
      'version',
    ]);
    expect(found.join('\n')).toContain('enable="yes" is neither true nor false; priority="x"');
  });

  it('takes a version by PEP 440 when rules say what to do with it', () => {
    expect(problemsOf([], { version: '1.2rc1' })).toHaveLength(1);
    expect(tagsOf(['type=pep440,pattern={{version}}'], onBranch('x'), { version: '1.2rc1' })).toEqual(['1.2rc1']);
  });
});

describe('notices', () => {
  it.each([
    ['type=semver,pattern={{version}}', onTag('sometag'), '"sometag" is no semantic version'],
    ['type=pep440,pattern={{version}}', onTag('sometag'), '"sometag" is no version by PEP 440'],
    ['type=match,pattern=x', onTag('v1'), '"v1" is not what the pattern looks for'],
    ['type=ref,event=branch', onBranch('gh-readonly-queue/main/pr-1-a'), 'merge queue'],
  ])('%s says why there is no tag', (rule, event, expected) => {
    expect(plan([rule], event).notices).toEqual([expect.stringContaining(expected)]);
  });
});

describe('hostile names', () => {
  const hostile = [
    'x\n::set-output name=a::b',
    'x%0A::warning::',
    '`id`$(id)',
    ']]>\u001b[31m',
    '🚀',
    '日本',
    'ab\u202egnp.exe',
    '-lead',
    '.x',
    '..',
    'a'.repeat(1_000_000),
    '\ud800',
    '\u0000',
  ];
  it.each(hostile.map((name) => [name.slice(0, 20), name]))(
    'acceptance 14: %j becomes a legal tag everywhere',
    (_, name) => {
      const rules = [
        'type=ref,event=branch',
        'type=ref,event=tag',
        'a{{branch}}',
        '{{tag}}',
        'type=sha,prefix={{branch}}-',
        'type=match,pattern=.*',
      ];
      for (const event of [onBranch(name), onTag(name)]) {
        const { candidates, notices } = plan(rules, event, {
          flavor: ['suffix=-{{branch}}{{tag}},onlatest=true', 'latest=true'],
        });
        for (const { tag } of candidates) expect(tag).toMatch(LEGAL);
        expect(candidates.length).toBeGreaterThan(0);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is the point
        for (const notice of notices) expect(notice).not.toMatch(/[\u0000-\u001f\u202e]|.{600}/);
      }
    },
  );

  it('acceptance 13: a long branch gives a tag of 128 characters that ends in its hash', () => {
    const [tag = ''] = tagsOf([], onBranch('x'.repeat(200)));
    expect(tag).toMatch(/^x{119}-[0-9a-f]{8}$/);
  });

  it('keeps two branches apart that have no letter a tag can hold', () => {
    expect(tagsOf([], onBranch('日本'))).not.toEqual(tagsOf([], onBranch('中国')));
  });

  it('keeps problems printable', () => {
    for (const name of hostile) {
      for (const text of problemsOf([`type=${name}`, `${name}=1`], { version: name, tagPrefix: name })) {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is the point
        expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
      }
    }
  });
});

describe('properties', () => {
  const anyName = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ maxLength: 300 }),
    fc.stringMatching(/^v?[0-9]{1,3}(\.[0-9]{1,3}){2}(-[a-z0-9.]{1,8})?$/),
  );
  it('every tag is legal, none comes twice, and lines belong to version lines only', () => {
    const rules = [
      'type=ref,event=branch',
      'type=ref,event=tag',
      'type=semver,pattern={{major}}',
      'type=pep440,pattern={{raw}}',
      'type=raw,value={{branch}}{{tag}}',
      'type=sha',
    ];
    fc.assert(
      fc.property(anyName, anyName, fc.boolean(), (name, affix, isTag) => {
        const event = isTag ? onTag(name) : onBranch(name);
        const flavor = [`prefix=${affix.replace(/[",\n\r{}]/g, '')},onlatest=true`, 'latest=true'];
        const { candidates } = plan(rules, event, { flavor });
        for (const { tag, kind, line } of candidates) {
          expect(tag).toMatch(LEGAL);
          expect(line !== undefined).toBe(kind === 'version-line');
        }
        expect(new Set(candidates.map(({ tag }) => tag)).size).toBe(candidates.length);
      }),
    );
  });

  it('distinct long branches stay distinct', () => {
    const long = fc.stringMatching(/^[a-z]{150,200}$/);
    fc.assert(
      fc.property(long, fc.string(), fc.string(), (stem, a, b) => {
        fc.pre(a !== b);
        expect(tagsOf([], onBranch(stem + a))).not.toEqual(tagsOf([], onBranch(stem + b)));
      }),
    );
  });
});
