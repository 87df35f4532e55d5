import type { BaseConfig, BuildScope } from './build-scope.ts';
import { type Instruction, pairsOf } from './dockerfile.ts';
import { type EscapeCharacter, expandWord } from './shell-words.ts';
import type { Source, StageGraph } from './stage-graph.ts';

/** The variables at one place of a stage, as far as the Dockerfile tells. */
export interface Environment {
  /** `undefined` for a variable that is set to something that is not known. */
  readonly known: ReadonlyMap<string, string | undefined>;
  /** Those of them that the image itself keeps: ENV's, not ARG's. A stage that begins from this one gets them last. */
  readonly kept: ReadonlyMap<string, string | undefined>;
  /** Others may be set: by the image that the stage begins from. */
  readonly open: boolean;
}

/** A word with its variables expanded. */
export interface Expanded {
  /** `undefined` when it cannot be expanded. */
  readonly text: string | undefined;
  /** False when it holds variables that are not known; the text takes them for unset. */
  readonly certain: boolean;
  /** Why there is no text. */
  readonly problem?: string;
}

/** What every stage's evaluation shares. */
export interface Evaluation {
  readonly escape: EscapeCharacter;
  readonly graph: StageGraph;
  readonly scope: BuildScope;
}

/** What a stage has when neither it nor its image sets it (BuildKit v0.29, util/system). */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** ARGs that are told to the builder and never set. */
const UNSET_ARGS = new Set(['BUILDKIT_SBOM_SCAN_CONTEXT', 'BUILDKIT_SBOM_SCAN_STAGE']);

/**
 * The variables with which a stage begins: those of the image, as far as `config` tells them; those of the stage
 * that it is based on, ARGs among them, over which the image's own are laid once more.
 */
export function initialEnvironment(
  { base, config }: { readonly base: Source; readonly config: BaseConfig | undefined },
  earlier: ReadonlyMap<number, Environment>,
): Environment {
  const inherited = base.kind === 'stage' ? earlier.get(base.index) : undefined;
  if (inherited !== undefined) {
    // The image of the first FROM, when it is not known, may set what an ARG has set since.
    const args = inherited.open
      ? [...inherited.known.keys()].map((name): [string, undefined] => [name, undefined])
      : [];
    return { ...inherited, known: new Map([...inherited.known, ...args, ...inherited.kept]) };
  }
  const given = config?.environment;
  const open = base.kind !== 'scratch' && given === undefined;
  const kept = new Map<string, string | undefined>([['PATH', open ? undefined : DEFAULT_PATH], ...(given ?? [])]);
  return { known: kept, kept, open };
}

/** Expands a word of an instruction. */
export function expandIn({ known, open }: Environment, word: string, escape: EscapeCharacter): Expanded {
  let certain = true;
  const lookup = (name: string) => {
    const value = known.get(name);
    if (value === undefined && (open || known.has(name))) certain = false;
    return value;
  };
  const expanded = expandWord(word, lookup, escape);
  return expanded.ok ? { text: expanded.value, certain } : { text: undefined, certain, problem: expanded.problem };
}

/**
 * The variables after an instruction. ENV sees the values from before its line. ARG takes the build arg, else its own
 * default, else the global ARG of that name, else leaves what is inherited (BuildKit v0.29, dispatchArg).
 */
export function environmentAfter(
  environment: Environment,
  instruction: Instruction,
  evaluation: Evaluation,
): Environment {
  const { escape, graph, scope } = evaluation;
  if (instruction.name === 'ENV') {
    const set = pairsOf(instruction).map(({ name, value = '' }): [string, string | undefined] => {
      const key = expandIn(environment, name, escape);
      return [key.text ?? name, knownText(expandIn(environment, value, escape))];
    });
    return {
      ...environment,
      known: new Map([...environment.known, ...set]),
      kept: new Map([...environment.kept, ...set]),
    };
  }
  if (instruction.name !== 'ARG') return environment;
  const known = new Map(environment.known);
  for (const { name, value } of pairsOf(instruction)) {
    if (UNSET_ARGS.has(name)) continue;
    const given = scope.buildArgs.get(name) ?? (value === undefined ? graph.variables.get(name) : undefined);
    if (given !== undefined) known.set(name, given);
    else if (value !== undefined) known.set(name, knownText(expandIn({ ...environment, known }, value, escape)));
  }
  return { ...environment, known };
}

function knownText({ text, certain }: Expanded): string | undefined {
  return certain ? text : undefined;
}
