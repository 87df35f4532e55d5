import type { BaseConfig } from './build-scope.ts';
import { type Dockerfile, flagsOf, type Instruction } from './dockerfile.ts';
import { type Located, located, misplaced } from './located.ts';
import { quote } from './printable.ts';
import { mountSource, parseMount } from './run-mount.ts';
import { expandWord } from './shell-words.ts';
import { namedContextFinder, type Source, type StageGraph, sourceOfName } from './stage-graph.ts';

/** An instruction, and what it names. */
export interface LinkedStep {
  readonly instruction: Instruction;
  /** Of COPY what `--from` names, of RUN what each mount names, in order; `undefined` for the build's own context. */
  readonly sources: readonly (Source | undefined)[];
  /** It comes from an ONBUILD. Such a one may read the stage that it stands in, as far as that is made. */
  readonly triggered: boolean;
}

/** A stage whose instructions know what they read from. */
export interface LinkedStage {
  readonly line: number;
  readonly base: Source;
  /** As FROM asks for it, expanded. */
  readonly platform: string | undefined;
  /** Of a base image, as far as it is known. */
  readonly config: BaseConfig | undefined;
  readonly steps: readonly LinkedStep[];
  /** Why it cannot be built. */
  readonly problem: string | undefined;
}

/** What is larger than any number of Go is a name. */
const STAGE_NUMBER = /^[+-]?[0-9]{1,18}$/;

/**
 * Finds what each `--from` and `from=` names: any stage, also a later one; else a named context, `scratch` or an image;
 * numbers name stages in COPY only. A problem with its line where BuildKit v0.29 would refuse the name (dockerfile2llb).
 */
export function linkStages(
  dockerfile: Dockerfile,
  graph: StageGraph,
  namedContexts: readonly string[],
): Located<readonly LinkedStage[]> {
  const findSource = sourceFinder(dockerfile, graph, namedContexts);
  const linked: LinkedStage[] = [];
  for (const { stage, base, platform, config, instructions, problem } of graph.stages) {
    const own = new Set(stage.instructions);
    const steps: LinkedStep[] = [];
    for (const instruction of instructions) {
      const sources: (Source | undefined)[] = [];
      for (const name of sourceNames(instruction)) {
        const source = name === undefined ? located(undefined) : findSource(name, instruction);
        if (!source.ok) return source;
        sources.push(source.value);
      }
      steps.push({ instruction, sources, triggered: !own.has(instruction) });
    }
    linked.push({ line: stage.line, base, platform, config, steps, problem });
  }
  return located(linked);
}

/** What `--from` of COPY and each mount of RUN names; `undefined` for a mount without a name. */
function sourceNames(instruction: Instruction): readonly (string | undefined)[] {
  if (instruction.name === 'COPY') return flagsOf(instruction, 'from').filter((name) => name !== '');
  if (instruction.name !== 'RUN') return [];
  return flagsOf(instruction, 'mount').map((flag) => {
    const mount = parseMount(flag);
    return mount.ok ? mountSource(mount.value) : undefined;
  });
}

function sourceFinder(
  dockerfile: Dockerfile,
  { stages }: StageGraph,
  namedContexts: readonly string[],
): (name: string, instruction: Instruction) => Located<Source> {
  const findContext = namedContextFinder(namedContexts);
  const indices = new Map(dockerfile.stages.map(({ name }, index) => [name, index]));
  indices.delete('');
  const atIndex = (index: number): Located<Source> => {
    const context = findContext(stages[index]?.stage.name ?? '');
    return located(context === undefined ? { kind: 'stage', index } : { kind: 'context', name: context });
  };
  return (name, instruction) => {
    const problem = instruction.name === 'COPY' ? findCopyProblem(name, dockerfile) : undefined;
    if (problem !== undefined) return misplaced(problem, instruction.line);
    if (instruction.name === 'COPY' && STAGE_NUMBER.test(name)) return atIndex(Number(name));
    const index = indices.get(name.toLowerCase());
    return index === undefined ? sourceOfName(name, instruction.line, findContext) : atIndex(index);
  };
}

function findCopyProblem(name: string, { stages, escape }: Dockerfile): string | undefined {
  const expanded = expandWord(name, () => undefined, escape);
  if (!expanded.ok || expanded.value !== name) {
    return `COPY --from=${quote(name)}: it takes no variables and quotes; name a stage by FROM instead`;
  }
  const isMissing = STAGE_NUMBER.test(name) && !(Number(name) >= 0 && Number(name) < stages.length);
  return isMissing ? `COPY --from=${quote(name)}: there is no such stage` : undefined;
}

/** The line of an instruction with which a stage reads, by way of others or not, from itself; triggers are not looked at. */
export function findCycle(stages: readonly LinkedStage[]): number | undefined {
  const finished = new Set<number>();
  for (const start of stages.keys()) {
    const path = new Set<number>();
    const stack = [{ index: start, links: linksOf(stages[start]), position: 0 }];
    if (finished.has(start)) continue;
    path.add(start);
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      const link = frame.links[frame.position];
      frame.position += 1;
      if (link === undefined) {
        path.delete(frame.index);
        finished.add(frame.index);
        stack.pop();
      } else if (path.has(link.index)) {
        return link.line;
      } else if (!finished.has(link.index)) {
        path.add(link.index);
        stack.push({ index: link.index, links: linksOf(stages[link.index]), position: 0 });
      }
    }
  }
  return undefined;
}

function linksOf(stage: LinkedStage | undefined): readonly { readonly index: number; readonly line: number }[] {
  return (stage?.steps ?? []).flatMap(({ instruction: { line }, sources, triggered }) =>
    sources.flatMap((source) => (source?.kind === 'stage' && !triggered ? [{ index: source.index, line }] : [])),
  );
}
