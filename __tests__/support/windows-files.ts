import { createHash } from 'node:crypto';
import { posix, win32 } from 'node:path';
import type { FileDigest, FileEntry, Files } from '../../src/host.ts';

/** What a checkout holds, by path with `/` between the names. */
export type Tree = Readonly<Record<string, TreeEntry>>;

export type TreeEntry =
  | { readonly kind: 'file'; readonly text: string; readonly executable?: boolean }
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'directory' };

/** The tree as Linux shows it, at `/work`; as Windows does, at `C:\work`, with git's index in it. */
export function posixFiles(tree: Tree): Files {
  return filesOf(tree, (at) => posix.resolve('/work', at), {
    path: posix,
    nameOf: (absolute) => posix.relative('/work', absolute),
  });
}

/** No exec bits, `\` between names, names found in any case, another order. */
export function windowsFiles(tree: Tree, directory = 'C:\\work'): Files {
  const bits = Object.entries(tree).flatMap(([name, entry]): [string, boolean][] =>
    entry.kind === 'file' ? [[name, entry.executable === true]] : [],
  );
  const index = { kind: 'file', text: Buffer.from(gitIndex(new Map(bits))).toString('latin1') } as const;
  const checkout: Tree = { '.git/index': index, ...tree };
  const files = filesOf(checkout, (at) => win32.resolve(directory, at), {
    path: win32,
    nameOf(absolute) {
      const name = win32.relative(directory, absolute).replaceAll('\\', '/');
      const known = [...Object.keys(checkout), ...directoriesOf(checkout)];
      return known.find((one) => one.toLowerCase() === name.toLowerCase()) ?? name;
    },
  });
  return {
    ...files,
    read: (at) => (at.endsWith('\\index') ? Buffer.from(files.readText(at) ?? '', 'latin1') : files.read(at)),
    digest: (at) => ({ ...files.digest(at), executable: true }),
    list: (at) => files.list(at)?.toReversed(),
    readLink: (at) => files.readLink(at).replaceAll('/', '\\'),
  };
}

/** An index of version 2 with these files, as git would write it but for the checksum. */
export function gitIndex(executables: ReadonlyMap<string, boolean>): Uint8Array {
  const header = Buffer.alloc(12);
  header.write('DIRC');
  header.writeUInt32BE(2, 4);
  header.writeUInt32BE(executables.size, 8);
  const entries = [...executables].map(([name, executable]) => {
    const sizeBytes = Math.ceil((62 + Buffer.byteLength(name) + 1) / 8) * 8;
    const entry = Buffer.alloc(sizeBytes);
    entry.writeUInt32BE(executable ? 0o100755 : 0o100644, 24);
    entry.writeUInt16BE(Math.min(Buffer.byteLength(name), 0xfff), 60);
    entry.write(name, 62);
    return entry;
  });
  return Buffer.concat([header, ...entries, Buffer.alloc(20)]);
}

interface Rules {
  readonly path: Files['path'];
  /** The name in the tree, `''` for its root. */
  readonly nameOf: (absolute: string) => string;
}

function filesOf(tree: Tree, resolve: (at: string) => string, { path, nameOf }: Rules): Files {
  const entryAt = (at: string): TreeEntry | undefined => {
    const name = nameOf(resolve(at));
    if (name === '' || directoriesOf(tree).has(name)) return { kind: 'directory' };
    return Object.hasOwn(tree, name) ? tree[name] : undefined;
  };
  const textAt = (at: string): string | undefined => {
    const entry = entryAt(at);
    return entry?.kind === 'file' ? entry.text : undefined;
  };
  const read = (at: string): Uint8Array | undefined => {
    const text = textAt(at);
    return text === undefined ? undefined : Buffer.from(text);
  };
  const digest = (at: string): FileDigest => {
    const entry = entryAt(at);
    if (entry?.kind !== 'file') throw Object.assign(new Error(at), { code: 'ENOENT' });
    const sha256 = createHash('sha256').update(entry.text).digest('hex');
    return { sha256, executable: entry.executable === true, sizeBytes: entry.text.length, isLfsPointer: false };
  };
  return {
    path,
    resolve,
    read,
    async *pieces(at) {
      const bytes = read(at);
      if (bytes === undefined) throw Object.assign(new Error(at), { code: 'ENOENT' });
      yield bytes;
    },
    readText: textAt,
    readRegular: textAt,
    digest,
    readDigested(at) {
      const bytes = read(at);
      return bytes && { bytes, digest: digest(at) };
    },
    readingAhead: (_, work) => work(),
    list: (at) => (entryAt(at)?.kind === 'directory' ? listOf(tree, nameOf(resolve(at))) : undefined),
    kindOf: (at) => entryAt(at)?.kind,
    readLink(at) {
      const entry = entryAt(at);
      if (entry?.kind !== 'symlink') throw Object.assign(new Error(at), { code: 'EINVAL' });
      return entry.target;
    },
    write() {
      throw new Error('this tree is for reading');
    },
    append() {
      throw new Error('this tree is for reading');
    },
    move() {
      throw new Error('this tree is for reading');
    },
    linkDirectory() {
      throw new Error('this tree is for reading');
    },
    makeTemporaryDirectory() {
      throw new Error('this tree is for reading');
    },
  };
}

function directoriesOf(tree: Tree): ReadonlySet<string> {
  return new Set(
    Object.keys(tree).flatMap((name) => {
      const names = name.split('/');
      return names.slice(1).map((_, count) => names.slice(0, count + 1).join('/'));
    }),
  );
}

function listOf(tree: Tree, directory: string): readonly FileEntry[] {
  const prefix = directory === '' ? '' : `${directory}/`;
  const found = new Map<string, FileEntry['kind']>();
  for (const [name, { kind }] of Object.entries(tree)) {
    if (!name.startsWith(prefix)) continue;
    const [first = '', ...deeper] = name.slice(prefix.length).split('/');
    found.set(first, deeper.length > 0 ? 'directory' : kind);
  }
  return [...found].map(([name, kind]) => ({ name, kind }));
}
