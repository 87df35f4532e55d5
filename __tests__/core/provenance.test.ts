import { readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { valueAt } from '../../src/core/json.ts';
import { type BuildFacts, provenanceOf } from '../../src/core/provenance.ts';
import { readWorkflowRun } from '../../src/core/workflow-run.ts';
import { violations } from '../support/json-schema.ts';
import { PROVENANCE_SCHEMA, WORKFLOW_SCHEMA } from '../support/predicate-schemas.ts';
import { workflowEnv } from '../support/workflow-env.ts';

const COMMIT = 'fedcba9876543210fedcba9876543210fedcba98';
const FACTS: BuildFacts = {
  run: readWorkflowRun(workflowEnv()),
  identity: undefined,
  version: '1.0.0',
  startedAt: '2026-11-21T17:00:00.000Z',
  finishedAt: '2026-11-21T17:05:00.000Z',
  target: 'app',
  platforms: ['linux/amd64', 'linux/arm64'],
  secrets: ['npm-token'],
  inputs: { digest: digestOf('inputs'), mediaType: 'application/vnd.build-once.inputs.v1+json' },
  images: [
    { reference: 'node:22', digest: digestOf('node') },
    { reference: `ghcr.io/acme/base:1@${digestOf('base')}`, digest: digestOf('base') },
  ],
  repositories: [{ remote: 'https://github.com/acme/tools.git', commit: COMMIT }],
};

/** As it is read back from what was signed. */
function provenance(changes: Partial<BuildFacts> = {}): unknown {
  return JSON.parse(JSON.stringify(provenanceOf({ ...FACTS, ...changes })));
}

function runOf(changes: Readonly<Record<string, string>>): Pick<BuildFacts, 'run'> {
  return { run: readWorkflowRun(workflowEnv(changes)) };
}

function dependencyUrls(value: unknown): readonly unknown[] {
  const dependencies = valueAt(value, 'buildDefinition', 'resolvedDependencies');
  return Array.isArray(dependencies) ? dependencies.map((one) => valueAt(one, 'uri')) : [];
}

describe('the provenance of a build', () => {
  it.each([
    ['a workflow', {}, 'provenance.json'],
    ['a machine that is no runner of GitHub', { run: undefined }, 'provenance-local.json'],
  ])('in %s is this', (_, changes, golden) => {
    const file = path.join(import.meta.dirname, '../fixtures/attestations', golden);
    expect(provenance(changes)).toEqual(JSON.parse(readFileSync(file, 'utf8')));
  });

  it.each([
    ['in a workflow', {}],
    ['elsewhere', { run: undefined }],
    ['of nothing but files', { images: [], repositories: [], target: undefined, secrets: [] }],
    ['on a runner that says little', runOf({ RUNNER_ENVIRONMENT: '', GITHUB_RUN_ID: '', GITHUB_WORKFLOW_SHA: '' })],
  ])('has all that SLSA wants: %s', (_, changes) => {
    expect(violations(PROVENANCE_SCHEMA, provenance(changes))).toEqual([]);
  });

  it('says outside what GitHub says of its own builds, and nothing else', () => {
    expect(violations(WORKFLOW_SCHEMA, valueAt(provenance(), 'buildDefinition', 'externalParameters'))).toEqual([]);
  });

  it('names the workflow of the certificate as the builder, which a reusable one differs in', () => {
    const identity = 'https://github.com/shared/w/.github/workflows/build.yml@refs/tags/v1';
    expect(valueAt(provenance({ identity }), 'runDetails', 'builder', 'id')).toBe(identity);
  });

  it('names the commit of the workflow where it is another', () => {
    const workflow = { GITHUB_WORKFLOW_REF: 'acme/.github/w.yml@refs/heads/main', GITHUB_WORKFLOW_SHA: COMMIT };
    expect(dependencyUrls(provenance(runOf(workflow))).slice(0, 2)).toEqual([
      'git+https://github.com/acme/app@refs/tags/v1.2.3',
      'git+https://github.com/acme/.github@refs/heads/main',
    ]);
  });

  test.each([
    ['node', 'pkg:docker/node@latest'],
    ['node:22-alpine', 'pkg:docker/node@22-alpine'],
    ['grafana/k6:1', 'pkg:docker/grafana/k6@1'],
    ['127.0.0.1:5000/base:1', 'pkg:docker/127.0.0.1%3A5000/base@1'],
    [`node@${digestOf('x')}`, `pkg:docker/node?digest=${digestOf('x')}`],
    [`node:22@${digestOf('x')}`, `pkg:docker/node@22?digest=${digestOf('x')}`],
  ])('calls the base image %s %s', (reference, url) => {
    const images = [{ reference, digest: digestOf('x') }];
    expect(dependencyUrls(provenance({ images, repositories: [] }))).toContain(url);
  });

  test.each([
    ['https://github.com/acme/app.git', 'git+https://github.com/acme/app.git'],
    ['git@github.com:acme/app.git', 'git+ssh://git@github.com/acme/app.git'],
    ['ssh://git@host:2222/a b.git', 'git+ssh://git@host:2222/a%20b.git'],
  ])('calls the context %s %s', (remote, url) => {
    expect(dependencyUrls(provenance({ repositories: [{ remote, commit: COMMIT }] }))).toContain(url);
  });
});

describe('what a runner says', () => {
  it.each([
    ['a ref of a megabyte', { GITHUB_REF: `refs/heads/${'a'.repeat(1 << 20)}` }],
    ['a ref with control characters', { GITHUB_REF: 'refs/heads/\u001b[31mmain\u0007' }],
    ['a ref of two lines', { GITHUB_REF: 'refs/heads/a\nrefs/heads/b' }],
    ['no commit', { GITHUB_SHA: 'main' }],
    ['a repository that is a path', { GITHUB_REPOSITORY: '../../etc' }],
    ['a workflow without a ref', { GITHUB_WORKFLOW_REF: 'acme/app/.github/workflows/release.yml' }],
    ['a server that is no address', { GITHUB_SERVER_URL: 'javascript:alert(1)' }],
  ])("is nobody's word with %s", (_, changes) => {
    expect(readWorkflowRun(workflowEnv(changes))).toBeUndefined();
  });

  it.each([
    [
      'the attempt',
      { GITHUB_RUN_ATTEMPT: '1; rm' },
      { url: 'https://github.com/acme/app/actions/runs/1658821493/attempts/1' },
    ],
    ['the run', { GITHUB_RUN_ID: '1'.repeat(1000) }, { runId: undefined, url: undefined }],
    ['the event', { GITHUB_EVENT_NAME: 'push\npull' }, { eventName: undefined }],
    ['the runner', { RUNNER_ENVIRONMENT: '\u202eself' }, { runnerEnvironment: undefined }],
  ])('leaves out %s when it is none', (_, changes, left) => {
    expect(readWorkflowRun(workflowEnv(changes))).toMatchObject(left);
  });

  it('takes names of branches as git does', () => {
    const ref = 'refs/heads/größe/✨@1';
    const env = workflowEnv({ GITHUB_REF: ref, GITHUB_WORKFLOW_REF: `acme/app/.github/workflows/a.yml@${ref}` });
    expect(readWorkflowRun(env)).toMatchObject({ ref, workflow: { path: '.github/workflows/a.yml', ref } });
    const { run } = { run: readWorkflowRun(env) };
    expect(violations(PROVENANCE_SCHEMA, provenance({ run }))).toEqual([]);
  });

  it('gives a bounded provenance in form, whatever the variables are', () => {
    const names = Object.keys(workflowEnv());
    const hostile = fc.dictionary(fc.constantFrom(...names), fc.string({ unit: 'binary', maxLength: 2000 }));
    fc.assert(
      fc.property(hostile, (changes) => {
        const value = provenance(runOf(changes));
        expect(violations(PROVENANCE_SCHEMA, value)).toEqual([]);
        expect(JSON.stringify(value).length).toBeLessThan(10_000);
      }),
    );
  });
});
