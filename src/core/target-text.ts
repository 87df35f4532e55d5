import type { Platform } from '../oci/types.ts';
import type { ImageUse } from './build-inputs.ts';
import type { ContextUse, InstructionReads, RemoteSource } from './context-use.ts';
import { csvRecord } from './csv.ts';
import { canonicalFrom, canonicalInstruction, type Dockerfile, type Instruction, pairsOf } from './dockerfile.ts';
import { parseMount } from './run-mount.ts';
import type { Environment } from './stage-environment.ts';
import type { Source } from './stage-graph.ts';
import type { LinkedStep } from './stage-links.ts';

/** An image that the target reads, and which platform of it. */
export interface ReachedImage extends ImageUse {
  readonly platform: Platform;
  /** `root`: the target is built on it; `base`: another stage is; `content`: something is copied or mounted from it. */
  readonly role: 'root' | 'base' | 'content';
}

/** All that a target reads on one platform. */
export interface TargetReads {
  /**
   * The instructions that make it, in canonical form, each stage after those that it needs, ARGs with their values. What a
   * base image's trigger brings in is marked, so that it is never taken for an instruction of the file.
   */
  readonly instructions: readonly string[];
  /** In the order in which BuildKit makes the target. */
  readonly uses: readonly ContextUse[];
  readonly images: readonly ReachedImage[];
  /** What ADD fetches, and the line. */
  readonly remotes: readonly (RemoteSource & { readonly line: number })[];
  /** Its ARGs. */
  readonly args: readonly { readonly name: string; readonly line: number }[];
  /** Instructions that read what depends on variables nobody told us; then `uses` is not complete. */
  readonly uncertain: readonly string[];
}

/** An instruction with what it reads. */
export interface EvaluatedStep extends LinkedStep {
  readonly reads: InstructionReads;
  /** Of an ARG, its words with the values that they have here. */
  readonly words: readonly string[];
}

/** A stage that may be needed for the target. */
export interface EvaluatedStage {
  readonly line: number;
  readonly base: Source;
  /** What the FROM itself reads of contexts. */
  readonly uses: readonly ContextUse[];
  readonly steps: readonly EvaluatedStep[];
  /** For the stages that begin from it. */
  readonly environment: Environment;
  /** Where it ends; `undefined` when that is not known. */
  readonly directory: string | undefined;
  /** What FROM asks for. */
  readonly platform: Platform | undefined;
  readonly platformText: string | undefined;
}

type Stages = ReadonlyMap<number, EvaluatedStage>;

/** Puts together what the target reads, of the stages whose content ends in it. */
export function writeTarget(
  stages: Stages,
  target: number,
  { dockerfile, platform }: { readonly dockerfile: Dockerfile; readonly platform: Platform },
): TargetReads {
  const { reached, uses } = walkStages(stages, target);
  const numbers = new Map(reached.map((index, number) => [index, number]));
  const read = reached.flatMap((index) => stages.get(index) ?? []);
  const steps = read.flatMap((stage) => stage.steps);
  const { syntax, escape } = dockerfile;
  const root = rootOf(stages, target);
  // They are in the image that results.
  const onbuilds = dockerfile.stages[target]?.instructions.filter(({ name }) => name === 'ONBUILD') ?? [];
  return {
    instructions: [
      ...(syntax === undefined ? [] : [`# syntax=${syntax.value}`]),
      ...(escape === '\\' ? [] : [`# escape=${escape}`]),
      ...read.flatMap((stage) => writeStage(stage, numbers)),
      ...onbuilds.map(canonicalInstruction),
    ],
    uses,
    images: reached.flatMap((index) => imagesOfStage(stages.get(index), platform, index === root)),
    remotes: steps.flatMap(({ reads, instruction }) =>
      reads.remotes.map((remote) => ({ ...remote, line: instruction.line })),
    ),
    args: steps.flatMap(({ instruction }) =>
      instruction.name === 'ARG' ? pairsOf(instruction).map(({ name }) => ({ name, line: instruction.line })) : [],
    ),
    uncertain: steps.flatMap(({ reads }) => reads.uncertain),
  };
}

/**
 * The stages whose content the target takes, in the order of the file, and what all of them read of contexts, in the order
 * in which BuildKit has it: what a step needs comes just before it.
 */
function walkStages(stages: Stages, target: number): { readonly reached: number[]; readonly uses: ContextUse[] } {
  const reached = new Set([target]);
  const uses: ContextUse[] = [];
  const stack = [{ parts: partsOf(stages.get(target)), position: 0 }];
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const part = frame.parts[frame.position];
    frame.position += 1;
    if (part === undefined) {
      stack.pop();
    } else if (part.need === undefined) {
      for (const use of part.uses) uses.push(use);
    } else if (!reached.has(part.need)) {
      reached.add(part.need);
      stack.push({ parts: partsOf(stages.get(part.need)), position: 0 });
    }
  }
  return { reached: [...reached].sort((a, b) => a - b), uses };
}

/** A stage, or what is read once the stages before it are there. */
interface Part {
  readonly need: number | undefined;
  readonly uses: readonly ContextUse[];
}

function partsOf(stage: EvaluatedStage | undefined): readonly Part[] {
  if (stage === undefined) return [];
  const own: Part[] = [...needOf(stage.base), { need: undefined, uses: stage.uses }];
  return own.concat(
    stage.steps.flatMap(({ reads: { from, uses } }) => [...from.flatMap(needOf), { need: undefined, uses }]),
  );
}

function needOf(source: Source): readonly Part[] {
  return source.kind === 'stage' ? [{ need: source.index, uses: [] }] : [];
}

/** The stage that the target begins from, through all those in between. */
function rootOf(stages: Stages, target: number): number {
  let index = target;
  for (let base = stages.get(index)?.base; base?.kind === 'stage'; base = stages.get(index)?.base) index = base.index;
  return index;
}

function imagesOfStage(
  stage: EvaluatedStage | undefined,
  platform: Platform,
  isRoot: boolean,
): readonly ReachedImage[] {
  if (stage === undefined) return [];
  const images: ReachedImage[] = [];
  if (stage.base.kind === 'image') {
    const { reference } = stage.base;
    const role = isRoot ? 'root' : 'base';
    images.push({ reference, line: stage.line, platform: stage.platform ?? platform, role });
  }
  for (const { reads, instruction } of stage.steps) {
    for (const source of reads.from) {
      if (source.kind !== 'image') continue;
      images.push({ reference: source.reference, line: instruction.line, platform, role: 'content' });
    }
  }
  return images;
}

function writeStage(stage: EvaluatedStage, numbers: ReadonlyMap<number, number>): readonly string[] {
  const from = { name: '', base: nameOf(stage.base, numbers), platform: stage.platformText ?? '' };
  const steps = stage.steps.map((step) => {
    const written = canonicalInstruction(rewrite(step, numbers));
    return step.triggered && stage.base.kind === 'image' ? `#ONBUILD ${written}` : written;
  });
  return [canonicalFrom(from), ...steps];
}

/** Names of stages may change, their numbers as well when another stage is added: what counts is which one it is. */
function nameOf(source: Source, numbers: ReadonlyMap<number, number>): string {
  switch (source.kind) {
    case 'stage':
      return `#${numbers.get(source.index) ?? ''}`;
    case 'context':
      return `#context ${source.name}`;
    case 'scratch':
      return 'scratch';
    case 'image':
      return source.reference;
  }
}

/** With its ARGs' values, and stages by their place. */
function rewrite({ instruction, sources, words }: EvaluatedStep, numbers: ReadonlyMap<number, number>): Instruction {
  if (instruction.name === 'ARG') return { ...instruction, words };
  let mounts = 0;
  const flags = instruction.flags.map((flag) => {
    if (flag.name === 'from') return { ...flag, value: renamed(flag.value, sources[0], numbers) };
    if (flag.name !== 'mount') return flag;
    const source = sources[mounts];
    mounts += 1;
    return source?.kind === 'stage' ? { ...flag, value: renamedMount(flag.value, source, numbers) } : flag;
  });
  return { ...instruction, flags };
}

function renamed(name: string, source: Source | undefined, numbers: ReadonlyMap<number, number>): string {
  return source === undefined ? name : nameOf(source, numbers);
}

function renamedMount(flag: string, source: Source, numbers: ReadonlyMap<number, number>): string {
  const fields = parseMount(flag);
  if (!fields.ok) return flag;
  const written = fields.value.map(({ key, value }) => {
    if (value === undefined) return key;
    return `${key}=${key === 'from' ? nameOf(source, numbers) : value}`;
  });
  return csvRecord(written);
}
