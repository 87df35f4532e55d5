import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { succeeds } from './programs.ts';

/** A key and its certificate, in PEM form. */
export interface KeyPair {
  readonly key: string;
  readonly cert: string;
}

/** An authority of a test, which no program trusts by itself. */
export interface Authority {
  readonly cert: string;
  /** A certificate for these names (`registry.test`) and addresses, of a server or a client. */
  issue(...names: readonly string[]): KeyPair;
}

/** Certificates are made with openssl. */
export const hasOpenssl = succeeds(['openssl', 'version']);

export function makeAuthority(): Authority {
  const ca = openssl('/CN=Test Authority', ['basicConstraints=critical,CA:TRUE', 'keyUsage=keyCertSign']);
  return {
    cert: ca.cert,
    issue(...names) {
      const alternatives = names.map((name) => `${/^[0-9.]+$/.test(name) ? 'IP' : 'DNS'}:${name}`).join(',');
      return openssl(`/CN=${names[0] ?? ''}`, [`subjectAltName=${alternatives}`], ca);
    },
  };
}

function openssl(subject: string, extensions: readonly string[], issuer?: KeyPair): KeyPair {
  const directory = mkdtempSync(join(tmpdir(), 'build-once-certificate-'));
  const at = (name: string): string => join(directory, name);
  try {
    if (issuer !== undefined) {
      writeFileSync(at('ca.crt'), issuer.cert);
      writeFileSync(at('ca.key'), issuer.key, { mode: 0o600 });
    }
    const signed = issuer === undefined ? [] : ['-CA', at('ca.crt'), '-CAkey', at('ca.key')];
    const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    const added = extensions.flatMap((extension) => ['-addext', extension]);
    const files = ['-keyout', at('key'), '-out', at('crt')];
    execFileSync('openssl', ['req', ...kind, '-subj', subject, ...added, ...signed, ...files], { stdio: 'pipe' });
    return { key: readFileSync(at('key'), 'utf8'), cert: readFileSync(at('crt'), 'utf8') };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
