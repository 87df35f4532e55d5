/** How GitHub spells the repository whose workflow runs; empty where there is none. */
export interface OwnName {
  /** `Acme/App` */
  readonly repository: string;
  /** `Acme` */
  readonly owner: string;
}

/** Where a name may stand: an item without `=`, and the value of `ref=`. Not a path in `src=`. */
const PLACES = /(?<=^|[,\n"]|\bref=)[^=,\n"]+(?=$|[,\n"])/gm;

/**
 * `ghcr.io/${{ github.repository }}` is what people write, and GitHub's names may hold upper case, which a registry's may
 * not. GitHub does not tell the two apart, so its own name loses nothing; any other upper case is a mistake to show.
 */
export function lowerOwnName(text: string, { repository, owner }: OwnName): string {
  const spellings = [
    ...(repository === '' ? [] : [new RegExp(`(?<![^/\\s])${escapeRegExp(repository)}(?=[/:@\\s]|$)`, 'g')]),
    ...(owner === '' ? [] : [new RegExp(`(?<![^/\\s])${escapeRegExp(owner)}(?=/)`, 'g')]),
  ];
  return text.replace(PLACES, (place) =>
    spellings.reduce((lowered, spelling) => lowered.replace(spelling, (name) => name.toLowerCase()), place),
  );
}

function escapeRegExp(text: string): string {
  return text.replace(/[^A-Za-z0-9_]/g, '\\$&');
}
