import { describe, expect, it } from 'vitest';
import { DATE, onBranch, onPullRequest, onSchedule, onTag, SHA, tagsOf } from '../support/tag-runs.ts';

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
