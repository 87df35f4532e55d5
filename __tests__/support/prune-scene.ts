import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Ghcr, GhcrOptions } from './ghcr/ghcr.ts';
import { startNamedGhcr } from './ghcr/named-ghcr.ts';
import { CHECKOUT, NODE_DIRECTORY } from './programs.ts';
import { type ActionResult, type ActionRun, runAction } from './runner.ts';

/** Of the jobs here, to be found nowhere. */
export const JOB_TOKEN = 'ghs_s3cr3t0of0the0job0000000000000000000';
/** A person's, in the config of Docker. */
export const OWN_TOKEN = 'ghp_s3cr3t0of0the0person000000000000000';
export const IMAGE = 'ghcr.io/acme/app';
/** Images of one platform without attestations, all with a tag: two versions each, so that few requests delete one. */
const PLAIN = { platforms: 1, attest: false, untaggedEvery: 0, semverEvery: 0 } as const;

/** A process of the CLI that has ended. */
export interface CliResult {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliCall {
  readonly env?: Readonly<Record<string, string>>;
  /** Told the process once it runs. */
  readonly onStart?: (child: ChildProcess) => void;
}

/** Packages in a stand-in for GHCR, and a machine that prunes them with what is in `dist/`. */
export interface PruneScene {
  readonly ghcr: Ghcr;
  /** Where the programs run. */
  readonly workspace: string;
  /** HOME of the CLI; RUNNER_TEMP of the actions. */
  readonly home: string;
  readonly temp: string;
  /** `build-once ARGS` by a person who is logged in, with the authority of the stand-in. */
  cli(args: readonly string[], call?: CliCall): Promise<CliResult>;
  /** `build-once prune --images ghcr.io/acme/app --retention RETENTION ARGS`. */
  prune(retention: string, ...args: readonly string[]): Promise<CliResult>;
  /** A step of `prune/action.yml`. */
  step(inputs: Readonly<Record<string, string>>, more?: Partial<ActionRun>): Promise<ActionResult>;
  /** For other actions: how to reach the stand-in. */
  readonly env: Readonly<Record<string, string>>;
  /** The file of its authority. */
  readonly authority: string;
  /** A file of the workspace. */
  read(name: string): string;
  write(name: string, content: string): void;
  /** Requests that change something. */
  writes(): readonly string[];
  /** The first tag of each image, or its digest where it has none, the oldest first. */
  images(name?: string): readonly string[];
  /** Tags with what they lead to, and every manifest that is there. */
  content(): { readonly tags: readonly string[]; readonly digests: readonly string[] };
}

/** Gone at the end of the test. */
export async function openPruneScene(options: GhcrOptions & { readonly server?: string } = {}): Promise<PruneScene> {
  const named = await startNamedGhcr({ ...PLAIN, ...options });
  const root = mkdtempSync(join(tmpdir(), 'build-once-prune-'));
  const [workspace, home, temp] = [join(root, 'workspace'), join(root, 'home'), join(root, 'temp')];
  for (const path of [workspace, home, temp]) mkdirSync(path);
  const authority = join(root, 'authority.pem');
  writeFileSync(authority, named.authorities);
  onTestFinished(async () => {
    await named.close();
    rmSync(root, { recursive: true });
  });
  const { ghcr, env } = named;
  // As docker login leaves it: a token has no place in a command line.
  const auth = Buffer.from(`kim:${OWN_TOKEN}`).toString('base64');
  const registry = options.server === undefined ? 'ghcr.io' : `containers.${options.server}`;
  writeFileSync(join(home, 'config.json'), JSON.stringify({ auths: { [registry]: { auth } } }));
  const cli: PruneScene['cli'] = (args, call = {}) =>
    runCli([...args, `--registry-ca=${authority}`], workspace, {
      ...call,
      env: { PATH: NODE_DIRECTORY, HOME: home, DOCKER_CONFIG: home, ...env, ...call.env },
    });
  return {
    ghcr,
    workspace,
    home,
    temp,
    env,
    authority,
    cli,
    prune: (retention, ...args) => cli(['prune', `--images=${IMAGE}`, `--retention=${retention}`, ...args]),
    step: (inputs, more = {}) =>
      runAction({
        action: join(CHECKOUT, 'prune'),
        workspace,
        runnerTemp: temp,
        with: { images: IMAGE, 'registry-ca': authority, ...inputs },
        event: { name: 'schedule', token: JOB_TOKEN },
        ...more,
        env: { ...env, ...more.env },
      }),
    read: (name) => readFileSync(join(workspace, name), 'utf8'),
    write: (name, content) => writeFileSync(join(workspace, name), content),
    writes: () => ghcr.requests.flatMap(({ method, route }) => (['GET', 'HEAD'].includes(method) ? [] : [route])),
    images: (name) =>
      ghcr
        .store(name)
        .list()
        .toReversed()
        .flatMap(({ kind, tags, digest }) => (kind === 'index' ? [tags[0] ?? digest] : [])),
    content() {
      const { tags, byDigest } = ghcr.store();
      const moved = [...tags].map(([tag, digest]) => `${tag} ${digest}`);
      return { tags: moved.toSorted(), digests: [...byDigest.keys()].toSorted() };
    },
  };
}

function runCli(args: readonly string[], cwd: string, { env, onStart }: CliCall): Promise<CliResult> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [join(CHECKOUT, 'dist/cli.js'), ...args], {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onStart?.(child);
    const written = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        written[stream] += text;
      });
    }
    child.on('error', fail);
    child.on('close', (status) => done({ status: status ?? undefined, ...written }));
  });
}
