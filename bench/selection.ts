import { nearest } from '../src/core/nearest.ts';
import { type Group, idsOf, type Measurable } from './groups.ts';

/** What `--only` takes besides names: everything, also what takes minutes. */
const ALL = 'all';

/**
 * The part of the groups that `--only` asks for, by names of groups and of rows with commas between; what takes minutes is among
 * them. An empty text stands for everything that does not. Error with the nearest name when one is unknown.
 */
export function selectGroups(groups: readonly Group[], only: string): readonly Group[] {
  const wanted = new Set(
    only
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  );
  const known = [ALL, ...groups.map(({ name }) => name), ...idsOf(groups)];
  for (const name of wanted) {
    if (known.includes(name)) continue;
    const meant = nearest(name, known);
    const hint = meant === undefined ? 'npm run bench -- --list names them' : `did you mean ${JSON.stringify(meant)}?`;
    throw new Error(`--only: there is no group or row ${JSON.stringify(name)}: ${hint}`);
  }
  const isWanted = (group: Group, { name, slow }: Measurable): boolean => {
    if (wanted.size === 0) return slow !== true;
    return wanted.has(ALL) || wanted.has(group.name) || wanted.has(name);
  };
  return groups
    .map((group) => ({
      ...group,
      facts: group.facts.filter((fact) => isWanted(group, fact)),
      rows: group.rows.filter((row) => isWanted(group, row)),
    }))
    .filter(({ facts, rows }) => facts.length + rows.length > 0);
}
