import type { Attributes } from './attributes.ts';
import { mergeAttributes, NO_ATTRIBUTES } from './attributes.ts';

/** A target as the files say it, nothing inherited yet. */
export interface TargetDefinition {
  readonly name: string;
  /** Where it stands first: the file as it was given, and the line where one is known. */
  readonly file: string;
  readonly line: number | undefined;
  readonly attributes: Attributes;
}

export interface GroupDefinition {
  readonly name: string;
  readonly file: string;
  readonly line: number | undefined;
  /** Names of targets and groups. */
  readonly targets: readonly string[];
}

/** All that bake files and compose files say together. */
export interface Configuration {
  readonly targets: ReadonlyMap<string, TargetDefinition>;
  readonly groups: ReadonlyMap<string, GroupDefinition>;
}

/** Puts definitions together in their order: a target said again adds to the earlier one, a group replaces it. */
export function assemble(targets: readonly TargetDefinition[], groups: readonly GroupDefinition[]): Configuration {
  const merged = new Map<string, TargetDefinition>();
  for (const target of targets) {
    const earlier = merged.get(target.name) ?? { ...target, attributes: NO_ATTRIBUTES };
    merged.set(target.name, { ...earlier, attributes: mergeAttributes(earlier.attributes, target.attributes) });
  }
  return { targets: merged, groups: new Map(groups.map((group) => [group.name, group])) };
}
