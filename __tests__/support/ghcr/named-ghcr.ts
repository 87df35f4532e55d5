import type { Authority } from '../certificates.ts';
import { makeAuthority } from '../certificates.ts';
import { type ForwardProxy, startForwardProxy } from '../forward-proxy.ts';
import { createGhcr, type Ghcr } from './ghcr.ts';
import type { GhcrOptions } from './options.ts';

/** A stand-in that is reached as the services are: under their names, over TLS, through a proxy. */
export interface NamedGhcr {
  readonly ghcr: Ghcr;
  readonly proxy: ForwardProxy;
  /** What a run needs to find it: the proxy and the address of the API. */
  readonly env: Readonly<Record<'HTTPS_PROXY' | 'GITHUB_API_URL' | 'GITHUB_SERVER_URL', string>>;
  /** Of the authority that `registry-ca` is to name, in PEM form. */
  readonly authorities: string;
  close(): Promise<void>;
}

/** With `server`, `ghes.example` and `containers.ghes.example` are a GitHub Enterprise Server; else it is github.com. */
export async function startNamedGhcr(
  options: GhcrOptions & { readonly server?: string; readonly authority?: Authority } = {},
): Promise<NamedGhcr> {
  const { server, authority = makeAuthority(), ...rest } = options;
  const names = server === undefined ? ['ghcr.io', 'api.github.com'] : [server, `containers.${server}`];
  const ghcr = createGhcr({ ...rest, tls: authority.issue(...names) });
  await ghcr.listen();
  const proxy = await startForwardProxy({
    routes: Object.fromEntries(names.map((name) => [`${name}:443`, ghcr.host])),
  });
  return {
    ghcr,
    proxy,
    env: {
      HTTPS_PROXY: proxy.url,
      GITHUB_API_URL: server === undefined ? 'https://api.github.com' : `https://${server}/api/v3`,
      GITHUB_SERVER_URL: `https://${server ?? 'github.com'}`,
    },
    authorities: authority.cert,
    async close() {
      await proxy.close();
      await ghcr.close();
    },
  };
}
