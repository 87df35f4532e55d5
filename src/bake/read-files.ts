import { readGroups, readTargetDefinitions, variablesOf } from '../core/bake/bake-json.ts';
import { readCompose } from '../core/bake/compose.ts';
import { assemble, type Configuration } from '../core/bake/configuration.ts';
import { parseEnvFile } from '../core/bake/env-file.ts';
import type { Findings } from '../core/bake/findings.ts';
import { interpolate } from '../core/bake/interpolation.ts';
import { isJobToken } from '../core/bake/job-token.ts';
import { readJsonTree } from '../core/bake/json-tree.ts';
import type { Tree } from '../core/bake/tree.ts';
import { readVariables } from '../core/bake/variables.ts';
import { readYamlTree } from '../core/bake/yaml-tree.ts';
import type { Host } from '../host.ts';
import { whyUnreadable } from '../regular-file.ts';

/** Of a bake file or a compose file. */
const MAX_FILE_BYTES = 4 << 20;
/** Where compose finds variables besides the environment. */
export const ENV_FILE = '.env';

type Kind = 'json' | 'hcl' | 'compose' | 'dockerfile';

/** What a file is, by its name, as bake tells them. */
export function kindOfFile(file: string): Kind {
  const name = file.toLowerCase();
  if (name.endsWith('.json')) return 'json';
  if (name.endsWith('.hcl')) return 'hcl';
  return name.endsWith('.yml') || name.endsWith('.yaml') ? 'compose' : 'dockerfile';
}

/**
 * What bake files and compose files say together: compose comes first, whatever the order, as in bake. What only buildx can
 * read is in the findings as `beyond`.
 */
export function readFiles(host: Host, files: readonly string[], findings: Findings): Configuration {
  const trees = (kind: Kind, read: typeof readJsonTree) =>
    files.flatMap((file) => {
      const tree = kindOfFile(file) === kind ? readTree(host, file, findings, read) : undefined;
      return tree === undefined ? [] : [{ tree, reader: findings.in(file) }];
    });
  for (const file of files)
    if (kindOfFile(file) === 'hcl' && isReadable(host, file, findings)) findings.in(file).beyond(undefined, 'HCL');
  const hasCompose = files.some((file) => kindOfFile(file) === 'compose');
  const environment = hasCompose ? readEnvironment(host, findings) : new Map<string, string>();
  const lookup = (name: string): string | undefined => fromEnvironment(host, name) ?? environment.get(name);
  const composed = readCompose(
    trees('compose', readYamlTree).map(({ tree, reader }) => ({ tree: interpolate(tree, lookup, reader), reader })),
    lookup,
  );
  const bakeFiles = trees('json', readJsonTree);
  const scalar = readVariables(bakeFiles.flatMap(variablesOf), (name) => fromEnvironment(host, name));
  return assemble(
    [...composed.targets, ...bakeFiles.flatMap((file) => readTargetDefinitions(file, () => scalar))],
    [...composed.groups, ...bakeFiles.flatMap((file) => readGroups(file, scalar))],
  );
}

/** A variable of the environment that a file may ask for; `toString` is none. */
export function fromEnvironment({ env }: Host, name: string): string | undefined {
  return Object.hasOwn(env, name) && !isJobToken(name) ? env[name] : undefined;
}

function readTree(host: Host, file: string, findings: Findings, read: typeof readJsonTree): Tree | undefined {
  const text = readText(host, file, findings);
  return text === undefined ? undefined : read(text, findings.in(file));
}

function isReadable(host: Host, file: string, findings: Findings): boolean {
  return readText(host, file, findings) !== undefined;
}

/** The text of a file that a person wrote; `undefined` after its problem was reported. */
export function readText({ files }: Host, file: string, findings: Findings): string | undefined {
  const reader = findings.in(file);
  try {
    const text = files.readRegular(file, MAX_FILE_BYTES);
    if (text === undefined) reader.certain(undefined, 'there is no such file');
    // A file may well hold this character, but then it has been through a program that lost one.
    if (text?.includes('\ufffd')) reader.certain(undefined, 'it is not UTF-8');
    return text?.includes('\ufffd') ? undefined : text;
  } catch (error) {
    reader.certain(undefined, `it ${whyUnreadable(error)}`);
    return undefined;
  }
}

/** The variables of the workspace's `.env`, where there is one. */
function readEnvironment(host: Host, findings: Findings): ReadonlyMap<string, string> {
  if (host.files.kindOf(ENV_FILE) === undefined || host.files.kindOf(ENV_FILE) === 'directory') return new Map();
  const text = readText(host, ENV_FILE, findings);
  return text === undefined ? new Map() : parseEnvFile(text, findings.in(ENV_FILE));
}
