import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type ActionResult, type ActionRun, runAction } from '../support/runner.ts';

const action = resolve(import.meta.dirname, '../fixtures/scripted-action');
const workspace = mkdtempSync(join(tmpdir(), 'workspace-'));
afterAll(() => rmSync(workspace, { recursive: true }));

/** Runs the scripted action: `write(FILE, text)` appends to a file command, `env` is the environment. */
function scripted(script: string, options: Partial<ActionRun> = {}): Promise<ActionResult> {
  return runAction({ action, workspace, ...options, with: { script, ...options.with } });
}

describe('the step', () => {
  it('succeeds with exit code 0 and fails with any other', async () => {
    expect(await scripted('')).toMatchObject({ status: 'success', exitCode: 0, problems: [] });
    expect(await scripted('process.exit(3)')).toMatchObject({ status: 'failure', exitCode: 3 });
  });

  it('starts in the workspace, on Node 24, with the event, and with nothing of this machine’s environment', async () => {
    const result = await scripted(
      `console.log(JSON.stringify({ cwd: process.cwd(), node: process.versions.node.split('.')[0], keys: Object.keys(env),
        event: JSON.parse(require('node:fs').readFileSync(env.GITHUB_EVENT_PATH)), ref: env.GITHUB_REF_NAME, type: env.GITHUB_REF_TYPE }))`.replace(
        "require('node:fs')",
        "process.getBuiltinModule('fs')",
      ),
      { event: { ref: 'refs/tags/v1.2.3', payload: { extra: 1 } }, env: { ADDED: '1' } },
    );
    const seen: unknown = JSON.parse(result.stdout);
    expect(seen).toMatchObject({ cwd: workspace, node: '24', ref: 'v1.2.3', type: 'tag' });
    expect(seen).toMatchObject({
      event: { ref: 'refs/tags/v1.2.3', extra: 1, repository: { default_branch: 'main' } },
    });
    expect(seen).toHaveProperty('keys', expect.arrayContaining(['ADDED', 'GITHUB_OUTPUT', 'RUNNER_TEMP', 'HOME']));
    expect(seen).toHaveProperty('keys', expect.not.arrayContaining(['VITEST', 'EMULATED_GITHUB_TOKEN']));
  });

  it('is ended after its time', async () => {
    expect(await scripted('setInterval(() => {}, 1000)', { timeoutMs: 300 })).toMatchObject({ signal: 'SIGKILL' });
  });
});

describe('inputs', () => {
  const show = `console.log(Object.entries(env).filter(([name]) => name.startsWith('INPUT_') && !name.includes('SCRIPT')).sort().join('\\n'))`;

  it('arrive as INPUT_ in upper case, with defaults, an empty string where there is none, and github.token', async () => {
    const result = await scripted(show, { event: { token: 'job-token' } });
    expect(result.stdout).toBe('INPUT_NO-DEFAULT,\nINPUT_TOKEN,job-token\nINPUT_TWO_WORDS,7\n');
    expect(result.log).toContain('INPUT_TOKEN,***');
  });

  it('that action.yml does not declare are refused, so that a typo in a test fails', async () => {
    await expect(scripted('', { with: { scrip: '1' } })).rejects.toThrow('action.yml declares no input scrip');
  });

  it('that are meant to be unknown are passed on with a warning', async () => {
    const result = await scripted(show, { undeclared: { platform: 'x' } });
    expect(result.stdout).toContain('INPUT_PLATFORM,x');
    expect(result.annotations).toEqual([
      {
        level: 'warning',
        message: expect.stringContaining("Unexpected input(s) 'platform', valid inputs are ['script'"),
      },
    ]);
  });
});

describe('file commands', () => {
  it.each([
    ['a line', 'a=b=c\\n', { a: 'b=c' }],
    ['a line without an end', 'a=1', { a: '1' }],
    ['an empty value', 'a=\\n', { a: '' }],
    ['a block', 'a<<END\\none\\n\\ntwo=2\\nEND\\n', { a: 'one\n\ntwo=2' }],
    ['an empty block', 'a<<END\\nEND\\n', { a: '' }],
    ['<< after =', 'a=b<<c\\n', { a: 'b<<c' }],
    ['empty lines', '\\na=1\\n\\n', { a: '1' }],
    ['a name twice', 'a=1\\na=2\\n', { a: '2' }],
  ])('reads %s', async (_, text, outputs) => {
    expect(await scripted(`write('GITHUB_OUTPUT', '${text}')`)).toMatchObject({ status: 'success', outputs });
  });

  it.each([
    ['a line without =', 'GITHUB_OUTPUT', 'just text\\n', "Invalid format 'just text'"],
    ['a line without a name', 'GITHUB_OUTPUT', '=1\\n', "Invalid format '=1'"],
    ['a block without its end', 'GITHUB_STATE', 'a<<END\\none\\n', "Matching delimiter not found 'END'"],
    ['a block without a delimiter', 'GITHUB_ENV', 'a<<\\n', 'delimiter must not be empty'],
    ['an artifact with =', 'GITHUB_ARTIFACTS', 'a=b\\n', "'=' is not allowed"],
    [
      'an artifact without a digest',
      'GITHUB_ARTIFACTS',
      'oci://ghcr.io/acme/app\\n',
      'oci://NAME@sha256:DIGEST is allowed',
    ],
    ['a digest that is too short', 'GITHUB_ARTIFACTS', 'OCI://a@sha256:1234', 'DIGEST is allowed'],
    ['an artifact elsewhere', 'GITHUB_ARTIFACTS', '\\n# x\\nhttps://a/b', 'line 3: unsupported URI scheme'],
    ['an artifact that is no file', 'GITHUB_ARTIFACTS', 'file://.', 'there is no file .'],
  ])('fails the step on %s', async (_, file, text, problem) => {
    const result = await scripted(`write('${file}', '${text}')`);
    expect(result).toMatchObject({ status: 'failure', exitCode: 0, outputs: {} });
    expect(result.problems.join()).toContain(problem);
    expect(result.annotations.map(({ message }) => message).join()).toContain(problem);
  });

  it('reads GITHUB_ENV and GITHUB_PATH, and does not let NODE_OPTIONS be set', async () => {
    const result = await scripted(
      `write('GITHUB_ENV', 'A=1\\nNODE_OPTIONS=--x\\n'); write('GITHUB_PATH', '/one\\n\\n/two\\n')`,
    );
    expect(result).toMatchObject({ status: 'success', env: { A: '1' }, path: ['/one', '/two'] });
    expect(result.annotations).toEqual([
      { level: 'error', message: expect.stringContaining("Can't store NODE_OPTIONS") },
    ]);
  });

  it('drops a whole summary above 1 MiB with an error annotation, and the step stays as it was', async () => {
    const fits = await scripted(`write('GITHUB_STEP_SUMMARY', 'x'.repeat(1024 * 1024))`);
    expect(fits).toMatchObject({ status: 'success', annotations: [] });
    expect(fits.summary).toHaveLength(1024 * 1024);
    const large = await scripted(`write('GITHUB_STEP_SUMMARY', 'x'.repeat(1024 * 1024 + 1))`);
    expect(large).toMatchObject({ status: 'success', summary: '', annotations: [{ level: 'error' }] });
  });

  it('collects artifacts, and refuses one name with two digests in a job', async () => {
    const [one, two] = [`sha256:${'1'.repeat(64)}`, `sha256:${'2'.repeat(64)}`];
    const script = `write('GITHUB_ARTIFACTS', '# made here\\noci://ghcr.io/acme/app@${one}\\n')`;
    const first = await scripted(script);
    expect(first.artifacts).toEqual([{ name: 'ghcr.io/acme/app', digest: one, kind: 'oci' }]);
    expect(await scripted(script, { artifacts: first.artifacts })).toMatchObject({ status: 'success' });
    const other = [{ name: 'ghcr.io/acme/app', digest: two, kind: 'oci' }] as const;
    expect(await scripted(script, { artifacts: other })).toMatchObject({ status: 'failure', artifacts: other });
  });

  it('hashes files, which share their names with images', async () => {
    writeFileSync(join(workspace, 'app'), '');
    const script = `write('GITHUB_ARTIFACTS', 'app\\n')`;
    const digest = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
    expect((await scripted(script)).artifacts).toEqual([{ name: 'app', digest, kind: 'file' }]);
    const artifacts = [{ name: 'app', digest: `sha256:${'1'.repeat(64)}`, kind: 'oci' }] as const;
    expect(await scripted(script, { artifacts })).toMatchObject({ status: 'failure' });
  });

  it('takes 500 artifacts in a job, and no more', async () => {
    const artifacts = Array.from(
      { length: 499 },
      (_, index) => ({ name: `a${index}`, digest: 'sha256:1', kind: 'oci' }) as const,
    );
    const line = (name: string) => `oci://${name}@sha256:${'1'.repeat(64)}\\n`;
    expect(await scripted(`write('GITHUB_ARTIFACTS', '${line('x')}')`, { artifacts })).toMatchObject({
      status: 'success',
    });
    expect(await scripted(`write('GITHUB_ARTIFACTS', '${line('x')}${line('y')}')`, { artifacts })).toMatchObject({
      status: 'failure',
    });
  });

  it('tells the step what earlier steps made', async () => {
    const artifacts = [{ name: 'a', digest: `sha256:${'1'.repeat(64)}`, kind: 'oci' }] as const;
    const result = await scripted(
      `console.log(process.getBuiltinModule('fs').readFileSync(env.GITHUB_ARTIFACTS_LIST, 'utf8'))`,
      { artifacts },
    );
    expect(JSON.parse(result.stdout)).toEqual({ version: 1, subjects: artifacts });
  });
});

describe('workflow commands', () => {
  it.each([
    [
      '::error file=a%2Cb.ts,line=3,title=T%3A::one%0Atwo%25',
      { level: 'error', file: 'a,b.ts', line: 3, title: 'T:', message: 'one\ntwo%' },
    ],
    ['  ::warning::indented', { level: 'warning', message: 'indented' }],
    ['text ##[notice]in the middle', { level: 'notice', message: 'in the middle' }],
  ])('annotates: %s', async (line, annotation) => {
    expect((await scripted(`console.log(${JSON.stringify(line)})`)).annotations).toEqual([annotation]);
  });

  it.each(['x ::error::not at the start', '::unknown::x', '::error', 'error::x'])('takes as text: %s', async (line) => {
    const result = await scripted(`console.log(${JSON.stringify(line)})`);
    expect(result).toMatchObject({ annotations: [], log: line });
  });

  it('reads them from stderr as well', async () => {
    expect((await scripted(`console.error('::error::x')`)).annotations).toHaveLength(1);
  });

  it('masks line by line from then on, and each line of a secret by itself', async () => {
    const result = await scripted(
      `console.log('a b before'); console.log('::add-mask::a b%0Ac d'); console.log('x a b y\\nc d'); console.log('::error::a b');
       write('GITHUB_STEP_SUMMARY', 'a b\\n')`,
    );
    expect(result.log).toBe('a b before\nx *** y\n***\n##[error]***');
    expect(result.summary).toBe('***\n');
    expect(result.annotations).toEqual([{ level: 'error', message: '***' }]);
    expect(result.stdout).toContain('x a b y');
  });

  it('groups the log and hides debug lines', async () => {
    const result = await scripted(`console.log('::group::Build\\ninside\\n::endgroup::\\n::debug::secret')`);
    expect(result).toMatchObject({ groups: ['Build'], log: '##[group]Build\ninside' });
  });

  it('obeys none between stop-commands and its token', async () => {
    const result = await scripted(`console.log('::stop-commands::tok\\n::error::a\\n::tok::\\n::error::b')`);
    expect(result.annotations).toEqual([{ level: 'error', message: 'b' }]);
  });

  it('still sets outputs by the old command, which is why a stranger’s text must not be printed as it is', async () => {
    expect(await scripted(`console.log('log ##[set-output name=digest]evil')`)).toMatchObject({
      outputs: { digest: 'evil' },
    });
  });

  it.each(['::set-env name=A::1', '::add-path::/x'])('fails the step on %s', async (line) => {
    expect(await scripted(`console.log('${line}')`)).toMatchObject({ status: 'failure', env: {}, path: [] });
  });
});

describe('the post part', () => {
  const show = `console.log(env.STATE_token, env.A, env.PATH.split(':')[0], env['INPUT_NO-DEFAULT'])`;

  it('gets the state, the inputs, and what the step set for later steps', async () => {
    const result = await scripted(
      `write('GITHUB_STATE', 'token=1\\n'); write('GITHUB_ENV', 'A=2\\n'); write('GITHUB_PATH', '/first\\n')`,
      { with: { 'post-script': show, 'no-default': 'given' } },
    );
    expect(result.post?.stdout).toBe('1 2 /first given\n');
  });

  it('runs after a failure as well', async () => {
    const result = await scripted(`write('GITHUB_STATE', 'token=1\\n'); process.exit(1)`, {
      with: { 'post-script': show },
    });
    expect(result).toMatchObject({ status: 'failure', exitCode: 1, post: { status: 'success' } });
    expect(result.post?.stdout).toMatch(/^1 /);
  });

  it('fails the job when it fails', async () => {
    const result = await scripted('', { with: { 'post-script': 'process.exit(1)' } });
    expect(result).toMatchObject({ status: 'failure', exitCode: 0, post: { exitCode: 1 } });
  });
});

describe('an interrupt', () => {
  const wait = `write('GITHUB_STATE', 'token=kept\\n'); console.log('pushed'); setInterval(() => {}, 1000);`;

  it('kills at the moment that the log shows, and the post part still runs', async () => {
    const result = await scripted(wait, {
      interrupt: { signal: 'SIGKILL', when: (log) => log.includes('pushed') },
      with: { 'post-script': 'console.log(env.STATE_token)' },
    });
    expect(result).toMatchObject({
      status: 'failure',
      exitCode: undefined,
      signal: 'SIGKILL',
      post: { stdout: 'kept\n' },
    });
  });

  it('kills the children too with SIGKILL', async () => {
    const marker = join(workspace, 'child-lived');
    const child = `process.getBuiltinModule('child_process').spawn('sh', ['-c', 'sleep 1; touch ${marker}'], { stdio: 'inherit' });`;
    await scripted(child + wait, { interrupt: { signal: 'SIGKILL', when: (log) => log.includes('pushed') } });
    await new Promise((done) => setTimeout(done, 1300));
    expect(existsSync(marker)).toBe(false);
  });

  it('cancels with SIGTERM, which the step can answer', async () => {
    const result = await scripted(`process.on('SIGTERM', () => process.exit(143)); ${wait}`, {
      interrupt: { signal: 'SIGTERM', when: async (log) => log.includes('pushed') },
    });
    expect(result).toMatchObject({ exitCode: 143, signal: undefined });
  });

  it('whose condition throws ends the step and says so', async () => {
    const when = () => Promise.reject(new Error('registry is gone'));
    await expect(scripted(wait, { interrupt: { signal: 'SIGTERM', when } })).rejects.toThrow('registry is gone');
  });
});

it('keeps RUNNER_TEMP when it is given, and removes its own', async () => {
  const script = `process.getBuiltinModule('fs').writeFileSync(env.RUNNER_TEMP + '/left', ''); console.log(env.RUNNER_TEMP)`;
  const runnerTemp = join(workspace, 'temp');
  await scripted(script, { runnerTemp });
  expect(existsSync(join(runnerTemp, 'left'))).toBe(true);
  expect(existsSync((await scripted(script)).stdout.trim())).toBe(false);
});
