import { X509Certificate } from 'node:crypto';
import path from 'node:path';
import type { SecureContext, SecureContextOptions } from 'node:tls';
import { type Parsed, parsed, unparsable } from '../core/parsed.ts';
import { quote, toLine } from '../core/printable.ts';
import { BuildOnceError } from '../errors.ts';
import { isUnfit, MAX_CERTIFICATES_BYTES, readRegularFile, whyUnreadable } from '../regular-file.ts';
import { listOptionalFolder } from './optional-folder.ts';

export interface TrustSettings {
  /** Authorities to trust besides Node's own, in PEM form. */
  readonly authorities?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Whose certificates are believed, and what we show of our own. */
export interface Trust {
  /**
   * For TLS connections to this host; `undefined` when Node's defaults are all there is. Read once for each host.
   * BuildOnceError CERTIFICATES_INVALID.
   */
  contextFor(target: URL): SecureContext | undefined;
}

type Tls = typeof import('node:tls');

const BEGIN = '-----BEGIN CERTIFICATE-----';
const END = '-----END CERTIFICATE-----';

/**
 * Trusts what Node trusts (NODE_EXTRA_CA_CERTS too), the given authorities, those of SSL_CERT_FILE, and for each host what
 * Docker's users lay down in `certs.d`: https://docs.docker.com/engine/security/certificates/ Nothing is read before it is asked.
 */
export function openTrust({ authorities, env }: TrustSettings): Trust {
  const contexts = new Map<string, SecureContext | undefined>();
  let everywhere: readonly string[] | undefined;
  return {
    contextFor(target) {
      const { host } = target;
      if (contexts.has(host)) return contexts.get(host);
      everywhere ??= [authorities ?? '', readEnvironmentFile('SSL_CERT_FILE', env)].flatMap(certificatesIn);
      const own = foldersOf(target, env).map(readFolder);
      const context = contextOf(everywhere, own, env);
      contexts.set(host, context);
      return context;
    },
  };
}

/** The text of a PEM file with certificates, as it is; what is wrong with it otherwise. Other blocks in it are let be. */
export function parseAuthorities(text: string): Parsed<string> {
  const blocks = certificatesIn(text);
  if (blocks.length === 0) return unparsable('holds no certificate in PEM form');
  for (const [index, block] of blocks.entries()) {
    try {
      // Parsing is the check.
      void new X509Certificate(block);
    } catch {
      return unparsable(`holds a certificate that cannot be read, number ${index + 1}`);
    }
  }
  return parsed(text);
}

interface FolderContent {
  readonly folder: string;
  readonly ca: readonly string[];
  readonly pairs: readonly { readonly cert: string; readonly key: string }[];
}

/** Docker keeps one folder a host; the port 443 may stand in its name or not. */
function foldersOf({ host, port }: URL, env: TrustSettings['env']): readonly string[] {
  // A registry may redirect to https://../, which is a URL, and a folder that is no host's.
  if (/^\.+(?::|$)/.test(host)) return [];
  const home = env['HOME'] || env['USERPROFILE'];
  const own = env['XDG_CONFIG_HOME'] || (home && path.join(home, '.config'));
  const roots = ['/etc/docker/certs.d', ...(own ? [path.join(own, 'docker', 'certs.d')] : [])];
  return roots.flatMap((root) => [host, ...(port === '' ? [`${host}:443`] : [])].map((name) => path.join(root, name)));
}

/** `NAME.crt` is an authority; `NAME.cert` with `NAME.key` is what we show to a registry that asks for a certificate. */
function readFolder(folder: string): FolderContent {
  const names = listFolder(folder);
  const read = (name: string): string => {
    try {
      return readRegularFile(path.join(folder, name), MAX_CERTIFICATES_BYTES);
    } catch (cause) {
      throw invalid(folder, `${quote(name)} ${whyUnreadable(cause)}`, cause);
    }
  };
  const pairs = names
    .filter((name) => name.endsWith('.cert'))
    .map((name) => {
      const key = `${name.slice(0, -'.cert'.length)}.key`;
      if (!names.includes(key)) throw invalid(folder, `${quote(name)} has no ${quote(key)} beside it`);
      return { cert: read(name), key: read(key) };
    });
  return { folder, ca: names.filter((name) => name.endsWith('.crt')).map(read), pairs };
}

function listFolder(folder: string): readonly string[] {
  try {
    return [...listOptionalFolder(folder)].sort();
  } catch (cause) {
    throw invalid(folder, 'it cannot be read', cause);
  }
}

function contextOf(
  everywhere: readonly string[],
  folders: readonly FolderContent[],
  env: TrustSettings['env'],
): SecureContext | undefined {
  const found = folders.filter(({ ca, pairs }) => ca.length > 0 || pairs.length > 0);
  const ca = [...everywhere, ...found.flatMap((one) => one.ca)];
  const pairs = found.flatMap((one) => one.pairs);
  if (ca.length === 0 && pairs.length === 0) return undefined;
  // Loaded when needed, as is TLS itself.
  const tls = process.getBuiltinModule('node:tls');
  const options: SecureContextOptions = {
    ...(ca.length === 0 ? {} : { ca: [...defaultAuthorities(env), ...ca] }),
    ...(pairs.length === 0 ? {} : { cert: pairs.map(({ cert }) => cert), key: pairs.map(({ key }) => key) }),
  };
  try {
    return tls.createSecureContext(options);
  } catch (cause) {
    const where = found.map(({ folder }) => folder).join(', ');
    throw invalid(where, cause instanceof Error ? toLine(cause.message, 200) : 'it is not usable', cause);
  }
}

/** What stands in for no `ca` at all: naming one replaces the defaults. */
function defaultAuthorities(env: TrustSettings['env']): readonly string[] {
  const tls: Pick<Tls, 'rootCertificates'> & Partial<Tls> = process.getBuiltinModule('node:tls');
  // Since Node 22.15; it knows NODE_EXTRA_CA_CERTS and the options of Node itself.
  if (tls.getCACertificates !== undefined) return tls.getCACertificates('default');
  return [...tls.rootCertificates, ...certificatesIn(readEnvironmentFile('NODE_EXTRA_CA_CERTS', env))];
}

/** As Go and Node do: what such a variable names need not be there. What is there and is no file is a mistake. */
function readEnvironmentFile(variable: string, env: TrustSettings['env']): string {
  const file = env[variable];
  try {
    return file ? readRegularFile(file, MAX_CERTIFICATES_BYTES) : '';
  } catch (cause) {
    if (!isUnfit(cause)) return '';
    throw new BuildOnceError(
      'CERTIFICATES_INVALID',
      `${variable} names ${quote(file ?? '')}, which ${whyUnreadable(cause)}`,
      1,
      {
        hint: `Let ${variable} name a file of certificates in PEM form, or unset it.`,
        cause,
      },
    );
  }
}

function certificatesIn(text: string): readonly string[] {
  // Split, not matched: a text of beginnings without an end takes a regular expression hours.
  return text
    .split(END)
    .slice(0, -1)
    .flatMap((part) => (part.includes(BEGIN) ? [part.slice(part.indexOf(BEGIN)) + END] : []));
}

function invalid(folder: string, problem: string, cause?: unknown): BuildOnceError {
  return new BuildOnceError('CERTIFICATES_INVALID', `the certificates in ${quote(folder)}: ${problem}`, 1, {
    hint: 'The folder holds NAME.crt for authorities, and NAME.cert with NAME.key for a certificate of your own.',
    cause,
  });
}
