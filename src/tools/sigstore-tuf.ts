import path from 'node:path';
import seeds from '@sigstore/tuf/seeds.json' with { type: 'json' };
import { BaseFetcher, Updater } from 'tuf-js';
import { DownloadHTTPError } from 'tuf-js/dist/error.js';
import { quote, toLine } from '../core/printable.ts';
import { BuildOnceError, isBuildOnceError, isRegistryError } from '../errors.ts';
import type { Host } from '../host.ts';
import { publicUrl } from '../registry/failure.ts';
import { type Attempt, retry } from '../registry/retry.ts';
import { createTransport, type Transport, type TransportSettings } from '../registry/transport.ts';
import { cacheDirectory, writableOr } from './cache-directory.ts';

/** A TUF repository and the root that trust in it begins with. */
export interface TufRepository {
  readonly url: string;
  /** `root.json` */
  readonly root: Uint8Array;
}

const PUBLIC_URL = 'https://tuf-repo-cdn.sigstore.dev';
const ATTEMPTS = 3;
const MAX_FILE_BYTES = 8 << 20;

/** What public Sigstore publishes under this name, by the root that came with this program. As of {@link fetchTarget}. */
export function fetchPublicTarget(host: Host, settings: TransportSettings, name: string): Promise<string> {
  const root = Buffer.from(seeds[PUBLIC_URL]['root.json'], 'base64');
  return fetchTarget(host, settings, { repository: { url: PUBLIC_URL, root }, name });
}

/**
 * A file of a TUF repository, verified and kept in this user's cache; what is fresh there is not downloaded again.
 * BuildOnceError `VERIFY_ROOT_UNAVAILABLE` when the repository cannot be asked, or what it says is not to be trusted.
 */
export async function fetchTarget(
  host: Host,
  settings: TransportSettings,
  { repository, name }: { readonly repository: TufRepository; readonly name: string },
): Promise<string> {
  const place = path.join(cacheDirectory(host), 'tuf', new URL(repository.url).host.replace(/[^a-z0-9.-]/gi, '_'));
  const directory = await writableOr(host, place);
  const at = (file: string): string => path.join(directory, file);
  if (host.files.kindOf(at('root.json')) !== 'file') host.files.write(at('root.json'), repository.root);
  // Makes the directory.
  host.files.write(at(path.join('targets', '.keep')), '');
  const transport = createTransport({ ...settings, attempts: settings.attempts ?? ATTEMPTS });
  try {
    const updater = new Updater({
      metadataDir: directory,
      metadataBaseUrl: repository.url,
      targetDir: at('targets'),
      targetBaseUrl: `${repository.url}/targets`,
      fetcher: new TransportFetcher(transport),
    });
    const target = await updater.getTargetInfo(name);
    if (target === undefined) throw unavailable(repository, `it has no ${quote(name)}`);
    const file = (await updater.findCachedTarget(target)) ?? (await updater.downloadTarget(target));
    return host.files.readText(file) ?? '';
  } catch (cause) {
    host.signal.throwIfAborted();
    // Of ours and not of the network: a folder that cannot be written.
    if (isBuildOnceError(cause) && !isRegistryError(cause)) throw cause;
    throw unavailable(repository, cause instanceof Error ? toLine(cause.message, 300) : 'it failed', cause);
  } finally {
    transport.close();
  }
}

/** tuf-js by itself knows no proxies and no certificates of one's own. */
class TransportFetcher extends BaseFetcher {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    super();
    this.#transport = transport;
  }

  override async fetch(address: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    const bytes = await retry(this.#transport.rules, () => attempt(this.#transport, new URL(address)));
    return new Blob([bytes]).stream();
  }
}

async function attempt(transport: Transport, url: URL): Promise<Attempt<Uint8Array<ArrayBuffer>>> {
  const outcome = await transport.attempt({ method: 'GET', url, limitBytes: MAX_FILE_BYTES });
  if (!('value' in outcome)) return outcome;
  const { status, body } = outcome.value;
  // Of this class with a 404, it means that there is no newer root.
  if (status !== 200) throw new DownloadHTTPError(`GET ${publicUrl(url)}: the answer is ${status}`, status);
  return { value: new Uint8Array(body) };
}

function unavailable({ url }: TufRepository, problem: string, cause?: unknown): BuildOnceError {
  const hint = isRegistryError(cause) ? cause.hint : undefined;
  return new BuildOnceError('VERIFY_ROOT_UNAVAILABLE', `the TUF repository ${quote(url)} is of no use: ${problem}`, 1, {
    hint: hint ?? 'Let the machine reach it, or name a file in sigstore-trusted-root and sigstore-signing-config.',
    cause,
  });
}
