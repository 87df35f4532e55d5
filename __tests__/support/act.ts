import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { mustRun, NODE_DIRECTORY, run } from './programs.ts';
import { writeTree } from './write-tree.ts';

/** A workflow run by act (github.com/nektos/act v0.2.89) on this machine, without containers and without a network. */
export interface WorkflowRun {
  /** A workflow file, run as it is but for {@link image}. */
  readonly workflow: string;
  /** What takes the place of `ghcr.io/${{ github.repository }}`; the workflow must hold that. */
  readonly image: string;
  /** The folder of `action.yml` that `uses: build-once/build-once@v1` leads to. */
  readonly action: string;
  /** Folders for actions of others, by `owner/name@ref`. */
  readonly others?: Readonly<Record<string, string>>;
  /** The repository's files: path → content. */
  readonly files: Readonly<Record<string, string>>;
  /** `refs/heads/main` unless it says otherwise; a tag is made for `refs/tags/…`. */
  readonly ref?: string;
  /** `push` when absent. */
  readonly event?: string;
  /** For the steps: PATH, DOCKER_HOST, DOCKER_CONFIG … Not secrets: they are on act's command line. */
  readonly env?: Readonly<Record<string, string>>;
  /** `github.token`; none when absent. */
  readonly token?: string;
}

interface WorkflowStep {
  readonly name: string;
  readonly stage: 'Pre' | 'Main' | 'Post';
  readonly result: string;
}

export interface WorkflowResult {
  readonly status: 'success' | 'failure';
  readonly steps: readonly WorkflowStep[];
  /** Of all steps together. */
  readonly outputs: Readonly<Record<string, string>>;
  readonly summary: string;
  readonly annotations: readonly { readonly level: string; readonly message: string }[];
  readonly log: string;
}

const IMAGE = 'ghcr.io/${{ github.repository }}';
const ACTION = 'build-once/build-once@v1';
/** The repository is `acme/app`: act takes the name from the remote. */
const REMOTE = 'https://github.com/acme/app.git';
/** Nothing listens there: no test talks to the real GitHub. */
const NOBODY = 'http://127.0.0.1:9';

/** Runs the workflow in a fresh clone of those files, with a home directory of its own. */
export async function runWorkflow(options: WorkflowRun): Promise<WorkflowResult> {
  const text = readFileSync(options.workflow, 'utf8');
  if (!text.includes(IMAGE)) throw new Error(`${options.workflow} does not name the image ${IMAGE}`);
  const directory = mkdtempSync(join(tmpdir(), 'act-'));
  try {
    const [repository, home] = [join(directory, 'app'), join(directory, 'home')];
    mkdirSync(home, { recursive: true });
    const file = `.github/workflows/${basename(options.workflow)}`;
    await makeRepository(repository, { ...options.files, [file]: text.replaceAll(IMAGE, options.image) }, options.ref);
    const ref = options.ref ?? 'refs/heads/main';
    const event = join(directory, 'event.json');
    writeFileSync(event, JSON.stringify({ ref, repository: { default_branch: 'main', private: false } }));
    const env: Record<string, string> = { GITHUB_API_URL: NOBODY, ...options.env, HOME: home };
    const path = env['PATH'] ?? process.env['PATH'] ?? '';
    const result = await run(actArguments(options, file, event, env), {
      cwd: repository,
      env: {
        ...env,
        PATH: `${NODE_DIRECTORY}:${path}`,
        XDG_CACHE_HOME: join(home, '.cache'),
        GITHUB_TOKEN: options.token,
      },
    });
    return readLog(result.stdout, result.status === 0, result.stderr);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function actArguments(
  options: WorkflowRun,
  file: string,
  event: string,
  env: Readonly<Record<string, string>>,
): [string, ...string[]] {
  const own = Object.entries(env).filter(([name]) => name !== 'PATH');
  return [
    'act',
    options.event ?? 'push',
    '--json',
    '--workflows',
    file,
    '--eventpath',
    event,
    '--platform',
    'ubuntu-latest=-self-hosted',
    ...Object.entries({ [ACTION]: options.action, ...options.others }).flatMap(([name, folder]) => [
      '--local-repository',
      `${name}=${folder}`,
    ]),
    '--cache-server-addr',
    '127.0.0.1',
    ...own.flatMap(([name, value]) => ['--env', `${name}=${value}`]),
    ...(options.token === undefined ? [] : ['--secret', 'GITHUB_TOKEN']),
  ];
}

async function makeRepository(folder: string, files: Readonly<Record<string, string>>, ref?: string): Promise<void> {
  writeTree(folder, files);
  const person = { GIT_AUTHOR_NAME: 'Test', GIT_AUTHOR_EMAIL: 'test@example.com' };
  const env = {
    PATH: process.env['PATH'],
    HOME: folder,
    GIT_CONFIG_NOSYSTEM: '1',
    ...person,
    GIT_COMMITTER_NAME: person.GIT_AUTHOR_NAME,
    GIT_COMMITTER_EMAIL: person.GIT_AUTHOR_EMAIL,
  };
  const branch = ref?.startsWith('refs/heads/') === true ? ref.slice('refs/heads/'.length) : 'main';
  const git = (...args: string[]) => mustRun(['git', '-C', folder, ...args], { env });
  await git('init', '--quiet', '--initial-branch', branch);
  await git('remote', 'add', 'origin', REMOTE);
  await git('add', '--all');
  await git('commit', '--quiet', '--message', 'Add the application');
  if (ref?.startsWith('refs/tags/') === true) await git('tag', ref.slice('refs/tags/'.length));
}

/** act's `--json` log: one object a line. */
function readLog(stdout: string, succeeded: boolean, stderr: string): WorkflowResult {
  const entries = stdout.split('\n').flatMap((line) => (line.startsWith('{') ? [parseEntry(line)] : []));
  const commands = (name: string) => entries.filter(({ command }) => command === name);
  return {
    status: succeeded ? 'success' : 'failure',
    steps: entries.flatMap(({ step, stage, stepResult }) =>
      stepResult !== '' && (stage === 'Pre' || stage === 'Main' || stage === 'Post')
        ? [{ name: step, stage, result: stepResult }]
        : [],
    ),
    outputs: Object.fromEntries(commands('set-output').map(({ name, arg }) => [name, arg])),
    summary: commands('summary')
      .map(({ content }) => content)
      .join(''),
    annotations: ['error', 'warning', 'notice'].flatMap((level) =>
      commands(level).map(({ arg }) => ({ level, message: arg })),
    ),
    log: `${entries.map(({ msg }) => msg.replace(/\n$/, '')).join('\n')}\n${stderr}`,
  };
}

/** What is read of an entry; an empty string where it has no such field. */
type Entry = Readonly<Record<'command' | 'name' | 'arg' | 'content' | 'msg' | 'step' | 'stage' | 'stepResult', string>>;

function parseEntry(line: string): Entry {
  const entry: unknown = JSON.parse(line);
  const values = new Map<string, unknown>(Object.entries(typeof entry === 'object' && entry !== null ? entry : {}));
  const field = (name: keyof Entry): string => {
    const value = values.get(name);
    return typeof value === 'string' ? value : '';
  };
  return {
    command: field('command'),
    name: field('name'),
    arg: field('arg'),
    content: field('content'),
    msg: field('msg'),
    step: field('step'),
    stage: field('stage'),
    stepResult: field('stepResult'),
  };
}
