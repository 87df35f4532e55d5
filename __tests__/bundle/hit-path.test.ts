import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { textAt } from '../../src/core/json.ts';
import { scanSettingsDigest } from '../../src/core/scan-record.ts';
import { fetchImage } from '../../src/registry/image.ts';
import { type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { attachScan } from '../../src/scan-record.ts';
import { plantImage } from '../support/planted-image.ts';
import { CHECKOUT, mustRun, NODE_DIRECTORY } from '../support/programs.ts';
import { runAction } from '../support/runner.ts';
import { openByName } from '../support/trivy-database.ts';
import { trivyReport } from '../support/trivy-reports.ts';

/** What each file of the action may load by itself; a bundle more has to be asked for. */
const ALONE = ['action.yml', 'dist/package.json', 'dist/index.js', 'dist/post.js', 'dist/cli.js', 'dist/commands.js'];

/** Node's modules that a reused image in a registry without TLS may cost, with those that they load themselves. */
const ALLOWED =
  'async_hooks buffer diagnostics_channel events fs module path querystring timers url util util/types' +
  ' crypto os string_decoder timers/promises net stream stream/promises' +
  ' http _http_agent _http_client _http_common _http_incoming _http_outgoing _http_server';

/** Adds the names of the modules of Node that were loaded, at the end of each process. */
const WITNESS = `import { appendFileSync } from 'node:fs';
const prefix = 'NativeModule ';
process.on('exit', () => appendFileSync(process.env.WITNESS, process.moduleLoadList
  .filter((entry) => entry.startsWith(prefix) && !entry.startsWith(prefix + 'internal/'))
  .map((entry) => entry.slice(prefix.length) + '\\n').join('')));`;

let registry: RunningRegistry;
let directory: string;
let image: string;
let hashTag: string;
let env: Readonly<Record<string, string>>;
const workspace = (): string => join(directory, 'workspace');
const node = join(NODE_DIRECTORY, 'node');

beforeAll(async () => {
  registry = await startRegistry();
  directory = mkdtempSync(join(tmpdir(), 'build-once-hit-path-'));
  mkdirSync(workspace());
  writeFileSync(join(workspace(), 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
  writeFileSync(join(directory, 'witness.mjs'), WITNESS);
  for (const file of ALONE) cpSync(join(CHECKOUT, file), join(directory, file));
  image = `${registry.host}/acme/app`;
  const argv = [node, join(directory, 'dist/cli.js'), 'hash', '--json', '--platforms=linux/amd64'] as const;
  const hash = textAt(JSON.parse(await mustRun(argv, { cwd: workspace() })), 'hash') ?? '';
  const annotations = { 'dev.build-once.inputs': hash };
  hashTag = `hash-${hash.slice(0, 32)}`;
  await plantImage({ image, tags: [hashTag], annotations, buildSeconds: 60 });
  env = {
    PATH: NODE_DIRECTORY,
    WITNESS: join(directory, 'loaded'),
    NODE_OPTIONS: `--import=${join(directory, 'witness.mjs')}`,
  };
});
afterAll(async () => {
  await registry.close();
  rmSync(directory, { recursive: true });
});

beforeEach(() => rmSync(join(directory, 'loaded'), { force: true }));

function unexpected(): string[] {
  const loaded = readFileSync(join(directory, 'loaded'), 'utf8').trimEnd().split('\n');
  expect(loaded).toContain('http');
  return loaded.filter((name) => !ALLOWED.split(' ').includes(name));
}

describe('a hit needs one file, and of Node no TLS, no processes and no threads', () => {
  it('on the command line', async () => {
    const flags = ['--scan=false', `--images=${image}`, '--platforms=linux/amd64', '--tags=main'];
    const written = await mustRun([node, join(directory, 'dist/cli.js'), 'build', ...flags], { cwd: workspace(), env });
    expect(written).toContain('hit: ');
    expect(unexpected()).toEqual([]);
  });

  it('as an action', async () => {
    const inputs = { images: image, platforms: 'linux/amd64' };
    const result = await runAction({ action: directory, workspace: workspace(), with: inputs, env });
    expect(result.outputs['reason'], result.log).toBe('hit');
    expect(unexpected()).toEqual([]);
  });

  it('and with a scan that is kept with the image, one file more', async () => {
    await keepScan();
    const scanner = join(directory, 'dist/image-scanner.js');
    cpSync(join(CHECKOUT, 'dist/image-scanner.js'), scanner);
    const inputs = { images: image, platforms: 'linux/amd64', scan: 'true' };
    const result = await runAction({ action: directory, workspace: workspace(), with: inputs, env });
    rmSync(scanner);
    expect(result.outputs, result.log).toMatchObject({ reason: 'hit', 'scan-result': 'passed', critical: '2' });
    expect(unexpected()).toEqual([]);
  });
});

/** Keeps a scan of this moment with the image. */
async function keepScan(): Promise<void> {
  const { repository, close } = openByName(image);
  const found = await fetchImage(repository, { tag: hashTag });
  if (found?.manifest.kind !== 'index') throw new Error('there is no index');
  const settings = {
    scanners: ['vuln', 'secret'],
    pkgTypes: ['os', 'library'],
    skipDirs: [],
    skipFiles: [],
    ignoreFile: undefined,
    vex: [],
    trivyVersion: undefined,
  };
  const report: unknown = JSON.parse(trivyReport('languages'));
  await attachScan(repository, found.descriptor, {
    schema: 1,
    image: found.descriptor.digest,
    scannedAt: new Date().toISOString(),
    settings: scanSettingsDigest(settings),
    scanner: '0.70.0',
    database: undefined,
    platforms: found.manifest.manifests.map(({ digest }) => ({ platform: 'linux/amd64', digest, report })),
  });
  close();
}
