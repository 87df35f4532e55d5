import type { BaseConfig } from './build-scope.ts';
import { type Dockerfile, flagOf, flagsOf, type Instruction } from './dockerfile.ts';
import { mountSource, parseMount } from './run-mount.ts';
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

/** Finds what each `--from` and `from=` names: any stage, also a later one; else a named context, `scratch` or an image. */
export function linkStages(
  dockerfile: Dockerfile,
  graph: StageGraph,
  namedContexts: readonly string[],
): readonly LinkedStage[] {
  const findContext = namedContextFinder(namedContexts);
  const indices = new Map(dockerfile.stages.map(({ name }, index) => [name, index]));
  const atIndex = (index: number): Source => {
    const name = findContext(graph.stages[index]?.stage.name ?? '');
    return name === undefined ? { kind: 'stage', index } : { kind: 'context', name };
  };
  const find = (name: string, line: number): Source | undefined => {
    const index = name === '' ? undefined : indices.get(name.toLowerCase());
    if (index !== undefined) return atIndex(index);
    const source = sourceOfName(name, line, findContext);
    return source.ok ? source.value : undefined;
  };
  return graph.stages.map(({ stage, base, platform, config, instructions, problem }) => {
    const own = new Set(stage.instructions);
    const steps = instructions.map((instruction): LinkedStep => {
      const { line } = instruction;
      const triggered = !own.has(instruction);
      if (instruction.name === 'COPY') {
        const from = flagOf(instruction, 'from') ?? '';
        const source = /^[+-]?[0-9]{1,18}$/.test(from) ? atIndex(Number(from)) : find(from, line);
        return { instruction, sources: from === '' ? [] : [source], triggered };
      }
      const mounts = instruction.name === 'RUN' ? flagsOf(instruction, 'mount') : [];
      const sources = mounts.map((flag) => {
        const mount = parseMount(flag);
        const from = mount.ok ? mountSource(mount.value) : undefined;
        return from === undefined ? undefined : find(from, line);
      });
      return { instruction, sources, triggered };
    });
    return { line: stage.line, base, platform, config, steps, problem };
  });
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
