import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parsePlatform } from '../../src/core/platform.ts';
import { parseReference, type Reference } from '../../src/core/reference.ts';
import type { Machine } from '../../src/hosts/machine.ts';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import type { Platform } from '../../src/oci/types.ts';
import type { BuilderDescription } from '../../src/tools/builder.ts';
import type { Docker } from '../../src/tools/docker.ts';
import {
  type EmulationRequest,
  emulate,
  findComplaints,
  installArguments,
  planEmulation,
} from '../../src/tools/emulation.ts';
import { installStubDocker, type StubDocker } from './stub-docker.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const IMAGE = `ghcr.io/acme/binfmt@${DIGEST}`;

function platform(text: string): Platform {
  const result = parsePlatform(text);
  if (!result.ok) throw new Error(result.problem);
  return result.value;
}

function reference(text: string): Reference {
  const result = parseReference(text);
  if (!result.ok) throw new Error(result.problem);
  return result.value;
}

function builder(driver: string, endpoints: readonly string[], runs: readonly string[]): BuilderDescription {
  return {
    name: 'b',
    driver,
    nodes: endpoints.map((endpoint) => ({ endpoint, driverOptions: [] })),
    platforms: runs.map(platform),
    features: new Map(),
    problem: undefined,
  };
}

describe('emulation', () => {
  it.each([
    ['linux/arm64', ['arm64']],
    ['linux/arm/v7', ['arm']],
    ['linux/arm/v6 linux/arm/v7', ['arm']],
    ['linux/386 linux/s390x linux/ppc64le', ['386', 's390x', 'ppc64le']],
    ['linux/mips64 linux/mips64le linux/loong64 linux/riscv64', ['mips64', 'mips64le', 'loong64', 'riscv64']],
  ])('of %s asks for %j', (missing, architectures) => {
    expect(planEmulation(builder('docker', ['default'], ['linux/amd64']), missing.split(' ').map(platform))).toEqual({
      kind: 'possible',
      architectures,
      endpoints: ['default'],
    });
  });

  it('of amd64 is for a machine that is none', () => {
    const plan = planEmulation(builder('docker', ['default'], ['linux/arm64']), [platform('linux/amd64')]);
    expect(plan).toMatchObject({ kind: 'possible', architectures: ['amd64'] });
  });

  it('is set up once on each engine of the builder', () => {
    const nodes = ['unix:///a.sock', 'ssh://me@b', 'unix:///a.sock'];
    expect(planEmulation(builder('docker-container', nodes, ['linux/amd64']), [platform('linux/arm64')])).toMatchObject(
      { endpoints: ['unix:///a.sock', 'ssh://me@b'] },
    );
  });

  it.each([
    ['there is no such system', 'docker', 'freebsd/amd64', /Nothing here emulates freebsd\/amd64/],
    ['there is no such emulator', 'docker', 'linux/mips', /Nothing here emulates linux\/mips/],
    ['QEMU would run the machine’s own programs', 'docker', 'linux/amd64/v4', /runs amd64 itself.*linux\/amd64\/v4/],
    ['the builder is reached by BuildKit’s protocol only', 'remote', 'linux/arm64', /"remote" \("tcp:\/\/b:1234"\)/],
    ['the builder is in a cluster', 'kubernetes', 'linux/arm64', /register it on their machines/],
  ])('is impossible where %s', (_, driver, missing, hint) => {
    const plan = planEmulation(builder(driver, ['tcp://b:1234'], ['linux/amd64', 'linux/amd64/v2']), [
      platform('linux/s390x'),
      platform(missing),
    ]);
    expect(plan).toEqual({ kind: 'impossible', hint: expect.stringMatching(hint) });
  });
});

describe('the command', () => {
  it.each([
    ['default', '--context=default '],
    ['my-context', '--context=my-context '],
    ['unix:///run/docker.sock', '--host=unix:///run/docker.sock '],
    ['ssh://me@b', '--host=ssh://me@b '],
    ['', ''],
  ])('goes to the engine %j of the builder', (endpoint, engine) => {
    expect(installArguments(endpoint, reference(IMAGE), ['arm64', 'arm']).join(' ')).toBe(
      `${engine}run --rm --privileged --network=none ${IMAGE} --install=arm64,arm`,
    );
  });
});

describe('what the image says', () => {
  it.each([
    ['installing: arm64 OK\ninstalling: arm OK\n', undefined],
    ['noise\r\n installing: arm OK\r\ninstalling: arm64 OK', undefined],
    ['installing: arm64 OK\n', []],
    ['', []],
    [
      'installing: arm64 OK\ninstalling: arm qemu-arm already registered\n',
      ['installing: arm qemu-arm already registered'],
    ],
    ['error: cannot mount\n::set-output name=x::y\ninstalling: arm64 OK', ['error: cannot mount']],
  ])('%j', (said, complaints) => {
    expect(findComplaints(said, ['arm64', 'arm'])).toEqual(complaints);
  });
});

describe('registering', () => {
  let workspace: string;
  let machine: Machine;
  let stub: StubDocker;
  let printed: string[];
  let sleptMs: number;

  beforeEach(() => {
    workspace = fs.mkdtempSync(path.join(os.tmpdir(), 'emulation-test-'));
    printed = [];
    sleptMs = 0;
  });
  afterEach(async () => {
    await machine.finish();
    stub.remove();
    fs.rmSync(workspace, { recursive: true });
  });

  /** A docker that answers so, on a machine where waiting takes no time. */
  function dockerThat(answers: string, env: Record<string, string> = {}): Docker {
    stub = installStubDocker(answers);
    const own = { ...process.env, PATH: `${stub.directory}:${process.env['PATH']}`, RUNNER_ENVIRONMENT: '', ...env };
    machine = createTerminalHost({ cwd: workspace, env: own, write: (line) => printed.push(line) });
    const sleep = (durationMs: number): Promise<void> => {
      sleptMs += durationMs;
      return Promise.resolve();
    };
    return { host: { ...machine, sleep }, env: {} };
  }

  /** `seenAfter`: how often the builder is asked in vain. */
  function request(seenAfter = Number.POSITIVE_INFINITY, endpoints: readonly string[] = ['default']): EmulationRequest {
    let asked = 0;
    return {
      plan: { kind: 'possible', architectures: ['arm64'], endpoints },
      platforms: [platform('linux/arm64')],
      image: reference(IMAGE),
      isListed: () => Promise.resolve(asked++ >= seenAfter),
    };
  }

  const says = (line: string): string => `err(${JSON.stringify(line)});`;
  const install = `run --rm --privileged --network=none ${IMAGE} --install=arm64`;

  it('trusts the image that it did it: the builder keeps its list for a while', async () => {
    await emulate(dockerThat(says('installing: arm64 OK')), request());
    expect(stub.calls().map(({ argv }) => argv.join(' '))).toEqual([`--context=default ${install}`]);
    expect(sleptMs).toBe(0);
  });

  it('runs the image on the platform of the machine, whatever the user set', async () => {
    const docker = dockerThat(says('installing: arm64 OK'), { DOCKER_DEFAULT_PLATFORM: 'linux/arm64' });
    await emulate(docker, request());
    expect(stub.calls()[0]?.env['DOCKER_DEFAULT_PLATFORM']).toBe('');
  });

  it('is done on each engine', async () => {
    await emulate(dockerThat(says('installing: arm64 OK')), request(0, ['unix:///a', 'other']));
    expect(stub.calls().map(({ argv }) => argv.join(' '))).toEqual([
      `--host=unix:///a ${install}`,
      `--context=other ${install}`,
    ]);
  });

  it.each([
    ['github-hosted', /^QEMU for linux\/arm64 is registered/],
    ['self-hosted', /^note: QEMU for linux\/arm64 is registered/],
    ['', /^note: QEMU for linux\/arm64 is registered/],
  ])('is said, and louder on a machine that stays (%j)', async (environment, line) => {
    await emulate(dockerThat(says('installing: arm64 OK'), { RUNNER_ENVIRONMENT: environment }), request());
    expect(printed).toEqual([expect.stringMatching(line)]);
    expect(printed[0]).toContain(`by ${IMAGE}, until it restarts`);
  });

  it('waits until the builder sees what another job registered', async () => {
    await emulate(dockerThat(says('installing: arm64 qemu-aarch64 already registered')), request(3));
    expect(sleptMs).toBe(6000);
  });

  it('waits for an image that says nothing, too', async () => {
    await emulate(dockerThat(''), request(1));
    expect(sleptMs).toBe(2000);
  });

  it.each<[string, string, RegExp, RegExp]>([
    [
      'an entry that containers cannot use',
      says('installing: arm64 qemu-aarch64 already registered'),
      /: installing: arm64 qemu-aarch64 already registered$/,
      /containers cannot use/,
    ],
    ['an image that does nothing', '', /it said nothing/, /setup-qemu-action/],
  ])('fails with %s, when the builder had the time to look again', async (_, answers, message, hint) => {
    const failed = emulate(dockerThat(answers), request());
    await expect(failed).rejects.toMatchObject({ code: 'EMULATION_FAILED', message: expect.stringMatching(message) });
    await expect(failed).rejects.toMatchObject({ hint: expect.stringMatching(hint) });
    expect(sleptMs).toBe(24_000);
  });

  it.each<[string, string, RegExp]>([
    [
      'a kernel that it may not change',
      'error: cannot mount binfmt_misc filesystem: operation not permitted',
      /rootless/,
    ],
    ['an image without the emulator', 'installing: arm64 unsupported architecture: arm64', /binfmt-image/],
    ['anything else', 'error: fork: no luck', /setup-qemu-action/],
  ])('fails at once with %s, though the image ends with 0', async (_, line, hint) => {
    await expect(emulate(dockerThat(says(line)), request())).rejects.toMatchObject({
      code: 'EMULATION_FAILED',
      message: `QEMU for linux/arm64 could not be registered by ${IMAGE}: ${line}`,
      hint: expect.stringMatching(hint),
    });
    expect(sleptMs).toBe(0);
  });

  it('fails with a reason of one line, whatever the image says', async () => {
    const docker = dockerThat(`err('error: \\x1b[31mbad\\x07 ' + 'x'.repeat(1_000_000));`);
    const failed = emulate(docker, request());
    await expect(failed).rejects.toThrow(/: error: bad\ufffd x{500,600}…$/);
  });

  it.each<[string, string, RegExp]>([
    [
      'Docker Hub has had enough',
      'Error response from daemon: toomanyrequests: You have reached your pull rate limit',
      /mirror/,
    ],
    [
      'there is no network',
      'Error response from daemon: Get "https://ghcr.io/v2/": dial tcp: lookup ghcr.io: no such host',
      /mirror/,
    ],
    ['the registry refuses', 'Error response from daemon: pull access denied for acme/binfmt', /log in/],
    [
      'the engine remaps users',
      'Error response from daemon: privileged mode is incompatible with user namespaces',
      /owner of the machine/,
    ],
    [
      'a policy forbids it',
      'Error response from daemon: authorization denied by plugin: no --privileged',
      /owner of the machine/,
    ],
    [
      'the image is for something else',
      'Error response from daemon: runc create failed: exec: "--install=arm64": executable file not found in $PATH',
      /registers no emulators/,
    ],
    ['the kernel is guarded', 'Error response from daemon: failed to create task: seccomp: x', /setup-qemu-action/],
  ])('fails in docker’s words when %s', async (_, words, hint) => {
    const pull = says(`Unable to find image '${IMAGE}' locally`) + says(`docker: ${words}`);
    const docker = dockerThat(`${pull}${says('')}${says("Run 'docker run --help' for more information")} return 125;`);
    await expect(emulate(docker, request(0))).rejects.toMatchObject({
      code: 'EMULATION_FAILED',
      exitCode: 1,
      status: 125,
      message: `QEMU for linux/arm64 could not be registered by ${IMAGE}: ${words}`,
      hint: expect.stringMatching(hint),
    });
  });

  it('fails in docker’s words when the context is gone', async () => {
    const docker = dockerThat(
      `${says('Failed to initialize: unable to resolve docker endpoint: context "x"')} return 1;`,
    );
    await expect(emulate(docker, request())).rejects.toThrow(
      `by ${IMAGE}: unable to resolve docker endpoint: context "x"`,
    );
  });
});
