/** Pointers are shorter than this. */
const LIMIT_BYTES = 1024;
const FIRST_BYTE = 'v'.charCodeAt(0);
const POINTER = /^version https:\/\/git-lfs\.github\.com\/spec\/[^\n]*\n(?:[^\n]*\n)*?oid [a-z0-9]+:[0-9a-f]+\r?\n/;

/**
 * True when these bytes are what git LFS leaves in place of a file that was not fetched:
 * https://github.com/git-lfs/git-lfs/blob/v3.7.0/docs/spec.md#the-pointer
 */
export function isLfsPointer(bytes: Uint8Array): boolean {
  if (bytes[0] !== FIRST_BYTE || bytes.length >= LIMIT_BYTES) return false;
  return POINTER.test(new TextDecoder().decode(bytes));
}
