import { compileGlob } from '../core/go-match.ts';
import { isDockerHub, type RepositoryName } from '../core/reference.ts';
import type { Protection } from '../core/retention/inventory.ts';
import type { RetentionPolicy } from '../core/retention/policy.ts';
import { BuildOnceError, UsageError } from '../errors.ts';
import { systemClock } from '../registry/retry.ts';
import { createTransport, type Transport } from '../registry/transport.ts';
import type { Run } from '../stage.ts';
import { loadGitHub } from '../tools/load.ts';
import { openDockerHubStore } from './docker-hub-store.ts';
import { containersUsing, listLocalRepositories } from './engine-images.ts';
import { openEngineStore } from './engine-store.ts';
import { gitHubApiUrl, listPackages } from './ghcr-packages.ts';
import { openGhcrStore } from './ghcr-store.ts';
import type { GitHubAnswer, GitHubApi } from './github-api.ts';
import { Pace } from './pace.ts';
import { canDeleteTags, openRegistryStore } from './registry-store.ts';
import type { ImageStore } from './store.ts';

/** Where the repositories of a run are, and GitHub beside them. */
export interface Stores {
  /** The store of a repository, as the run's options and its name say: the engine's, GitHub's, Docker Hub's, a registry's. */
  open(name: RepositoryName, policy?: RetentionPolicy): Promise<ImageStore>;
  /** The repositories that a name with `*` stands for; `undefined` for all of the local engine. */
  list(pattern: RepositoryName | undefined): Promise<readonly RepositoryName[]>;
  /** GitHub's API for the repository whose workflow this is; `undefined` where there is no token for it. */
  github(): Promise<Pick<GitHubApi, 'send'> | undefined>;
  /** What the place itself says is in use. */
  inUse(store: ImageStore): Promise<readonly Protection[]>;
  /** Nothing is asked of GitHub after this time, in milliseconds since 1970; nor is waited for then what would be later. */
  endAt(atMs: number): void;
  close(): void;
}

const TOKEN_HINT =
  'In a workflow give github-token, by default that of the job, with permissions: { packages: write }. Elsewhere docker login ghcr.io, with a classic token that has the scopes read:packages and delete:packages';

/** `policies`: the largest reserve of theirs holds for the whole run. */
export function openStores(run: Run, policies: readonly RetentionPolicy[]): Stores {
  return new RunStores(run, Math.max(0, ...policies.map(({ limits }) => limits.reserve)));
}

class RunStores implements Stores {
  readonly #run: Run;
  readonly #reserve: number;
  readonly #apis = new Map<string, GitHubApi>();
  readonly #paces: Pace[] = [];
  /** By path: what GitHub said of the workflow's repository, which all images ask. */
  readonly #said = new Map<string, Promise<GitHubAnswer>>();
  #transport: Transport | undefined;

  constructor(run: Run, reserve: number) {
    this.#run = run;
    this.#reserve = reserve;
  }

  async open(name: RepositoryName, policy?: RetentionPolicy): Promise<ImageStore> {
    const { host, options, registries } = this.#run;
    const now = (): number => host.now().getTime();
    if (options.local) return openEngineStore({ host, env: {} }, name);
    const repository = registries.open(name, 'push');
    if (this.#apiUrl(name.registry) !== undefined) {
      return openGhcrStore({ name, api: await this.#apiFor(name), repository });
    }
    if (isDockerHub(name.registry)) {
      const credentials = () => registries.credentials(name);
      return openDockerHubStore({ repository, transport: this.#way(), credentials, now });
    }
    const deletesTags = policy?.limits.untag === 'safe' && (await canDeleteTags(repository));
    const findsMissing = policy?.rules.some(({ subject }) => subject.kind === 'broken') ?? false;
    return openRegistryStore({ repository, now, deletesTags, findsMissing });
  }

  async list(pattern: RepositoryName | undefined): Promise<readonly RepositoryName[]> {
    const { host, options } = this.#run;
    const matches = compileGlob(pattern?.path ?? '*');
    if (options.local) {
      const all = await listLocalRepositories({ host, env: {} });
      return pattern === undefined
        ? all
        : all.filter(({ registry, path }) => registry === pattern.registry && matches(path));
    }
    if (pattern === undefined || this.#apiUrl(pattern.registry) === undefined) {
      const message =
        'a name with * stands for packages of GitHub, and for images of the local engine; registries list none';
      throw new UsageError([{ input: 'images', message }]);
    }
    const [owner = ''] = pattern.path.split('/');
    const names = await listPackages(await this.#apiFor(pattern), owner);
    return names
      .map((name) => ({ registry: pattern.registry, path: `${owner}/${name.toLowerCase()}` }))
      .filter(({ path }) => matches(path));
  }

  async github(): Promise<Pick<GitHubApi, 'send'> | undefined> {
    const { env } = this.#run.host;
    const token = this.#run.options.githubToken;
    if (token === undefined) return undefined;
    const api = await this.#api(env['GITHUB_API_URL'] || 'https://api.github.com', token);
    return {
      send: (request) => {
        const said = this.#said.get(request.path) ?? api.send(request);
        this.#said.set(request.path, said);
        return said;
      },
    };
  }

  async inUse(store: ImageStore): Promise<readonly Protection[]> {
    return store.kind === 'engine' ? containersUsing({ host: this.#run.host, env: {} }) : [];
  }

  endAt(atMs: number): void {
    for (const pace of this.#paces) pace.endAt(atMs);
  }

  close(): void {
    this.#transport?.close();
  }

  #apiUrl(registry: string): string | undefined {
    return gitHubApiUrl(registry, this.#run.host.env['GITHUB_API_URL'] || undefined);
  }

  /** With the run's own token where it is for this server; a token of a GitHub Enterprise Server goes to no other. */
  async #apiFor(name: RepositoryName): Promise<GitHubApi> {
    const { host, options, registries } = this.#run;
    const apiUrl = this.#apiUrl(name.registry) ?? '';
    const isOwn = apiUrl === (host.env['GITHUB_API_URL'] || 'https://api.github.com');
    const login = isOwn && options.githubToken !== undefined ? undefined : await registries.credentials(name);
    const token = login !== undefined && 'password' in login ? login.password.reveal() : options.githubToken;
    if (token === undefined || (login === undefined && !isOwn)) {
      const message = `${name.registry}/${name.path}: there is no token for GitHub's API, which lists and deletes its packages`;
      throw new BuildOnceError('GITHUB_REFUSED', message, 2, { hint: TOKEN_HINT });
    }
    host.log.mask(token);
    return this.#api(apiUrl, token);
  }

  async #api(apiUrl: string, token: string): Promise<GitHubApi> {
    const { host } = this.#run;
    const key = JSON.stringify([apiUrl, token]);
    const known = this.#apis.get(key);
    if (known !== undefined) return known;
    const { openGitHubApi } = await loadGitHub();
    const onPause = ({ waitMs, reason }: { readonly waitMs: number; readonly reason: string }): void =>
      host.log.info(`waiting ${Math.ceil(waitMs / 1000)} s: ${reason}`);
    const pace = new Pace({ clock: systemClock, signal: host.signal, reserve: this.#reserve, onPause });
    this.#paces.push(pace);
    const api = openGitHubApi({ apiUrl, token, transport: this.#way(), pace });
    this.#apis.set(key, api);
    return api;
  }

  /** To what is no registry: with the proxies and authorities of all requests. */
  #way(): Transport {
    this.#transport ??= createTransport({ ...this.#run.access, signal: this.#run.host.signal });
    return this.#transport;
  }
}
