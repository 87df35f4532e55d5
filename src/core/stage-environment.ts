import type { BuildScope } from './build-scope.ts';
import { type Instruction, pairsOf } from './dockerfile.ts';
import { type EscapeCharacter, expandWord } from './shell-words.ts';
import type { Source, StageGraph } from './stage-graph.ts';

/** The variables at one place of a stage, as far as the Dockerfile tells. */
export interface Environment {
  /** `undefined` for a variable that is set to something that is not known. */
  readonly known: ReadonlyMap<string, string | undefined>;
  /** Others may be set: by the image that the stage begins from. */
  readonly open: boolean;
}

/** A word with its variables expanded. */
export interface Expanded {
  /** `undefined` when it cannot be expanded. */
  readonly text: string | undefined;
  /** False when it holds variables that are not known; the text takes them for unset. */
  readonly certain: boolean;
}

/** What every stage's evaluation shares. */
export interface Evaluation {
  readonly escape: EscapeCharacter;
  readonly graph: StageGraph;
  readonly scope: BuildScope;
}

/** The variables with which a stage begins; those of the stage that it is based on are inherited, ARGs among them. */
export function initialEnvironment(base: Source, earlier: readonly Environment[]): Environment {
  const inherited = base.kind === 'stage' ? earlier[base.index] : undefined;
  return inherited ?? { known: new Map([['PATH', undefined]]), open: base.kind !== 'scratch' };
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
  return { text: expanded.ok ? expanded.value : undefined, certain };
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
    const known = new Map(environment.known);
    for (const { name, value = '' } of pairsOf(instruction)) {
      const key = expandIn(environment, name, escape);
      known.set(key.text ?? name, knownText(expandIn(environment, value, escape)));
    }
    return { ...environment, known };
  }
  if (instruction.name !== 'ARG') return environment;
  const known = new Map(environment.known);
  for (const { name, value } of pairsOf(instruction)) {
    const given = scope.buildArgs.get(name) ?? (value === undefined ? graph.variables.get(name) : undefined);
    if (given !== undefined) known.set(name, given);
    else if (value !== undefined) known.set(name, knownText(expandIn({ ...environment, known }, value, escape)));
  }
  return { ...environment, known };
}

function knownText({ text, certain }: Expanded): string | undefined {
  return certain ? text : undefined;
}
