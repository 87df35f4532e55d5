import type { BuildSettings } from '../core/build-options.ts';
import { parseJson, valueAt } from '../core/json.ts';
import { quote } from '../core/printable.ts';
import type { Problem } from '../errors.ts';
import type { BakeTarget } from './bake-definition.ts';
import { type Docker, runDocker } from './docker.ts';

/** An attribute of bake that only younger buildx know: `extra-hosts` since 0.25, the others since 0.13. */
interface YoungAttribute {
  readonly attribute: string;
  readonly input: string;
  readonly isUsed: (settings: BuildSettings) => boolean;
}

const YOUNG: readonly YoungAttribute[] = [
  { attribute: 'extra-hosts', input: 'add-hosts', isUsed: ({ addHosts }) => addHosts.length > 0 },
  { attribute: 'shm-size', input: 'shm-size', isUsed: ({ shmSize }) => shmSize !== undefined },
  { attribute: 'ulimits', input: 'ulimit', isUsed: ({ ulimit }) => ulimit.length > 0 },
];

/**
 * What this buildx would leave out of our definition, as it does, without a word, with every attribute that it does not know.
 * It is asked only when there is something that it may not know; a definition that it refuses, the build itself will show.
 */
export async function findUnknownAttributes(
  docker: Docker,
  file: string,
  targets: readonly BakeTarget[],
): Promise<readonly Problem[]> {
  const young = targets.flatMap(({ name, target, settings }) =>
    YOUNG.filter(({ isUsed }) => isUsed(settings)).map((one) => ({ ...one, name, target })),
  );
  if (young.length === 0) return [];
  const names = targets.map(({ target }) => target);
  const { status, stdout } = await runDocker(docker, ['buildx', 'bake', '--print', `--file=${file}`, '--', ...names]);
  const shown = status === 0 ? parseJson(stdout) : undefined;
  if (shown === undefined) return [];
  return young
    .filter(({ target, attribute }) => valueAt(shown, 'target', target, attribute) === undefined)
    .map(({ input, name }) => ({
      input,
      message: `the bake of this buildx does not know it, and ${quote(name)} would be built without; take a current buildx`,
    }));
}
