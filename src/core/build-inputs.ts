import type { Platform } from '../oci/types.ts';
import type { BuildScope } from './build-scope.ts';
import { type Dockerfile, flagOf, flagsOf, type Instruction, type SyntaxDirective, sourcesOf } from './dockerfile.ts';
import { type Located, located, misplaced } from './located.ts';
import { quote } from './printable.ts';
import { parseReference } from './reference.ts';
import { isRemoteSource, namesCommit } from './remote-source.ts';
import { mountSource, parseMount } from './run-mount.ts';
import { expandWord } from './shell-words.ts';
import {
  type Environment,
  type Evaluation,
  environmentAfter,
  environmentForStages,
  expandIn,
  initialEnvironment,
} from './stage-environment.ts';
import { namedContextFinder, readStageGraph, sourceOfName } from './stage-graph.ts';

export type { BuildScope } from './build-scope.ts';

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
 * The ADDs of http(s) and git sources that neither `--checksum` nor a commit pins. Over-inclusive: a source that begins
 * with a variable of the base image counts. What {@link imagesOf} refuses has none.
 */
export function remoteAdds(dockerfile: Dockerfile, scope: BuildScope): readonly RemoteAdd[] {
  const adds = scope.platforms.flatMap((platform) => remoteAddsFor(dockerfile, scope, platform));
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
  const findContext = namedContextFinder(scope.namedContexts);
  const names = new Set(dockerfile.stages.map(({ name }) => name).filter((name) => name !== ''));
  const uses: ImageUse[] = [];
  for (const { stage, base, instructions } of graph.value.stages) {
    if (base.kind === 'image') uses.push({ reference: base.reference, line: stage.line });
    for (const instruction of instructions) {
      const { line } = instruction;
      for (const name of sourceNames(instruction)) {
        const problem = instruction.name === 'COPY' ? findCopyProblem(name, dockerfile) : undefined;
        if (problem !== undefined) return misplaced(problem, line);
        // Any stage may be named, also a later one; numbers name stages in COPY only.
        if (names.has(name.toLowerCase()) || (instruction.name === 'COPY' && STAGE_NUMBER.test(name))) continue;
        const source = sourceOfName(name, line, findContext);
        if (!source.ok) return source;
        if (source.value.kind === 'image') uses.push({ reference: source.value.reference, line });
      }
    }
  }
  return located(uses);
}

/** The names that `--from` of a copy and `from=` of mounts give. */
function sourceNames(instruction: Instruction): readonly string[] {
  if (instruction.name === 'COPY') return flagsOf(instruction, 'from').filter((name) => name !== '');
  if (instruction.name !== 'RUN') return [];
  return flagsOf(instruction, 'mount').flatMap((flag) => {
    const mount = parseMount(flag);
    return (mount.ok ? mountSource(mount.value) : undefined) ?? [];
  });
}

/** What is larger than any number of Go is a name. */
const STAGE_NUMBER = /^[+-]?[0-9]{1,18}$/;

function findCopyProblem(name: string, { stages, escape }: Dockerfile): string | undefined {
  const expanded = expandWord(name, () => undefined, escape);
  if (!expanded.ok || expanded.value !== name) {
    return `COPY --from=${quote(name)}: it takes no variables and quotes; name a stage by FROM instead`;
  }
  const isMissing = STAGE_NUMBER.test(name) && !(Number(name) >= 0 && Number(name) < stages.length);
  return isMissing ? `COPY --from=${quote(name)}: there is no such stage` : undefined;
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
    if (certain) return text !== undefined && isRemoteSource(text) && !namesCommit(text);
    return (text !== undefined && isRemoteSource(text)) || mayBecomeRemote(source);
  });
  return unpinned.map((source) => ({ source, line }));
}

/** A slash before any variable, colon or `@` makes it a path, whatever follows. */
function mayBecomeRemote(source: string): boolean {
  const literal = /^[^$'"\\`]*/.exec(source)?.[0] ?? '';
  return !/^[^:@]*\//.test(literal);
}
