import fs from 'node:fs';
import { createServer } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import type { ProtectItem } from '../../../src/core/retention/policy.ts';
import type { Machine } from '../../../src/hosts/machine.ts';
import { createTerminalHost } from '../../../src/hosts/terminal.ts';
import type { GitHubApi } from '../../../src/retention/github-api.ts';
import type { ProtectionRequest } from '../../../src/retention/protections/find-protections.ts';
import { listen } from '../../support/listen.ts';
import { writeTree } from '../../support/write-tree.ts';

const APP = { registry: 'ghcr.io', path: 'acme/app' };
export const DIGEST = `sha256:${'a'.repeat(64)}`;
export const OTHER_DIGEST = `sha256:${'b'.repeat(64)}`;

/** What the server answers to a path below the API's address: a status, or the entries of a list, of which it gives pages. */
export type Routes = Readonly<Record<string, number | readonly unknown[] | Readonly<Record<string, unknown>>>>;

export interface GitHubServer {
  readonly api: Pick<GitHubApi, 'send'>;
  /** The paths and queries asked for. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

/** Speaks the few lists of GitHub's API, in pages. */
export async function startGitHub(routes: Routes): Promise<GitHubServer> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const route = routes[url.pathname] ?? 404;
    if (typeof route === 'number') {
      response.writeHead(route, { 'content-type': 'application/json' }).end('{"message":"Resource not accessible"}');
      return;
    }
    const size = Number(url.searchParams.get('per_page') ?? 30);
    const page = Number(url.searchParams.get('page') ?? 1);
    const isList = Array.isArray(route);
    const more = isList && route.length > page * size ? { link: `<http://x/?page=${page + 1}>; rel="next"` } : {};
    response.writeHead(200, { 'content-type': 'application/json', ...more });
    response.end(JSON.stringify(isList ? route.slice((page - 1) * size, page * size) : route));
  });
  const address = await listen(server);
  const api: Pick<GitHubApi, 'send'> = {
    async send({ method, path: below }) {
      const answer = await fetch(`http://${address}${below}`, { method });
      const json: unknown = await answer.json();
      return { status: answer.status, header: (name) => answer.headers.get(name) ?? undefined, json, dateMs: 0 };
    },
  };
  return {
    api,
    asked,
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
}

/** A workspace with a machine around it, and a folder of programs that come first on its PATH. */
export interface Site {
  readonly workspace: string;
  readonly host: Machine;
  write(files: Readonly<Record<string, string>>): void;
  /** A program: the body of a JavaScript function of `args`, `out(text)`, `err(text)`, which answers its exit code. */
  program(name: string, body: string): void;
  /** What its programs were called with. */
  calls(): readonly string[];
  request(changes?: Partial<ProtectionRequest>): ProtectionRequest;
  close(): Promise<void>;
}

export function openSite(): Site {
  const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'protections-')));
  const workspace = path.join(root, 'workspace');
  const programs = path.join(root, 'programs');
  const log = path.join(root, 'calls');
  fs.mkdirSync(workspace);
  // Node reads the program by the package that it lies in.
  writeTree(programs, { 'package.json': '{"type":"commonjs"}' });
  // Nothing else: a kubectl or docker of this machine is none of the test.
  const host = createTerminalHost({ cwd: workspace, env: { ...process.env, PATH: programs }, write: () => {} });
  return {
    workspace,
    host,
    write: (files) => writeTree(workspace, files),
    program(name, body) {
      const script = `#!${process.execPath}
const args = process.argv.slice(2);
require('node:fs').appendFileSync(${JSON.stringify(log)}, ${JSON.stringify(name)} + ' ' + args.join(' ') + '\\n');
const out = (text) => process.stdout.write(text + '\\n');
const err = (text) => process.stderr.write(text + '\\n');
process.exitCode = (() => { ${body} })() ?? 0;
`;
      fs.writeFileSync(path.join(programs, name), script, { mode: 0o755 });
    },
    calls: () => (fs.existsSync(log) ? fs.readFileSync(log, 'utf8').trim().split('\n') : []),
    request: (changes) => ({
      host,
      repository: APP,
      github: undefined,
      githubRepository: 'acme/app',
      workspace,
      tagPrefix: 'v',
      protect: [],
      own: { tags: [], digests: [] },
      ...changes,
    }),
    async close() {
      await host.finish();
      fs.rmSync(root, { recursive: true });
    },
  };
}

/** `@in-use(kubectl)` as the grammar reads it. */
export function sourceItem(text: string): ProtectItem {
  const [, name, argument] = /^@([a-z-]+)(?:\((.*)\))?$/.exec(text) ?? [];
  const source = (['releases', 'git-tags', 'in-use', 'file'] as const).find((one) => one === name);
  if (source === undefined) throw new Error(`no source: ${text}`);
  return { kind: 'source', text, optional: false, source, argument };
}
