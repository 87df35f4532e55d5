import type { Platform } from '../oci/types.ts';
import type { Allowance } from './allowance.ts';
import { type Dockerfile, pairsOf } from './dockerfile.ts';
import { type Located, located, misplaced } from './located.ts';
import { formatPlatform } from './platform.ts';
import { expandWord } from './shell-words.ts';

/** What of an image's configuration can change what a Dockerfile reads. */
export interface BaseConfig {
  /** Its ENV. */
  readonly environment: ReadonlyMap<string, string>;
  /** Its WORKDIR; `/` when it has none. */
  readonly directory: string;
}

/** What is outside of a Dockerfile and decides what it names. */
export interface BuildScope {
  /** `--build-arg`, by name. */
  readonly buildArgs: ReadonlyMap<string, string>;
  /** The platforms to build for. */
  readonly platforms: readonly Platform[];
  /** The builder's own platform: `BUILDPLATFORM`. */
  readonly buildPlatform: Platform;
  /** `--target`; `undefined` for the last stage. */
  readonly target: string | undefined;
  /** The names of `--build-context`. */
  readonly namedContexts: readonly string[];
  /** ONBUILD triggers of base images, by the name that FROM gives them; those of others are taken to have none. */
  readonly triggers?: ReadonlyMap<string, readonly string[]>;
  /** How base images begin, by the name that FROM gives them; of others it is not known. */
  readonly bases?: ReadonlyMap<string, BaseConfig>;
}

/**
 * The variables that FROM and its `--platform` see, for one wanted platform: BuildKit's automatic ones, then the ARGs before
 * the first FROM, each with its build arg where one is given (BuildKit v0.29, dockerfile2llb). A problem where a default
 * cannot be expanded.
 */
export function globalVariables(
  dockerfile: Dockerfile,
  scope: BuildScope,
  { platform, allowance }: { readonly platform: Platform; readonly allowance: Allowance },
): Located<ReadonlyMap<string, string>> {
  const variables = new Map<string, string>();
  for (const [name, value] of automaticVariables(dockerfile, scope, platform)) {
    variables.set(name, scope.buildArgs.get(name) ?? value);
  }
  for (const instruction of dockerfile.globalArgs) {
    for (const { name, value } of pairsOf(instruction)) {
      const given = scope.buildArgs.get(name);
      if (given === undefined && value === undefined) continue;
      const expanded = expandWord(value ?? '', (key) => variables.get(key), dockerfile.escape, allowance);
      if (given === undefined && !expanded.ok) return misplaced(expanded.problem, instruction.line);
      variables.set(name, given ?? (expanded.ok ? expanded.value : ''));
    }
  }
  return located(variables);
}

function automaticVariables({ stages }: Dockerfile, scope: BuildScope, platform: Platform): [string, string][] {
  const { target, buildPlatform } = scope;
  const stage = target === undefined || target === '' ? (stages.at(-1)?.name ?? '') : target;
  return [
    ...platformVariables('BUILD', buildPlatform),
    ...platformVariables('TARGET', platform),
    ['TARGETSTAGE', stage === '' ? 'default' : stage],
  ];
}

function platformVariables(prefix: 'BUILD' | 'TARGET', platform: Platform): [string, string][] {
  const [os = '', architecture = '', variant = ''] = formatPlatform(platform).split('/');
  return [
    [`${prefix}PLATFORM`, formatPlatform(platform)],
    [`${prefix}OS`, os],
    [`${prefix}OSVERSION`, platform.osVersion ?? ''],
    [`${prefix}ARCH`, architecture],
    [`${prefix}VARIANT`, variant],
  ];
}
