import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ActionManifest, evaluateDefault, readActionManifest } from '../__tests__/support/action-manifest.ts';
import { plantImage } from '../__tests__/support/planted-image.ts';
import { CHECKOUT, NODE_DIRECTORY } from '../__tests__/support/programs.ts';
import { runnerEnvironment } from '../__tests__/support/runner-environment.ts';
import { startLineProcess } from './line-process.ts';
import { type Step, setUp, type Work } from './measure.ts';
import { writeSample } from './sample.ts';

export const PLATFORMS = 'linux/amd64,linux/arm64';
export const CLI = join(CHECKOUT, 'dist/cli.js');

/** What a run is asked for, by the names of the inputs. */
export type Inputs = Readonly<Record<string, string>>;

/** A context of 1,000 files whose image is in an embedded registry; needs nothing but Node. */
export interface HitScene {
  readonly cli: Work;
  readonly action: Work;
  /** The CLI with nothing to do but to load: `version`. */
  readonly start: Work;
  /** The action's post step, after a run that left nothing behind. */
  readonly post: Work;
  readonly empty: Work;
  /** One HEAD of the same tag: through node:http, and through fetch. */
  readonly head: Work;
  readonly fetchHead: Work;
  /** Requests that the registry has answered since the last time this was asked. */
  countRequests(): Promise<number>;
  close(): Promise<void>;
}

export async function openHitScene(): Promise<HitScene> {
  const directory = mkdtempSync(join(tmpdir(), 'build-once-hit-'));
  const registry = await startRegistryProcess();
  const close = async (): Promise<void> => {
    await registry.close();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const workspace = join(directory, 'workspace');
    writeSample(workspace, 'small');
    const image = `${registry.host}/acme/app`;
    const base = `${registry.host}/base/busybox`;
    await plantImage({ image: base, tags: ['1.38'], platforms: PLATFORMS.split(',') });
    const inputs = { scan: 'false', images: image, platforms: PLATFORMS, 'build-args': `BASE=${base}:1.38` };
    const place = { cwd: workspace, env: plainEnvironment(directory) };
    const hash = await setUp({
      steps: [{ ...place, argv: [process.execPath, CLI, 'hash', '--json', ...flags(inputs)] }],
      check: (written) => /^ {2}"hash": "([0-9a-f]{64})"/m.exec(written)?.[1] ?? '',
    });
    const annotations = { 'dev.build-once.inputs': hash };
    const tags = [`hash-${hash.slice(0, 32)}`, 'main'];
    await plantImage({ image, tags, annotations, platforms: PLATFORMS.split(','), buildSeconds: 60 });
    const manifest = readActionManifest(CHECKOUT);
    const action = { cwd: workspace, env: runnerConditions(manifest, { directory, workspace }, inputs) };
    const url = `http://${registry.host}/v2/acme/app/manifests/main`;
    const node = (...args: string[]): Step => ({ ...place, argv: [process.execPath, ...args] });
    return {
      cli: cliHit(inputs, place),
      action: { steps: [{ ...action, argv: [process.execPath, join(CHECKOUT, manifest.main)] }], check: isHit },
      start: { steps: [node(CLI, 'version')], check: nothing },
      post: { steps: [{ ...action, argv: [process.execPath, join(CHECKOUT, manifest.post ?? '')] }], check: nothing },
      empty: { steps: [node('-e', '0')], check: nothing },
      head: { steps: [node('-e', HEAD, url)], check: nothing },
      fetchHead: { steps: [node('-e', FETCH_HEAD, url)], check: nothing },
      countRequests: registry.countRequests,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const HEAD =
  "require('node:http').request(process.argv[1], { method: 'HEAD' }, (answer) => { process.exitCode = answer.statusCode === 200 ? 0 : 1; answer.resume(); }).end()";
const FETCH_HEAD =
  "fetch(process.argv[1], { method: 'HEAD' }).then((answer) => { process.exitCode = answer.status === 200 ? 0 : 1; })";

/** A reused image with one tag, `main`. */
export function cliHit(inputs: Inputs, place: Pick<Step, 'cwd' | 'env'>): Work {
  const argv = [process.execPath, CLI, 'build', ...flags({ ...inputs, tags: 'main' })] as const;
  return { steps: [{ ...place, argv }], check: isHit };
}

export function flags(inputs: Inputs): string[] {
  return Object.entries(inputs).map(([name, value]) => `--${name}=${value}`);
}

/** A little environment, so that what this shell happens to hold does not count. */
export function plainEnvironment(home: string): Record<string, string> {
  return { PATH: `${NODE_DIRECTORY}:/usr/local/bin:/usr/bin:/bin`, HOME: home };
}

function nothing(): string {
  return '';
}

function isHit(written: string): string {
  if (/^hit: /m.test(written)) return '';
  throw new Error(`this was to be a hit:\n${written}`);
}

/** What GitHub's runner gives a step: its variables, the inputs with their defaults, and files to write to. */
function runnerConditions(
  manifest: ActionManifest,
  { directory, workspace }: { readonly directory: string; readonly workspace: string },
  inputs: Inputs,
): Record<string, string> {
  const temp = join(directory, 'temp');
  mkdirSync(temp, { recursive: true });
  const { EMULATED_GITHUB_TOKEN: token = '', ...env } = runnerEnvironment({
    directory,
    temp,
    workspace,
    action: CHECKOUT,
  });
  const defaults = Object.entries(manifest.inputs).map(([name, value]) => [name, evaluateDefault(value, { token })]);
  const values: Record<string, string> = { ...Object.fromEntries(defaults), ...inputs };
  for (const [name, value] of Object.entries(values)) env[`INPUT_${name.toUpperCase()}`] = value;
  for (const name of ['GITHUB_OUTPUT', 'GITHUB_STATE', 'GITHUB_STEP_SUMMARY', 'GITHUB_ENV', 'GITHUB_PATH']) {
    env[name] = join(directory, name);
    writeFileSync(env[name], '');
  }
  return { ...env, ...plainEnvironment(directory) };
}

/** An embedded registry that is a process of its own. */
export interface RegistryProcess extends Pick<HitScene, 'countRequests' | 'close'> {
  readonly host: string;
}

export async function startRegistryProcess(): Promise<RegistryProcess> {
  const running = await startLineProcess('./registry.ts');
  return {
    host: running.greeting,
    countRequests: async () => Number(await running.ask()),
    close: () => running.close(),
  };
}

/** The largest resident memory that the first process of the work ever had, in bytes; Node only. */
export async function peakBytes({ steps: [step] }: Work): Promise<number> {
  if (step === undefined) throw new TypeError('there is no process to look at');
  const directory = mkdtempSync(join(tmpdir(), 'build-once-peak-'));
  try {
    const file = join(directory, 'peak');
    const hook = `import { writeFileSync } from 'node:fs'; process.on('exit', () => writeFileSync(${JSON.stringify(file)}, String(process.resourceUsage().maxRSS)))`;
    const [program, ...rest] = step.argv;
    await setUp({
      steps: [{ ...step, argv: [program, '--import', `data:text/javascript,${encodeURIComponent(hook)}`, ...rest] }],
      check: nothing,
    });
    return Number(readFileSync(file, 'utf8')) * 1024;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
