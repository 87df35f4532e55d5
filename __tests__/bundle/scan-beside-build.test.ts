import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { listen } from '../support/listen.ts';
import { CHECKOUT, NODE_DIRECTORY } from '../support/programs.ts';
import { runAction } from '../support/runner.ts';
import { installStubDocker } from '../tools/stub-docker.ts';

/** A build that fails as soon as the database was asked for, or after 20 seconds. */
const DOCKER = `
  if (args[0] === 'version') return void out('{"Os":"linux","Arch":"amd64"}');
  if (args[1] === 'inspect') return void out('Name: default\\nDriver: docker-container\\n\\nNodes:\\nName: default\\nEndpoint: default\\nStatus: running\\nPlatforms: linux/amd64\\n');
  if (args[1] !== 'build' || args.some((arg) => arg.startsWith('--call'))) return 0;
  const waiting = new Int32Array(new SharedArrayBuffer(4));
  for (let waitedMs = 0; waitedMs < 20000 && !fs.existsSync(process.env.ASKED); waitedMs += 20) Atomics.wait(waiting, 0, 0, 20);
  return 1;`;

it('the database is fetched while the image is built, and no longer once the build has failed', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'scan-beside-build-test-'));
  const stub = installStubDocker(DOCKER);
  const asked = join(directory, 'asked');
  const silent = createServer(({ url = '' }) => {
    if (url.includes('/manifests/')) writeFileSync(asked, url);
  });
  const registry = await listen(silent);
  onTestFinished(() => {
    silent.closeAllConnections();
    silent.close();
    stub.remove();
    rmSync(directory, { recursive: true });
  });
  writeFileSync(join(stub.directory, 'trivy'), '#!/bin/sh\necho \'{"Version":"0.70.0"}\'\n');
  chmodSync(join(stub.directory, 'trivy'), 0o755);
  writeFileSync(join(directory, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
  const result = await runAction({
    action: CHECKOUT,
    workspace: directory,
    with: {
      images: 'app',
      push: 'false',
      platforms: 'linux/amd64',
      scan: 'true',
      'scan-db-repository': `${registry}/trivy-db`,
    },
    env: { PATH: `${stub.directory}:${NODE_DIRECTORY}:/usr/bin:/bin`, ASKED: asked, HOME: directory },
  });
  expect(result.log).toContain('BUILD_FAILED');
  expect(existsSync(asked), result.log).toBe(true);
}, 40_000);
