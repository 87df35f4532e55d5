import type { Platform } from '../oci/types.ts';
import type { BuildScope } from './build-scope.ts';
import { type Dockerfile, flagOf, type Instruction, type SyntaxDirective, sourcesOf } from './dockerfile.ts';
import { type Located, located, misplaced } from './located.ts';
import { parseReference } from './reference.ts';
import { isRemoteSource, namesCommit } from './remote-source.ts';
import {
  type Environment,
  type Evaluation,
  environmentAfter,
  environmentForStages,
  expandIn,
  initialEnvironment,
} from './stage-environment.ts';
import { readStageGraph } from './stage-graph.ts';
import { linkStages } from './stage-links.ts';

/** An image that a build reads. */
export interface ImageUse {
  /** As it is named, variables expanded: `node:22`. A valid reference. */
  readonly reference: string;
  /** Where it is named; `undefined` outside of the Dockerfile. */
  readonly line: number | undefined;
}

/** An ADD whose content is known only when it is fetched. */
export interface RemoteAdd {
  /** As written. */
  readonly source: string;
  readonly line: number;
}

/**
 * Every image that the Dockerfile names, for all wanted platforms, in all stages, used or not: FROM, `COPY --from`,
 * `RUN --mount=from`, the frontend, and the same in ONBUILD triggers that run in this very build, those of base images as
 * far as `scope.baseOf` tells. Stages, stage numbers, `scratch` and named contexts are left out. A problem with its line
 * where BuildKit would refuse the name.
 */
export function imagesOf(dockerfile: Dockerfile, scope: BuildScope): Located<readonly ImageUse[]> {
  const frontend = frontendOf(dockerfile.syntax, scope.buildArgs);
  if (!frontend.ok) return frontend;
  const uses = frontend.value === undefined ? [] : [frontend.value];
  for (const platform of scope.platforms) {
    const named = imagesFor(dockerfile, scope, platform);
    if (!named.ok) return named;
    uses.push(...named.value);
  }
  return located([...new Map(uses.map((use) => [`${use.line} ${use.reference}`, use])).values()]);
}

/**
 * The image of the frontend: the build arg BUILDKIT_SYNTAX, else the syntax directive; `undefined` for BuildKit's own. For
 * a file that is no Dockerfile, pass what `detectSyntax` found.
 */
export function frontendOf(
  syntax: SyntaxDirective | undefined,
  buildArgs: ReadonlyMap<string, string>,
): Located<ImageUse | undefined> {
  const given = buildArgs.get('BUILDKIT_SYNTAX')?.trim();
  const value = given ?? syntax?.value;
  if (value === undefined) return located(undefined);
  const line = given === undefined ? syntax?.line : undefined;
  const reference = value.split(' ', 1)[0] ?? '';
  const valid = parseReference(reference);
  return valid.ok ? located({ reference, line }) : misplaced(`the frontend: ${valid.problem}`, line ?? 1);
}

/**
 * The ADDs of http(s) and git sources that neither `--checksum` nor a commit pins, in all stages. Over-inclusive: a source
 * that begins with a variable of the base image, or that cannot be expanded, counts. What {@link imagesOf} refuses has none.
 */
export function remoteAdds(dockerfile: Dockerfile, scope: BuildScope): readonly RemoteAdd[] {
  return distinctAdds(scope.platforms.flatMap((platform) => remoteAddsFor(dockerfile, scope, platform)));
}

/** Each once, whatever the platforms. */
export function distinctAdds(adds: readonly RemoteAdd[]): readonly RemoteAdd[] {
  return [...new Map(adds.map((add) => [`${add.line} ${add.source}`, add])).values()];
}

/** Whether the build runs programs of the platforms that it is for, so that a builder without them needs emulation. */
export function runsPrograms({ stages }: Dockerfile): boolean {
  const isNative = new Map<string, boolean>();
  return stages.some(({ name, base, platform, instructions }) => {
    const native = isNative.get(base.toLowerCase()) ?? /^\$(?:BUILDPLATFORM|\{BUILDPLATFORM\})$/.test(platform);
    if (name !== '') isNative.set(name, native);
    return instructions.some(
      (one) => (one.name === 'RUN' && !native) || (one.name === 'ONBUILD' && /^run\b/i.test(one.words[0] ?? '')),
    );
  });
}

function imagesFor(dockerfile: Dockerfile, scope: BuildScope, platform: Platform): Located<readonly ImageUse[]> {
  const graph = readStageGraph(dockerfile, scope, platform);
  if (!graph.ok) return graph;
  const stages = linkStages(dockerfile, graph.value, scope.namedContexts);
  if (!stages.ok) return stages;
  const uses = stages.value.flatMap(({ line, base, steps }) => [
    { source: base, line },
    ...steps.flatMap(({ instruction, sources }) => sources.map((source) => ({ source, line: instruction.line }))),
  ]);
  return located(
    uses.flatMap(({ source, line }) => (source?.kind === 'image' ? { reference: source.reference, line } : [])),
  );
}

function remoteAddsFor(dockerfile: Dockerfile, scope: BuildScope, platform: Platform): readonly RemoteAdd[] {
  const graph = readStageGraph(dockerfile, scope, platform);
  if (!graph.ok) return [];
  const evaluation: Evaluation = { escape: dockerfile.escape, graph: graph.value, scope };
  const environments = new Map<number, Environment>();
  const adds: RemoteAdd[] = [];
  for (const [index, { base, config, instructions }] of graph.value.stages.entries()) {
    let environment = initialEnvironment({ base, config }, environments, graph.value);
    for (const instruction of instructions) {
      adds.push(...remoteSourcesOf(instruction, environment, evaluation));
      environment = environmentAfter(environment, instruction, evaluation);
    }
    environments.set(index, environmentForStages(environment, instructions));
  }
  return adds;
}

function remoteSourcesOf(
  instruction: Instruction,
  environment: Environment,
  { escape }: Evaluation,
): readonly RemoteAdd[] {
  if (instruction.name !== 'ADD') return [];
  const checksum = expandIn(environment, flagOf(instruction, 'checksum') ?? '', escape);
  if (checksum.certain && checksum.text !== undefined && checksum.text !== '') return [];
  const { line } = instruction;
  const unpinned = sourcesOf(instruction).paths.filter((source) => {
    const { text, certain } = expandIn(environment, source, escape);
    if (text === undefined) return mayBecomeRemote(source);
    return certain ? isRemoteSource(text) && !namesCommit(text) : isRemoteSource(text) || mayBecomeRemote(source);
  });
  return unpinned.map((source) => ({ source, line }));
}

/** A slash before any variable, colon or `@` makes it a path, whatever follows. */
function mayBecomeRemote(source: string): boolean {
  const literal = /^[^$'"\\`]*/.exec(source)?.[0] ?? '';
  return !/^[^:@]*\//.test(literal);
}
