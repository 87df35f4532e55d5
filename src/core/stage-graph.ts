import type { Platform } from '../oci/types.ts';
import { type Allowance, fullAllowance } from './allowance.ts';
import { type BaseConfig, type BuildScope, type GlobalVariables, globalVariables } from './build-scope.ts';
import { type Dockerfile, type DockerfileStage, type Instruction, triggerOf } from './dockerfile.ts';
import { type Located, located, misplaced } from './located.ts';
import type { Parsed } from './parsed.ts';
import { isPlatformText, parsePlatform } from './platform.ts';
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
  /** A trigger that cannot be read: the stage cannot be built. */
  readonly problem: string | undefined;
}

const MAX_NAMES_SHOWN = 20;
/** Triggers that run in a build, all stages together: each stage repeats those of its parent. */
const MAX_TRIGGERS = 1_000_000;

/** All stages as built for one platform. */
export interface StageGraph {
  readonly stages: readonly BuiltStage[];
  readonly variables: GlobalVariables;
  /** What is left for the variables of the stages. */
  readonly allowance: Allowance;
}

/**
 * Expands each FROM and finds what it names: an earlier stage by its name in lower case; `scratch`; a named context, which
 * also replaces a stage of the same name and all of its instructions; else an image (BuildKit v0.29, dockerfile2llb). A
 * problem for a base or platform that is empty or malformed, for what is no image reference, and for a Dockerfile without
 * stages or without the target.
 */
export function readStageGraph(dockerfile: Dockerfile, scope: BuildScope, platform: Platform): Located<StageGraph> {
  const allowance = fullAllowance();
  const variables = globalVariables(dockerfile, scope, { platform, allowance });
  if (!variables.ok) return variables;
  const epoch = scope.buildArgs.get('SOURCE_DATE_EPOCH') ?? variables.value.all.get('SOURCE_DATE_EPOCH') ?? '';
  if (!/^(?:|[+-]?[0-9]{1,18})$/.test(epoch)) return misplaced(`SOURCE_DATE_EPOCH is ${quote(epoch)}, no number`, 1);
  const last = dockerfile.stages.at(-1);
  if (last === undefined) return misplaced('the Dockerfile has no FROM', 1);
  const findContext = namedContextFinder(scope.namedContexts);
  const stages: BuiltStage[] = [];
  const indices = new Map<string, number>();
  const triggersOf = triggerReader(dockerfile);
  let triggered = 0;
  let refused: Located<never> | undefined;
  for (const [number, stage] of dockerfile.stages.entries()) {
    const base = expandFrom(stage, (word) =>
      expandWord(word, (name) => variables.value.all.get(name), dockerfile.escape, allowance),
    );
    if (!base.ok) return base;
    const index = indices.get(base.value.name);
    const replacement = findContext(stage.name);
    const source =
      replacement !== undefined
        ? located<Source>({ kind: 'context', name: replacement })
        : index === undefined
          ? sourceOfName(base.value.name, stage.line, findContext)
          : located<Source>({ kind: 'stage', index });
    if (!source.ok) refused ??= source;
    if (stage.name !== '') indices.set(stage.name, number);
    const config = source.ok ? configOf(source.value, scope, takenPlatform(base.value.platform, platform)) : undefined;
    const triggers =
      index === undefined
        ? { read: readTriggers(config?.triggers ?? [], stage.line), problem: undefined }
        : triggersOf(index);
    triggered += triggers.read.length;
    if (triggered > MAX_TRIGGERS) return misplaced(`more than ${MAX_TRIGGERS} ONBUILD triggers would run`, stage.line);
    const own = stage.instructions.filter(({ name }) => name !== 'ONBUILD');
    const instructions = replacement === undefined ? triggers.read.concat(own) : [];
    const problem = replacement === undefined ? triggers.problem : undefined;
    if (source.ok)
      stages.push({ stage, base: source.value, platform: base.value.platform, config, instructions, problem });
  }
  const missing = findMissingTarget(dockerfile, scope.target);
  if (missing !== undefined) return misplaced(missing, last.line);
  return refused ?? located({ stages, variables: variables.value, allowance });
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
  const shown = names.length > MAX_NAMES_SHOWN ? [...names.slice(0, MAX_NAMES_SHOWN), '…'] : names;
  return `the target ${quote(target)} is no stage; ${names.length === 0 ? 'no stage has a name' : `stages with a name: ${shown.join(', ')}`}`;
}

function expandFrom(
  { base, platform, line }: DockerfileStage,
  expand: (word: string) => Parsed<string>,
): Located<{ readonly name: string; readonly platform: string | undefined }> {
  const expandedPlatform = expand(platform);
  if (!expandedPlatform.ok) return misplaced(expandedPlatform.problem, line);
  if (platform !== '' && expandedPlatform.value === '') {
    return misplaced(`FROM --platform=${quote(platform)} is empty once its variables are expanded`, line);
  }
  if (platform !== '' && !isPlatformText(expandedPlatform.value)) {
    return misplaced(`FROM --platform=${quote(expandedPlatform.value)} is no platform, as linux/amd64 is one`, line);
  }
  const expanded = expand(base);
  if (!expanded.ok) return misplaced(expanded.problem, line);
  if (expanded.value === '') return misplaced(`FROM ${quote(base)} is empty once its variables are expanded`, line);
  return located({ name: expanded.value, platform: expandedPlatform.value || undefined });
}

interface Triggers {
  readonly read: readonly Instruction[];
  /** About the first one that cannot be read. */
  readonly problem: string | undefined;
}

/** The triggers that a stage of the file has for those that begin from it, by its index; each is read once. */
function triggerReader({ stages }: Dockerfile): (index: number) => Triggers {
  const known = new Map<number, Triggers>();
  return (index) => {
    const onbuilds = stages[index]?.instructions.filter(({ name }) => name === 'ONBUILD') ?? [];
    const triggers = known.get(index) ?? readAll(onbuilds);
    known.set(index, triggers);
    return triggers;
  };
}

function readAll(onbuilds: readonly Instruction[]): Triggers {
  const triggers = onbuilds.map((onbuild) => ({ onbuild, trigger: triggerOf(onbuild) }));
  const bad = triggers.find(({ trigger }) => trigger === undefined)?.onbuild;
  return {
    read: triggers.flatMap(({ trigger }) => trigger ?? []),
    problem: bad && `the trigger ${quote(bad.words[0] ?? '')} of line ${bad.line}, which runs here, cannot be read`,
  };
}

/** The triggers of a base image, which stand at the line of their FROM; what cannot be read is left out. */
export function readTriggers(triggers: readonly string[], line: number): readonly Instruction[] {
  return triggers.flatMap((text) => {
    const onbuild = { name: 'ONBUILD', line, endLine: line, flags: [], words: [text], json: false, heredocs: [] };
    return triggerOf(onbuild) ?? [];
  });
}
