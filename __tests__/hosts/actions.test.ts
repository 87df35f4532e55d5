import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createActionsHost, pendingUndos } from '../../src/hosts/actions.ts';
import { renderMarkdown } from '../../src/report/render.ts';
import type { Report } from '../../src/report/report.ts';
import { parsePairs, readSummary } from '../support/file-commands.ts';
import { type Ended, source, startScript } from './script.ts';

const HOSTILE = 'x\n::set-output name=a::b\r##[add-mask]c\u001b[31m%0A::error::d\n  ::stop-commands::e';
let root: string;
let env: Record<string, string>;

beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'actions-test-'));
  env = { RUNNER_TEMP: root };
  for (const name of ['GITHUB_OUTPUT', 'GITHUB_STATE', 'GITHUB_STEP_SUMMARY']) {
    env[name] = path.join(root, name);
    fs.writeFileSync(path.join(root, name), '');
  }
});
afterEach(() => fs.rmSync(root, { recursive: true }));

function read(name: string): string {
  return fs.readFileSync(path.join(root, name), 'utf8');
}

function createHost(): ReturnType<typeof createActionsHost> {
  return createActionsHost({ env, cwd: root, signal: new AbortController().signal });
}

/** What a step prints whose body is this; `host` is its host, `hostile` the text above. */
async function printed(body: string): Promise<string> {
  const script = startScript(
    `import { createActionsHost } from '${source('hosts/actions.ts')}';
     const host = createActionsHost({ env: process.env, cwd: process.cwd(), signal: new AbortController().signal });
     const { log } = host;
     const hostile = ${JSON.stringify(HOSTILE)};
     ${body}`,
    env,
  );
  const ended: Ended = await script.ended;
  expect(ended).toMatchObject({ status: 0, stderr: '' });
  return ended.stdout;
}

describe('the log of a step', () => {
  it('is printed as the runner reads it', async () => {
    const body = `
      log.info('one\\ntwo');
      log.debug('three');
      log.notice('four');
      log.warning('five: a,b', { file: 'a,b:c', line: 3 });
      log.error('six\\nseven', { file: 'Dockerfile' });
      const eight = await log.group('seven', async () => { log.info('inside'); return 8 });
      log.info(String(eight));`;
    expect(await printed(body)).toBe(
      [
        'one',
        'two',
        '::debug::three',
        '::notice::four',
        '::warning file=a%2Cb%3Ac,line=3::five: a,b',
        '::error file=Dockerfile::six%0Aseven',
        '::group::seven',
        'inside',
        '::endgroup::',
        '8',
        '',
      ].join('\n'),
    );
  });

  it('closes a group also when its work fails', async () => {
    const output = await printed(`
      const error = await log.group('title', async () => { throw new Error('no') }).catch((thrown) => thrown);
      log.info(error.message);`);
    expect(output).toBe('::group::title\n::endgroup::\nno\n');
  });

  it.each([
    ['info', 0],
    ['debug', 1],
    ['notice', 1],
    ['warning', 1],
    ['error', 1],
  ])('%s of hostile text gives %d command', async (level, count) => {
    const output = await printed(`log.${level}(hostile, { file: hostile, line: 1 });`);
    const commands = output.split('\n').filter((line) => /^\s*::|##\[/.test(line.replaceAll('::error::d', '')));
    expect(output).not.toMatch(/[^\P{Cc}\n]/u);
    if (count === 0) expect(commands).toEqual([]);
    else expect(output).toMatch(new RegExp(`^::${level}[^\\n]*\\n$`));
  });

  it('has secrets replaced everywhere, once they are known', async () => {
    const output = await printed(`
      log.mask('hunter2\\nsecond line\\nab');
      log.info('hunter2 hun\\u001b[0mter2 ab');
      log.warning('hunter2', { file: 'hunter2' });
      log.error('x second line');
      await log.group('hunter2', async () => {});
      log.info(host.hide('hunter2'));`);
    const [masks, rest] = [output.split('\n').slice(0, 3), output.split('\n').slice(3).join('\n')];
    expect(masks).toEqual(['::add-mask::hunter2%0Asecond line%0Aab', '::add-mask::hunter2', '::add-mask::second line']);
    expect(rest).toBe('*** *** ab\n::warning file=***::***\n::error::x ***\n::group::***\n::endgroup::\n***\n');
  });

  it('of a megabyte is printed', async () => {
    expect(await printed(`log.info('x'.repeat(1_000_000)); log.error('::'.repeat(500_000));`)).toHaveLength(2_000_011);
  });
});

describe('outputs', () => {
  it.each([HOSTILE, '', '\n', 'a\nEOF\nb', 'x<<y', '{"a":"b"}', 'ä😀', 'x'.repeat(1_000_000)])(
    'reach the next step to the letter (%#)',
    (value) => {
      const host = createHost();
      host.setOutput('first', value);
      host.setOutput('second', 'x');
      expect(parsePairs(read('GITHUB_OUTPUT'))).toEqual({ first: value, second: 'x' });
    },
  );

  it('are separated by a text that nobody can guess', () => {
    const host = createHost();
    host.setOutput('a', '1');
    host.setOutput('a', '2');
    const delimiters = [...read('GITHUB_OUTPUT').matchAll(/^a<<(.*)$/gm)].map(([, delimiter]) => delimiter);
    expect(new Set(delimiters).size).toBe(2);
    for (const delimiter of delimiters) expect(delimiter).toMatch(/^build-once-[0-9a-f]{32}$/);
  });

  it('are nobody’s where there is no runner', () => {
    const host = createActionsHost({ env: {}, cwd: root, signal: new AbortController().signal });
    host.setOutput('a', '1');
    host.appendSummary('x');
    expect(fs.readdirSync(root).map((name) => fs.statSync(path.join(root, name)).size)).toEqual([0, 0, 0]);
  });
});

describe('the summary', () => {
  const LIMIT = 1024 * 1024;
  const REPORT: Report = {
    status: 'built',
    headline: 'Built',
    reason: '',
    image: undefined,
    notPushed: undefined,
    loaded: undefined,
    explanation: undefined,
    hash: undefined,
    savedSeconds: undefined,
    inputs: [],
    warnings: [],
    platforms: [],
    tags: [],
    signatures: [],
    scan: undefined,
    prune: undefined,
    several: undefined,
    subjects: [],
    steps: [],
    durationMs: 0,
    failure: undefined,
    outputs: {},
  };

  it('is appended, with secrets replaced', async () => {
    await printed(`log.mask('hunter2'); host.appendSummary('### A hunter2\\n'); host.appendSummary('B\\n');`);
    expect(read('GITHUB_STEP_SUMMARY')).toBe('### A ***\nB\n');
  });

  it('just below the limit is whole', () => {
    const markdown = `${'x'.repeat(LIMIT - 2)}\n`;
    createHost().appendSummary(markdown);
    expect(read('GITHUB_STEP_SUMMARY') === markdown).toBe(true);
  });

  it.each(['😀é line\n', 'x\n', 'é\n'])('over the limit is cut after a whole line of %j, with a note', (line) => {
    createHost().appendSummary(line.repeat(700_000));
    const summary = read('GITHUB_STEP_SUMMARY');
    const [kept = '', note = ''] = summary.split('\n\n_');
    expect(Buffer.byteLength(summary)).toBeLessThan(LIMIT);
    expect(note).toContain('The rest of this summary was cut');
    expect(kept).not.toContain('\ufffd');
    expect(`${kept}\n`.replaceAll(line, '').trim()).toBe('');
    expect(kept.length).toBeGreaterThan(100_000);
  });

  it('shares the limit with what the step has written before', () => {
    const host = createHost();
    host.appendSummary('first\n');
    host.appendSummary('x\n'.repeat(LIMIT));
    host.appendSummary('much later\n');
    const summary = readSummary(fs.readFileSync(path.join(root, 'GITHUB_STEP_SUMMARY')));
    expect(summary.problem).toBeUndefined();
    expect(summary.summary).toMatch(/^first\nx\n[^]*x\n\n\n_The rest of this summary was cut[^\n]*\n$/);
  });

  it('keeps its tables whole when a report of 3 MB is cut', () => {
    const text = '|<_*>'.repeat(1000);
    const tags = Array.from({ length: 200 }, () => ({ reference: text, outcome: text }));
    const inputs = tags.map(({ reference }) => reference);
    const markdown = renderMarkdown({ ...REPORT, tags, inputs });
    expect(Buffer.byteLength(markdown)).toBeGreaterThan(2_500_000);
    createHost().appendSummary(markdown);
    const { summary, problem } = readSummary(fs.readFileSync(path.join(root, 'GITHUB_STEP_SUMMARY')));
    expect(problem).toBeUndefined();
    expect(summary).toContain('The rest of this summary was cut');
    const rows = summary.split('\n').filter((line) => line.startsWith('|'));
    expect(rows.every((row) => row.endsWith('|'))).toBe(true);
  });

  it('of one endless line is dropped, with a note', () => {
    createHost().appendSummary('x'.repeat(2 * LIMIT));
    expect(read('GITHUB_STEP_SUMMARY')).toMatch(/^\s*_The rest of this summary was cut/);
  });
});

describe('artifacts', () => {
  const subject = { name: 'ghcr.io/acme/app', digest: `sha256:${'1'.repeat(64)}` };
  const line = `oci://ghcr.io/acme/app@sha256:${'1'.repeat(64)}\n`;

  beforeEach(() => {
    for (const name of ['GITHUB_ARTIFACTS', 'GITHUB_ARTIFACTS_LIST']) {
      env[name] = path.join(root, name);
      fs.writeFileSync(path.join(root, name), '');
    }
  });

  it('are declared to the runner', () => {
    createHost().addArtifacts([subject]);
    expect(read('GITHUB_ARTIFACTS')).toBe(line);
  });

  it('are declared where there is no list of those before', () => {
    env['GITHUB_ARTIFACTS_LIST'] = '';
    createHost().addArtifacts([subject]);
    expect(read('GITHUB_ARTIFACTS')).toBe(line);
  });

  it('that would fail the step are left out, in a notice', async () => {
    const earlier = { ...subject, digest: `sha256:${'2'.repeat(64)}`, kind: 'oci' };
    fs.writeFileSync(path.join(root, 'GITHUB_ARTIFACTS_LIST'), JSON.stringify({ version: 1, subjects: [earlier] }));
    const output = await printed(`host.addArtifacts([${JSON.stringify(subject)}]);`);
    expect(output).toMatch(/^::notice::not in GITHUB_ARTIFACTS: an earlier step [^\n]*sha256:2{64}\n$/);
    expect(read('GITHUB_ARTIFACTS')).toBe('');
  });

  it.each([undefined, ''])('are nobody’s where GITHUB_ARTIFACTS is %j', (variable) => {
    if (variable === undefined) delete env['GITHUB_ARTIFACTS'];
    else env['GITHUB_ARTIFACTS'] = variable;
    createHost().addArtifacts([subject]);
    expect(read('GITHUB_ARTIFACTS')).toBe('');
  });
});

describe('the post step', () => {
  /** As the runner passes it on. */
  function stateVariables(): Record<string, string> {
    const pairs = Object.entries(parsePairs(read('GITHUB_STATE')));
    return Object.fromEntries(pairs.map(([name, value]) => [`STATE_${name}`, value]));
  }

  it('knows what a killed run left', () => {
    const host = createHost();
    const builder = ['docker', 'buildx', 'rm', '--force', 'build-once-0123456789abcdef'];
    const directory = host.files.makeTemporaryDirectory('build-once-docker-');
    host.cleanup({ kind: 'command', argv: builder });
    host.cleanup({ kind: 'remove', path: path.join(root, 'docker-actions-toolkit-aB3') });
    const state = stateVariables();
    fs.rmdirSync(directory);
    expect(pendingUndos({ ...env, ...state })).toEqual([
      { kind: 'remove', path: directory },
      { kind: 'command', argv: builder },
      { kind: 'remove', path: path.join(root, 'docker-actions-toolkit-aB3') },
    ]);
  });

  it('knows it also when the places for temporary files have changed since', () => {
    const state = { STATE_undo: JSON.stringify([{ kind: 'remove', path: '/tmp/build-once-docker-aB3xY9' }]) };
    vi.stubEnv('TMPDIR', root);
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(pendingUndos({ ...state, RUNNER_TEMP: root })).toHaveLength(1);
  });

  it('has nothing to undo after a run that cleaned up', async () => {
    const host = createHost();
    const directory = host.files.makeTemporaryDirectory('build-once-docker-');
    await host.finish();
    expect(fs.existsSync(directory)).toBe(false);
    expect(pendingUndos(stateVariables())).toEqual([]);
  });

  it('without state undoes nothing', () => {
    expect(pendingUndos({})).toEqual([]);
  });

  it.each<[string, unknown]>([
    ['no list', { kind: 'remove', path: '/tmp/build-once-x' }],
    ['the root', [{ kind: 'remove', path: '/' }]],
    ['what a link leads to', [{ kind: 'remove', path: '/tmp/build-once-x/' }]],
    ['the home', [{ kind: 'remove', path: os.homedir() }]],
    ['the temporary directory', [{ kind: 'remove', path: os.tmpdir() }]],
    ['another directory there', [{ kind: 'remove', path: path.join(os.tmpdir(), 'other-x') }]],
    ['a way out of ours', [{ kind: 'remove', path: `${os.tmpdir()}/build-once-x/../../etc` }]],
    ['a way out by its name', [{ kind: 'remove', path: `${os.tmpdir()}/build-once-x/..` }]],
    ['something inside ours', [{ kind: 'remove', path: `${os.tmpdir()}/build-once-x/y` }]],
    ['a relative path', [{ kind: 'remove', path: 'build-once-x' }]],
    ['a path that is no text', [{ kind: 'remove', path: ['/'] }]],
    ['another program', [{ kind: 'command', argv: ['sh', '-c', 'touch /tmp/pwned'] }]],
    ['another command of docker', [{ kind: 'command', argv: ['docker', 'run', '--privileged', 'evil'] }]],
    ['a builder of someone else', [{ kind: 'command', argv: ['docker', 'buildx', 'rm', '--force', 'default'] }]],
    [
      'more than a builder',
      [
        {
          kind: 'command',
          argv: ['docker', 'buildx', 'rm', '--force', '--all-inactive', 'build-once-0123456789abcdef'],
        },
      ],
    ],
    ['a flag for a builder', [{ kind: 'command', argv: ['docker', 'buildx', 'rm', '--force', '--all-inactive'] }]],
    ['a nested list', [{ kind: 'command', argv: [['docker', 'buildx'], 'build-once-0123456789abcdef'] }]],
    ['an unknown kind', [{ kind: 'eval', path: '/tmp/build-once-x' }]],
    ['nothing', [null, undefined, 1, 'x', []]],
  ])('undoes nothing that this program does not make: %s', (_, state) => {
    expect(pendingUndos({ STATE_undo: JSON.stringify(state) })).toEqual([]);
  });

  it('takes no environment from the state', () => {
    const argv = ['docker', 'buildx', 'rm', '--force', 'build-once-0123456789abcdef'];
    const STATE_undo = JSON.stringify([{ kind: 'command', argv, env: { DOCKER_HOST: 'tcp://evil', PATH: '/evil' } }]);
    expect(pendingUndos({ STATE_undo })).toEqual([{ kind: 'command', argv }]);
  });

  it.each(['', 'x', '{', '[', '[1', 'null', '"x"', HOSTILE])('is not disturbed by the state %j', (STATE_undo) => {
    expect(pendingUndos({ STATE_undo })).toEqual([]);
  });
});

describe('programs that a step starts', () => {
  it('see no input, whatever its name', async () => {
    env['INPUT_PASSWORD'] = 'hunter2';
    env['INPUT_NO-CACHE'] = 'true';
    const output = await printed(`
      const { stdout } = await host.exec({ argv: [process.execPath, '-p', 'Object.keys(process.env).join()'] });
      log.info(stdout);`);
    expect(output).not.toContain('INPUT_');
    expect(output).toContain('RUNNER_TEMP');
  });
});

describe('temporary directories of a step', () => {
  it('are in RUNNER_TEMP, which the runner empties, and the post step takes them back', async () => {
    const output = await printed(`log.info(host.files.makeTemporaryDirectory('build-once-x-'));`);
    const directory = output.trim();
    expect(path.dirname(directory)).toBe(root);
    const { undo = '' } = parsePairs(read('GITHUB_STATE'));
    expect(pendingUndos({ ...env, STATE_undo: undo })).toEqual([{ kind: 'remove', path: directory }]);
  });

  it('are where the system has them when there is no RUNNER_TEMP', async () => {
    env['RUNNER_TEMP'] = '';
    env['TMPDIR'] = path.join(root, 'tmp');
    fs.mkdirSync(env['TMPDIR']);
    const output = await printed(`log.info(host.files.makeTemporaryDirectory('build-once-x-'));`);
    expect(path.dirname(output.trim())).toBe(env['TMPDIR']);
  });
});
