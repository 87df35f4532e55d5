import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DockerfileProblem } from '../../src/core/dockerfile-problems.ts';
import { BuildOnceError, CommandError } from '../../src/errors.ts';
import type { Command } from '../../src/host.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import type { BuildCheckRequest } from '../../src/tools/build-check.ts';
import { checkArguments } from '../../src/tools/buildx-arguments.ts';
import { openDocker } from '../../src/tools/docker-config.ts';
import { loadBuildCheck } from '../../src/tools/load.ts';
import { buildSettings } from './build-settings.ts';
import { installStubDocker, type StubDocker } from './stub-docker.ts';

const REQUEST: BuildCheckRequest = { settings: buildSettings(), builder: 'b' };
const WARNING = { ruleName: 'R', description: 'd', detail: 'said', location: { ranges: [{ start: { line: 2 } }] } };
const ANSWER = JSON.stringify({ warnings: [WARNING] });
const NOT_LOOKED = 'docker buildx build --check did not look at the Dockerfile: ';

let stub: StubDocker | undefined;
let lines: string[];
beforeEach(() => {
  lines = [];
});
afterEach(() => {
  stub?.remove();
  stub = undefined;
});

async function check(
  answers: string | undefined,
  request = REQUEST,
  signal = new AbortController().signal,
): Promise<readonly DockerfileProblem[]> {
  stub = answers === undefined ? undefined : installStubDocker(answers);
  const host = createTerminalHost({
    cwd: '/',
    env: { PATH: stub?.directory ?? '/nowhere' },
    write: (line) => void lines.push(line),
    signal,
  });
  const { checkBuild } = await loadBuildCheck();
  return checkBuild(openDocker(host, []), request);
}

describe('the arguments of a check', () => {
  it('are those of the build that say what is read', () => {
    const settings = buildSettings({
      target: 'app',
      buildArgs: ['A=1', 'B'],
      buildContexts: [{ name: 'base', value: 'docker-image://alpine:3' }],
    });
    expect(checkArguments(settings, 'b')).toEqual([
      'buildx',
      'build',
      '--builder=b',
      '--progress=plain',
      '--call=check,format=json',
      '--file=/work/Dockerfile',
      '--platform=linux/amd64,linux/arm64',
      '--target=app',
      '--build-arg=A=1',
      '--build-arg=B',
      '--build-context=base=docker-image://alpine:3',
      '--',
      '/work',
    ]);
  });

  it('ask for nothing secret, and write nothing', async () => {
    const settings = buildSettings({
      secrets: [{ id: 'token', value: 'hunter2' }],
      secretEnvs: [{ id: 'a', env: 'SOME_TOKEN' }],
      secretFiles: [{ id: 'f', path: '/secret' }],
      ssh: ['default'],
      cacheTo: ['type=registry,ref=r/c'],
      labels: ['l=1'],
    });
    await check(`out(${JSON.stringify(ANSWER)})`, { settings, builder: 'b' });
    const [call] = stub?.calls() ?? [];
    expect(call?.argv).toEqual(checkArguments(buildSettings(), 'b'));
    expect(JSON.stringify(call)).not.toContain('hunter2');
  });
});

describe('a check', () => {
  it.each([0, 1, 2])('answers what the JSON says, whatever the exit code is: %i', async (status) => {
    const said = `err('ERROR: all is lost'); out(${JSON.stringify(ANSWER)}); return ${status};`;
    expect(await check(said)).toMatchObject([{ rule: 'R', message: 'said', line: 2, source: 'buildx' }]);
    expect(lines).toEqual([]);
  });

  it('that stops half-way answers what it found, and says why it stopped', async () => {
    const answer = { warnings: [WARNING], buildError: { message: 'unknown instruction: BLA' } };
    expect(await check(`out(${JSON.stringify(JSON.stringify(answer))}); return 1;`)).toHaveLength(1);
    expect(lines).toEqual(['docker buildx build --check stopped: unknown instruction: BLA']);
  });

  it.each([
    ['garbage', 'out("<html>")', 'its answer is not understood'],
    ['half an answer', `out(${JSON.stringify(ANSWER.slice(0, 40))})`, 'its answer is not understood'],
    ['nothing', '', 'its answer is not understood'],
    ['other JSON', 'out("[]")', 'its answer is not understood'],
    [
      'a frontend that checks nothing',
      `err('#1 x\\nERROR: failed to solve: unsupported frontend capability moby.buildkit.frontend.subrequests'); return 1`,
      'failed to solve: unsupported frontend capability moby.buildkit.frontend.subrequests',
    ],
    ['a buildx that knows no check', `err('unknown flag: --call'); return 125`, 'unknown flag: --call'],
    ['a crash', 'process.kill(process.pid, "SIGKILL")', 'it gave no reason'],
    ['no end of words', 'for (let n = 0; n < 300; n++) out("x".repeat(1 << 16))', 'wrote more than'],
    ['no docker', undefined, 'there is no docker program here'],
  ])('that meets %s finds nothing, and says so', async (_, answers, reason) => {
    expect(await check(answers)).toEqual([]);
    expect(lines).toEqual([expect.stringContaining(NOT_LOOKED)]);
    expect(lines[0]).toContain(reason);
  });

  it('has two minutes, and 16 MiB to say it in', async () => {
    const commands: Command[] = [];
    const real = createTerminalHost({ cwd: '/', env: {}, write: (line) => void lines.push(line) });
    const exec = (command: Command): Promise<never> => {
      commands.push(command);
      return Promise.reject(new CommandError('COMMAND_TIMED_OUT', '"docker" was ended', { command: 'docker' }));
    };
    const { checkBuild } = await loadBuildCheck();
    expect(await checkBuild(openDocker({ ...real, exec }, []), REQUEST)).toEqual([]);
    expect(commands).toMatchObject([{ timeoutMs: 120_000, maxOutputBytes: 16 << 20 }]);
    expect(lines).toEqual([`${NOT_LOOKED}"docker" was ended`]);
  });

  it('is ended with the run', async () => {
    const run = new AbortController();
    run.abort(new BuildOnceError('INTERRUPTED', 'interrupted', 1));
    await expect(check(`out(${JSON.stringify(ANSWER)})`, REQUEST, run.signal)).rejects.toThrow('interrupted');
  });
});
