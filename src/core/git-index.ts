/** Bytes of an object id, sha1 or sha256: an index does not say which it has. */
const ID_BYTES = [20, 32];
/** What stands before the object id of an entry: times, places and sizes, with the mode in the middle. */
const STAT_BYTES = 40;
const MODE_AT = 24;
const MODES: ReadonlySet<number> = new Set([0o100644, 0o100755, 0o120000, 0o160000, 0o040000]);
const EXTENDED = 0x4000;
const STAGE = 0x3000;

/**
 * Which of the files in git's index are executable, by their path in the repository; `undefined` for what is no index of
 * version 2 to 4 that has all of its entries in itself. https://git-scm.com/docs/index-format/2.54.0
 */
export function readGitIndex(bytes: Uint8Array): ReadonlyMap<string, boolean> | undefined {
  for (const idBytes of ID_BYTES) {
    const found = new IndexReader(bytes, idBytes).read();
    if (found !== undefined) return found;
  }
  return undefined;
}

class IndexReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #idBytes: number;
  #at = 12;

  constructor(bytes: Uint8Array, idBytes: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#idBytes = idBytes;
  }

  read(): ReadonlyMap<string, boolean> | undefined {
    try {
      return this.#readAll();
    } catch (error) {
      // It ended too early.
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  #readAll(): ReadonlyMap<string, boolean> | undefined {
    const version = this.#view.getUint32(4);
    if (this.#textAt(0, 4) !== 'DIRC' || version < 2 || version > 4) return undefined;
    const executables = new Map<string, boolean>();
    let name: Uint8Array = new Uint8Array();
    for (let left = this.#view.getUint32(8); left > 0; left -= 1) {
      const start = this.#at;
      const mode = this.#view.getUint32(start + MODE_AT);
      const flags = this.#view.getUint16(start + STAT_BYTES + this.#idBytes);
      if (!MODES.has(mode)) return undefined;
      this.#at += STAT_BYTES + this.#idBytes + (version > 2 && (flags & EXTENDED) !== 0 ? 4 : 2);
      name = version === 4 ? this.#readCompressedName(name) : this.#readPaddedName(start);
      const isFile = mode === 0o100644 || mode === 0o100755;
      if (isFile && (flags & STAGE) === 0) executables.set(new TextDecoder().decode(name), mode === 0o100755);
    }
    return this.#isShared() ? undefined : executables;
  }

  /** Each entry takes a multiple of 8 bytes, at least one NUL among them. */
  #readPaddedName(start: number): Uint8Array {
    const name = this.#readToNul();
    this.#at = start + Math.ceil((this.#at - start) / 8) * 8;
    return name;
  }

  /** What is cut from the end of the name before, then what follows instead. */
  #readCompressedName(before: Uint8Array): Uint8Array {
    let byte = this.#view.getUint8(this.#at++);
    let cut = byte & 0x7f;
    while ((byte & 0x80) !== 0) {
      byte = this.#view.getUint8(this.#at++);
      cut = (cut + 1) * 128 + (byte & 0x7f);
    }
    if (cut > before.length) throw new RangeError('a name is longer than itself');
    const kept = before.subarray(0, before.length - cut);
    const rest = this.#readToNul();
    const name = new Uint8Array(kept.length + rest.length);
    name.set(kept);
    name.set(rest, kept.length);
    return name;
  }

  #readToNul(): Uint8Array {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) throw new RangeError('a name does not end');
    const text = this.#bytes.subarray(this.#at, end);
    this.#at = end + 1;
    return text;
  }

  /** Whether an extension says that most entries are in another file. */
  #isShared(): boolean {
    const end = this.#bytes.length - this.#idBytes;
    if (this.#at > end) throw new RangeError('the checksum is missing');
    while (this.#at + 8 <= end) {
      if (this.#textAt(this.#at, 4) === 'link') return true;
      this.#at += 8 + this.#view.getUint32(this.#at + 4);
    }
    return false;
  }

  #textAt(at: number, length: number): string {
    return String.fromCharCode(...this.#bytes.subarray(at, at + length));
  }
}
