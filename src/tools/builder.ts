import { csvField } from '../core/csv.ts';
import { normalizePlatform, parsePlatform } from '../core/platform.ts';
import { isLoopback } from '../core/reference.ts';
import type { Platform } from '../oci/types.ts';

/** What `docker buildx inspect` says of a builder. */
export interface BuilderDescription {
  readonly name: string;
  /** `docker`, `docker-container`, `remote`, `kubernetes`; empty when buildx could not tell. */
  readonly driver: string;
  readonly nodes: readonly BuilderNode[];
  /** What the builder can run, by emulation too. */
  readonly platforms: readonly Platform[];
  /** buildx's list of what the driver can do: `OCI exporter`, `Multi-platform build` … Absent means unknown. */
  readonly features: ReadonlyMap<string, boolean>;
  /** Why the builder cannot be used at all, in buildx's words. */
  readonly problem: string | undefined;
  /** It was made for this run, and told of `BuilderNeeds.access`. */
  readonly knowsAccess?: boolean;
}

interface BuilderNode {
  readonly endpoint: string;
  readonly driverOptions: readonly string[];
}

/** What a build asks of its builder. */
export interface BuilderNeeds {
  /** How many platforms are built at once. */
  readonly platformCount: number;
  /** Platforms whose programs the build runs: all of them, unless it is known that a platform only copies files. */
  readonly runs: readonly Platform[];
  /** Registry to push to; `undefined` when nothing is pushed. */
  readonly pushTo: string | undefined;
  /** All registries that the build talks to. */
  readonly registries: readonly string[];
  /** What a builder does not know by itself of how to get to them. */
  readonly access?: RegistryAccess;
}

/** How registries are spoken to, where that is not what everybody does. */
export interface RegistryAccess {
  /** Registries that may be spoken to over plain http. */
  readonly plain: readonly string[];
  /** A PEM file of authorities to trust, absolute. */
  readonly authorityFile: string | undefined;
  /** Proxy variables for the builder's own requests; nothing secret. */
  readonly proxies: Readonly<Record<string, string>>;
}

/** How the image leaves the builder: pushed by digest, or as an OCI layout that we push ourselves. */
export type Delivery = 'push' | 'layout';

/** A builder that can do what was asked. */
export interface Builder {
  readonly name: string;
  readonly driver: string;
  readonly delivery: Delivery;
  /** It was made for this run, and goes with it. */
  readonly created: boolean;
}

/** What a platform without a variant is. */
const OLDEST_VARIANTS: ReadonlyMap<string, number> = new Map([
  ['amd64', 1],
  ['arm64', 8],
]);

/** How the builder can deliver the image, or `undefined` when it has no way. */
export function deliveryOf(builder: BuilderDescription, needs: BuilderNeeds): Delivery | undefined {
  if (builder.driver === 'docker') return hasContainerdStore(builder) ? 'layout' : undefined;
  if (needs.pushTo === undefined || !reaches(builder, needs.pushTo)) return 'layout';
  return isOrdinary(needs.pushTo, needs) || builder.knowsAccess === true ? 'push' : 'layout';
}

/** What the builder lacks for this build besides platforms; empty when it will do. */
export function findLacks(builder: BuilderDescription, needs: BuilderNeeds): readonly string[] {
  if (builder.problem !== undefined) return [builder.problem];
  const lacks: string[] = [];
  if (deliveryOf(builder, needs) === undefined) {
    lacks.push(
      'the docker driver can neither push by digest nor write an OCI layout without the containerd image store',
    );
  }
  if (needs.platformCount > 1 && builder.features.get('Multi-platform build') === false) {
    lacks.push('it cannot build several platforms at once');
  }
  return lacks;
}

/** The platforms that the builder cannot run. Emulation may add them; a fresh builder on the same machine does not. */
export function findMissingPlatforms(builder: BuilderDescription, needs: BuilderNeeds): readonly Platform[] {
  return needs.runs.filter((wanted) => !builder.platforms.some((platform) => runsProgramsOf(platform, wanted)));
}

/** A newer variant runs the programs of older ones (containerd/platforms v1.0, `Only`); no number is the oldest that counts. */
function runsProgramsOf(platform: Platform, wanted: Platform): boolean {
  const family = ({ os, architecture }: Platform): string => `${os}/${architecture}`;
  const generation = ({ variant, architecture }: Platform): number =>
    Number(variant?.replace('v', '') ?? OLDEST_VARIANTS.get(architecture) ?? 0);
  return (
    family(platform) === family(wanted) &&
    generation(normalizePlatform(platform)) >= generation(normalizePlatform(wanted))
  );
}

/** A registry that a builder gets to without being told how. */
function isOrdinary(registry: string, { access }: BuilderNeeds): boolean {
  if (access === undefined || isLoopback(registry)) return true;
  return access.authorityFile === undefined && !access.plain.includes(registry);
}

/**
 * BuildKit's configuration for the registries that are not ordinary, as TOML; `undefined` when all are. buildx copies the
 * authorities into the builder: https://github.com/moby/buildkit/blob/v0.25.1/docs/buildkitd.toml.md
 */
export function buildkitConfig(needs: BuilderNeeds): string | undefined {
  const { access } = needs;
  const unusual = [...new Set(needs.registries)].filter((registry) => !isOrdinary(registry, needs));
  if (access === undefined || unusual.length === 0) return undefined;
  return unusual
    .map((registry) => {
      // JSON's strings are TOML's basic strings.
      const line = access.plain.includes(registry) ? 'http = true' : `ca = [${JSON.stringify(access.authorityFile)}]`;
      return `[registry.${JSON.stringify(registry)}]\n${line}\n`;
    })
    .join('');
}

/** Arguments after `docker buildx` that create a builder like this one needs; `configFile` holds its BuildKit configuration. */
export function createArguments(name: string, needs: BuilderNeeds, configFile?: string): readonly string[] {
  // In a network of its own the builder's 127.0.0.1 is its container; a real registry needs no such door.
  const network = needs.registries.some(isLoopback) ? ['--driver-opt=network=host'] : [];
  // buildx gives a builder no variables of its own accord. `--config` is known to old and new buildx alike.
  const proxies = Object.entries(needs.access?.proxies ?? {}).map(
    ([variable, value]) => `--driver-opt=${csvField(`env.${variable}=${value}`)}`,
  );
  const config = configFile === undefined ? [] : [`--config=${configFile}`];
  return ['create', `--name=${name}`, '--driver=docker-container', ...network, ...proxies, ...config, '--bootstrap'];
}

/**
 * Reads the lines of `DEBUG=1 docker buildx inspect` that the parser of @docker/actions-toolkit 0.101 misreads or drops: it
 * takes every feature for true, knows no errors, and hides platforms beside a preferred one. A feature counts when every
 * node has it.
 */
export function readInspectExtras(output: string): Pick<BuilderDescription, 'features' | 'platforms' | 'problem'> {
  const features = new Map<string, boolean>();
  const platforms: Platform[] = [];
  let problem: string | undefined;
  let section = '';
  for (const line of output.split('\n')) {
    const [, indent = '', key = '', rest = ''] = /^(\s?)([^:]{1,100}):(.*)$/s.exec(line) ?? [];
    const value = rest.trim();
    if (indent === '') section = key;
    if (line.startsWith('Platforms:')) platforms.push(...parsePlatforms(value));
    else if (line.startsWith('Error:')) problem ??= value;
    else if (section === 'Features' && indent !== '')
      features.set(key, value === 'true' && features.get(key) !== false);
  }
  return { features, platforms, problem };
}

/** A star marks a platform that the user prefers on this node; the node can build the others too. */
function parsePlatforms(text: string): Platform[] {
  return text.split(',').flatMap((name) => {
    const platform = parsePlatform(name.trim().replace(/\*$/, ''));
    return platform.ok ? [platform.value] : [];
  });
}

/** Unknown counts as no: a builder made for the run can do it everywhere. */
function hasContainerdStore(builder: BuilderDescription): boolean {
  return builder.features.get('OCI exporter') === true;
}

/** Whether every node gets to this registry; a loopback address means this machine only to those on its network. */
function reaches(builder: BuilderDescription, registry: string): boolean {
  if (!isLoopback(registry)) return true;
  return builder.nodes.every(({ endpoint, driverOptions }) => {
    if (builder.driver === 'docker-container') return driverOptions.includes('network=host');
    return builder.driver === 'remote' && isLocalEndpoint(endpoint);
  });
}

function isLocalEndpoint(endpoint: string): boolean {
  const tcp = /^tcp:\/\/([^/]+)/.exec(endpoint)?.[1];
  return endpoint.startsWith('unix://') || (tcp !== undefined && isLoopback(tcp));
}
