import type { Platform } from '../oci/types.ts';
import { type BaseConfig, type BuildScope, globalVariables } from './build-scope.ts';
import { type Dockerfile, type DockerfileStage, type Instruction, triggerOf } from './dockerfile.ts';
import { type Located, located, misplaced } from './located.ts';
import { parsePlatform } from './platform.ts';
import { quote } from './printable.ts';
import { formatRepositoryName, parseReference } from './reference.ts';
import { expandWord } from './shell-words.ts';

/** What a stage, a copy or a mount begins from. */
export type Source =
  | { readonly kind: 'stage'; readonly index: number }
  | { readonly kind: 'context'; readonly name: string }
  | { readonly kind: 'scratch' }
  | { readonly kind: 'image'; readonly reference: string };

/** A stage as it is built for one platform. */
interface BuiltStage {
  readonly stage: DockerfileStage;
  readonly base: Source;
  /** The platform that its FROM asks for, as written there after expansion; `undefined` for the wanted one. */
  readonly platform: string | undefined;
  /** Of a base image, as far as it is known. */
  readonly config: BaseConfig | undefined;
  /** What runs, in order: the triggers of what it is based on, then its own without ONBUILD. */
  readonly instructions: readonly Instruction[];
}

/** All stages as built for one platform. */
export interface StageGraph {
  readonly stages: readonly BuiltStage[];
  readonly variables: ReadonlyMap<string, string>;
}

/**
 * Expands each FROM and finds what it names: an earlier stage by its name in lower case; `scratch`; a named context, which
 * also replaces a stage of the same name and all of its instructions; else an image (BuildKit v0.29, dockerfile2llb). A problem for a base or platform
 * that is empty, for what is no image reference, and for a Dockerfile without stages or without the target.
 */
export function readStageGraph(dockerfile: Dockerfile, scope: BuildScope, platform: Platform): Located<StageGraph> {
  const variables = globalVariables(dockerfile, scope, platform);
  if (!variables.ok) return variables;
  const last = dockerfile.stages.at(-1);
  if (last === undefined) return misplaced('the Dockerfile has no FROM', 1);
  const missing = findMissingTarget(dockerfile, scope.target);
  if (missing !== undefined) return misplaced(missing, last.line);
  const findContext = namedContextFinder(scope.namedContexts);
  const stages: BuiltStage[] = [];
  const indices = new Map<string, number>();
  for (const stage of dockerfile.stages) {
    const base = expandFrom(stage, dockerfile, variables.value);
    if (!base.ok) return base;
    const index = indices.get(base.value.name);
    const replacement = findContext(stage.name);
    const source =
      replacement !== undefined
        ? located<Source>({ kind: 'context', name: replacement })
        : index === undefined
          ? sourceOfName(base.value.name, stage.line, findContext)
          : located<Source>({ kind: 'stage', index });
    if (!source.ok) return source;
    if (stage.name !== '') indices.set(stage.name, stages.length);
    const config = configOf(source.value, scope, takenPlatform(base.value.platform, platform));
    const triggers =
      index === undefined ? readTriggers(config?.triggers ?? [], stage.line) : triggersOf(stages[index]?.stage);
    const own = stage.instructions.filter(({ name }) => name !== 'ONBUILD');
    const instructions = replacement === undefined ? [...triggers, ...own] : [];
    stages.push({ stage, base: source.value, platform: base.value.platform, config, instructions });
  }
  return located({ stages, variables: variables.value });
}

/** The platform of a base image that is taken; `asked` as its FROM has it, after expansion. */
function takenPlatform(asked: string | undefined, wanted: Platform): Platform {
  const given = asked === undefined ? undefined : parsePlatform(asked);
  return given?.ok ? given.value : wanted;
}

function configOf(base: Source, { baseOf }: BuildScope, platform: Platform): BaseConfig | undefined {
  return base.kind === 'image' ? baseOf?.(base.reference, platform) : undefined;
}

/** A name that is no stage: `scratch`, a named context or an image. A problem when it is no image reference. */
export function sourceOfName(name: string, line: number, findContext: ContextFinder): Located<Source> {
  if (name === 'scratch') return located({ kind: 'scratch' });
  const context = findContext(name);
  if (context !== undefined) return located({ kind: 'context', name: context });
  const reference = parseReference(name);
  return reference.ok ? located({ kind: 'image', reference: name }) : misplaced(reference.problem, line);
}

/** The named context that stands behind a name, by the name under which it was given. */
type ContextFinder = (name: string) => string | undefined;

/** Named contexts are compared as references, `latest` implied; `scratch` and `context` cannot be replaced. */
export function namedContextFinder(namedContexts: readonly string[]): ContextFinder {
  const names = new Map(namedContexts.map((name) => [contextKey(name), name]));
  return (name) => (names.size > 0 && !/^(?:|scratch|context)$/i.test(name) ? names.get(contextKey(name)) : undefined);
}

function contextKey(name: string): string {
  const reference = parseReference(name);
  if (!reference.ok) return name;
  const { repository, tag, digest } = reference.value;
  return `${formatRepositoryName(repository)}:${tag ?? (digest === undefined ? 'latest' : '')}@${digest ?? ''}`;
}

function findMissingTarget({ stages }: Dockerfile, target: string | undefined): string | undefined {
  const isMissing = target !== undefined && target !== '' && !stages.some(({ name }) => name === target.toLowerCase());
  if (!isMissing) return undefined;
  const names = stages.map(({ name }) => name).filter((name) => name !== '');
  return `the target ${quote(target)} is no stage: ${names.length === 0 ? 'none has a name' : `${names.join(', ')} are`}`;
}

function expandFrom(
  { base, platform, line }: DockerfileStage,
  { escape }: Dockerfile,
  variables: ReadonlyMap<string, string>,
): Located<{ readonly name: string; readonly platform: string | undefined }> {
  const lookup = (name: string) => variables.get(name);
  const expandedPlatform = expandWord(platform, lookup, escape);
  if (!expandedPlatform.ok) return misplaced(expandedPlatform.problem, line);
  if (platform !== '' && expandedPlatform.value === '') {
    return misplaced(`FROM --platform=${quote(platform)} is empty once its variables are expanded`, line);
  }
  const expanded = expandWord(base, lookup, escape);
  if (!expanded.ok) return misplaced(expanded.problem, line);
  if (expanded.value === '') return misplaced(`FROM ${quote(base)} is empty once its variables are expanded`, line);
  return located({ name: expanded.value, platform: expandedPlatform.value || undefined });
}

function triggersOf(stage: DockerfileStage | undefined): readonly Instruction[] {
  const onbuilds = stage?.instructions.filter(({ name }) => name === 'ONBUILD') ?? [];
  return onbuilds.flatMap((onbuild) => triggerOf(onbuild) ?? []);
}

/** The triggers of a base image, which stand at the line of their FROM; what cannot be read is left out. */
export function readTriggers(triggers: readonly string[], line: number): readonly Instruction[] {
  return triggers.flatMap((text) => {
    const onbuild = { name: 'ONBUILD', line, endLine: line, flags: [], words: [text], json: false, heredocs: [] };
    return triggerOf(onbuild) ?? [];
  });
}
