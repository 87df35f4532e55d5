import { quote } from '../printable.ts';
import { isTargetName } from './attributes.ts';
import { readComposeBuild } from './compose-build.ts';
import { mapEntries } from './compose-values.ts';
import type { GroupDefinition, TargetDefinition } from './configuration.ts';
import type { Reader } from './findings.ts';
import { kindName, type Tree, valueOf } from './tree.ts';
import type { Lookup } from './variables.ts';

/** A compose file whose variables are replaced. */
export interface ComposeFile {
  readonly tree: Tree;
  readonly reader: Reader;
}

/**
 * The services that are built, as targets, and the group `default` of them all. What compose merges, extends or includes is
 * for buildx.
 */
export function readCompose(
  files: readonly ComposeFile[],
  lookup: Lookup,
): { readonly targets: readonly TargetDefinition[]; readonly groups: readonly GroupDefinition[] } {
  const targets: TargetDefinition[] = [];
  const seen = new Set<string>();
  const secrets = new Map<string, Tree>();
  for (const { tree, reader } of files) {
    for (const { key, line, value } of mapEntries(valueOf(tree, 'secrets'))) {
      if (secrets.has(key)) reader.beyond(line, `the secret ${quote(key)} in several files`);
      secrets.set(key, value);
    }
  }
  for (const { tree, reader } of files) {
    checkTop(tree, reader);
    for (const { key, line, value } of mapEntries(valueOf(tree, 'services'))) {
      if (seen.has(key)) reader.beyond(line, `the service ${quote(key)} in several files`);
      seen.add(key);
      const name = key.replaceAll('.', '_');
      if (value.kind !== 'map') reader.beyond(line, `the service ${quote(key)} that is ${kindName(value)}`);
      if (valueOf(value, 'extends') !== undefined) reader.beyond(line, `"extends" in service ${quote(key)}`);
      const build = mapEntries(value).find((entry) => entry.key === 'build');
      if (build === undefined) continue;
      if (!isTargetName(name)) {
        reader.problem(
          line,
          `service ${quote(key)}: letters, digits, "_", "-" and "." are allowed in the name of a target`,
        );
      }
      const attributes = readComposeBuild(
        { name: key, service: value, build: build.value, line: build.line },
        { secrets, lookup, reader },
      );
      targets.push({ name, file: reader.file, line, attributes });
    }
  }
  const [first] = files;
  if (first === undefined || seen.size === 0) return { targets, groups: [] };
  const names = targets.map(({ name }) => name);
  return { targets, groups: [{ name: 'default', file: first.reader.file, line: undefined, targets: names }] };
}

function checkTop(tree: Tree, reader: Reader): void {
  if (tree.kind !== 'map')
    reader.problem(
      tree.line,
      `a compose file is a map with services, not ${tree.kind === 'null' ? 'empty' : kindName(tree)}`,
    );
  const include = mapEntries(tree).find(({ key }) => key === 'include');
  if (include !== undefined) reader.beyond(include.line, '"include"');
  const services = valueOf(tree, 'services');
  if (services !== undefined && services.kind !== 'map')
    reader.problem(services.line, `services must be a map, not ${kindName(services)}`);
  if (tree.kind === 'map' && services === undefined && valueOf(tree, 'secrets') === undefined) {
    reader.problem(tree.line, 'there are no services in this compose file');
  }
}
