import {
  formatRepositoryName,
  isDockerHub,
  isLoopback,
  type RepositoryName,
  registryAddress,
} from '../core/reference.ts';
import type { Credentials } from './credentials.ts';
import { Distribution } from './distribution.ts';
import { Endpoint } from './endpoint.ts';
import { createKeychain, type KeychainSettings } from './keychain.ts';
import type { Layout } from './layout.ts';
import { ManifestCache } from './manifest-cache.ts';
import { readProxies } from './proxies.ts';
import type { PushAccess, RegistryKnowledge, Repository, TagDeletion } from './repository.ts';
import { repositoryScope } from './scope.ts';
import { Session } from './session.ts';
import { createTransport, type TransportSettings } from './transport.ts';

export type RegistriesSettings = KeychainSettings & TransportSettings;

/** What a repository in a registry can do. */
export type RegistryRepository = Repository & PushAccess & TagDeletion & RegistryKnowledge;

/** Every registry of a run: one keychain, one pool of connections, tokens shared. */
export interface Registries {
  /**
   * A repository. With `push`, reads ask for the right to push at once, so that one token does for the whole run; where that
   * is refused they go on without. With `once`, no request is repeated. Makes no request.
   */
  open(name: RepositoryName, access?: 'pull' | 'push', patience?: 'once'): RegistryRepository;
  /**
   * Asks the repository's registry, once in all, for how it wants to be asked, while other things are done: of a first request
   * that is most of the way. Not where plain http is spoken: what is near asks for nothing. Never rejects.
   */
  greet(name: RepositoryName, access: 'pull' | 'push'): Promise<void>;
  /** An OCI image layout: a folder that holds what a registry would. A bundle of its own, which a reused image does not need. */
  openLayout(directory: string): Promise<Layout>;
  /** The credentials for a registry that Docker's own configuration lacks; see `Keychain`. */
  addition(registry: string): Promise<Credentials | undefined>;
  /** The credentials that reads of this repository use; see `Keychain`. */
  credentials(name: RepositoryName): Promise<Credentials | undefined>;
  /** The proxies of the environment as variables for programs that make requests of their own; nothing secret. */
  readonly proxyVariables: Readonly<Record<string, string>>;
  /** Closes the connections, so that the process can end. */
  close(): void;
}

/** Opens the registries of a run. Nothing is read and no connection is made before a repository is asked something. */
export function openRegistries(settings: RegistriesSettings): Registries {
  const keychain = createKeychain(settings);
  const transport = createTransport(settings);
  const insecure = new Set(settings.plainRegistries ?? []);
  const sessions = new Map<string, Session>();
  const caches = new Map<string, ManifestCache>();
  const sessionOf = ({ registry }: RepositoryName): Session => {
    const session =
      sessions.get(registry) ??
      new Session(originOf(registry, insecure), transport, (scope) => keychain.credentials(registry, scope));
    sessions.set(registry, session);
    return session;
  };
  return {
    open(name, access = 'pull', patience) {
      const session = sessionOf(name);
      const key = formatRepositoryName(name);
      const cache = caches.get(key) ?? new ManifestCache();
      caches.set(key, cache);
      return new Distribution(
        new Endpoint(name, session, { pushes: access === 'push', once: patience === 'once' }),
        cache,
      );
    },
    async greet(name, access) {
      if (sessions.has(name.registry) || originOf(name.registry, insecure).protocol !== 'https:') return;
      const session = sessionOf(name);
      await session.greet(new Endpoint(name, session, { pushes: access === 'push' }).access({ method: 'GET' }));
    },
    async openLayout(directory) {
      const { openLayout } = await import(/* webpackIgnore: true */ './layout.ts');
      return openLayout(directory);
    },
    addition: (registry) => keychain.addition(registry),
    credentials: ({ registry, path }) => keychain.credentials(registry, repositoryScope(path, ['pull'])),
    proxyVariables: readProxies(settings.env).variables,
    close: () => transport.close(),
  };
}

/** Where a registry answers: Docker Hub under another name, this machine and `insecure` ones over plain http, all others over https. */
export function originOf(registry: string, insecure: ReadonlySet<string> = new Set()): URL {
  const isPlain = isLoopback(registry) || (insecure.has(registry) && !isDockerHub(registry));
  return new URL(`${isPlain ? 'http' : 'https'}://${registryAddress(registry)}`);
}
