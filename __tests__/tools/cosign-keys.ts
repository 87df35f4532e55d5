import { generateKeyPairSync } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { mustRun } from '../support/programs.ts';

/** A pair of files as `cosign generate-key-pair` writes them. */
export interface KeyFiles {
  readonly key: string;
  readonly publicKey: string;
}

/** Makes `NAME.key` and `NAME.pub` in a directory with the real cosign. */
export async function generateKeys(
  directory: string,
  { name, password, PATH }: { readonly name: string; readonly password: string; readonly PATH: string },
): Promise<KeyFiles> {
  const prefix = path.join(directory, name);
  const env = { PATH, HOME: directory, COSIGN_PASSWORD: password };
  await mustRun(['cosign', 'generate-key-pair', `--output-key-prefix=${prefix}`], { env, cwd: directory });
  return { key: `${prefix}.key`, publicKey: fs.readFileSync(`${prefix}.pub`, 'utf8') };
}

/** A key in PEM form, as openssl writes it. */
export function pemKey(kind: 'ec' | 'rsa' | 'ed25519', passphrase?: string): string {
  const format = { type: 'pkcs8', format: 'pem' } as const;
  const { privateKey } =
    kind === 'ec'
      ? generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
      : kind === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ed25519');
  return privateKey
    .export(passphrase === undefined ? format : { ...format, cipher: 'aes-256-cbc', passphrase })
    .toString();
}
