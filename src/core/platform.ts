import type { Platform } from '../oci/types.ts';
import { type Parsed, parsed, unparsable } from './parsed.ts';
import { quote } from './printable.ts';

const ARCHITECTURE_ALIASES: ReadonlyMap<string, string> = new Map([
  ['x86_64', 'amd64'],
  ['x86-64', 'amd64'],
  ['aarch64', 'arm64'],
  ['i386', '386'],
  ['armhf', 'arm/v7'],
  ['armel', 'arm/v6'],
]);
const ARCHITECTURES = new Set(
  '386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x wasm'.split(' '),
);
const OPERATING_SYSTEMS = new Set('linux windows darwin freebsd wasi wasip1'.split(' '));

/**
 * Parses `os/architecture[/variant]` and normalises it as BuildKit does: `linux/arm64/v8` is `linux/arm64`, `linux/arm` is
 * `linux/arm/v7`, `linux/x86_64` is `linux/amd64` (containerd/platforms v1.0, normalizeArch).
 */
export function parsePlatform(text: string): Parsed<Platform> {
  const [os = '', alias = '', givenVariant = '', rest] = text.toLowerCase().split('/');
  const [architecture = '', impliedVariant = ''] = (ARCHITECTURE_ALIASES.get(alias) ?? alias).split('/');
  if (
    rest !== undefined ||
    !OPERATING_SYSTEMS.has(os) ||
    !ARCHITECTURES.has(architecture) ||
    !/^(?:v?[0-9]{1,2})?$/.test(givenVariant)
  ) {
    return unparsable(
      `${quote(text)} is not a platform: os/architecture[/variant] is allowed, as in linux/amd64 or linux/arm/v7`,
    );
  }
  if (os === 'windows' || os === 'darwin') {
    const what = os === 'windows' ? 'Windows containers' : 'containers of macOS';
    return unparsable(`${quote(text)}: ${what} are not supported; Linux images are, as linux/${architecture}`);
  }
  const variant = givenVariant === '' ? impliedVariant : givenVariant;
  return parsed(normalizePlatform({ os, architecture, ...(variant === '' ? {} : { variant }) }));
}

const KNOWN_SYSTEMS = new Set(
  'aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows zos'.split(
    ' ',
  ),
);
const KNOWN_ARCHITECTURES = new Set([
  ...ARCHITECTURES,
  ...ARCHITECTURE_ALIASES.keys(),
  ...'amd64p32 armbe arm64be mips64p32 mips64p32le ppc riscv s390 sparc sparc64'.split(' '),
]);

/**
 * Whether `FROM --platform` takes this text (containerd/platforms v1.0.0-rc.4, Parse): a known system or architecture alone,
 * or two or three parts of any name. Wider than {@link parsePlatform}: an image of such a platform need not exist.
 */
export function isPlatformText(text: string): boolean {
  const [os = '', architecture, variant = '-', rest] = text.split('/');
  const [, name = ''] = /^([A-Za-z0-9_-]+)(?:\([A-Za-z0-9_.%-]*(?:\+[A-Za-z0-9_.%-]+)*\))?$/.exec(os) ?? [];
  if (name === '' || rest !== undefined) return false;
  const system = name.toLowerCase() === 'macos' ? 'darwin' : name.toLowerCase();
  if (architecture === undefined) return KNOWN_SYSTEMS.has(system) || KNOWN_ARCHITECTURES.has(os.toLowerCase());
  return [architecture, variant].every((part) => /^[A-Za-z0-9_.-]+$/.test(part));
}

/** The one spelling of a platform that comparison needs. */
export function normalizePlatform(platform: Platform): Platform {
  const { os, architecture } = platform;
  const variant = platform.variant?.replace(/^(?=[0-9])/, 'v');
  const standard = architecture === 'arm' ? (variant ?? 'v7') : variant;
  const implied = (architecture === 'arm64' && standard === 'v8') || (architecture === 'amd64' && standard === 'v1');
  return { os, architecture, ...(standard === undefined || implied ? {} : { variant: standard }) };
}

/** `linux/arm/v7`. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = normalizePlatform(platform);
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/** Of these platforms the one that a machine runs best: its own, else one of its architecture, else the first. */
export function closestPlatform(platforms: readonly Platform[], own: Platform): Platform | undefined {
  return (
    platforms.find((platform) => formatPlatform(platform) === formatPlatform(own)) ??
    platforms.find(({ os, architecture }) => os === own.os && architecture === own.architecture) ??
    platforms[0]
  );
}

/** Node's `process.arch` in the words of the image specification. */
export function architectureOfNode(arch: string): string {
  return arch === 'x64' ? 'amd64' : arch === 'ia32' ? '386' : arch;
}

/** Node's `process.platform` in the words of the image specification. */
export function osOfNode(platform: string): string {
  return platform === 'win32' ? 'windows' : platform;
}
