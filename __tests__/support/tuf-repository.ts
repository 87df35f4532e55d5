import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** The files of a TUF repository by their paths, and the root that trust begins with. */
export interface TufFiles {
  readonly files: ReadonlyMap<string, Buffer>;
  readonly root: Buffer;
}

export interface TufSettings {
  /** Contents by name. */
  readonly targets: Readonly<Record<string, string>>;
  readonly expires?: string;
  /** Of snapshot, targets and timestamp; the root stays at 1. */
  readonly version?: number;
  /** Signs; a new one when absent. */
  readonly key?: TufKey;
}

export interface TufKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export function makeTufKey(): TufKey {
  return generateKeyPairSync('ed25519');
}

/** One key for all roles: https://theupdateframework.github.io/specification/v1.0.33/ */
export function makeTufRepository({
  targets,
  expires = '2099-01-01T00:00:00Z',
  version = 1,
  key = makeTufKey(),
}: TufSettings): TufFiles {
  const keyId = createHash('sha256')
    .update(key.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
  const raw = key.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('hex');
  const files = new Map<string, Buffer>();
  const role = { keyids: [keyId], threshold: 1 };
  const seal = (signed: Readonly<Record<string, unknown>>): Buffer => {
    const sig = sign(undefined, Buffer.from(canonical(signed)), key.privateKey).toString('hex');
    return Buffer.from(JSON.stringify({ signed, signatures: [{ keyid: keyId, sig }] }));
  };
  const base = { spec_version: '1.0.31', version, expires };
  const meta = (content: Buffer) => ({ length: content.length, hashes: { sha256: sha256(content) } });
  const root = seal({
    ...base,
    version: 1,
    _type: 'root',
    consistent_snapshot: true,
    keys: { [keyId]: { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: raw } } },
    roles: { root: role, timestamp: role, snapshot: role, targets: role },
  });
  const described = Object.entries(targets).map(([name, text]) => {
    const content = Buffer.from(text);
    files.set(`/targets/${sha256(content)}.${name}`, content);
    return [name, meta(content)] as const;
  });
  const top = seal({ ...base, _type: 'targets', targets: Object.fromEntries(described) });
  files.set(`/${version}.targets.json`, top);
  const snapshot = seal({ ...base, _type: 'snapshot', meta: { 'targets.json': { version, ...meta(top) } } });
  files.set(`/${version}.snapshot.json`, snapshot);
  files.set(
    '/timestamp.json',
    seal({ ...base, _type: 'timestamp', meta: { 'snapshot.json': { version, ...meta(snapshot) } } }),
  );
  return { files, root };
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Keys sorted, no blanks: enough for what stands in these files. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, one]) => `${JSON.stringify(name)}:${canonical(one)}`).join(',')}}`;
}
