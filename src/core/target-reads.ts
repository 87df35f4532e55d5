import type { Platform } from '../oci/types.ts';
import { type BuildScope, literalText } from './build-scope.ts';
import { cleanPath } from './clean-path.ts';
import { copyReads, type InstructionReads, mountReads, type Place, wholeContext } from './context-use.ts';
import { digestOf } from './digest.ts';
import { type Dockerfile, type Instruction, pairsOf } from './dockerfile.ts';
import { type Located, located, misplaced } from './located.ts';
import { type Parsed, parsed } from './parsed.ts';
import { parsePlatform } from './platform.ts';
import {
  type Environment,
  type Evaluation,
  environmentAfter,
  environmentForStages,
  expandIn,
  initialEnvironment,
} from './stage-environment.ts';
import { readStageGraph } from './stage-graph.ts';
import { findCycle, type LinkedStage, type LinkedStep, linkStages } from './stage-links.ts';
import { type EvaluatedStage, type EvaluatedStep, type TargetReads, writeTarget } from './target-text.ts';
import { findValueProblem } from './value-rules.ts';

export type { ReachedImage, TargetReads } from './target-text.ts';

/**
 * What the target reads, for one platform: of the contexts, of images and of the network, through all stages that end in it
 * and no others (BuildKit v0.29, dockerfile2llb). A problem with its line where BuildKit refuses the Dockerfile.
 */
export function readTarget(dockerfile: Dockerfile, scope: BuildScope, platform: Platform): Located<TargetReads> {
  const graph = readStageGraph(dockerfile, scope, platform);
  if (!graph.ok) return graph;
  const linked = linkStages(dockerfile, graph.value, scope.namedContexts);
  if (!linked.ok) return linked;
  const stages = linked.value;
  const cycle = findCycle(stages);
  if (cycle !== undefined) return misplaced('a stage cannot copy from itself, nor from one that needs it', cycle);
  const target = targetIndex(dockerfile, scope.target);
  const evaluation: Evaluation = { escape: dockerfile.escape, graph: graph.value, scope };
  const evaluated = new Map<number, EvaluatedStage>();
  const environments = new Map<number, Environment>();
  for (const index of [...reachableFrom(stages, target)].sort((a, b) => a - b)) {
    const stage = stages[index];
    if (stage === undefined) continue;
    const earlier = { environments, directory: directoryOf(stage, evaluated) };
    const read = evaluateStage(stage, index, { ...evaluation, ...earlier });
    if (!read.ok) return read;
    evaluated.set(index, read.value);
    environments.set(index, read.value.environment);
  }
  return located(writeTarget(evaluated, target, { dockerfile, platform }));
}

/** Names of stages are told apart by their last holder. */
function targetIndex({ stages }: Dockerfile, target = ''): number {
  const named = stages.map(({ name }) => name).lastIndexOf(target.toLowerCase());
  return target === '' ? stages.length - 1 : named;
}

function reachableFrom(stages: readonly LinkedStage[], target: number): ReadonlySet<number> {
  const reached = new Set<number>();
  const waiting = [target];
  for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
    if (reached.has(index)) continue;
    reached.add(index);
    const { base, steps = [] } = stages[index] ?? {};
    for (const source of [base, ...steps.flatMap((step) => step.sources)]) {
      if (source?.kind === 'stage') waiting.push(source.index);
    }
  }
  return reached;
}

/** Where a stage begins. */
function directoryOf(
  { base, config }: LinkedStage,
  evaluated: ReadonlyMap<number, EvaluatedStage>,
): string | undefined {
  if (base.kind === 'stage') return evaluated.get(base.index)?.directory;
  if (base.kind === 'image') return config?.directory;
  return base.kind === 'scratch' ? '/' : undefined;
}

interface StageEvaluation extends Evaluation {
  readonly environments: ReadonlyMap<number, Environment>;
  readonly directory: string | undefined;
}

function evaluateStage(stage: LinkedStage, index: number, evaluation: StageEvaluation): Located<EvaluatedStage> {
  const { escape } = evaluation;
  if (stage.problem !== undefined) return misplaced(stage.problem, stage.line);
  let environment = initialEnvironment(stage, evaluation.environments, evaluation.graph);
  let { directory } = evaluation;
  const steps: EvaluatedStep[] = [];
  for (const step of stage.steps) {
    const { instruction, sources } = step;
    const { line } = instruction;
    const later = sources.some((source) => source?.kind === 'stage' && source.index > index);
    if (later) return misplaced(`${instruction.name}: the stage that it reads from stands further down`, line);
    const place = { environment, escape, directory };
    const problem =
      findExpansionProblem(instruction, environment, evaluation) ?? findValueProblem(instruction, environment, escape);
    if (problem !== undefined) return misplaced(problem, line);
    const reads = readInstruction(instruction, sources, place);
    if (!reads.ok) return misplaced(reads.problem, line);
    environment = environmentAfter(environment, instruction, evaluation);
    directory = directoryAfter(instruction, place);
    steps.push({ ...step, reads: reads.value, words: effectiveWords(instruction, environment, evaluation) });
  }
  const { base, platform, line } = stage;
  const uses = base.kind === 'context' ? [wholeContext(base.name, line)] : [];
  const given = platform === undefined ? undefined : parsePlatform(platform);
  return located({
    line,
    base,
    uses,
    steps,
    environment: environmentForStages(
      environment,
      steps.map((step) => step.instruction),
    ),
    directory,
    platform: given?.ok ? given.value : undefined,
    platformText: platform,
  });
}

/**
 * ARGs with their values. The manifest is published, and a build arg may be a secret: a value that does not stand in the
 * Dockerfile itself shows as its digest.
 */
function effectiveWords(
  instruction: Instruction,
  { known }: Environment,
  { escape, graph }: Evaluation,
): readonly string[] {
  if (instruction.name !== 'ARG') return instruction.words;
  return pairsOf(instruction).map(({ name, value }) => {
    const effective = known.get(name);
    if (effective === undefined) return value === undefined ? name : `${name}=${value}`;
    const written = value === undefined ? graph.variables.own.get(name) : literalText(value, escape);
    const isPlain = effective === written && !effective.startsWith('sha256:');
    return `${name}=${isPlain ? effective : digestOf(effective)}`;
  });
}

function readInstruction(
  instruction: Instruction,
  sources: LinkedStep['sources'],
  place: Place,
): Parsed<InstructionReads> {
  switch (instruction.name) {
    case 'COPY':
    case 'ADD':
      return copyReads(instruction, sources[0], place);
    case 'RUN':
      return mountReads(instruction, sources, place);
    default:
      return parsed({ uses: [], remotes: [], from: [], uncertain: [] });
  }
}

/** Words that BuildKit expands besides those of COPY, ADD and mounts; an error in one fails the build. */
function findExpansionProblem(
  instruction: Instruction,
  environment: Environment,
  evaluation: Evaluation,
): string | undefined {
  const { escape, scope } = evaluation;
  const { words } = instruction;
  if (instruction.name === 'ARG' && words.length > 1) {
    // Each sees those before it on its line.
    let seen = environment;
    for (const word of words) {
      const one = { ...instruction, words: [word] };
      const problem = findExpansionProblem(one, seen, evaluation);
      if (problem !== undefined) return problem;
      seen = environmentAfter(seen, one, evaluation);
    }
    return undefined;
  }
  const expanded = wordsToExpand(instruction, scope).map((word) => expandIn(environment, word, escape));
  return expanded.find(({ text, certain }) => text === undefined && certain)?.problem;
}

function wordsToExpand(instruction: Instruction, { buildArgs }: BuildScope): readonly string[] {
  switch (instruction.name) {
    case 'ENV':
    case 'LABEL':
      return pairsOf(instruction).flatMap(({ name, value = '' }) => [name, value]);
    case 'ARG':
      return pairsOf(instruction).flatMap(({ name, value }) => (buildArgs.has(name) ? [] : (value ?? [])));
    case 'EXPOSE':
    case 'STOPSIGNAL':
    case 'USER':
    case 'VOLUME':
    case 'WORKDIR':
      return instruction.words;
    default:
      return [];
  }
}

function directoryAfter({ name, words }: Instruction, { environment, escape, directory }: Place): string | undefined {
  if (name !== 'WORKDIR') return directory;
  const { text, certain } = expandIn(environment, words[0] ?? '', escape);
  if (!certain || text === undefined) return undefined;
  if (text.startsWith('/')) return cleanPath(text);
  return directory === undefined ? undefined : cleanPath(`${directory}/${text}`);
}
