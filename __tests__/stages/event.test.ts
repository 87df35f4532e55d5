import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import { type RunEvent, readEvent } from '../../src/stages/event.ts';

const SHA = '0123456789abcdef0123456789abcdef01234567';
let root: string;
beforeAll(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'event-test-'));
});
afterAll(() => fs.rmSync(root, { recursive: true }));

interface Started {
  readonly name: string;
  readonly ref?: string;
  readonly actor?: string;
  readonly baseRef?: string;
  readonly payload?: unknown;
}

const repository = {
  full_name: 'Acme/App',
  default_branch: 'main',
  private: false,
  description: 'An app',
  license: { key: 'mit', spdx_id: 'MIT' },
};

function read(started: Started, env: Record<string, string> = {}): RunEvent {
  const { name, ref = 'refs/heads/main', actor = 'octocat', baseRef = '', payload = {} } = started;
  const file = path.join(root, 'event.json');
  const whole = typeof payload === 'object' && payload !== null ? { repository, ...payload } : payload;
  fs.writeFileSync(file, JSON.stringify(whole));
  const host = createTerminalHost({
    cwd: root,
    write: () => {},
    env: {
      GITHUB_EVENT_NAME: name,
      GITHUB_EVENT_PATH: file,
      GITHUB_REF: ref,
      GITHUB_SHA: SHA,
      GITHUB_ACTOR: actor,
      GITHUB_BASE_REF: baseRef,
      GITHUB_REPOSITORY: 'Acme/App',
      GITHUB_SERVER_URL: 'https://github.com',
      GITHUB_RUN_ID: '42',
      GITHUB_RUN_ATTEMPT: '2',
      ...env,
    },
  });
  return readEvent(host);
}

const head = (repo: unknown): object => ({ number: 7, head: { ref: 'topic', sha: SHA, repo }, base: { ref: 'main' } });
const own = { full_name: 'acme/APP', fork: false };
const fork = { full_name: 'stranger/app', fork: true };
const PULL: Omit<Started, 'payload'> = { name: 'pull_request', ref: 'refs/pull/7/merge', baseRef: 'main' };

const pushToBranch: Started = {
  name: 'push',
  payload: { ref: 'refs/heads/main', base_ref: null, head_commit: { id: SHA, timestamp: '2026-11-20T10:00:00+01:00' } },
};
const pushOfTag: Started = {
  name: 'push',
  ref: 'refs/tags/v1.2.3',
  payload: {
    ref: 'refs/tags/v1.2.3',
    base_ref: 'refs/heads/main',
    head_commit: { id: SHA, timestamp: '2026-11-20T10:00:00Z' },
  },
};

const afterPull = (pulls: readonly object[]): object => ({
  workflow_run: { event: 'pull_request', head_branch: 'topic', head_repository: own, pull_requests: pulls },
});

describe('a run that may push', () => {
  it.each<[string, Started, object]>([
    [
      'a push to the default branch',
      pushToBranch,
      { branch: 'main', tag: undefined, isDefaultBranch: true, commitDate: new Date('2026-11-20T09:00:00Z') },
    ],
    [
      'a push to another branch',
      { ...pushToBranch, ref: 'refs/heads/feature/x' },
      { branch: 'feature/x', isDefaultBranch: false },
    ],
    ['a push of a tag', pushOfTag, { branch: undefined, tag: 'v1.2.3', isDefaultBranch: false, baseRef: 'main' }],
    [
      'a pull request of this repository, whatever the spelling',
      { ...PULL, payload: { number: 7, pull_request: head(own) } },
      { pullRequest: 7, baseRef: 'main', branch: undefined },
    ],
    [
      'a review of one',
      { ...PULL, name: 'pull_request_review', payload: { pull_request: head(own), review: {} } },
      { pullRequest: 7 },
    ],
    [
      'a run after a workflow of this repository',
      {
        name: 'workflow_run',
        payload: { workflow_run: { event: 'push', head_branch: 'topic', head_repository: own } },
      },
      { branch: 'main' },
    ],
    [
      'a schedule',
      { name: 'schedule', payload: { schedule: '0 0 * * *' } },
      { eventName: 'schedule', branch: 'main', isDefaultBranch: true, commitDate: undefined },
    ],
    [
      'a start by hand',
      { name: 'workflow_dispatch', payload: { inputs: null, ref: 'refs/heads/main' } },
      { eventName: 'workflow_dispatch' },
    ],
    ['a start by hand of Dependabot’s', { name: 'workflow_dispatch', actor: 'dependabot[bot]' }, {}],
    [
      'a merge queue',
      {
        name: 'merge_group',
        ref: 'refs/heads/gh-readonly-queue/main/pr-7-abc',
        payload: { merge_group: { head_sha: SHA } },
      },
      { branch: 'gh-readonly-queue/main/pr-7-abc', isDefaultBranch: false },
    ],
    [
      'a release',
      { name: 'release', ref: 'refs/tags/v1.2.3', payload: { release: { tag_name: 'v1.2.3' } } },
      { tag: 'v1.2.3' },
    ],
    [
      'a run after a pull request, which is on the default branch',
      { name: 'workflow_run', payload: afterPull([{ number: 7 }]) },
      { pullRequest: 7 },
    ],
    [
      'a run after a pull request that is closed by now',
      { name: 'workflow_run', payload: afterPull([]) },
      { pullRequest: undefined, ref: 'refs/heads/topic', branch: 'topic', isDefaultBranch: false },
    ],
    [
      'an issue, which is no pull request',
      { name: 'issues', payload: { issue: { number: 7 }, pull_request: null } },
      { pullRequest: undefined },
    ],
    ['an event that nobody knows', { name: 'something_new' }, { eventName: 'something_new' }],
  ])('%s', (_, started, git) => {
    const event = read(started);
    expect(event).toMatchObject({ untrusted: undefined, push: true, git: { sha: SHA, defaultBranch: 'main', ...git } });
  });
});

describe('a run that must not push, whatever was asked', () => {
  it.each<[string, Started, string]>([
    [
      'a pull request of a fork',
      { ...PULL, payload: { pull_request: head(fork) } },
      'the code comes from stranger/app, a fork',
    ],
    ['one whose fork was deleted', { ...PULL, payload: { pull_request: head(null) } }, 'a fork that was deleted'],
    [
      'a pull request target of a fork',
      { name: 'pull_request_target', baseRef: 'main', payload: { pull_request: head(fork) } },
      'a fork',
    ],
    [
      'one with the name of ours at its end',
      { ...PULL, payload: { pull_request: head({ full_name: 'evil/Acme/App' }) } },
      'a fork',
    ],
    [
      'one with the name of ours and more',
      { ...PULL, payload: { pull_request: head({ full_name: 'Acme/App2' }) } },
      'a fork',
    ],
    ['a review of a fork’s', { ...PULL, name: 'pull_request_review', payload: { pull_request: head(fork) } }, 'a fork'],
    [
      'a review comment of a fork’s',
      { ...PULL, name: 'pull_request_review_comment', payload: { pull_request: head(fork) } },
      'a fork',
    ],
    [
      'a run after a fork’s workflow',
      { name: 'workflow_run', payload: { workflow_run: { event: 'pull_request', head_repository: fork } } },
      'stranger/app, a fork',
    ],
    [
      'a run after one of a deleted fork',
      { name: 'workflow_run', payload: { workflow_run: { head_repository: null } } },
      'a fork that was deleted',
    ],
    ['a pull request without its event', { ...PULL, payload: {} }, 'does not say where the code comes from'],
    ['a pull request with an event that is none', { ...PULL, payload: [] }, 'does not say where the code comes from'],
    ['a pull request with a malformed event', { ...PULL, payload: { pull_request: 'x' } }, 'a fork that was deleted'],
    [
      'a run after a workflow, without its event',
      { name: 'workflow_run', payload: {} },
      'does not say where the code comes from',
    ],
    [
      'Dependabot’s pull request',
      { ...PULL, actor: 'dependabot[bot]', payload: { pull_request: head(own) } },
      "Dependabot's runs",
    ],
    [
      'a comment on a pull request',
      { name: 'issue_comment', payload: { issue: { number: 7, pull_request: { url: 'x' } } } },
      'a comment on a pull request',
    ],
    ['a comment whose event is not there', { name: 'issue_comment', payload: null }, 'a comment on a pull request'],
    ['Dependabot’s push', { name: 'push', actor: 'dependabot[bot]' }, "Dependabot's runs"],
    [
      'Dependabot’s review comment',
      { ...PULL, name: 'pull_request_review_comment', actor: 'dependabot[bot]', payload: { pull_request: head(own) } },
      "Dependabot's runs",
    ],
    ['Dependabot’s deployment status', { name: 'deployment_status', actor: 'dependabot[bot]' }, "Dependabot's runs"],
  ])('%s', (_, started, why) => {
    expect(read(started)).toMatchObject({ push: false, untrusted: expect.stringContaining(why) });
  });

  it('says so in a printable line', () => {
    const event = read({
      ...PULL,
      payload: { pull_request: head({ full_name: `\u001b[31m\n::x${'y'.repeat(1_000_000)}` }) },
    });
    expect(event.untrusted?.length).toBeLessThan(200);
    expect(event.untrusted).not.toMatch(/\p{Cc}/u);
  });
});

describe('a ref that was deleted', () => {
  it.each<[object, string, string | undefined]>([
    [{ ref: 'topic', ref_type: 'branch' }, 'delete', 'the branch topic was deleted'],
    [{ ref: 'v1', ref_type: 'tag' }, 'delete', 'the tag v1 was deleted'],
    [{ ref: 'refs/heads/a/b', deleted: true }, 'push', 'the branch a/b was deleted'],
    [{ ref: 'refs/tags/v1', deleted: true }, 'push', 'the tag v1 was deleted'],
    [{ ref: 'refs/heads/main', deleted: false }, 'push', undefined],
    [{ ref: 'refs/heads/main' }, 'push', undefined],
    [{ ref: 'topic', deleted: true }, 'workflow_dispatch', undefined],
  ])('%j of a %s: %j', (payload, name, said) => {
    expect(read({ name, payload }).deleted).toBe(said);
  });

  it('is named in a printable line', () => {
    const { deleted } = read({ name: 'delete', payload: { ref: `\u001b[31m\n::x${'y'.repeat(1_000_000)}` } });
    expect(deleted).toMatch(/^the branch ::xy+… was deleted$/);
    expect(deleted?.length).toBeLessThan(200);
  });
});

describe('the repository', () => {
  it('is what the event and the runner say', () => {
    expect(read(pushToBranch)).toMatchObject({
      repository: {
        fullName: 'Acme/App',
        url: 'https://github.com/Acme/App',
        description: 'An app',
        license: 'MIT',
        isPrivate: false,
      },
      runUrl: 'https://github.com/Acme/App/actions/runs/42/attempts/2',
    });
  });

  it('of a GitHub Enterprise Server has its address', () => {
    const event = read(pushToBranch, { GITHUB_SERVER_URL: 'https://git.example', GITHUB_RUN_ATTEMPT: '' });
    expect(event.repository?.url).toBe('https://git.example/Acme/App');
    expect(event.runUrl).toBe('https://git.example/Acme/App/actions/runs/42/attempts/1');
  });

  it('says only what is known', () => {
    const bare = { default_branch: 'main', description: null, license: { spdx_id: 'NOASSERTION' } };
    expect(read({ name: 'push', payload: { repository: bare } }).repository).toEqual({
      fullName: 'Acme/App',
      url: 'https://github.com/Acme/App',
      description: undefined,
      license: undefined,
      isPrivate: undefined,
    });
  });
});

describe('outside a workflow', () => {
  it('there is no event, and everything is as it was asked', () => {
    const host = createTerminalHost({ cwd: root, env: {}, write: () => {} });
    const event = readEvent(host);
    expect(event).toMatchObject({ repository: undefined, runUrl: undefined, push: true, untrusted: undefined });
    expect(event.git).toEqual({ date: expect.any(Date), isDefaultBranch: false });
  });

  it('an event file that is not there is no event', () => {
    const event = read(pushToBranch, { GITHUB_EVENT_PATH: path.join(root, 'nowhere') });
    expect(event.git).toMatchObject({ branch: 'main', isDefaultBranch: false });
  });
});

it.each(['', '{', 'x\n::add-mask::y', '\ufeff{}'])('an event file that holds %j is bad input', (text) => {
  const file = path.join(root, 'bad.json');
  fs.writeFileSync(file, text);
  const reading = (): RunEvent => read(pushToBranch, { GITHUB_EVENT_PATH: file });
  expect(reading).toThrow(UsageError);
  expect(reading).toThrow('GITHUB_EVENT_PATH: ');
});

it('a commit’s date that is no time is left out', () => {
  expect(read({ name: 'push', payload: { head_commit: { timestamp: 'yesterday' } } }).git.commitDate).toBeUndefined();
});
