import type { RepositoryName } from '../../core/reference.ts';
import type { Protection } from '../../core/retention/inventory.ts';
import type { Host } from '../../host.ts';
import type { GitHubApi } from '../github-api.ts';

/** Where those who need images are looked for. */
export interface Surroundings {
  readonly host: Host;
  /** The repository of images that is pruned. */
  readonly repository: RepositoryName;
  /** `undefined` where there is no token, or no GitHub. */
  readonly github: Pick<GitHubApi, 'send'> | undefined;
  /** GITHUB_REPOSITORY: `owner/name`. */
  readonly githubRepository: string | undefined;
  /** The directory with the repository's own files; absolute. */
  readonly workspace: string;
  /** What versions in git begin with; the input `tag-prefix`. */
  readonly tagPrefix: string;
}

/**
 * What a source answers. `absent`: there is no such source here; `unreadable`: there is one, and what it says is not known.
 * Reasons are half a sentence, hints a whole one.
 */
export type SourceAnswer =
  | { readonly kind: 'read'; readonly protections: readonly Protection[]; readonly notices: readonly string[] }
  | { readonly kind: 'absent'; readonly reason: string; readonly hint: string }
  | { readonly kind: 'unreadable'; readonly reason: string; readonly hint: string; readonly cause?: unknown };

/** One who needs images: a protection of one place. */
export function protectionOf(
  by: string,
  images: readonly { readonly tag?: string | undefined; readonly digest?: Protection['digests'][number] | undefined }[],
): Protection {
  return {
    by,
    tags: [...new Set(images.flatMap(({ tag }) => tag ?? []))],
    digests: [...new Set(images.flatMap(({ digest }) => digest ?? []))],
  };
}
