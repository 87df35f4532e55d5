import { parseDigest } from '../core/digest.ts';
import { numberAt, textAt, valueAt } from '../core/json.ts';
import { quote, toLine } from '../core/printable.ts';
import { formatRepositoryName, type RepositoryName } from '../core/reference.ts';
import type { InventoryEntry } from '../core/retention/inventory.ts';
import { parseTimestamp } from '../core/timestamp.ts';
import { BuildOnceError } from '../errors.ts';
import type { GitHubAnswer, GitHubApi, GitHubRequest } from './github-api.ts';
import { hasNextPage } from './next-page.ts';

/** Versions of a page: the most that GitHub gives. */
export const VERSIONS_PER_PAGE = 100;
const MAX_VERSIONS = 5_000_000;

/** Some of the versions, the newest first. */
export interface VersionPage {
  readonly entries: readonly InventoryEntry[];
  readonly isLast: boolean;
  /** By GitHub's clock. */
  readonly dateMs: number;
}

/** What GitHub tells of a package as a whole. */
export interface PackageFacts {
  readonly versionCount: number;
  /** What a classic token may do; `undefined` for other tokens, which do not tell. */
  readonly scopes: readonly string[] | undefined;
}

/** One package of containers in GitHub's API: https://docs.github.com/en/rest/packages/packages */
export class GhcrPackage {
  readonly name: RepositoryName;
  readonly owner: string;
  readonly #packageName: string;
  readonly #api: GitHubApi;
  #root: string | undefined;
  #search: Promise<PackageFacts> | undefined;

  constructor(name: RepositoryName, api: GitHubApi) {
    const [owner = '', ...rest] = name.path.split('/');
    this.name = name;
    this.owner = owner;
    this.#packageName = rest.join('/');
    this.#api = api;
  }

  /** Where a person looks after the package. */
  get settingsUrl(): string {
    const server = this.name.registry === 'ghcr.io' ? 'github.com' : this.name.registry.replace(/^containers\./, '');
    const kind = this.#root?.startsWith('/orgs/') === false ? 'users' : 'orgs';
    return `https://${server}/${kind}/${this.owner}/packages/container/${encodeURIComponent(this.#packageName)}/settings`;
  }

  /** An error when there is no such package, or this run may not see it. */
  async facts(): Promise<PackageFacts> {
    const answer = await this.#ask('');
    const versionCount = numberAt(answer.json, 'version_count');
    if (answer.status !== 200 || versionCount === undefined || !isPlausible(versionCount))
      throw this.failure('looking at the package', answer);
    const scopes = answer.header('x-oauth-scopes');
    return { versionCount, scopes: scopes?.split(',').map((scope) => toLine(scope)) };
  }

  /** From 1; the same errors as `facts`. */
  async page(number: number): Promise<VersionPage> {
    const answer = await this.#ask(`/versions?per_page=${VERSIONS_PER_PAGE}&page=${number}`);
    if (answer.status !== 200 || !Array.isArray(answer.json)) throw this.failure('listing its versions', answer);
    return {
      entries: answer.json.map((version: unknown) => this.#entryOf(version)),
      isLast: !hasNextPage(answer),
      dateMs: answer.dateMs,
    };
  }

  /** `undefined` when there is no such version. */
  async version(id: string): Promise<InventoryEntry | undefined> {
    const answer = await this.request('GET', id);
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw this.failure(`looking at version ${id}`, answer);
    return this.#entryOf(answer.json);
  }

  /** About one version, whatever the answer. */
  async request(method: GitHubRequest['method'], id: string, action: '' | '/restore' = ''): Promise<GitHubAnswer> {
    // Plans and journals come from files, and `..` would be the whole package.
    if (!/^\d{1,20}$/.test(id)) {
      const where = formatRepositoryName(this.name);
      throw new BuildOnceError('UNEXPECTED_ANSWER', `${where}: ${quote(id)} is not the number of a version`, 1);
    }
    // A version that is not there says nothing of where the package is.
    if (this.#root === undefined) await (this.#search ??= this.facts());
    return this.#api.send({ method, path: `${this.#below(this.#root ?? '')}/versions/${id}${action}` });
  }

  /** The error for an answer that ends the work. */
  failure(what: string, { status, json }: GitHubAnswer): BuildOnceError {
    const where = formatRepositoryName(this.name);
    if (status === 404) {
      const hint = `Check the spelling. If it is there, this token may not see it. ${this.accessHint('read')}`;
      return new BuildOnceError('REPOSITORY_UNKNOWN', `${where}: GitHub knows no such package`, 1, { hint });
    }
    const message = `${where}: GitHub answered ${status} to ${what}: ${quote(textAt(json, 'message') ?? '')}`;
    if (status === 401 || status === 403) {
      const isExpired = status === 401 ? 'The token is wrong or has expired. ' : '';
      return new BuildOnceError('GITHUB_REFUSED', message, 1, { hint: `${isExpired}${this.accessHint('read')}` });
    }
    const hint = 'Check GITHUB_API_URL, and that no login page or proxy answers in its place.';
    return new BuildOnceError('UNEXPECTED_ANSWER', message, 1, { hint });
  }

  /** What to do when this run may not. */
  accessHint(right: 'read' | 'delete'): string {
    const role = right === 'delete' ? 'Admin' : 'Read';
    return (
      `Give the job "packages: ${right === 'delete' ? 'write' : 'read'}", and its repository the role "${role}" under ` +
      `"Manage Actions access": ${this.settingsUrl}. A classic token needs the scope ${right}:packages; fine-grained tokens ` +
      'do not work with packages.'
    );
  }

  /**
   * A question that is answered with 404 only when the package is not seen. While it is not known where packages of this owner
   * are, they are looked for among those of organisations, of users, and of the token's own user.
   */
  async #ask(rest: string): Promise<GitHubAnswer> {
    const get = (root: string): Promise<GitHubAnswer> =>
      this.#api.send({ method: 'GET', path: `${this.#below(root)}${rest}` });
    if (this.#root !== undefined) return get(this.#root);
    const owner = encodeURIComponent(this.owner);
    const others = [`/users/${owner}`, '/user'];
    let root = `/orgs/${owner}`;
    let answer = await get(root);
    while (answer.status === 404) {
      const next = others.shift();
      if (next === undefined || (next === '/user' && !(await this.#isOwn()))) return answer;
      root = next;
      answer = await get(root);
    }
    this.#root = root;
    return answer;
  }

  #below(root: string): string {
    return `${root}/packages/container/${encodeURIComponent(this.#packageName)}`;
  }

  async #isOwn(): Promise<boolean> {
    const { json } = await this.#api.send({ method: 'GET', path: '/user' });
    return textAt(json, 'login')?.toLowerCase() === this.owner.toLowerCase();
  }

  #entryOf(json: unknown): InventoryEntry {
    const id = valueAt(json, 'id');
    const digest = parseDigest(textAt(json, 'name') ?? '');
    const tags = valueAt(json, 'metadata', 'container', 'tags');
    // What is not understood must not look as if it had no tags.
    if (!Number.isSafeInteger(id) || digest === undefined || !isTextList(tags)) {
      const text = toLine(JSON.stringify(json) ?? 'nothing');
      throw new BuildOnceError(
        'UNEXPECTED_ANSWER',
        `${formatRepositoryName(this.name)}: ${quote(text)} is no version`,
        1,
      );
    }
    const pushedAtMs = timeAt(json, 'created_at');
    return { id: String(id), digest, tags, pushedAtMs, updatedAtMs: timeAt(json, 'updated_at') ?? pushedAtMs };
  }
}

/** Of what is larger no list could be kept. */
function isPlausible(versionCount: number): boolean {
  return Number.isSafeInteger(versionCount) && versionCount >= 0 && versionCount <= MAX_VERSIONS;
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function timeAt(json: unknown, name: string): number | undefined {
  return parseTimestamp(textAt(json, name) ?? '');
}
