/**
 * `node tools/complete-lock.ts`: adds the optional packages of other platforms to package-lock.json that the package source
 * of this machine does not serve. Without them `npm ci` refuses the lock everywhere. Platforms come from the names; an
 * integrity is never made up, so npm checks these few by their version only, and only on their platforms.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Package {
  readonly dev?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const file = join(import.meta.dirname, '..', 'package-lock.json');
const lock: { packages: Record<string, unknown> } & Record<string, unknown> = JSON.parse(readFileSync(file, 'utf8'));
const added = Object.entries(lock.packages).flatMap(([path, entry]) => {
  const { dev, optionalDependencies = {} }: Package = isPackage(entry) ? entry : {};
  return Object.entries(optionalDependencies).flatMap(([name, version]) => {
    const places = [`node_modules/${name}`, `${path}/node_modules/${name}`];
    if (places.some((place) => place in lock.packages)) return [];
    return [
      [
        `node_modules/${name}`,
        { version, ...platformOf(name), ...(dev === true ? { dev } : {}), optional: true },
      ] as const,
    ];
  });
});
const entries = [...Object.entries(lock.packages), ...added].sort(([a], [b]) => a.localeCompare(b, 'en'));
writeFileSync(file, `${JSON.stringify({ ...lock, packages: Object.fromEntries(entries) }, undefined, 2)}\n`);
process.stdout.write(`${added.length} added\n`);

/** `@oxlint/binding-linux-x64-musl` is for linux, x64, musl. */
function platformOf(name: string): Readonly<Record<string, readonly string[]>> {
  const [os = '', cpu = '', abi = ''] = (name.split('/').at(-1) ?? '').replace(/^(?:cli|binding)-/, '').split('-');
  const libc =
    os === 'linux' && abi === 'musl' ? { libc: ['musl'] } : os === 'linux' && abi === 'gnu' ? { libc: ['glibc'] } : {};
  return { os: [os], cpu: [cpu], ...libc };
}

function isPackage(entry: unknown): entry is Package {
  return typeof entry === 'object' && entry !== null;
}
