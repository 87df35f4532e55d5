import type { Platform } from '../oci/types.ts';
import type { Allowance } from './allowance.ts';
import { type Dockerfile, pairsOf } from './dockerfile.ts';
import { type Located, located, misplaced } from './located.ts';
import { formatPlatform } from './platform.ts';
import { type EscapeCharacter, expandWord } from './shell-words.ts';

/** What of an image's configuration can change what a Dockerfile reads. */
export interface BaseConfig {
  /** Its ENV. */
  readonly environment: ReadonlyMap<string, string>;
  /** Its WORKDIR; `/` when it has none. */
  readonly directory: string;
  /** Its ONBUILD triggers. */
  readonly triggers: readonly string[];
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
  /**
   * How a base image begins, by the name that FROM gives it and the platform that is taken. `undefined` where it is not known:
   * then it may set any variable, and is taken to have no triggers.
   */
  readonly baseOf?: (reference: string, platform: Platform) => BaseConfig | undefined;
}

/** The variables that FROM and its `--platform` see. */
export interface GlobalVariables {
  readonly all: ReadonlyMap<string, string>;
  /** Those that stand in the Dockerfile, or that BuildKit sets, whatever build args were given. */
  readonly own: ReadonlyMap<string, string>;
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
): Located<GlobalVariables> {
  const own = new Map(automaticVariables(dockerfile, scope, platform));
  const all = new Map([...own].map(([name, value]) => [name, scope.buildArgs.get(name) ?? value]));
  for (const instruction of dockerfile.globalArgs) {
    for (const { name, value } of pairsOf(instruction)) {
      const given = scope.buildArgs.get(name);
      if (given === undefined && value === undefined) continue;
      const expanded = expandWord(value ?? '', (key) => all.get(key), dockerfile.escape, allowance);
      if (given === undefined && !expanded.ok) return misplaced(expanded.problem, instruction.line);
      all.set(name, given ?? (expanded.ok ? expanded.value : ''));
      const written = value === undefined ? undefined : literalText(value, dockerfile.escape);
      if (written === undefined) own.delete(name);
      else own.set(name, written);
    }
  }
  return located({ all, own });
}

/** What a word means that no variable can change; `undefined` where one might. */
export function literalText(word: string, escape: EscapeCharacter): string | undefined {
  if (word.includes('$')) return undefined;
  const expanded = expandWord(word, () => undefined, escape);
  return expanded.ok ? expanded.value : undefined;
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
