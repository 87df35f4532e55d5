import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeTree } from './write-tree.ts';

/** A repository with a work tree to commit in, served by its name. */
export interface GitRepository {
  /** `http://127.0.0.1:PORT/NAME.git` */
  readonly url: string;
  /** The work tree. */
  readonly directory: string;
  /** Runs git in the work tree; answers what it printed, trimmed. */
  git(...args: readonly string[]): string;
  write(files: Readonly<Record<string, string>>): void;
  addSubmodule(path: string, url: string, commit: string): void;
  /** Commits all that is in the work tree; answers the commit. */
  commit(message?: string): string;
}

export interface GitServer {
  readonly origin: string;
  /** `METHOD PATH?QUERY`, in order. */
  readonly requests: readonly string[];
  /** What `Authorization` must be for the repositories of these names. */
  readonly locked: Map<string, string>;
  create(name: string, settings?: { readonly format?: 'sha1' | 'sha256' }): GitRepository;
  close(): Promise<void>;
}

/** Without the query, which asks for a conversation, only files are served. */
const PLAIN = { QUERY_STRING: '', GIT_PROTOCOL: '' };

/** A real git server on loopback: `git http-backend` behind node:http. `plain` serves the files alone (dumb http). */
export async function startGitServer({ plain = false } = {}): Promise<GitServer> {
  const root = mkdtempSync(join(tmpdir(), 'git-server-'));
  const requests: string[] = [];
  const locked = new Map<string, string>();
  const env = { PATH: process.env['PATH'] ?? '', HOME: root, GIT_CONFIG_NOSYSTEM: '1' };
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const [, name = ''] = /^\/(.+?)\.git\//.exec(request.url ?? '') ?? [];
    const wanted = locked.get(name);
    if (wanted !== undefined && request.headers.authorization !== wanted) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
      return;
    }
    bridge(request, response, { ...env, GIT_PROJECT_ROOT: root, GIT_HTTP_EXPORT_ALL: '1', ...(plain ? PLAIN : {}) });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  return {
    origin,
    requests,
    locked,
    create(name, { format = 'sha1' } = {}) {
      const bare = join(root, `${name}.git`);
      const tree = join(root, `${name}-tree`);
      const at = (directory: string, args: readonly string[]): string =>
        execFileSync('git', ['-c', 'protocol.file.allow=always', ...args], {
          cwd: directory,
          env,
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe'],
        }).trim();
      at(root, ['init', '--quiet', '--bare', `--object-format=${format}`, '--initial-branch=main', bare]);
      at(root, ['init', '--quiet', `--object-format=${format}`, '--initial-branch=main', tree]);
      for (const [key, value] of [
        ['user.name', 'a'],
        ['user.email', 'a@b.c'],
      ] as const)
        at(tree, ['config', key, value]);
      at(tree, ['remote', 'add', 'origin', bare]);
      return {
        url: `${origin}/${name}.git`,
        directory: tree,
        git: (...args) => at(tree, args),
        write(files) {
          writeTree(tree, files);
        },
        // Not `git submodule add`: it would ask this server, which waits for it.
        addSubmodule(path, url, commit) {
          mkdirSync(join(tree, path), { recursive: true });
          writeFileSync(join(tree, '.gitmodules'), `[submodule "${path}"]\n\tpath = ${path}\n\turl = ${url}\n`);
          at(tree, ['update-index', '--add', '--cacheinfo', `160000,${commit},${path}`]);
        },
        commit(message = 'a change') {
          at(tree, ['add', '--all']);
          at(tree, ['commit', '--quiet', '--allow-empty', `--message=${message}`]);
          at(tree, ['push', '--quiet', '--force', '--all', 'origin']);
          at(tree, ['push', '--quiet', '--force', '--tags', 'origin']);
          at(bare, ['update-server-info']);
          return at(tree, ['rev-parse', 'HEAD']);
        },
      };
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(root, { recursive: true });
    },
  };
}

/** CGI (RFC 3875) as far as `git http-backend` needs it. */
function bridge(request: IncomingMessage, response: ServerResponse, env: Readonly<Record<string, string>>): void {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const backend = spawn('git', ['http-backend'], {
    env: {
      REQUEST_METHOD: request.method ?? 'GET',
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      ...env,
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  request.pipe(backend.stdin);
  const pieces: Buffer[] = [];
  backend.stdout.on('data', (piece: Buffer) => pieces.push(piece));
  backend.on('close', () => {
    const answer = Buffer.concat(pieces);
    const end = answer.indexOf('\r\n\r\n');
    const headers = answer
      .subarray(0, end)
      .toString()
      .split('\r\n')
      .map((line) => /^([^:]+): *(.*)$/.exec(line)?.slice(1) ?? []);
    for (const [name = '', value = ''] of headers) {
      if (name.toLowerCase() === 'status') response.statusCode = Number.parseInt(value, 10);
      else if (name !== '') response.setHeader(name, value);
    }
    response.end(answer.subarray(end + 4));
  });
}
