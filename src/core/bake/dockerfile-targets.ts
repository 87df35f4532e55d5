import { cleanPath } from '../clean-path.ts';
import { quote } from '../printable.ts';
import { NO_ATTRIBUTES } from './attributes.ts';
import type { TargetDefinition } from './configuration.ts';

/** A Dockerfile that was found, and the line of `files` that led to it. */
export interface ListedDockerfile {
  /** Relative to the workspace, with `/` between its names. */
  readonly path: string;
  readonly source: string;
}

const EXTENSION = /^(?:(?:Docker|Container)file\.(.+)|(.+)\.(?:Docker|Container)file)$/i;

/**
 * A target for each Dockerfile: its directory is the context, and gives the name; of `api.Dockerfile` and `Dockerfile.api`
 * that is `api`. `workspace` names the one at the top. Two of one name are a problem.
 */
export function dockerfileTargets(
  dockerfiles: readonly ListedDockerfile[],
  workspace: string,
): { readonly targets: readonly TargetDefinition[]; readonly problems: readonly string[] } {
  const targets = new Map<string, TargetDefinition>();
  const problems: string[] = [];
  const places = new Map<string, string>();
  for (const { path, source } of dockerfiles) {
    const names = cleanPath(path).split('/');
    const file = names.pop() ?? '';
    const [, after, before] = EXTENSION.exec(file) ?? [];
    const name = after ?? before ?? names.at(-1) ?? workspace;
    const other = places.get(name);
    if (other !== undefined && other !== path) {
      problems.push(
        `${quote(other)} and ${quote(path)} are both called ${quote(name)}; give them names in a bake file`,
      );
    }
    if (other !== undefined) continue;
    places.set(name, path);
    const texts = new Map([
      ['context', names.join('/') || '.'],
      ['dockerfile', file],
    ] as const);
    targets.set(name, { name, file: source, line: undefined, attributes: { ...NO_ATTRIBUTES, texts } });
  }
  return { targets: [...targets.values()], problems };
}
