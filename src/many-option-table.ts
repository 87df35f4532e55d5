import { parseMatrixEntry } from './core/bake/matrix-entry.ts';
import { anyText, listOf, type Parse } from './core/kinds.ts';
import { parsed, unparsable } from './core/parsed.ts';
import { quote } from './core/printable.ts';
import { list, text } from './option.ts';

/** As many jobs as a matrix of GitHub's may have: https://docs.github.com/en/actions/reference/limits */
const MAX_JOBS = 256;

const jobCount: Parse<number> = (given) => {
  const count = /^[0-9]{1,3}$/.test(given.trim()) ? Number(given) : 0;
  return count >= 1 && count <= MAX_JOBS
    ? parsed(count)
    : unparsable(`${quote(given)} is not allowed: a whole number from 1 to ${MAX_JOBS} is`);
};

/** The inputs for several images in one run, for the one table of inputs. */
export const MANY_OPTIONS = {
  files: list(listOf(anyText), {
    group: 'many',
    about:
      'Bake files (`docker-bake.hcl`, `.json`), compose files, Dockerfiles or patterns of them (`services/*/Dockerfile`), one a line: several images in one run. `plan` without it takes the files that `docker buildx bake` would.',
  }),
  targets: list(listOf(anyText, { commas: true }), {
    group: 'many',
    about: 'Which of them: targets or groups, or patterns with `*`. Default: the group `default`, else all.',
  }),
  entry: text(parseMatrixEntry, {
    group: 'many',
    about:
      'An entry of the matrix of a `plan`, as it is: what `toJSON(matrix)` gives. It stands for `files` and `targets`.',
  }),
  'max-jobs': text(
    jobCount,
    {
      group: 'many',
      about: 'How many entries the matrix of a `plan` may have; where more images are missing, several share one.',
    },
    String(MAX_JOBS),
  ),
} as const;
