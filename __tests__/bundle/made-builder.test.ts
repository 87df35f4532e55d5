import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { CHECKOUT, NODE_DIRECTORY } from '../support/programs.ts';
import { runAction } from '../support/runner.ts';
import { installStubDocker } from '../tools/stub-docker.ts';

/** The current builder will not do; the configuration of the one that is made is kept, and then nothing works. */
const DOCKER = `
  if (args[0] === 'version') return void out('{"Os":"linux","Arch":"amd64"}');
  if (args[1] === 'inspect') return void out('Name: default\\nDriver: docker\\n\\nNodes:\\nName: default\\nEndpoint: default\\nStatus: running\\nPlatforms: linux/amd64\\n');
  const config = args.find((arg) => arg.startsWith('--config='));
  if (args[1] === 'create') write(process.env.KEPT, config === undefined ? '' : fs.readFileSync(config.slice('--config='.length), 'utf8'));
  return args[1] === 'rm' ? 0 : 1;`;

it('a builder that is made for the run knows how to get to caches and to what makes the SBOM', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'made-builder-test-'));
  const stub = installStubDocker(DOCKER);
  onTestFinished(() => {
    stub.remove();
    rmSync(directory, { recursive: true });
  });
  writeFileSync(join(directory, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
  const kept = join(directory, 'kept.toml');
  await runAction({
    action: CHECKOUT,
    workspace: directory,
    with: {
      images: 'app',
      push: 'false',
      platforms: 'linux/amd64',
      'cache-from': 'type=registry,ref=read.lan:5000/app:cache',
      'cache-to': 'type=registry,ref=127.0.0.1:5000/app:cache',
      sbom: 'generator=scan.lan:5000/scanner',
      'registry-insecure': 'read.lan:5000,scan.lan:5000,unused.lan:5000',
    },
    env: { PATH: `${stub.directory}:${NODE_DIRECTORY}`, KEPT: kept },
  });
  expect(readFileSync(kept, 'utf8')).toBe(
    '[registry."read.lan:5000"]\nhttp = true\n[registry."scan.lan:5000"]\nhttp = true\n',
  );
  const create = stub.calls().find(({ argv }) => argv[1] === 'create');
  expect(create?.argv).toContain('--driver-opt=network=host');
});
