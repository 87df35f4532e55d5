import path from 'node:path';
import { baseKey } from '../../src/base-configs.ts';
import { openContext } from '../../src/context.ts';
import { type ContextReading, readContextInputs } from '../../src/context-inputs.ts';
import type { BaseConfig } from '../../src/core/build-scope.ts';
import { followLinks } from '../../src/core/context-tree.ts';
import { type Instruction, parseDockerfile, sourcesOf } from '../../src/core/dockerfile.ts';
import { NOTHING_IGNORED } from '../../src/core/dockerignore.ts';
import type { UseInput } from '../../src/core/input-manifest.ts';
import { parsePlatform } from '../../src/core/platform.ts';
import { readStageGraph } from '../../src/core/stage-graph.ts';
import { type PlatformReads, readDockerfile } from '../../src/dockerfile-inputs.ts';
import { isBuildOnceError } from '../../src/errors.ts';
import type { Host } from '../../src/host.ts';
import type { Platform } from '../../src/oci/types.ts';
import { parseOptions } from '../../src/options.ts';
import { buildScope } from '../support/build-scope.ts';
import type { Content } from './observed-build.ts';

/** A build to predict, in a directory of its own. */
export interface PlannedBuild {
  readonly context: string;
  readonly dockerfile: string;
  readonly platform: string;
  readonly target: string | undefined;
  readonly buildArgs: readonly string[];
  /** How base images begin, as it is known before a build, by {@link baseKey}. */
  readonly configs: ReadonlyMap<string, BaseConfig>;
}

/**
 * What the hash says of a build: `exact` what the image gets, by its path; `whole` everything that counts, where it is not
 * known what of it is read; `refusal` what is wrong.
 */
export type Prediction = { readonly exact: Content } | { readonly whole: Content } | { readonly refusal: string };

/** Reads what the hash reads, by the same calls as the stage `hash`. */
export function predict(host: Host, build: PlannedBuild): Prediction {
  const { context, configs } = build;
  const file = path.join(context, 'Dockerfile');
  const { options } = parseOptions({
    context,
    target: build.target ?? '',
    'build-args': build.buildArgs.join('\n'),
  });
  const platform = parsePlatform(build.platform);
  if (!platform.ok) throw new Error(platform.problem);
  const bases = { pins: [], configs, whole: false };
  try {
    const { targets } = readDockerfile(file, { host, options, platforms: [platform.value], bases });
    const reading = readContextInputs({ host, options }, { dockerfile: file, targets });
    const [problem] = reading.problems;
    if (problem !== undefined) return { refusal: `line ${problem.line}: ${problem.problem}` };
    const [reads] = targets ?? [];
    if (reads === undefined) return { whole: new Map(reading.inputs.context) };
    return { exact: place(host, build, reads, reading) };
  } catch (error) {
    if (isBuildOnceError(error)) return { refusal: error.message };
    throw error;
  }
}

/** Where each use puts what it takes; a later one replaces an earlier. */
function place(host: Host, build: PlannedBuild, { platform, uses }: PlatformReads, reading: ContextReading): Content {
  const instructions = instructionsOf(build, platform);
  const [target] = reading.inputs.targets;
  const placed = (target?.uses ?? []).flatMap((position, index) => {
    const use = reading.inputs.uses[position];
    if (use === undefined) throw new Error(`no use at ${position}`);
    const line = uses[index]?.line;
    const reader = instructions.find((one) => one.line === line && isReader(one, use));
    const before = uses.slice(0, index).filter((other) => other.line === line).length;
    const to = destinationOf(reader, before);
    const isInside = /(?:^|\/)\.?$/.test(to) || isDirectory(host, build.context, use.source);
    return use.entries.map(([name, leaf]): [string, string] => [path.posix.join('/', to, isInside ? name : ''), leaf]);
  });
  // The root is there in any case.
  return new Map(placed.filter(([at]) => at !== '/'));
}

function instructionsOf({ dockerfile, target, configs }: PlannedBuild, platform: Platform): readonly Instruction[] {
  const read = parseDockerfile(dockerfile);
  if (!read.ok) throw new Error(read.problem);
  const baseOf = (reference: string, taken: Platform) => configs.get(baseKey(reference, taken));
  const graph = readStageGraph(read.value, buildScope({ target, platforms: [platform], baseOf }), platform);
  if (!graph.ok) throw new Error(graph.problem);
  return graph.value.stages.flatMap((stage) => stage.instructions);
}

function isReader({ name }: Instruction, { op }: UseInput): boolean {
  return name === (op === 'bind' ? 'RUN' : op.toUpperCase());
}

/** Mounts are made in the order of where they go, and seen where the observer copies them. */
function destinationOf(instruction: Instruction | undefined, mountIndex: number): string {
  if (instruction === undefined) throw new Error('no instruction stands where something is read');
  if (instruction.name !== 'RUN') return sourcesOf(instruction).destination;
  const mounts = instruction.flags.filter(({ name }) => name === 'mount').map(({ value }) => value);
  const targets = mounts.map((mount) => path.posix.join('/', /target=([^,]+)/i.exec(mount)?.[1] ?? ''));
  return `/observed${targets.sort()[mountIndex] ?? ''}`;
}

/** Whether a source without wildcards leads to a directory, inside of the context. */
function isDirectory({ files }: Host, context: string, source: string): boolean {
  const { tree } = openContext(files, { directory: context, matcher: NOTHING_IGNORED });
  return tree.kindOf(followLinks(tree, source.slice(1))) === 'directory';
}
