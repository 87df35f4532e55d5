import { readGroups, readTargetDefinitions } from '../core/bake/bake-json.ts';
import { assemble, type Configuration } from '../core/bake/configuration.ts';
import type { Findings } from '../core/bake/findings.ts';
import { isJobToken } from '../core/bake/job-token.ts';
import { readJsonTree } from '../core/bake/json-tree.ts';
import { unescapePrinted } from '../core/bake/template.ts';
import type { ReadScalar } from '../core/bake/variables.ts';
import { quote } from '../core/printable.ts';
import { BuildOnceError, CommandError, isBuildOnceError, UsageError } from '../errors.ts';
import type { Host } from '../host.ts';
import { checkBuildx, type Docker, errorOf, runDocker } from '../tools/docker.ts';

/** In these, `--print` escapes what would be a template (bake/bake.go, MarshalJSON). */
const ESCAPED = ['annotations', 'dockerfile-inline', 'labels', 'args', 'extra-hosts'];
const TIMEOUT_MS = 120_000;
const MAX_OUTPUT_BYTES = 64 << 20;
/** What buildx says of a name that the files do not have (bake/bake.go). */
const UNKNOWN = /(?:failed to find target|could not find any target matching) "?([^\s"]+)"?/;
/** What buildx says where there is nothing to build by default. */
const NO_DEFAULT = /failed to find target default\b/;

export interface PrintRequest {
  /** Bake and compose files, as they were given, in their order; none for the default files. */
  readonly files: readonly string[];
  /** Names and patterns; none for `default`, and for all where there is no such. */
  readonly targets: readonly string[];
  /** What cannot be read without buildx, for errors. */
  readonly reason: string;
}

/** The arguments of `docker` that evaluate bake files and build nothing. */
export function printArguments({ files, targets }: Pick<PrintRequest, 'files' | 'targets'>): readonly string[] {
  return [
    'buildx',
    'bake',
    '--print',
    '--progress=quiet',
    ...files.flatMap((file) => ['--file', file]),
    '--',
    ...targets,
  ];
}

/**
 * What buildx makes of the files: groups, and targets with all that they inherit; the group `default` holds what was asked
 * for. CommandError `DOCKER_MISSING` without buildx, UsageError for a target that is not there, BuildOnceError `BAKE_FAILED` for
 * what it refuses.
 */
export async function printTargets(host: Host, request: PrintRequest, findings: Findings): Promise<Configuration> {
  const docker: Docker = { host, env: withoutTokens(host.env) };
  const { files, reason } = request;
  const call = (targets: readonly string[]) =>
    runDocker(docker, printArguments({ files, targets }), { timeoutMs: TIMEOUT_MS, maxOutputBytes: MAX_OUTPUT_BYTES });
  let result = await needing(reason, () => call(request.targets));
  if (result.status !== 0 && request.targets.length === 0 && NO_DEFAULT.test(result.stderr)) result = await call(['*']);
  if (result.status !== 0) {
    await needing(reason, () => checkBuildx(docker));
    const [, unknown = ''] = UNKNOWN.exec(result.stderr) ?? [];
    if (request.targets.includes(unknown))
      throw new UsageError([{ input: 'targets', message: `there is no target ${quote(unknown)} in ${names(files)}` }]);
    throw new BuildOnceError(
      'BAKE_FAILED',
      `docker buildx bake --print cannot read ${names(files)}: ${errorOf(result.stderr)}`,
      2,
      {
        hint: `Repair what it names; docker buildx bake --print shows it in full. buildx was asked because of ${reason}.`,
      },
    );
  }
  const reader = findings.in(files.length === 0 ? 'the default bake files' : files.join(', '));
  const tree = readJsonTree(result.stdout, reader);
  if (tree === undefined) return { targets: new Map(), groups: new Map() };
  const unplaced = (_: number | undefined, message: string): void => reader.problem(undefined, message);
  const file = { tree, reader: { ...reader, problem: unplaced, certain: unplaced } };
  const targets = readTargetDefinitions(file, (attribute) => (ESCAPED.includes(attribute) ? unescaped : literal));
  return assemble(
    targets.map((target) => ({ ...target, line: undefined })),
    readGroups(file, literal).map((group) => ({ ...group, line: undefined })),
  );
}

/** A file may have any variable put into what is printed. */
function withoutTokens(env: Host['env']): Docker['env'] {
  return Object.fromEntries(Object.keys(env).flatMap((name) => (isJobToken(name) ? [[name, '']] : [])));
}

/** Says why a program is needed that is not there. */
async function needing<T>(reason: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!isBuildOnceError(cause) || cause.code !== 'DOCKER_MISSING') throw cause;
    throw new CommandError('DOCKER_MISSING', `${cause.message}, and only docker buildx can read ${reason}`, {
      command: 'docker buildx bake --print',
      hint: `${cause.hint ?? ''} Bake files in JSON and compose files without it need no Docker.`.trim(),
      cause,
    });
  }
}

function names(files: readonly string[]): string {
  return files.length === 0 ? 'the default bake files' : files.map((file) => quote(file)).join(', ');
}

const literal: ReadScalar = (tree, reader) => {
  if (tree.kind === 'text' || tree.kind === 'number' || tree.kind === 'boolean')
    return { kind: tree.kind, text: tree.text };
  reader.problem(tree.line, 'buildx printed a value that is no text');
  return undefined;
};

const unescaped: ReadScalar = (tree, reader) => {
  const value = literal(tree, reader);
  return value && { ...value, text: unescapePrinted(value.text) };
};
