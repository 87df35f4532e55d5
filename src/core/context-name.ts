import { quote } from './printable.ts';

/** Why a name is none of a named context. BuildKit has `NAME::PLATFORM` for its own use: it stands for NAME there only. */
export function findContextNameProblem(name: string): string | undefined {
  if (!name.includes('::')) return undefined;
  return `${quote(name)} would be a context for one platform: one for all platforms is allowed, so leave out what follows "::"`;
}
