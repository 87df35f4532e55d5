import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { hashOf } from '../support/content-hash.ts';
import * as given from '../support/event-payloads.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT, NODE_DIRECTORY } from '../support/programs.ts';
import { type ActionResult, type ActionRun, runAction } from '../support/runner.ts';
import type { RunnerEvent } from '../support/runner-environment.ts';

/** No docker on this PATH: the registry has the image already, so that each run is about its tags. */
const NO_DOCKER = { PATH: NODE_DIRECTORY };
const DEPENDABOT = 'dependabot[bot]';
const own = given.repository('acme/app');
const stranger = given.fork('mallory/app');
const PULL = { name: 'pull_request', ref: 'refs/pull/7/merge', headRef: 'topic', baseRef: 'main' };
const TARGET = { name: 'pull_request_target', headRef: 'topic', baseRef: 'main' };
const AFTER = { name: 'workflow_run' };
const VERSIONS = ['1', '1.2', '1.2.3', 'latest'];

let registry: RunningRegistry;
let workspace: string;
let image: string;
let hash: string;
let digest: string;

beforeAll(async () => {
  registry = await startRegistry();
  workspace = mkdtempSync(join(tmpdir(), 'build-once-events-'));
  writeFileSync(join(workspace, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
  hash = await hashOf(workspace);
});
afterAll(async () => {
  await registry.close();
  rmSync(workspace, { recursive: true });
});
beforeEach(async () => {
  image = `${registry.host}/t/${Math.random().toString(36).slice(2)}`;
  digest = await plantImage({ image, tags: [hashTag()], annotations: { 'dev.build-once.inputs': hash } });
  registry.forgetRequests();
});

function hashTag(): string {
  return `hash-${hash.slice(0, 32)}`;
}

function step(event: RunnerEvent, more: Partial<ActionRun> = {}): Promise<ActionResult> {
  return runAction({
    action: CHECKOUT,
    workspace,
    ...more,
    with: { images: image, platforms: 'linux/amd64', ...more.with },
    event: { sha: given.SHA, ...event },
    env: { ...NO_DOCKER, ...more.env },
  });
}

/** The image's tags but the hash tag, which was there before. */
async function tags(): Promise<readonly string[]> {
  const [host, ...path] = image.split('/');
  const response = await fetch(`http://${host}/v2/${path.join('/')}/tags/list`);
  const list: unknown = await response.json();
  const all = typeof list === 'object' && list !== null && 'tags' in list && Array.isArray(list.tags) ? list.tags : [];
  return all.map(String).filter((tag) => tag !== hashTag());
}

function written(): readonly string[] {
  return registry.requests.filter(({ method }) => !['GET', 'HEAD'].includes(method)).map(({ path }) => path);
}

describe('a run of this repository’s code pushes and sets tags', () => {
  it.each<[string, RunnerEvent, readonly string[]]>([
    ['a push to the default branch', { payload: given.push('refs/heads/main') }, ['main']],
    [
      'a push to another branch',
      { ref: 'refs/heads/feature/x', payload: given.push('refs/heads/feature/x') },
      ['feature-x'],
    ],
    ['a push of a version', { ref: 'refs/tags/v1.2.3', payload: given.push('refs/tags/v1.2.3') }, VERSIONS],
    [
      'a push by a bot that is not Dependabot',
      { actor: 'renovate[bot]', payload: given.push('refs/heads/main') },
      ['main'],
    ],
    ['a pull request', { ...PULL, payload: given.pullRequest(own) }, ['pr-7']],
    [
      'a pull request, where the runner spells the repository otherwise',
      { ...PULL, repository: 'Acme/App', payload: given.pullRequest(given.repository('acme/APP')) },
      ['pr-7'],
    ],
    [
      'a pull request inside a fork, in the fork’s own workflow',
      { ...PULL, repository: 'mallory/app', payload: given.pullRequest(stranger) },
      ['pr-7'],
    ],
    [
      'a push in a fork, in the fork’s own workflow',
      { repository: 'mallory/app', payload: { ...given.push('refs/heads/main'), repository: stranger } },
      ['main'],
    ],
    ['a pull request target', { ...TARGET, payload: given.pullRequest(own) }, ['pr-7']],
    ['a review', { ...PULL, name: 'pull_request_review', payload: given.review(own) }, ['pr-7']],
    ['a review comment', { ...PULL, name: 'pull_request_review_comment', payload: given.reviewComment(own) }, ['pr-7']],
    ['a run after a push', { ...AFTER, payload: given.workflowRun('push', own) }, ['main']],
    ['a run after a pull request', { ...AFTER, payload: given.workflowRun('pull_request', own, [7]) }, ['pr-7']],
    [
      'a run after a pull request that is closed by now',
      { ...AFTER, payload: given.workflowRun('pull_request', own) },
      ['topic'],
    ],
    [
      'a run after Dependabot’s pull request',
      { ...AFTER, actor: DEPENDABOT, payload: given.workflowRun('pull_request', own, [9]) },
      ['pr-9'],
    ],
    ['a comment on an issue', { name: 'issue_comment', payload: given.issueComment(false) }, ['main']],
    [
      'a merge queue, whose branch is thrown away',
      { name: 'merge_group', ref: given.QUEUE_REF, payload: given.mergeGroup },
      [],
    ],
    ['a start by hand', { name: 'workflow_dispatch', payload: given.dispatch('refs/heads/main') }, ['main']],
    [
      'a start by hand on a version',
      { name: 'workflow_dispatch', ref: 'refs/tags/v1.2.3', payload: given.dispatch('refs/tags/v1.2.3') },
      VERSIONS,
    ],
    [
      'a start by hand of Dependabot’s',
      { name: 'workflow_dispatch', actor: DEPENDABOT, payload: given.dispatch('main') },
      ['main'],
    ],
    ['a start through the API', { name: 'repository_dispatch', payload: given.repositoryDispatch }, ['main']],
    ['a schedule', { name: 'schedule', payload: given.schedule }, ['main']],
    ['a release', { name: 'release', ref: 'refs/tags/v1.2.3', payload: given.release('v1.2.3') }, VERSIONS],
    [
      'a pre-release',
      { name: 'release', ref: 'refs/tags/v2.0.0-rc.1', payload: given.release('v2.0.0-rc.1', true) },
      ['2.0.0-rc.1'],
    ],
    [
      'a new branch',
      { name: 'create', ref: 'refs/heads/topic', payload: given.namedRef('branch', 'topic') },
      ['topic'],
    ],
    ['a new version', { name: 'create', ref: 'refs/tags/v1.2.3', payload: given.namedRef('tag', 'v1.2.3') }, VERSIONS],
    ['a deployment of a branch', { name: 'deployment', payload: given.deployment('main') }, ['main']],
    ['a deployment of a commit', { name: 'deployment', ref: '', payload: given.deployment(given.SHA) }, []],
    ['a package', { name: 'registry_package', payload: given.registryPackage }, ['main']],
    ['a check', { name: 'check_suite', payload: given.checkSuite }, ['main']],
    ['an event that nobody knows', { name: 'something_new', payload: {} }, ['main']],
    [
      'an event of 5 MB',
      { payload: given.push('refs/heads/main', { commits: [{ message: 'x'.repeat(5_000_000) }] }) },
      ['main'],
    ],
  ])('%s', async (_, event, expected) => {
    const result = await step(event);
    expect(result, result.log.slice(0, 2000)).toMatchObject({ status: 'success', exitCode: 0 });
    expect(result.outputs).toMatchObject({ built: 'false', reason: 'hit', digest, pushed: 'true' });
    expect((await tags()).toSorted()).toEqual(expected);
    expect(result.log).not.toContain('nothing is');
    expect(result.artifacts).toEqual([]);
  });

  it.each([
    ['GitHub Enterprise Server', { GITHUB_SERVER_URL: 'https://git.acme.example' }],
    ['a Forgejo runner', { GITHUB_SERVER_URL: 'https://codeberg.example', FORGEJO_ACTIONS: 'true' }],
  ])('on %s as well', async (_, env) => {
    expect((await step({ payload: given.push('refs/heads/main') }, { env })).outputs['pushed']).toBe('true');
    const pull = await step({ ...PULL, ref: 'refs/pull/7/head', payload: given.pullRequest(own) }, { env });
    expect(pull.outputs['pushed']).toBe('true');
    expect(await tags()).toEqual(['main', 'pr-7']);
  });

  it('also without the event’s file', async () => {
    const result = await step({}, { env: { GITHUB_EVENT_PATH: join(workspace, 'nowhere') } });
    expect(result.outputs).toMatchObject({ pushed: 'true', version: 'main' });
  });
});

describe('a run that must not push reuses or builds, says why, and succeeds', () => {
  it.each<[string, RunnerEvent, string]>([
    ['a pull request of a fork', { ...PULL, payload: given.pullRequest(stranger) }, 'mallory/app, a fork'],
    [
      'one of a private fork, whatever its token may do',
      { ...PULL, payload: given.pullRequest(given.fork('mallory/app', { private: true, visibility: 'private' })) },
      'mallory/app, a fork',
    ],
    ['one of a fork that was deleted', { ...PULL, payload: given.pullRequest(null) }, 'a fork that was deleted'],
    ['a pull request target of a fork', { ...TARGET, payload: given.pullRequest(stranger) }, 'mallory/app, a fork'],
    ['a review of one', { ...PULL, name: 'pull_request_review', payload: given.review(stranger) }, 'a fork'],
    [
      'a review comment on one',
      { ...PULL, name: 'pull_request_review_comment', payload: given.reviewComment(stranger) },
      'a fork',
    ],
    ['a run after a fork’s pull request', { ...AFTER, payload: given.workflowRun('pull_request', stranger) }, 'a fork'],
    [
      'a run after that of a fork that was deleted',
      { ...AFTER, payload: given.workflowRun('pull_request', null) },
      'a fork that was deleted',
    ],
    [
      'a comment on a pull request',
      { name: 'issue_comment', payload: given.issueComment(true) },
      'a comment on a pull request does not say where the code comes from',
    ],
    [
      'Dependabot’s push',
      { actor: DEPENDABOT, ref: 'refs/heads/dependabot/npm/a-1', payload: given.push('refs/heads/dependabot/npm/a-1') },
      "Dependabot's runs have a token that may only read",
    ],
    [
      'Dependabot’s pull request',
      { ...PULL, actor: DEPENDABOT, payload: given.pullRequest(own, { user: given.user(DEPENDABOT) }) },
      "Dependabot's runs",
    ],
    [
      'Dependabot’s pull request target',
      { ...TARGET, actor: DEPENDABOT, payload: given.pullRequest(own, { user: given.user(DEPENDABOT) }) },
      "Dependabot's runs",
    ],
    [
      'Dependabot’s new branch',
      { name: 'create', actor: DEPENDABOT, payload: given.namedRef('branch', 'dependabot/npm/a-1') },
      "Dependabot's runs",
    ],
  ])('%s', async (_, event, why) => {
    const result = await step(event, { with: { username: 'bot', password: '', secrets: 'token=' } });
    expect(result, result.log.slice(0, 2000)).toMatchObject({ status: 'success', exitCode: 0 });
    expect(result.outputs).toMatchObject({ built: 'false', reason: 'hit', digest, pushed: 'false', tags: '' });
    expect(result.annotations.map(({ message }) => message).join('\n')).toMatch(
      new RegExp(`nothing is pushed: .*${why}`),
    );
    expect(written()).toEqual([]);
    expect(await tags()).toEqual([]);
    expect(result.artifacts).toEqual([]);
  });

  it('a pull request without the event’s file', async () => {
    const result = await step(PULL, { env: { GITHUB_EVENT_PATH: join(workspace, 'nowhere') } });
    expect(result.outputs['pushed']).toBe('false');
    expect(result.log).toContain('nothing is pushed: the event does not say where the code comes from');
  });

  it('but says nothing of it where nothing was to be pushed', async () => {
    const result = await step({ ...PULL, payload: given.pullRequest(stranger) }, { with: { push: 'false' } });
    expect(result).toMatchObject({ status: 'success', outputs: { pushed: 'false' } });
    expect(result.log).not.toContain('nothing is pushed');
  });
});

describe('a run because a branch or tag was deleted does nothing: its ref is the default branch', () => {
  it.each<[string, RunnerEvent, string]>([
    ['a branch', { name: 'delete', payload: given.namedRef('branch', 'topic') }, 'the branch topic was deleted'],
    ['a version', { name: 'delete', payload: given.namedRef('tag', 'v1.2.3') }, 'the tag v1.2.3 was deleted'],
    ['a branch, as a push', { payload: given.deletingPush('refs/heads/a/b') }, 'the branch a/b was deleted'],
    ['a tag, as a push', { payload: given.deletingPush('refs/tags/v1.2.3') }, 'the tag v1.2.3 was deleted'],
    [
      'with a hostile name',
      { name: 'delete', payload: given.namedRef('branch', 'x\n::error::y') },
      'the branch x ::error::y',
    ],
    ['without its event', { name: 'delete', payload: { ref: null } }, 'was deleted'],
  ])('%s', async (_, event, why) => {
    const result = await step(event, { with: { tags: 'type=raw,value=latest' } });
    expect(result, result.log).toMatchObject({ status: 'success', exitCode: 0 });
    expect(result.outputs).toEqual({ built: 'false', pushed: 'false' });
    expect(result.annotations).toEqual([{ level: 'notice', message: expect.stringContaining(`nothing is built: `) }]);
    expect(result.log).toContain(why);
    expect(result.summary).toContain('### Nothing to build');
    expect(registry.requests).toEqual([]);
  });

  it('but bad input is told', async () => {
    const event = { name: 'delete', payload: given.namedRef('branch', 'topic') };
    expect(await step(event, { with: { push: 'maybe' } })).toMatchObject({ status: 'failure', exitCode: 2 });
  });
});

it('an event that is not JSON is bad input', async () => {
  const file = join(workspace, 'bad.json');
  writeFileSync(file, '{"pull_request":');
  const result = await step(PULL, { env: { GITHUB_EVENT_PATH: file } });
  rmSync(file);
  expect(result).toMatchObject({ status: 'failure', exitCode: 2 });
  expect(result.log).toContain('BAD_INPUT: GITHUB_EVENT_PATH: ');
  expect(registry.requests).toEqual([]);
});
