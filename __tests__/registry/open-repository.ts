import { onTestFinished } from 'vitest';
import { openRegistries, type RegistriesSettings, type RegistryRepository } from '../../src/registry/open.ts';
import { fakeClock } from './scripted-server.ts';

/** The repository acme/app of a registry at this address, for one test. */
export function openRepository(host: string, settings: Partial<RegistriesSettings> = {}): RegistryRepository {
  const registries = openRegistries({ env: { DOCKER_CONFIG: '/nonexistent' }, clock: fakeClock(), ...settings });
  onTestFinished(() => registries.close());
  return registries.open({ registry: host, path: 'acme/app' });
}
