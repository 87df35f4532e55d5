import { formatPlatform } from '../core/platform.ts';
import { quote, toLine } from '../core/printable.ts';
import { formatReference, type Reference } from '../core/reference.ts';
import { CommandError } from '../errors.ts';
import type { CommandResult } from '../host.ts';
import type { Platform } from '../oci/types.ts';
import type { BuilderDescription } from './builder.ts';
import { type Docker, runDocker } from './docker.ts';

/** What can be done about platforms that a builder cannot run. */
export type EmulationPlan =
  | {
      readonly kind: 'possible';
      /** As the image that registers QEMU calls them. */
      readonly architectures: readonly string[];
      /** The builder's Docker engines: addresses, or names of docker contexts; empty is the current one. */
      readonly endpoints: readonly string[];
    }
  | { readonly kind: 'impossible'; readonly hint: string };

/** QEMU to be registered: for which platforms, where, and by which image. */
export interface EmulationRequest {
  readonly plan: EmulationPlan & { readonly kind: 'possible' };
  readonly platforms: readonly Platform[];
  /** Runs as a privileged container and speaks as tonistiigi/binfmt does. */
  readonly image: Reference;
  /** Asks the builder again whether it can run the platforms. */
  readonly isListed: () => Promise<boolean>;
}

/** Go's names, which platforms have: https://github.com/tonistiigi/binfmt/blob/deploy/v10.2.3-68/cmd/binfmt/config.go */
const EMULATED = new Set('386 amd64 arm arm64 loong64 mips64 mips64le ppc64le riscv64 s390x'.split(' '));
const DOCKER_DRIVERS = new Set(['docker', 'docker-container']);

/** BuildKit keeps its list for 20 s (`CacheMaxAge` in util/archutil/detect.go, v0.27.1). */
const LIST_RENEWED_MS = 24_000;
const ASK_AGAIN_MS = 2000;
/** docker names the image with its digest up to three times before it says what is wrong. */
const MAX_REASON_LENGTH = 600;

const PLATFORM_CHOICE = 'use a builder that has it, or drop it from platforms.';
const OTHER_WAYS =
  'Set up emulation in an earlier step (docker/setup-qemu-action), or set emulation to off and use builders that run these platforms themselves.';

/** Why it did not work, by docker's words or the image's, and what helps. */
const HINTS: readonly (readonly [symptom: RegExp, hint: string])[] = [
  [
    /already registered/,
    'There is an entry of that name which containers cannot use: remove it on that machine (echo -1 to its file below /proc/sys/fs/binfmt_misc) and run again.',
  ],
  [
    /executable file not found/,
    'That image registers no emulators: binfmt-image takes tonistiigi/binfmt, a copy of it, or one that takes --install=ARCHITECTURE.',
  ],
  [/unsupported architecture|no such file/i, `The image has no emulator for it: name another one in binfmt-image.`],
  [
    /toomanyrequests|rate limit|failed to (?:resolve|pull|copy)|pull access denied|manifest unknown|not found|no such host|i\/o timeout|connection refused|unauthorized/i,
    'The image cannot be pulled: log in to its registry in an earlier step, or name a mirror of it in binfmt-image.',
  ],
  [
    /privileged|not permitted|permission denied|EPERM|read-only|cannot mount|cannot register/i,
    'The engine lets no container change the kernel, as a rootless one: let the owner of the machine register QEMU, or set emulation to off and use builders that run these platforms themselves.',
  ],
];

/** Whether emulation can add these platforms, which the builder cannot run, and where it is to be set up. */
export function planEmulation(builder: BuilderDescription, missing: readonly Platform[]): EmulationPlan {
  for (const platform of missing) {
    const name = formatPlatform(platform);
    if (platform.os !== 'linux' || !EMULATED.has(platform.architecture)) {
      return { kind: 'impossible', hint: `Nothing here emulates ${name}: ${PLATFORM_CHOICE}` };
    }
    // Registered for its own architecture, QEMU would run every program of the machine.
    if (builder.platforms.some(({ architecture }) => architecture === platform.architecture)) {
      const hint = `The builder runs ${platform.architecture} itself, but not the variant ${name}, which emulation does not add: ${PLATFORM_CHOICE}`;
      return { kind: 'impossible', hint };
    }
  }
  if (!DOCKER_DRIVERS.has(builder.driver)) {
    const nodes = builder.nodes.map(({ endpoint }) => quote(endpoint)).join(', ');
    const hint = `QEMU cannot be registered from here on nodes of the driver ${quote(builder.driver)} (${nodes}): register it on their machines, or ${PLATFORM_CHOICE}`;
    return { kind: 'impossible', hint };
  }
  return {
    kind: 'possible',
    architectures: [...new Set(missing.map(({ architecture }) => architecture))],
    endpoints: [...new Set(builder.nodes.map(({ endpoint }) => endpoint))],
  };
}

/**
 * Registers QEMU in the kernel of the builder's engines, where it stays until that machine restarts. What is registered
 * already is left alone. CommandError `EMULATION_FAILED` with docker's words.
 */
export async function emulate(docker: Docker, request: EmulationRequest): Promise<void> {
  const { plan, image } = request;
  for (const endpoint of plan.endpoints) {
    const install = installArguments(endpoint, image, plan.architectures);
    // Else the user's setting could choose an image that runs only when there is emulation.
    const result = await runDocker(docker, install, { env: { DOCKER_DEFAULT_PLATFORM: '' } });
    if (result.status !== 0) throw emulationFailed(request, result, dockerError(result.stderr));
    const complaints = findComplaints(result.stderr, plan.architectures);
    if (complaints === undefined || (await appears(docker, request, complaints))) continue;
    throw emulationFailed(request, result, toLine(complaints.join('; '), MAX_REASON_LENGTH));
  }
  const { env, log } = docker.host;
  const names = request.platforms.map(formatPlatform).join(', ');
  const said = `QEMU for ${names} is registered on the Docker engine's machine by ${formatReference(image)}, until it restarts; emulated steps are slow`;
  // A machine that is thrown away after the job is nobody's to keep clean.
  if (env['RUNNER_ENVIRONMENT'] === 'github-hosted') log.info(said);
  else log.notice(said);
}

/** Arguments after `docker` that register QEMU for these architectures on the engine at this endpoint of a builder. */
export function installArguments(
  endpoint: string,
  image: Reference,
  architectures: readonly string[],
): readonly string[] {
  const kind = endpoint.includes('://') ? '--host' : '--context';
  const engine = endpoint === '' ? [] : [`${kind}=${endpoint}`];
  const install = `--install=${architectures.join(',')}`;
  return [...engine, 'run', '--rm', '--privileged', '--network=none', formatReference(image), install];
}

/**
 * The image's lines about what it did not register, or `undefined` when it registered all: it ends with 0 either way. An
 * image that says nothing of an architecture leaves it open.
 */
export function findComplaints(output: string, architectures: readonly string[]): readonly string[] | undefined {
  const lines = output.split('\n').map((line) => line.trim());
  if (architectures.every((name) => lines.includes(`installing: ${name} OK`))) return undefined;
  return lines.filter((line) => /^(?:error|installing): /.test(line) && !line.endsWith(' OK'));
}

/** An entry that was there before is of use as soon as the builder looks again; no time makes a refusal good. */
async function appears(docker: Docker, request: EmulationRequest, complaints: readonly string[]): Promise<boolean> {
  const isRefused = complaints.some((line) => !line.endsWith('already registered'));
  for (let waitedMs = 0; ; waitedMs += ASK_AGAIN_MS) {
    if (await request.isListed()) return true;
    if (isRefused || waitedMs >= LIST_RENEWED_MS) return false;
    await docker.host.sleep(ASK_AGAIN_MS);
  }
}

/** docker's own error; before it stands how the pull went, and after it a pointer to the help. */
function dockerError(stderr: string): string {
  const [, said] = /^(?:docker|Failed to initialize): (.+)$/m.exec(stderr) ?? [];
  return toLine((said ?? stderr).trim(), MAX_REASON_LENGTH);
}

function emulationFailed({ platforms, image }: EmulationRequest, { status }: CommandResult, why: string): CommandError {
  const names = platforms.map(formatPlatform).join(', ');
  const reason = why === '' ? 'it said nothing, and the builder still cannot run it' : why;
  const hint = HINTS.find(([symptom]) => symptom.test(why))?.[1] ?? OTHER_WAYS;
  return new CommandError(
    'EMULATION_FAILED',
    `QEMU for ${names} could not be registered by ${formatReference(image)}: ${reason}`,
    { command: 'docker run --privileged', status, stderrTail: why, hint },
  );
}
