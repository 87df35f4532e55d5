import { randomUUID } from 'node:crypto';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { type GitRepository, type GitServer, startGitServer } from '../support/git-server.ts';
import { type Job, openJob } from '../support/job.ts';
import { CHECKOUT, findProgram, mustRun, NODE_DIRECTORY } from '../support/programs.ts';
import { watchArguments } from './workshop.ts';

const toolchain = inject('toolchain');
const DOCKERFILE = [
  'ARG BASE',
  'FROM $BASE',
  'COPY . /context',
  'RUN find /context -type f ! -name .git | sort | xargs tail -n +1 > /seen',
  'CMD ["cat", "/seen"]',
  '',
].join('\n');

describe.skipIf(!toolchain.layers.docker)('a git repository as context', () => {
  let server: GitServer;
  let repository: GitRepository;
  let job: Job;
  let inputs: Record<string, string>;
  beforeAll(async () => {
    server = await startGitServer();
  });
  afterAll(() => server.close());
  beforeEach(() => {
    job = openJob(toolchain, { 'README.md': 'the checkout of the workflow\n' });
    repository = server.create(`acme/${randomUUID()}`);
    repository.write({
      'app/Dockerfile': DOCKERFILE,
      'app/.dockerignore': '*.md\n',
      'app/x.md': '1\n',
      'other/y': '1\n',
    });
    repository.commit();
    inputs = {
      images: `${toolchain.registry}/t/${randomUUID()}`,
      platforms: 'linux/amd64',
      'build-args': `BASE=${toolchain.baseImage}`,
      context: `${repository.url}#main:app`,
    };
  });
  afterEach(() => job.remove());

  const show = (image: string | undefined): Promise<string> => job.run('docker', 'run', '--rm', `${image}`);

  it('is built at a commit, reused as long as the directory stays as it is, and built when it changes', async () => {
    const first = await job.step(inputs);
    expect(first.status, first.log).toBe('success');
    expect(first.outputs).toMatchObject({ built: 'true', reason: 'not-found' });
    expect(await show(first.outputs['image'])).toContain('/context/x.md');

    repository.write({ 'other/y': '2\n' });
    repository.commit();
    const second = await job.step(inputs);
    expect(second.outputs, second.log).toMatchObject({ built: 'false', digest: first.outputs['digest'] });

    // No ignore file counts in a git context.
    repository.write({ 'app/x.md': '2\n' });
    repository.commit();
    const third = await job.step(inputs);
    expect(third.outputs, third.log).toMatchObject({ built: 'true', reason: 'not-found' });
    expect(await show(third.outputs['image'])).toContain('==> /context/x.md <==\n2');
  });

  it('is built as it was hashed, also when the branch moves meanwhile', async () => {
    const pinned = repository.git('rev-parse', 'HEAD');
    repository.write({ 'app/x.md': 'moved\n' });
    repository.git('commit', '-aqm', 'later');
    const later = repository.git('rev-parse', 'HEAD');
    repository.git('push', '-q', 'origin', `${later}:refs/heads/next`);
    const bare = repository.git('remote', 'get-url', 'origin');
    const real = findProgram('docker', toolchain.env['PATH'] ?? '');
    const move = `git -C '${bare}' update-ref refs/heads/main ${later}`;
    job.write({
      '../wrapped/docker': `#!/bin/sh\n${move}\necho "$@" >> '${job.directory}/calls'\nexec '${real}' "$@"\n`,
    });
    chmodSync(join(job.directory, 'wrapped/docker'), 0o755);
    const PATH = `${job.directory}/wrapped:${toolchain.env['PATH']}`;
    const { outputs, status, log } = await job.step(inputs, { env: { PATH } });
    expect(status, log).toBe('success');
    expect(readFileSync(join(job.directory, 'calls'), 'utf8')).toContain(` -- ${repository.url}#${pinned}:app\n`);
    expect(await show(outputs['image'])).toContain('==> /context/x.md <==\n1');
    expect(repository.git('ls-remote', bare, 'main')).toContain(later);
  });

  it('comes with its submodules, and the commit stands in the provenance', async () => {
    const sub = server.create(`acme/${randomUUID()}`);
    sub.write({ s: 'of the submodule\n' });
    const commit = sub.commit();
    repository.addSubmodule('app/sub', sub.url, commit);
    repository.commit();
    const given = { ...inputs, provenance: 'mode=max' };
    const first = await job.step(given);
    expect(first.status, first.log).toBe('success');
    expect(await show(first.outputs['image'])).toContain('==> /context/sub/s <==\nof the submodule');
    const provenance = await job.run(
      'docker',
      'buildx',
      'imagetools',
      'inspect',
      `${first.outputs['image']}`,
      '--format={{json .Provenance}}',
    );
    expect(provenance).toContain(repository.git('rev-parse', 'HEAD'));
    expect((await job.step(given)).outputs).toMatchObject({ built: 'false' });

    sub.write({ s: 'again\n' });
    sub.commit();
    expect((await job.step(given)).outputs).toMatchObject({ built: 'false' });
    repository.addSubmodule('app/sub', sub.url, sub.git('rev-parse', 'HEAD'));
    repository.commit();
    expect((await job.step(given)).outputs).toMatchObject({ built: 'true' });
  });

  it('is rebuilt with every commit where .git is kept', async () => {
    repository.write({ Dockerfile: `${DOCKERFILE}RUN test -d /context/.git\n` });
    repository.commit();
    const args = `${inputs['build-args']}\nBUILDKIT_CONTEXT_KEEP_GIT_DIR=1`;
    const given = { ...inputs, context: repository.url, 'build-args': args };
    expect((await job.step(given)).outputs).toMatchObject({ built: 'true' });
    expect((await job.step(given)).outputs).toMatchObject({ built: 'false' });
    repository.commit();
    expect((await job.step(given)).outputs).toMatchObject({ built: 'true' });
  });

  it('that is private is read with a secret, or with the token of the job, which no argument and no log shows', async () => {
    const token = `ghs_${randomUUID()}`;
    const basic = Buffer.from(`x-access-token:${token}`).toString('base64');
    const name = repository.url.slice(server.origin.length + 1, -'.git'.length);
    server.locked.set(name, `basic ${basic}`);
    const watch = watchArguments();
    const event = { repository: name, token };
    const own = await job.step(inputs, { event, env: { GITHUB_SERVER_URL: server.origin } });
    const given = { ...inputs, secrets: `GIT_AUTH_TOKEN=${token}`, 'hash-salt': '2' };
    const other = await job.step(given, { env: { GITHUB_SERVER_URL: 'https://github.com' } });
    // BuildKit's own git shows the header to those who share the builder's machine.
    const seen = watch.stop().replace(/^git -c protocol\.file\.allow=user .*$/gm, '');
    for (const { status, log, stdout, summary } of [own, other]) {
      expect(status, log).toBe('success');
      expect(`${log}${summary}`).not.toMatch(new RegExp(`${token}|${basic}`));
      expect(stdout.replace(/^::add-mask::.*$/gm, '')).not.toMatch(new RegExp(`${token}|${basic}`));
    }
    expect(own.outputs).toMatchObject({ built: 'true' });
    expect(other.outputs).toMatchObject({ built: 'true' });
    expect(seen).toContain(repository.url);
    expect(seen).not.toContain(token);
    expect(seen).not.toContain(basic);
  });

  it('gives a stranger no token to build with', async () => {
    const token = `ghs_${randomUUID()}`;
    const name = repository.url.slice(server.origin.length + 1, -'.git'.length);
    const steal = `RUN --mount=type=secret,id=GIT_AUTH_TOKEN.${server.origin.slice(7)} test ! -e /run/secrets/*\n`;
    repository.write({ 'app/Dockerfile': `${DOCKERFILE}${steal}` });
    repository.commit();
    const pull = { head: { repo: { full_name: 'stranger/app' } } };
    const event = { name: 'pull_request_target', repository: name, token, payload: { pull_request: pull } };
    const env = { GITHUB_SERVER_URL: server.origin };
    const { status, log } = await job.step(inputs, { event, env });
    expect(status, log).toBe('success');
  });

  it('and a builder without git fails with a word about it', async () => {
    const builder = `git-${randomUUID().slice(0, 8)}`;
    await job.run(
      'docker',
      'buildx',
      'create',
      '--name',
      builder,
      '--driver=docker-container',
      '--driver-opt=network=host',
    );
    try {
      const { status, log } = await job.step({ ...inputs, builder });
      expect(status).toBe('failure');
      expect(log).toContain('BUILD_FAILED');
      expect(log).toContain('the builder has no git');
    } finally {
      await job.run('docker', 'buildx', 'rm', '--force', builder);
    }
  });

  it('names itself in the labels where no event does', async () => {
    const { GITHUB_REPOSITORY: _, GITHUB_SHA: __, ...env } = { ...process.env, ...job.env };
    const flags = Object.entries(inputs).map(([name, value]) => `--${name}=${value}`);
    const cli = [
      join(NODE_DIRECTORY, 'node'),
      join(CHECKOUT, 'dist/cli.js'),
      'build',
      '--scan=false',
      '--tags=1.0.0',
      ...flags,
    ] as const;
    const image = (await mustRun([...cli], { env, cwd: job.workspace })).trim();
    const labels = '--format={{json .Image.Config.Labels}}';
    const shown = await job.run('docker', 'buildx', 'imagetools', 'inspect', `${inputs['images']}:1.0.0`, labels);
    expect(image).toContain(inputs['images']);
    expect(JSON.parse(shown)).toMatchObject({
      'org.opencontainers.image.source': repository.url,
      'org.opencontainers.image.revision': repository.git('rev-parse', 'HEAD'),
    });
  });

  it('as a named context is pinned and counts by its commit', async () => {
    repository.write({ which: '1\n' });
    repository.commit();
    job.write({ Dockerfile: 'ARG BASE\nFROM $BASE\nCOPY --from=src which /seen\nCMD ["cat", "/seen"]\n' });
    const given = { ...inputs, context: '.', 'build-contexts': `src=${repository.url}#main` };
    const first = await job.step(given);
    expect(first.outputs, first.log).toMatchObject({ built: 'true' });
    expect(await show(first.outputs['image'])).toBe('1');
    expect((await job.step(given)).outputs).toMatchObject({ built: 'false' });
    repository.write({ which: '2\n' });
    repository.commit();
    const third = await job.step(given);
    expect(third.outputs).toMatchObject({ built: 'true' });
    expect(await show(third.outputs['image'])).toBe('2');
  });
});
