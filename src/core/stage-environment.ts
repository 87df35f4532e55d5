import type { Allowance } from './allowance.ts';
import type { BaseConfig, BuildScope } from './build-scope.ts';
import { type Instruction, pairsOf } from './dockerfile.ts';
import { LayeredMap } from './layered-map.ts';
import { type Parsed, parsed } from './parsed.ts';
import { type EscapeCharacter, expandBody, expandWord, type Lookup, splitWords } from './shell-words.ts';
import type { Source, StageGraph } from './stage-graph.ts';

/** The variables at one place of a stage, as far as the Dockerfile tells. */
export interface Environment {
  /** `undefined` for a variable that is set to something that is not known. */
  readonly known: LayeredMap<string | undefined>;
  /** Those of them that the image itself keeps: ENV's, not ARG's. A stage that begins from this one gets them last. */
  readonly kept: LayeredMap<string | undefined>;
  /** Others may be set: by the image that the stage begins from. */
  readonly open: boolean;
  /** Shared by all stages. */
  readonly allowance: Allowance;
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
 * The variables with which a stage begins: those of the image, as far as `config` tells them, or those that
 * {@link environmentForStages} gave for the stage that it is based on.
 */
export function initialEnvironment(
  { base, config }: { readonly base: Source; readonly config: BaseConfig | undefined },
  earlier: ReadonlyMap<number, Environment>,
  { allowance }: Pick<StageGraph, 'allowance'>,
): Environment {
  const inherited = base.kind === 'stage' ? earlier.get(base.index) : undefined;
  if (inherited !== undefined) return inherited;
  const given = config?.environment;
  const open = base.kind !== 'scratch' && given === undefined;
  const path: [string, string | undefined] = ['PATH', open ? undefined : DEFAULT_PATH];
  const kept = new LayeredMap<string | undefined>([path, ...(given ?? [])]);
  return { known: kept, kept, open, allowance };
}

/** What the stages get that begin from one: its variables at its end, ARGs among them, and over them once more ENV's. */
export function environmentForStages(environment: Environment, instructions: readonly Instruction[]): Environment {
  const { known, kept, open } = environment;
  // The image of the first FROM, when it is not known, may set what an ARG has set since.
  if (open) return { ...environment, known: kept };
  const args = instructions.flatMap((one) => (one.name === 'ARG' ? pairsOf(one).map(({ name }) => name) : []));
  const hidden = args.filter((name) => kept.has(name));
  return { ...environment, known: known.with(hidden.map((name) => [name, kept.get(name)])) };
}

/** Expands a word of an instruction. */
export function expandIn(environment: Environment, word: string, escape: EscapeCharacter): Expanded {
  return resolve(environment, (lookup, allowance) => expandWord(word, lookup, escape, allowance));
}

/** Expands the body of a heredoc. */
export function expandDocument(environment: Environment, body: string): Expanded {
  return resolve(environment, (lookup, allowance) => expandBody(body, lookup, allowance));
}

/** As {@link expandIn}, for an instruction that splits what a variable holds into words; none when it cannot be expanded. */
export function splitIn(
  environment: Environment,
  word: string,
  escape: EscapeCharacter,
): { readonly parts: readonly string[]; readonly certain: boolean } {
  let parts: readonly string[] = [];
  const { certain } = resolve(environment, (lookup, allowance) => {
    const words = splitWords(word, lookup, { escape, allowance });
    parts = words.ok ? words.value : [];
    return words.ok ? parsed(word) : words;
  });
  return { parts, certain };
}

function resolve(
  { known, open, allowance }: Environment,
  expand: (lookup: Lookup, allowance: Allowance) => Parsed<string>,
): Expanded {
  let certain = true;
  const lookup = (name: string) => {
    const value = known.get(name);
    if (value === undefined && (open || known.has(name))) certain = false;
    return value;
  };
  const expanded = expand(lookup, allowance);
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
    const kept = environment.kept.with(set);
    // They are one as long as no ARG has set anything.
    const known = environment.known === environment.kept ? kept : environment.known.with(set);
    return { ...environment, known, kept };
  }
  if (instruction.name !== 'ARG') return environment;
  let { known } = environment;
  for (const { name, value } of pairsOf(instruction)) {
    if (UNSET_ARGS.has(name)) continue;
    const given = scope.buildArgs.get(name) ?? (value === undefined ? graph.variables.all.get(name) : undefined);
    if (given !== undefined) known = known.with([[name, given]]);
    else if (value !== undefined) {
      known = known.with([[name, knownText(expandIn({ ...environment, known }, value, escape))]]);
    }
  }
  return { ...environment, known };
}

function knownText({ text, certain }: Expanded): string | undefined {
  return certain ? text : undefined;
}
