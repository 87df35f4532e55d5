import type { RepositoryName } from '../core/reference.ts';
import type { Host } from '../host.ts';
import type { Registries } from '../registry/open.ts';
import { MAX_CERTIFICATES_BYTES } from '../regular-file.ts';
import { openLogins } from './docker-config.ts';

/** How Trivy gets to the registry that an image is in. */
export interface ScanAccess {
  /** Leads to the credentials, and names proxies. */
  readonly env: Readonly<Record<string, string>>;
  /** Certificates to trust besides the system's, in PEM form. */
  readonly authorities: string | undefined;
  /** Registries that may be spoken to over plain http. */
  readonly plainRegistries: readonly string[];
}

export interface AccessSettings {
  readonly registries: Registries;
  /** Of the input `registry-ca`, in PEM form. */
  readonly authorities: string | undefined;
  /** The input `registry-insecure`. */
  readonly plainRegistries: readonly string[];
}

/** For an image that is on this machine. */
export const NO_ACCESS: ScanAccess = { env: {}, authorities: undefined, plainRegistries: [] };

/** The run's own way to a repository, and to no other: its credentials are in a private file, which goes with the run. */
export async function openScanAccess(
  host: Host,
  name: RepositoryName,
  { registries, authorities, plainRegistries }: AccessSettings,
): Promise<ScanAccess> {
  const credentials = await registries.credentials(name);
  const logins = credentials === undefined ? [] : [{ registry: name.registry, credentials }];
  const extra = host.env['NODE_EXTRA_CA_CERTS'];
  const own = extra === undefined || extra === '' ? undefined : host.files.readRegular(extra, MAX_CERTIFICATES_BYTES);
  const pem = [authorities, own].filter((text) => text !== undefined).join('\n');
  return {
    env: { ...proxies(host, registries), ...openLogins(host, logins) },
    authorities: pem === '' ? undefined : pem,
    plainRegistries,
  };
}

/** Go knows no ALL_PROXY. */
function proxies({ env }: Host, { proxyVariables }: Registries): Readonly<Record<string, string>> {
  const all = env['all_proxy'] || env['ALL_PROXY'];
  if (!all) return proxyVariables;
  const names = ['HTTP_PROXY', 'HTTPS_PROXY'].filter((name) => !env[name] && !env[name.toLowerCase()]);
  return { ...Object.fromEntries(names.map((name) => [name, all])), ...proxyVariables };
}
