import type { ServerResponse } from 'node:http';
import { type ScriptedServer, type Seen, serve } from './scripted-server.ts';

export interface TokenRegistry extends ScriptedServer {
  /** No token that was given out is good any more. */
  revoke(): void;
}

/** A registry that takes the tokens of its own `/token`, each good for what it was asked for. */
export async function serveTokens(
  options: {
    readonly grant?: (asked: Seen, scopes: readonly string[]) => object | undefined;
    readonly realm?: (host: string) => string;
    /** How many requests a token is good for; all when absent. */
    readonly uses?: number;
    /** Answers what is allowed; "ok" when absent. */
    readonly answer?: (seen: Seen, response: ServerResponse) => unknown;
  } = {},
): Promise<TokenRegistry> {
  const good = new Map<string, readonly string[]>();
  const uses = new Map<string, number>();
  const host = { text: '' };
  const server = await serve((seen, response, index) => {
    const url = new URL(seen.path, 'http://x');
    if (url.pathname === '/token') return giveToken(seen, response, index);
    const { authorization = '' } = seen.headers;
    const used = (uses.get(authorization) ?? 0) + 1;
    uses.set(authorization, used);
    const scopes = used > (options.uses ?? Number.POSITIVE_INFINITY) ? undefined : good.get(authorization);
    const needed = seen.method === 'GET' || seen.method === 'HEAD' ? 'pull' : 'push';
    if (scopes?.some((scope) => scope.includes(needed)))
      return void (options.answer?.(seen, response) ?? response.end('ok'));
    const realm = options.realm?.(host.text) ?? `http://${host.text}/token`;
    const challenge = `Bearer realm="${realm}",service="reg",scope="repository:acme/app:${needed === 'push' ? 'pull,push' : 'pull'}"`;
    response.writeHead(401, { 'www-authenticate': challenge }).end('{"errors":[{"code":"UNAUTHORIZED"}]}');
  });
  function giveToken(seen: Seen, response: ServerResponse, index: number): void {
    const parameters =
      seen.method === 'POST' ? new URLSearchParams(seen.body) : new URL(seen.path, 'http://x').searchParams;
    const scopes = parameters.getAll('scope');
    const answer = options.grant === undefined ? { token: `t${index}`, expires_in: 300 } : options.grant(seen, scopes);
    if (answer === undefined) {
      response.writeHead(403).end('{"errors":[{"code":"DENIED","message":"no"}]}');
      return;
    }
    good.set(
      `Bearer ${'token' in answer ? String(answer.token) : 'access_token' in answer ? String(answer.access_token) : ''}`,
      scopes,
    );
    response.end(JSON.stringify(answer));
  }
  host.text = server.host;
  return { ...server, revoke: () => good.clear() };
}
