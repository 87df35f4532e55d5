import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeDockerConfig, type Toolchain } from '../__tests__/support/toolchain.ts';
import { pushMirror } from '../__tests__/support/trivy-database.ts';
import { LOST_SNAPSHOT } from './docker.ts';
import { CLI, cliHit, flags, type Inputs, PLATFORMS, plainEnvironment } from './hit.ts';
import { type Contest, type Step, setUp, type Work } from './measure.ts';
import { writeSample } from './sample.ts';

/** Images in a real registry, real Trivy, and a small database that is on this machine; a mirror says that it is current. */
export interface ScanScene {
  /** Both platforms of an image against one of them and one more start of Trivy. */
  platforms(): Promise<Contest>;
  /** A reused image, both times: with a result that is kept with it, against no scan. */
  kept(): Promise<Contest>;
  /** A miss whose steps are cached, with a scan of both platforms against none. */
  miss(): Promise<Contest>;
  close(): Promise<void>;
}

export async function openScanScene(toolchain: Toolchain): Promise<ScanScene> {
  const directory = mkdtempSync(join(tmpdir(), 'build-once-scan-'));
  const workspace = join(directory, 'workspace');
  const env = {
    ...plainEnvironment(directory),
    ...toolchain.env,
    TMPDIR: directory,
    DOCKER_CONFIG: makeDockerConfig(toolchain, directory),
  };
  const place = { cwd: workspace, env };
  const inputs: Inputs = {
    images: `${toolchain.registry}/bench/scan`,
    platforms: PLATFORMS,
    'build-args': `BASE=${toolchain.baseImage}`,
    provenance: 'false',
    builder: 'default',
    'scan-db-repository': await pushMirror(toolchain),
  };
  const without: Inputs = { ...inputs, scan: 'false' };
  const scan = (platforms: string): Step => {
    const { 'scan-db-repository': mirror = '' } = inputs;
    const asked = flags({ platforms, 'scan-db-repository': mirror, 'scan-format': 'sarif' });
    return { ...place, argv: [process.execPath, CLI, 'scan', toolchain.vulnerableImage, ...asked] };
  };
  const trivy: Step = { ...place, argv: ['trivy', 'version', '--format=json'] };
  const build = (asked: Inputs, check: Work['check']): Work => ({
    steps: [{ ...place, argv: [process.execPath, CLI, 'build', ...flags({ ...asked, tags: 'main', force: 'true' })] }],
    check,
    chance: LOST_SNAPSHOT,
  });

  writeSample(workspace, 'small');
  return {
    async platforms() {
      const ours: Work = { steps: [scan(PLATFORMS)], check: says(/CRITICAL/) };
      const theirs: Work = { steps: [scan('linux/amd64'), trivy], check: says(/CRITICAL/) };
      await setUp(ours);
      return { ours: () => ours, theirs: () => theirs };
    },
    async kept() {
      await setUp(build(inputs, says(/^miss /m)));
      const ours: Work = { ...cliHit(inputs, place), check: says(/^hit: [\s\S]*kept since/m) };
      return { ours: () => ours, theirs: () => cliHit(without, place) };
    },
    async miss() {
      const theirs = build(without, says(/^miss /m));
      await setUp(theirs);
      return { ours: () => build(inputs, says(/^miss [\s\S]*passed: /m)), theirs: () => theirs };
    },
    close: async () => rmSync(directory, { recursive: true, force: true }),
  };
}

function says(pattern: RegExp): Work['check'] {
  return (written) => {
    if (pattern.test(written)) return '';
    throw new Error(`this was to say ${pattern.source}:\n${written.slice(-4000)}`);
  };
}
