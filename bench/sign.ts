import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { plantImage } from '../__tests__/support/planted-image.ts';
import { CHECKOUT } from '../__tests__/support/programs.ts';
import { GITHUB_ISSUER, MAIN_JOB, startSigstore, subjectOf } from '../__tests__/support/sigstore.ts';
import type { Toolchain } from '../__tests__/support/toolchain.ts';
import { startRegistry } from '../src/registry/server.ts';
import { plainEnvironment } from './hit.ts';
import type { Contest, Step, Work } from './measure.ts';

/** Images to be signed, with Sigstore's services and a registry on loopback. */
export interface SignScene {
  /** The three manifests of an image for two platforms, against `cosign sign` and `cosign verify` of each. */
  readonly cosign: Contest;
  /** Four manifests in one process, against three. */
  readonly more: Contest;
  close(): Promise<void>;
}

const MANIFESTS = 3;

/** What a run does with each digest: sign it, attach the bundle, read it back and verify it. */
const SIGN = `
const [{ openSigner, openTrust, signImage }, { openRegistries }, { createTerminalHost }] =
  await Promise.all(process.argv.slice(2, 5).map((file) => import(file)));
const host = createTerminalHost();
const settings = { transport: {}, trustedRoot: 'root.json', signingConfig: 'config.json' };
const registries = openRegistries({ env: process.env });
const signer = openSigner(host, settings);
const trust = await openTrust(host, settings);
const [registry] = process.argv.slice(1);
for (const path of process.argv.slice(5)) {
  const repository = registries.open({ registry, path }, 'push');
  const image = await repository.resolve({ tag: 'main' });
  const { isNew } = await signImage({ host, signer, trust }, { repository, image });
  if (!isNew) throw new Error('it was signed already');
}
signer.close();
registries.close();
await host.finish();`;

export async function openSignScene(toolchain: Toolchain | undefined): Promise<SignScene> {
  const directory = mkdtempSync(join(tmpdir(), 'build-once-sign-'));
  const [services, registry] = await Promise.all([startSigstore(), startRegistry()]);
  writeFileSync(join(directory, 'root.json'), services.trustedRoot);
  writeFileSync(join(directory, 'config.json'), services.signingConfig);
  const env = { ...plainEnvironment(directory), ...toolchain?.env, ...services.jobEnv() };
  const library = ['dist/sigstore', 'lib/registry/open', 'lib/hosts/terminal'].map((name) =>
    join(CHECKOUT, `${name}.js`),
  );
  const plant = async (): Promise<{ path: string; reference: string }> => {
    const path = `bench/${randomUUID()}`;
    const digest = await plantImage({
      image: `${registry.host}/${path}`,
      tags: ['main'],
      environment: [`PATH=${path}`],
    });
    return { path, reference: `${registry.host}/${path}@${digest}` };
  };
  const step = (...argv: [string, ...string[]]): Step => ({ argv, env, cwd: directory });
  const ours = async (count: number): Promise<Work> => {
    const paths: string[] = [];
    for (let image = 0; image < count; image += 1) paths.push((await plant()).path);
    const script = ['--input-type=module', '-e', SIGN, registry.host, ...library, ...paths];
    return { steps: [step(process.execPath, ...script)], check: () => '' };
  };
  const theirs = async (): Promise<Work> => {
    const identity = [`--certificate-identity=${subjectOf(MAIN_JOB)}`, `--certificate-oidc-issuer=${GITHUB_ISSUER}`];
    const root = '--trusted-root=root.json';
    const steps: Step[] = [];
    for (let image = 0; image < MANIFESTS; image += 1) {
      const { reference } = await plant();
      steps.push(step('cosign', 'sign', '-y', '--signing-config=config.json', root, reference));
      steps.push(step('cosign', 'verify', root, ...identity, reference));
    }
    return { steps, check: () => '' };
  };
  return {
    cosign: { ours: () => ours(MANIFESTS), theirs },
    more: { ours: () => ours(MANIFESTS + 1), theirs: () => ours(MANIFESTS) },
    async close() {
      services.close();
      await registry.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
