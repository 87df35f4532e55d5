/** `1.2 MB`; a dash where the size is not known. Decimal units, as registries' pages show them. */
export function formatSize(sizeBytes: number | undefined): string {
  if (sizeBytes === undefined) return '–';
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let size = sizeBytes;
  let unit = 0;
  // 999,950 bytes are 1.0 MB, not 1000.0 kB.
  for (; size >= (unit === 0 ? 1000 : 999.95) && unit < units.length - 1; unit++) size /= 1000;
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit] ?? ''}`;
}
