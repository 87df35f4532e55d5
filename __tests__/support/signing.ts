import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createTerminalHost } from '../../src/hosts/terminal.ts';
import type { Descriptor } from '../../src/oci/types.ts';
import { openRegistries } from '../../src/registry/open.ts';
import type { Repository } from '../../src/registry/repository.ts';
import { type RegistryOptions, type RunningRegistry, startRegistry } from '../../src/registry/server.ts';
import { loadSigstore } from '../../src/tools/load.ts';
import type { Signing } from '../../src/tools/sigstore.ts';
import type { SigstoreSettings } from '../../src/tools/sigstore-trust.ts';
import { plantImage } from './planted-image.ts';
import {
  type Job,
  type SigstoreServices,
  type SigstoreSettings as StandInSettings,
  startSigstore,
} from './sigstore.ts';

/** A directory of this test. */
export function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'signing-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Sigstore's services for this test. */
export async function openSigstore(settings?: StandInSettings): Promise<SigstoreServices> {
  const services = await startSigstore(settings);
  onTestFinished(() => services.close());
  return services;
}

/** A registry for this test. */
export async function openRegistry(options?: RegistryOptions): Promise<RunningRegistry> {
  const registry = await startRegistry(options);
  onTestFinished(() => registry.close());
  return registry;
}

/** A repository with one image. */
export interface Place {
  readonly repository: Repository;
  readonly image: Descriptor;
  /** `host/path@digest` */
  readonly reference: string;
}

/** Puts an image into a repository of this registry. */
export async function openPlace(host: string, path = 'acme/app'): Promise<Place> {
  await plantImage({ image: `${host}/${path}`, tags: ['1'], environment: [`PLACE=${path}`] });
  return reopenPlace(host, path);
}

/** The same with connections and a memory of its own, as another machine has. */
export async function reopenPlace(host: string, path = 'acme/app'): Promise<Place> {
  const registries = openRegistries({ env: {} });
  onTestFinished(() => registries.close());
  const repository = registries.open({ registry: host, path }, 'push');
  const image = await repository.resolve({ tag: '1' });
  if (image === undefined) throw new Error('the image is not there');
  return { repository, image, reference: `${host}/${path}@${image.digest}` };
}

/** What a run of this job signs with. */
export interface TestSigning extends Signing {
  readonly settings: SigstoreSettings;
  readonly directory: string;
  /** What it logged. */
  readonly lines: readonly string[];
}

/** Signing as one job, with the trusted root and signing config of these services in files. */
export async function openSigning(
  services: SigstoreServices,
  {
    job,
    env = {},
    trustedRoot = services.trustedRoot,
    signingConfig = services.signingConfig,
    transport = { attempts: 1 },
  }: {
    readonly job?: Job;
    readonly env?: Readonly<Record<string, string>>;
    readonly trustedRoot?: string;
    readonly signingConfig?: string;
    readonly transport?: SigstoreSettings['transport'];
  } = {},
): Promise<TestSigning> {
  const { openSigner, openTrust } = await loadSigstore();
  const directory = makeDirectory();
  const lines: string[] = [];
  const host = createTerminalHost({
    cwd: directory,
    env: { ...services.jobEnv(job), HOME: directory, ...env },
    write: (line) => void lines.push(line),
  });
  onTestFinished(() => host.finish());
  writeFileSync(join(directory, 'root.json'), trustedRoot);
  writeFileSync(join(directory, 'config.json'), signingConfig);
  const settings = { transport, trustedRoot: 'root.json', signingConfig: 'config.json' };
  const signer = openSigner(host, settings);
  onTestFinished(() => signer.close());
  return { host, signer, trust: await openTrust(host, settings), settings, directory, lines };
}
