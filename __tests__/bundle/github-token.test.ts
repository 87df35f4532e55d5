import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startRegistry } from '../../src/registry/server.ts';
import { type ScriptedServer, serve } from '../registry/scripted-server.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT, NODE_DIRECTORY } from '../support/programs.ts';
import { runAction } from '../support/runner.ts';

const TOKEN = 'ghs_0fake0token0of0the0job';
const LOGIN = `Basic ${Buffer.from(`octocat:${TOKEN}`).toString('base64')}`;

/** GitHub's registry: tokens for whoever shows the job's token, and nothing without one. */
async function startGithubRegistry(target: string): Promise<ScriptedServer> {
  const server = await serve(({ method, path, headers, body }, response) => {
    if (path.startsWith('/token?')) {
      response.writeHead(headers.authorization === LOGIN ? 200 : 403).end('{"token":"granted"}');
    } else if (headers.authorization !== 'Bearer granted') {
      const challenge = `Bearer realm="http://${headers.host}/token",service="ghcr.io",scope="repository:user/image:pull"`;
      response.writeHead(401, { 'www-authenticate': challenge }).end();
    } else {
      const { accept = '*/*', 'content-type': type = '' } = headers;
      const content = body === '' ? {} : { body };
      void fetch(`http://${target}${path}`, { method, headers: { accept, 'content-type': type }, ...content }).then(
        async (answer) => {
          response.writeHead(answer.status, Object.fromEntries(answer.headers));
          response.end(Buffer.from(await answer.arrayBuffer()));
        },
      );
    }
  });
  return server;
}

it("a job with nothing but its own token reads and tags in GitHub's registry", async () => {
  const registry = await startRegistry();
  onTestFinished(() => registry.close());
  const github = await startGithubRegistry(registry.host);
  const workspace = mkdtempSync(join(tmpdir(), 'github-token-'));
  onTestFinished(() => rmSync(workspace, { recursive: true }));
  writeFileSync(join(workspace, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
  // The registry of a GitHub server is its host after "containers.", which this machine need not know.
  const names = join(workspace, '..', `${workspace.split('/').at(-1)}-names.cjs`);
  onTestFinished(() => rmSync(names));
  writeFileSync(
    names,
    `const dns = require('node:dns'); const { lookup } = dns;
     dns.lookup = (name, ...rest) => lookup(name === 'containers.localhost' ? '127.0.0.1' : name, ...rest);`,
  );
  const port = github.host.split(':')[1];
  const step = (): ReturnType<typeof runAction> =>
    runAction({
      action: CHECKOUT,
      workspace,
      with: {
        images: `containers.localhost:${port}/acme/app`,
        platforms: 'linux/amd64',
        'registry-insecure': `containers.localhost:${port}`,
      },
      event: { token: TOKEN },
      env: {
        PATH: NODE_DIRECTORY,
        NODE_OPTIONS: `--require=${names}`,
        GITHUB_SERVER_URL: `http://localhost:${port}`,
      },
    });

  const missed = await step();
  expect(missed.log).toContain('DOCKER_MISSING');
  const hash = missed.outputs['hash'] ?? '';
  const image = `${registry.host}/acme/app`;
  const annotations = { 'dev.build-once.inputs': hash };
  const digest = await plantImage({ image, tags: [`hash-${hash.slice(0, 32)}`], annotations });
  const result = await step();
  expect(result.log).not.toContain(TOKEN);
  expect(result).toMatchObject({ status: 'success', outputs: { built: 'false', digest, pushed: 'true' } });
  const tagged = github.seen.find(({ method, path }) => method === 'PUT' && path.endsWith('/manifests/main'));
  expect(tagged?.headers.authorization).toBe('Bearer granted');
  for (const { path, headers } of github.seen) {
    if (path.startsWith('/token?')) expect(headers.authorization).toBe(LOGIN);
    else expect(['Bearer granted', undefined]).toContain(headers.authorization);
  }
});
