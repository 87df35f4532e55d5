import { getOctokit } from '@actions/github';
import { parseJson } from '../core/json.ts';
import { BuildOnceError, isRegistryError } from '../errors.ts';
import { type Attempt, retry } from '../registry/retry.ts';
import type { Answer, Transport } from '../registry/transport.ts';
import type { Pace } from './pace.ts';

/** GitHub's API, inside its limits: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api */
export interface GitHubApi {
  /**
   * One request, repeated where that may help; waits as the limits ask. Answers whatever status is no limit and does not pass.
   * Throws a BuildOnceError: `RETENTION_SPENT` when the allowance is used up, `GITHUB_UNAVAILABLE` when there is no answer.
   */
  send(request: GitHubRequest): Promise<GitHubAnswer>;
  /** How many requests may still be sent before the allowance of the hour is spent; `undefined` while that is not known. */
  allowance(): number | undefined;
}

export interface GitHubRequest {
  readonly method: 'GET' | 'DELETE' | 'POST';
  /** Below the API's address, encoded: `/orgs/acme/packages/container/a%2Fb/versions?per_page=100`. */
  readonly path: string;
}

export interface GitHubAnswer {
  readonly status: number;
  /** By its name in lower case. */
  header(name: string): string | undefined;
  /** `undefined` where there is none. */
  readonly json: unknown;
  /** When it was sent, by GitHub's clock, in milliseconds since 1970. */
  readonly dateMs: number;
}

export interface GitHubApiSettings {
  /** `https://api.github.com`, or that of a GitHub Enterprise Server: `https://ghes.example/api/v3`. */
  readonly apiUrl: string;
  readonly token: string;
  /** The way there: proxies, authorities of certificates and interruption are the registries'. */
  readonly transport: Transport;
  /** One for all that this token asks. */
  readonly pace: Pace;
}

/** A page of a hundred versions that have very many tags. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

/** Opens GitHub's API. Makes no request. Octokit words the requests; they go over our own transport, at our own pace. */
export function openGitHubApi(settings: GitHubApiSettings): GitHubApi {
  const { apiUrl, token, transport, pace } = settings;
  const octokit = getOctokit(token, { baseUrl: apiUrl });
  const attempt = async ({ method, path }: GitHubRequest): Promise<Attempt<Answer>> => {
    const sent: Promise<Attempt<Answer>>[] = [];
    const fetch = async (url: string, { headers }: { readonly headers: Readonly<Record<string, string>> }) => {
      const { authorization, ...others } = headers;
      const request = { method, url: new URL(url), headers: others, authorization };
      sent.push(transport.attempt({ ...request, limitBytes: MAX_ANSWER_BYTES, answers: [429] }));
      // What was answered is judged here, not there.
      await Promise.allSettled(sent);
      return new Response(null, { status: 204 });
    };
    await octokit.request({ method, url: path, request: { fetch } });
    const [outcome] = sent;
    if (outcome === undefined) throw new TypeError(`nothing was sent for ${method} ${path}`);
    return outcome;
  };
  const attemptInside = async (request: GitHubRequest): Promise<Attempt<Answer>> => {
    for (;;) {
      const leave = await pace.enter(request.method);
      try {
        const outcome = await attempt(request);
        if (!leave('value' in outcome ? outcome.value : undefined)) return outcome;
      } catch (error) {
        leave(undefined);
        throw error;
      }
    }
  };
  return {
    allowance: () => pace.allowance(),
    async send(request) {
      try {
        const answer = await retry(transport.rules, () => attemptInside(request));
        const dateMs = Date.parse(answer.header('date') ?? '');
        return {
          status: answer.status,
          header: (name) => answer.header(name),
          json: parseJson(Buffer.from(answer.body).toString()),
          dateMs: Number.isNaN(dateMs) ? transport.rules.clock.now() : dateMs,
        };
      } catch (error) {
        if (!isRegistryError(error) || error.code === 'ABORTED') throw error;
        throw unavailable(error);
      }
    },
  };
}

/** The transport speaks of registries. */
function unavailable(cause: BuildOnceError): BuildOnceError {
  const message = cause.message.replaceAll('the registry', 'GitHub');
  const hint = cause.hint ?? 'Try again later; https://www.githubstatus.com says how GitHub is.';
  return new BuildOnceError('GITHUB_UNAVAILABLE', message, 1, { cause, hint });
}
